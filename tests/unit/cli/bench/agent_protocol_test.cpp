#include "bench/agent_protocol.hpp"

#include "bench/hlog.hpp"
#include "bench/options.hpp"
#include "bench/report.hpp"

#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace martlet::cli::bench;

namespace {

run_settings parse(std::vector<std::string> words) {
    std::vector<char*> tokens;
    for (std::string& word : words)
        tokens.push_back(word.data());
    parsed_options parsed = parse_run_options(tokens);
    REQUIRE_MESSAGE(parsed.failure.empty(), parsed.failure);
    return std::move(parsed.settings);
}

/// As it goes over the wire.
boost::json::object sent(const boost::json::object& what) {
    const auto read = parse_object(boost::json::serialize(what));
    REQUIRE(read);
    return *read;
}

tally counts_from(random_source& random) {
    tally t;
    for (const tally::counter& one : tally::counters())
        t.*one.value = random.below(1'000'000'000'000);
    t.last_event = static_cast<nanoseconds>(random.below(1'000'000'000));
    for (int i = 0; i < 500; ++i)
        t.of(timing::e2e).record(static_cast<nanoseconds>(random.below(1ull << random.below(43))));
    t.of(timing::lag).record(histogram::value_max + 5, 3);
    t.count_error("connection lost: \"reset\"", 2);
    return t;
}

void check_same(const tally& a, const tally& b) {
    for (const tally::counter& one : tally::counters())
        CHECK_MESSAGE(a.*one.value == b.*one.value, one.name);
    CHECK(a.last_event == b.last_event);
    CHECK(a.errors == b.errors);
    for (std::size_t i = 0; i < timing_count; ++i) {
        const histogram& x = a.times[i];
        const histogram& y = b.times[i];
        CHECK(std::vector(x.counters().begin(), x.counters().end()) ==
              std::vector(y.counters().begin(), y.counters().end()));
        CHECK(x.count() == y.count());
        CHECK(x.minimum() == y.minimum());
        CHECK(x.maximum() == y.maximum());
        CHECK(x.clipped() == y.clipped());
    }
}

}  // namespace

TEST_CASE("agent protocol: tallies arrive exactly, and those of two agents add up to those of one process") {
    random_source random(3);
    const tally first = counts_from(random);
    const tally second = counts_from(random);
    const auto first_back = decode_tally(sent(encode_tally(first)));
    const auto second_back = decode_tally(sent(encode_tally(second)));
    REQUIRE(first_back);
    REQUIRE(second_back);
    check_same(*first_back, first);

    tally whole = first;
    whole.add(second);
    tally merged;
    merged.add(*first_back);
    merged.add(*second_back);
    check_same(merged, whole);
}

TEST_CASE("agent protocol: an empty tally is one, and anything else is none") {
    const auto empty = decode_tally(sent(encode_tally(tally())));
    REQUIRE(empty);
    check_same(*empty, tally());
    CHECK(!decode_tally({}));
    CHECK(!decode_tally(*parse_object(R"({"counters":{},"times":{"e2e":7},"errors":{}})")));
    CHECK(!decode_tally(*parse_object(R"({"counters":{},"times":{"e2e":{"counters":"HIST"}},"errors":{}})")));
    CHECK(!decode_tally(*parse_object(R"({"counters":{},"times":{"tea":{"counters":""}},"errors":{}})")));
    CHECK(!parse_object("[1]"));
    CHECK(!parse_object("{"));
}

TEST_CASE("agent protocol: a plan arrives as it was made") {
    const run_settings given = parse({"fan-in",
                                      "--pubs",
                                      "7",
                                      "-q",
                                      "1",
                                      "--sub-qos",
                                      "2",
                                      "-s",
                                      "64..1KiB",
                                      "-r",
                                      "1k..7k/3s",
                                      "--arrival",
                                      "poisson",
                                      "-z",
                                      "3s",
                                      "--warmup",
                                      "250ms",
                                      "--threads",
                                      "2",
                                      "--seed",
                                      "9",
                                      "--connect-rate",
                                      "12.5",
                                      "-h",
                                      "broker.example",
                                      "-p",
                                      "1884",
                                      "-V",
                                      "311",
                                      "-u",
                                      "me",
                                      "-P",
                                      "secret"});
    run_plan plan;
    plan.run = 65'000;
    plan.prefix = "bench/65000/";
    plan.share = {1, 3};
    plan.urls = {"mqtt://a", "mqtt://b"};
    run_settings got;
    run_plan got_plan;
    REQUIRE(decode_plan(sent(encode_plan(given, plan)), got, got_plan) == "");
    CHECK(got_plan.run == plan.run);
    CHECK(got_plan.prefix == plan.prefix);
    CHECK(got_plan.share.index == 1);
    CHECK(got_plan.share.count == 3);
    CHECK(got_plan.urls == plan.urls);
    CHECK(got.connection.host == "broker.example");
    CHECK(got.connection.port == 1884);
    CHECK(got.connection.user_name == "me");
    CHECK(got.connection.version == martlet::protocol_version::v3_1_1);
    CHECK(got.connect_rate == 12.5);
    CHECK(got.threads == 2);
    CHECK(got.seed == 9);
    CHECK(got.warm_up == 250 * millisecond);
    CHECK(encode_plan(got, got_plan) == encode_plan(given, plan));
    CHECK(offered_messages(got) == offered_messages(given));
}

TEST_CASE("agent protocol: a plan of another version, or without sense, is refused") {
    run_settings got;
    run_plan plan;
    CHECK(decode_plan(*parse_object(R"({"version":99})"), got, plan).find("another version") != std::string::npos);
    CHECK(decode_plan(*parse_object(R"({"version":1,"flows":[{"scenario":"tea"}]})"), got, plan) != "");
    CHECK(decode_plan(*parse_object(R"({"version":1,"index":2,"agents":2,"threads":1})"), got, plan) != "");
    CHECK(decode_plan(*parse_object(R"({"version":1,"connection":["--frobnicate"]})"), got, plan) != "");
}

TEST_CASE("agent protocol: names are one level of a topic") {
    CHECK(complaint_about_name("a-1.example") == "");
    for (const char* wrong : {"", "a/b", "+", "#"})
        CHECK(complaint_about_name(wrong) != "");
    CHECK(name_of_topic(answer_topic("g", "c", "a1")) == "a1");
}
