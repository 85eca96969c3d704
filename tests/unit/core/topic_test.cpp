#include "support/bytes.hpp"

#include <martlet/topic.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using namespace martlet;
using martlet::test::bytes;

namespace {

// All strings over an alphabet of at most `size_max` characters, the empty one included.
std::vector<std::string> all_strings(std::string_view alphabet, std::size_t size_max) {
    std::vector<std::string> out{""};
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (out[i].size() == size_max) break;
        for (const char c : alphabet)
            out.push_back(out[i] + c);
    }
    return out;
}

using levels = std::vector<std::string>;

levels levels_of(const std::string& text) {
    levels out{""};
    for (const char c : text) {
        if (c == '/') {
            out.emplace_back();
        } else {
            out.back() += c;
        }
    }
    return out;
}

// §4.7.1 said with levels.
bool is_plain_filter(const levels& filter) {
    for (std::size_t i = 0; i < filter.size(); ++i) {
        if (filter[i] == "+" || (filter[i] == "#" && i + 1 == filter.size())) continue;
        if (filter[i].find_first_of("+#") != std::string::npos) return false;
    }
    return filter != levels{""};
}

// §4.7.2 and §4.7.3 said with levels.
bool matches_by_levels(const levels& filter, const levels& topic) {
    if (topic[0].starts_with('$') && (filter[0] == "+" || filter[0] == "#")) return false;
    for (std::size_t i = 0; i < filter.size(); ++i) {
        if (filter[i] == "#") return true;
        if (i == topic.size() || (filter[i] != "+" && filter[i] != topic[i])) return false;
    }
    return filter.size() == topic.size();
}

}  // namespace

TEST_CASE("MQTT-4.7.0-1: a topic name has no wildcards") {
    CHECK(is_valid_topic_name("sport/tennis/player1"));
    CHECK(is_valid_topic_name("/"));
    CHECK(is_valid_topic_name("a b"));
    CHECK(is_valid_topic_name("$SYS/x"));
    CHECK(is_valid_topic_name("$share/g/x"));
    CHECK_FALSE(is_valid_topic_name("+"));
    CHECK_FALSE(is_valid_topic_name("sport/#"));
    CHECK_FALSE(is_valid_topic_name("a+b"));
}

TEST_CASE("MQTT-4.7.3-1: topic names and filters have at least one character") {
    CHECK_FALSE(is_valid_topic_name(""));
    CHECK_FALSE(is_valid_topic_filter(""));
}

TEST_CASE("MQTT-4.7.3-2: topic names and filters have no U+0000") {
    CHECK_FALSE(is_valid_topic_name(bytes("'a' 00 'b'")));
    CHECK_FALSE(is_valid_topic_filter(bytes("'a' 00 'b'")));
    CHECK_FALSE(is_valid_utf8_string(bytes("00")));
}

TEST_CASE("MQTT-4.7.3-3: topic names and filters are UTF-8 of at most 65,535 bytes") {
    const std::string longest(65'535, 'a');
    const std::string too_long(65'536, 'a');
    CHECK(is_valid_topic_name(longest));
    CHECK(is_valid_topic_filter(longest));
    CHECK(is_valid_utf8_string(longest));
    CHECK_FALSE(is_valid_topic_name(too_long));
    CHECK_FALSE(is_valid_topic_filter(too_long));
    CHECK_FALSE(is_valid_utf8_string(too_long));

    CHECK(is_valid_topic_name("\xC3\xA4/\xE2\x82\xAC"));
    CHECK(is_valid_topic_filter("\xC3\xA4/+/#"));
    CHECK_FALSE(is_valid_topic_name("\xC3/a"));
    CHECK_FALSE(is_valid_topic_filter("\xED\xA0\x80"));
    CHECK(is_valid_utf8_string(""));
}

TEST_CASE("MQTT-4.7.1-1: # stands alone in the last level") {
    for (const char* const filter : {"#", "/#", "sport/#", "sport/tennis/#", "+/#"})
        CHECK(is_valid_topic_filter(filter));
    for (const char* const filter : {"sport#", "#/sport", "sport/#/ranking", "##", "#+", "+#", "a/#b"}) {
        CAPTURE(filter);
        CHECK_FALSE(is_valid_topic_filter(filter));
    }
}

TEST_CASE("MQTT-4.7.1-2: + stands alone in its level") {
    for (const char* const filter : {"+", "+/tennis/#", "sport/+/player1", "/+", "+/", "+/+", "a//+"}) {
        CHECK(is_valid_topic_filter(filter));
    }
    for (const char* const filter : {"sport+", "+sport", "a/+b", "a/b+/c", "++"}) {
        CAPTURE(filter);
        CHECK_FALSE(is_valid_topic_filter(filter));
    }
}

TEST_CASE("MQTT-4.8.2-1: a shared filter is $share, a name and a filter") {
    const auto shared = split_shared_filter("$share/consumers/sport/tennis/+");
    REQUIRE(shared);
    CHECK(shared->group == "consumers");
    CHECK(shared->filter == "sport/tennis/+");

    const auto absolute = split_shared_filter("$share/g//x");
    REQUIRE(absolute);
    CHECK(absolute->filter == "/x");

    CHECK_FALSE(split_shared_filter("sport/tennis"));
    CHECK_FALSE(split_shared_filter("$SHARE/g/x"));
    CHECK_FALSE(split_shared_filter("$share"));
    CHECK(is_valid_topic_filter("$share"));  // not the prefix
}

TEST_CASE("MQTT-4.8.2-2: a group's name is not empty and has no / + #, and a valid filter follows") {
    for (const char* const filter : {"$share/", "$share/g", "$share//x", "$share/g/", "$share/+/x", "$share/#",
                                     "$share/g+/x", "$share/g#/x", "$share/g/a#", "$share/g/#/a", "$share/g/a+"}) {
        CAPTURE(filter);
        CHECK_FALSE(is_valid_topic_filter(filter));
        CHECK_FALSE(split_shared_filter(filter));
    }
}

TEST_CASE("topic_matches: the examples of the specification") {
    struct row {
        const char* filter;
        const char* topic;
        bool matches;
    };
    for (const row& row : {
             row{"sport/tennis/player1/#", "sport/tennis/player1", true},
             row{"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
             row{"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
             row{"sport/#", "sport", true},
             row{"#", "a/b", true},
             row{"sport/tennis/+", "sport/tennis/player1", true},
             row{"sport/tennis/+", "sport/tennis/player1/ranking", false},
             row{"sport/+", "sport", false},
             row{"sport/+", "sport/", true},
             row{"+/+", "/finance", true},
             row{"/+", "/finance", true},
             row{"+", "/finance", false},
             row{"sport/#", "sports", false},
             row{"ACCOUNTS", "Accounts", false},
             row{"/finance", "finance", false},
             row{"a", "a/", false},
             row{"a/", "a", false},
             row{"a//b", "a//b", true},
         }) {
        CAPTURE(row.filter);
        CAPTURE(row.topic);
        CHECK(topic_matches(row.filter, row.topic) == row.matches);
    }
}

TEST_CASE("MQTT-4.7.2-1: a leading wildcard does not match a topic that begins with $") {
    CHECK_FALSE(topic_matches("#", "$SYS/x"));
    CHECK_FALSE(topic_matches("+/x", "$SYS/x"));
    CHECK(topic_matches("$SYS/#", "$SYS/x"));
    CHECK(topic_matches("$SYS/+", "$SYS/x"));
    CHECK(topic_matches("+/$x", "a/$x"));
}

TEST_CASE("MQTT-4.7.3-4: matching is by bytes, without normalisation") {
    CHECK(topic_matches("\xC3\x85", "\xC3\x85"));
    CHECK_FALSE(topic_matches("A\xCC\x8A", "\xC3\x85"));  // the same letter, composed otherwise
}

TEST_CASE("topic filters: validity and matching agree with the definition by levels, for all short strings") {
    struct topic {
        std::string name;
        levels parts;
    };
    std::vector<topic> topics;
    for (const std::string& name : all_strings("ab/$", 5)) {
        if (!name.empty()) topics.push_back({name, levels_of(name)});
    }
    std::size_t valid = 0;
    for (const std::string& filter : all_strings("ab/+#$", 5)) {
        const levels parts = levels_of(filter);
        if (is_valid_topic_filter(filter) != is_plain_filter(parts)) FAIL_CHECK("validity of " << filter);
        if (!is_plain_filter(parts)) continue;
        ++valid;
        if (has_wildcard(filter) == (filter.find_first_of("+#") == std::string::npos))
            FAIL_CHECK("wildcard: " << filter);
        for (const topic& topic : topics) {
            if (topic_matches(filter, topic.name) != matches_by_levels(parts, topic.parts)) {
                FAIL_CHECK(filter << " and " << topic.name);
            }
        }
    }
    CHECK(valid > 1'000);
}

TEST_CASE("topic_levels: separators plus one") {
    CHECK(topic_levels("a") == 1);
    CHECK(topic_levels("/a") == 2);
    CHECK(topic_levels("a//b") == 3);
    CHECK(topic_levels(std::string(1'000, '/')) == 1'001);
}
