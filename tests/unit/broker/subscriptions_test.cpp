#include "broker/subscriptions.hpp"

#include <martlet/topic.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace martlet;
using namespace martlet::broker_impl;

namespace {

constexpr auto nobody_is_busy = [](session_index) { return false; };

std::set<session_index> receivers(subscriptions& subject, std::string_view topic) {
    match_result found;
    subject.find(topic, found);
    std::set<session_index> sessions;
    for (const match& m : found.sessions)
        CHECK(sessions.insert(m.session).second);
    return sessions;
}

match only_match(subscriptions& subject, std::string_view topic) {
    match_result found;
    subject.find(topic, found);
    REQUIRE(found.sessions.size() == 1);
    return found.sessions[0];
}

}  // namespace

TEST_CASE("subscriptions: the specification's examples of filters") {
    subscriptions subject(1);
    subject.put(1, "sport/tennis/player1/#", {});
    CHECK(receivers(subject, "sport/tennis/player1") == std::set<session_index>{1});
    CHECK(receivers(subject, "sport/tennis/player1/ranking") == std::set<session_index>{1});
    CHECK(receivers(subject, "sport/tennis/player1/score/wimbledon") == std::set<session_index>{1});
    CHECK(receivers(subject, "sport/tennis") == std::set<session_index>{});
    subject.put(2, "sport/+", {});
    CHECK(receivers(subject, "sport") == std::set<session_index>{});
    CHECK(receivers(subject, "sport/") == std::set<session_index>{2});
    subject.put(3, "+/+", {});
    subject.put(4, "/+", {});
    subject.put(5, "+", {});
    CHECK(receivers(subject, "/finance") == std::set<session_index>{3, 4});
    subject.put(6, "#", {});
    CHECK(receivers(subject, "$SYS/monitor/Clients") == std::set<session_index>{});
    subject.put(7, "$SYS/#", {});
    subject.put(8, "$SYS/monitor/+", {});
    subject.put(9, "+/monitor/Clients", {});
    CHECK(receivers(subject, "$SYS/monitor/Clients") == std::set<session_index>{7, 8});
    CHECK(receivers(subject, "$SYS") == std::set<session_index>{7});
}

TEST_CASE("subscriptions: a topic that spells a shared filter does not match it") {
    subscriptions subject(1);
    subject.put(1, "$share/g/a", {});
    match_result found;
    subject.find("$share/g/a", found);
    CHECK(found.sessions.empty());
    CHECK(found.groups.empty());
    subject.find("a", found);
    CHECK(found.sessions.empty());
    CHECK(found.groups.size() == 1);
}

TEST_CASE("MQTT-3.3.4-2: overlapping subscriptions give one match with the highest QoS and all identifiers") {
    subscriptions subject(1);
    subject.put(1, "a/b", {.qos = qos::at_most_once, .identifier = 2});
    subject.put(1, "a/+", {.qos = qos::exactly_once, .identifier = 3});
    subject.put(1, "a/#", {.qos = qos::at_least_once, .retain_as_published = true});
    const match found = only_match(subject, "a/b");
    CHECK(found.qos == qos::exactly_once);
    CHECK(found.scope == match_scope::all);
    CHECK(found.retain_as_published);
    CHECK(found.identifiers == std::vector<std::uint32_t>{2, 3});
}

TEST_CASE("MQTT-3.8.3-3: No Local leaves out the session's own messages, unless another filter matches") {
    subscriptions subject(1);
    subject.put(1, "a", {.qos = qos::exactly_once, .no_local = true, .identifier = 1});
    CHECK(only_match(subject, "a").scope == match_scope::others);

    subject.put(1, "+", {.qos = qos::at_least_once, .identifier = 2});
    match_result found;
    subject.find("a", found);
    REQUIRE(found.sessions.size() == 2);
    CHECK(found.sessions[0].scope == match_scope::others);
    CHECK(found.sessions[0].qos == qos::exactly_once);
    CHECK(found.sessions[0].identifiers == std::vector<std::uint32_t>{1, 2});
    CHECK(found.sessions[1].scope == match_scope::own);
    CHECK(found.sessions[1].qos == qos::at_least_once);
    CHECK(found.sessions[1].identifiers == std::vector<std::uint32_t>{2});
}

TEST_CASE("MQTT-3.8.4-3: the same filter again replaces options and identifier") {
    subscriptions subject(1);
    CHECK(subject.put(1, "a/+", {.qos = qos::exactly_once, .no_local = true, .identifier = 7}));
    const auto before = subject.generation();
    CHECK(!subject.put(1, "a/+", {.qos = qos::at_least_once}));
    CHECK(subject.generation() != before);
    CHECK(subject.count() == 1);
    CHECK(subject.get(1, "a/+") == subscription_options{.qos = qos::at_least_once});
    CHECK(only_match(subject, "a/x").identifiers.empty());
}

TEST_CASE("MQTT-3.10.4-1: only the very same filter is removed") {
    subscriptions subject(1);
    subject.put(1, "a/+", {});
    subject.put(1, "$share/g/a/+", {});
    CHECK(!subject.erase(1, "a/b"));
    CHECK(!subject.erase(1, "a/#"));
    CHECK(!subject.erase(2, "a/+"));
    CHECK(!subject.erase(1, "$share/h/a/+"));
    CHECK(subject.erase(1, "a/+"));
    CHECK(!subject.erase(1, "a/+"));
    CHECK(subject.count() == 1);
    CHECK(subject.erase(1, "$share/g/a/+"));
    CHECK(subject.count() == 0);
    match_result found;
    subject.find("a/b", found);
    CHECK(found.sessions.empty());
    CHECK(found.groups.empty());
}

TEST_CASE("subscriptions: for_each lists what a session has") {
    subscriptions subject(1);
    subject.put(1, "$share/g/b/#", {.qos = qos::at_least_once});
    subject.put(1, "a", {.retain_handling = retain_handling::do_not_send, .identifier = 5});
    subject.put(2, "c", {});
    std::vector<std::pair<std::string, subscription_options>> listed;
    subject.for_each(
        1, [&](std::string_view filter, const subscription_options& options) { listed.emplace_back(filter, options); });
    REQUIRE(listed.size() == 2);
    CHECK(listed[0].first == "a");
    CHECK(listed[0].second == subscription_options{.retain_handling = retain_handling::do_not_send, .identifier = 5});
    CHECK(listed[1].first == "$share/g/b/#");
    CHECK(listed[1].second.qos == qos::at_least_once);
    CHECK(subject.count(1) == 2);
    CHECK(subject.shared_count() == 1);
}

TEST_CASE("MQTT-4.8.2: members of a group take turns, connected ones first") {
    subscriptions subject(1);
    for (session_index s = 1; s <= 3; ++s)
        subject.put(s, "$share/g/a", {});
    match_result found;
    subject.find("a", found);
    REQUIRE(found.groups.size() == 1);
    const auto next = [&] { return subject.choose(found.groups[0], nobody_is_busy).session; };

    CHECK(std::vector{next(), next(), next(), next()} == std::vector<session_index>{1, 2, 3, 1});

    subject.set_connected(2, true);
    CHECK(std::vector{next(), next()} == std::vector<session_index>{2, 2});
    subject.set_connected(3, true);
    CHECK(std::vector{next(), next(), next()} == std::vector<session_index>{3, 2, 3});

    const auto spared = [&] { return subject.choose(found.groups[0], [](session_index s) { return s == 2; }).session; };
    CHECK(std::vector{spared(), spared()} == std::vector<session_index>{3, 3});

    subject.set_connected(2, false);
    subject.set_connected(3, false);
    const auto a = next();
    const auto b = next();
    const auto c = next();
    CHECK(std::set{a, b, c} == std::set<session_index>{1, 2, 3});
}

TEST_CASE("MQTT-4.8.2: two groups and a plain subscription on one filter each get the message") {
    subscriptions subject(1);
    subject.put(1, "$share/g/a/+", {});
    subject.put(2, "$share/h/a/+", {.qos = qos::exactly_once});
    subject.put(3, "a/+", {});
    match_result found;
    subject.find("a/b", found);
    CHECK(found.sessions.size() == 1);
    REQUIRE(found.groups.size() == 2);
    std::set<session_index> chosen;
    for (const auto group : found.groups)
        chosen.insert(subject.choose(group, nobody_is_busy).session);
    CHECK(chosen == std::set<session_index>{1, 2});
}

TEST_CASE("subscriptions: a member that leaves does not break the turn") {
    subscriptions subject(1);
    for (session_index s = 0; s < 4; ++s) {
        subject.set_connected(s, true);
        subject.put(s, "$share/g/a", {});
    }
    match_result found;
    subject.find("a", found);
    const auto next = [&] { return subject.choose(found.groups.at(0), nobody_is_busy).session; };
    CHECK(next() == 0);
    CHECK(next() == 1);
    subject.erase(1, "$share/g/a");
    CHECK(next() == 2);
    subject.erase_all(2);
    CHECK(next() == 3);
    subject.erase_all(3);
    CHECK(next() == 0);
    subject.erase_all(0);
    subject.find("a", found);
    CHECK(found.groups.empty());
}

TEST_CASE("subscriptions: a filter of 65,535 bytes and 32,768 levels works without recursion") {
    std::string topic;
    std::string filter;
    while (topic.size() < 65'534) {
        topic += "/x";
        filter += "/+";
    }
    subscriptions subject(1);
    subject.put(1, filter, {});
    subject.put(2, topic, {});
    subject.put(3, filter.substr(0, filter.size() - 1) + "#", {});
    CHECK(receivers(subject, topic) == std::set<session_index>{1, 2, 3});
    for (session_index s = 1; s <= 3; ++s)
        subject.erase_all(s);
    CHECK(receivers(subject, topic).empty());
}

TEST_CASE("subscriptions: all 8,192 filters of 13 levels that match one topic are found") {
    subscriptions subject(1);
    for (unsigned bits = 0; bits < 8'192; ++bits) {
        std::string filter;
        for (unsigned level = 0; level < 13; ++level)
            filter += std::string(level ? "/" : "") + ((bits >> level & 1) ? "+" : "a");
        subject.put(bits, filter, {});
    }
    CHECK(receivers(subject, "a/a/a/a/a/a/a/a/a/a/a/a/a").size() == 8'192);
    CHECK(receivers(subject, "b/a/a/a/a/a/a/a/a/a/a/a/a").size() == 4'096);
}

// Random subscriptions against a list that is searched with topic_matches(): every topic, after every few operations.
TEST_CASE("subscriptions: agree with a naive matcher under random changes") {
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        const auto level = [&] { return std::vector<std::string>{"a", "b", "", "$x", "cc"}[below(5)]; };
        const auto random_topic = [&] {
            std::string topic = level();
            for (unsigned n = below(4); n > 0; --n)
                topic += "/" + level();
            return topic.empty() ? std::string("a") : topic;
        };
        const auto random_filter = [&] {
            std::string filter = below(3) == 0 ? "+" : level();
            for (unsigned n = below(4); n > 0; --n)
                filter += "/" + (below(3) == 0 ? "+" : level());
            if (below(4) == 0) filter += "/#";
            if (below(40) == 0) filter = "#";
            return filter.empty() ? std::string("+") : filter;
        };

        subscriptions subject(seed);
        std::map<std::pair<session_index, std::string>, subscription_options> naive;
        for (int step = 0; step < 300; ++step) {
            const session_index session = below(6);
            const std::string filter = random_filter();
            switch (below(8)) {
                case 0: {
                    subject.erase_all(session);
                    std::erase_if(naive, [&](const auto& item) { return item.first.first == session; });
                    break;
                }
                case 1:
                case 2: {
                    if (naive.empty()) break;
                    const auto it =
                        std::next(naive.begin(), static_cast<long>(below(static_cast<unsigned>(naive.size()))));
                    CHECK(subject.erase(it->first.first, it->first.second));
                    naive.erase(it);
                    break;
                }
                default: {
                    const subscription_options options{.qos = static_cast<qos>(below(3)),
                                                       .no_local = below(4) == 0,
                                                       .retain_as_published = below(2) == 0,
                                                       .identifier = below(4)};
                    const bool is_new = naive.insert_or_assign({session, filter}, options).second;
                    CHECK(subject.put(session, filter, options) == is_new);
                }
            }
            CHECK(subject.count() == naive.size());

            const std::string topic = random_topic();
            CAPTURE(topic);
            match_result found;
            subject.find(topic, found);
            for (session_index s = 0; s < 6; ++s) {
                for (const bool own : {false, true}) {
                    bool expected = false;
                    qos highest{};
                    bool as_published = false;
                    std::multiset<std::uint32_t> identifiers;
                    for (const auto& [key, options] : naive) {
                        if (key.first != s || !topic_matches(key.second, topic) || (own && options.no_local)) continue;
                        expected = true;
                        highest = std::max(highest, options.qos);
                        as_published |= options.retain_as_published;
                        if (options.identifier != 0) identifiers.insert(options.identifier);
                    }
                    int count = 0;
                    for (const match& m : found.sessions) {
                        if (m.session != s || m.scope == (own ? match_scope::others : match_scope::own)) continue;
                        ++count;
                        CHECK(m.qos == highest);
                        CHECK(m.retain_as_published == as_published);
                        CHECK(std::multiset<std::uint32_t>(m.identifiers.begin(), m.identifiers.end()) == identifiers);
                    }
                    CHECK(count == (expected ? 1 : 0));
                }
            }
        }
        for (session_index s = 0; s < 6; ++s)
            subject.erase_all(s);
        CHECK(subject.count() == 0);
        CHECK(subject.memory() < 64 * 1024);
    }
}
