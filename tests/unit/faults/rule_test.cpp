#include "faults/rule.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::faults_impl;
using namespace std::chrono_literals;

namespace {

rule parsed(std::string_view text) {
    rule r;
    std::string why;
    CHECK_MESSAGE(parse_rule(text, r, why), std::string(text) << ": " << why);
    CHECK(r.text == text);
    return r;
}

std::string refusal(std::string_view text) {
    rule r;
    std::string why;
    CHECK_FALSE(parse_rule(text, r, why));
    return why;
}

}  // namespace

TEST_CASE("each action with its argument") {
    CHECK(parsed("drop").action == action::drop);
    CHECK(parsed("dup publish").action == action::dup);
    CHECK(parsed("delay 50ms").time == 50ms);
    const rule spread = parsed("delay 50ms±20ms out>publish");
    CHECK(spread.time == 50ms);
    CHECK(spread.spread == 20ms);
    CHECK(parsed("delay 1.5s+-100us").spread == 100us);
    CHECK(parsed("reorder 3").amount == 3);
    CHECK(parsed("corrupt byte=2").byte == 2);
    CHECK(parsed("truncate 7").amount == 7);
    CHECK(parsed("split 1").amount == 1);
    CHECK(parsed("coalesce").time == 20ms);
    CHECK(parsed("coalesce 5ms out>any").time == 5ms);
    CHECK(parsed("coalesce 50% out>any").chance == doctest::Approx(0.5));
    CHECK(parsed("throttle 8kB/s").amount == 8000);
    CHECK(parsed("stall 5s").time == 5s);
    CHECK(parsed("half-open").action == action::half_open);
    CHECK(parsed("reset").action == action::reset);
    CHECK(parsed("half-close in>any").action == action::half_close);
    CHECK(parsed("disconnect rc=0x8B").reason == reason_code::server_shutting_down);
    CHECK(parsed("disconnect").action == action::disconnect);
}

TEST_CASE("refusals look at what they refuse, on its way to the broker") {
    for (const auto& [text, type] : {std::pair{"connack rc=0x88 times=3", packet_type::connect},
                                     std::pair{"suback rc=0x87 topic=x", packet_type::subscribe},
                                     std::pair{"puback rc=151 qos=1", packet_type::publish}}) {
        const rule r = parsed(text);
        CHECK(r.action == action::refuse);
        CHECK(r.covers(type));
        CHECK(r.covers(flow::in));
        CHECK_FALSE(r.covers(flow::out));
    }
    CHECK(parsed("puback rc=151").reason == reason_code::quota_exceeded);
    CHECK(parsed("no-connack").covers(packet_type::connack));
    CHECK(parsed("lose-session client=a*").covers(packet_type::connect));
}

TEST_CASE("targets, conditions and limits in any order") {
    const rule r =
        parsed("drop 10% client=a* times=5 in>publish topic=a/+ qos=1 size>100 user=joe ip=10.0.0.0/8 for=2s");
    CHECK(r.covers(packet_type::publish));
    CHECK_FALSE(r.covers(packet_type::puback));
    CHECK(r.in);
    CHECK_FALSE(r.out);
    CHECK(r.chance == doctest::Approx(0.1));
    CHECK(r.client == "a*");
    CHECK(r.user == "joe");
    CHECK(r.address == "10.0.0.0/8");
    CHECK(r.topic == "a/+");
    CHECK(r.wanted_qos == qos::at_least_once);
    CHECK(r.larger_than == 100);
    CHECK(r.times == 5);
    CHECK(r.lasts == duration(2s));
    CHECK(parsed("drop ping").covers(packet_type::pingresp));
    CHECK(parsed("reset n=7 publish").nth == 7);
    CHECK(parsed("dup every=10 publish").every == 10);
    CHECK(parsed("reset on=test/go").armed_by == "test/go");
    CHECK(parsed("stall 3s n=5 connections=30%").share == doctest::Approx(0.3));
}

TEST_CASE("after= takes packets, bytes and times, and ranges of them") {
    CHECK(parsed("reset after=100").after_packets->low == 100);
    const auto packets = parsed("reset after=1..20").after_packets;
    CHECK(packets->low == 1);
    CHECK(packets->high == 20);
    CHECK(parsed("reset after=400B").after_bytes->high == 400);
    const auto bytes = parsed("reset after=1..4kB").after_bytes;  // the first end has the unit of the second
    CHECK(bytes->low == 1'000);
    CHECK(bytes->high == 4'000);
}

TEST_CASE("the ends of a range may have units of their own") {
    const auto bytes = parsed("reset after=100B..4kB times=100").after_bytes;
    CHECK(bytes->low == 100);
    CHECK(bytes->high == 4'000);
    const auto times = parsed("reset after=1..2s").after_time;
    CHECK(times->low == 1s);
    CHECK(times->high == 2s);
    const rule sweep = parsed("reset sweep=1..400B in>any");
    CHECK(sweep.is_sweep);
    CHECK(sweep.after_bytes->low == 1);
    CHECK(sweep.after_bytes->high == 400);
    CHECK(parsed("half-close after=0s").is_timed());
    CHECK_FALSE(parsed("half-close after=3").is_timed());
}

TEST_CASE("what a rule may not say, in one line each") {
    CHECK(refusal("") == "it is empty");
    CHECK(refusal("explode").starts_with("'explode' is not an action: drop,"));
    CHECK(refusal("drop publish puback") == "'puback' is not possible: the rule has a target already");
    CHECK(refusal("drop pubish") == "'pubish' is not a part of a rule");
    CHECK(refusal("delay") == "delay wants a time, such as 50ms or 50ms±20ms");
    CHECK(refusal("delay 5") == "delay wants a time, such as 50ms or 50ms±20ms");
    CHECK(refusal("throttle 8") == "throttle wants a rate, such as 8kB/s");
    CHECK(refusal("split 0") == "split wants a whole number from 1");
    CHECK(refusal("reorder") == "reorder wants a whole number from 1");
    CHECK(refusal("connack") == "a refusal wants a reason from 0x80 on, such as rc=0x97");
    CHECK(refusal("puback rc=0x10") == "a refusal wants a reason from 0x80 on, such as rc=0x97");
    CHECK(refusal("drop rc=0x97") == "rc= belongs to disconnect, connack, suback and puback");
    CHECK(refusal("drop byte=1") == "byte= belongs to corrupt");
    CHECK(refusal("drop n=0") == "'n=0' is not right: it counts from 1");
    CHECK(refusal("drop 101%") == "'101%' is not a chance from 0% to 100%");
    CHECK(refusal("drop qos=3") == "'qos=3' is not right: a QoS is 0, 1 or 2");
    CHECK(refusal("drop topic=a/#/b") == "'a/#/b' is not a topic filter");
    CHECK(refusal("drop after=5..2").find("after= wants") != std::string::npos);
    // Beyond what an integer holds; found by fuzz_texts.
    CHECK(refusal("reset after=1" + std::string(80, '0') + "B..4B").find("after= wants") != std::string::npos);
    CHECK(refusal("reset after=1" + std::string(80, '0') + "s..4s").find("after= wants") != std::string::npos);
    CHECK(refusal("drop after=5x").find("after= wants") != std::string::npos);
    CHECK(refusal("reset after=1s n=3").find("there is no packet to look at") != std::string::npos);
    CHECK(refusal("drop sweep=1..4B") == "a sweep is for what ends a connection");
    CHECK(refusal("drop for=5") == "'for=5' is not right: it wants a time, such as 5s");
}

TEST_CASE("which rules can do without packets") {
    for (const char* const text : {"reset", "reset after=400B", "split 1", "throttle 8kB/s", "delay 5ms", "stall 1s",
                                   "half-open connections=30%", "half-close after=1s", "disconnect", "coalesce"}) {
        CHECK_MESSAGE(!parsed(text).needs_packets(), text);
    }
    for (const char* const text : {"drop", "reset n=3", "reset after=3", "split 1 client=a", "reset publish",
                                   "disconnect rc=0x8B", "corrupt", "delay 5ms 50%", "stall 1s topic=a"}) {
        CHECK_MESSAGE(parsed(text).needs_packets(), text);
    }
}

TEST_CASE("globs and addresses") {
    CHECK(matches_glob("a*", "abc"));
    CHECK(matches_glob("*c", "abc"));
    CHECK(matches_glob("a?c", "abc"));
    CHECK(matches_glob("*", ""));
    CHECK(matches_glob("a*b*c", "aXbbYc"));
    CHECK_FALSE(matches_glob("a*b", "abc"));
    CHECK_FALSE(matches_glob("", "a"));
    CHECK(matches_address("127.0.0.0/8", "127.1.2.3:4711"));
    CHECK_FALSE(matches_address("10.0.0.0/8", "127.0.0.1:4711"));
    CHECK(matches_address("0.0.0.0/0", "1.2.3.4:1"));
    CHECK(matches_address("127.0.0.*", "127.0.0.1:4711"));
    CHECK(matches_address("::1", "[::1]:4711"));
    CHECK_FALSE(matches_address("127.0.0.0/33", "127.0.0.1:1"));
}
