#include "bench/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

using namespace martlet::cli::bench;

namespace {

rate_profile profile(std::string_view text) {
    std::string_view why;
    const auto parsed = rate_profile::parse(text, why);
    REQUIRE_MESSAGE(parsed, why);
    return *parsed;
}

std::vector<nanoseconds> times(schedule s, nanoseconds until) {
    std::vector<nanoseconds> out;
    for (; s.peek() < until; s.pop())
        out.push_back(s.peek());
    return out;
}

}  // namespace

TEST_CASE("schedule: constant arrivals are evenly spaced over all publishers together") {
    std::vector<nanoseconds> all;
    for (std::size_t i = 0; i < 4; ++i) {
        const auto one = times(schedule(profile("1k"), {}, i, 4, 1), second);
        CHECK(one.size() == 250);
        all.insert(all.end(), one.begin(), one.end());
    }
    std::sort(all.begin(), all.end());
    REQUIRE(all.size() == 1'000);
    for (std::size_t i = 0; i < all.size(); ++i)
        REQUIRE(all[i] == static_cast<nanoseconds>(i) * millisecond);
}

TEST_CASE("schedule: a long run does not drift") {
    schedule s(profile("3"), {}, 0, 1, 1);
    for (int i = 0; i < 3'000'000; ++i)
        s.pop();
    CHECK(s.peek() == 1'000'000 * second);
}

TEST_CASE("schedule: Poisson arrivals have the rate and the spread, and come from the seed") {
    const arrivals poisson{arrival_kind::poisson};
    const auto a = times(schedule(profile("100k"), poisson, 0, 1, 42), second);
    CHECK(std::fabs(static_cast<double>(a.size()) - 100'000) < 5 * std::sqrt(100'000));

    double sum = 0;
    double squares = 0;
    for (std::size_t i = 1; i < a.size(); ++i) {
        const auto gap = static_cast<double>(a[i] - a[i - 1]);
        sum += gap;
        squares += gap * gap;
    }
    const double mean = sum / static_cast<double>(a.size() - 1);
    const double deviation = std::sqrt(squares / static_cast<double>(a.size() - 1) - mean * mean);
    CHECK(deviation / mean == doctest::Approx(1).epsilon(0.02));

    CHECK(a == times(schedule(profile("100k"), poisson, 0, 1, 42), second));
    CHECK(a != times(schedule(profile("100k"), poisson, 0, 1, 43), second));
    CHECK(a != times(schedule(profile("100k"), poisson, 1, 2, 42), second));
}

TEST_CASE("schedule: bursts are due at once, dealt out to the publishers") {
    const auto how = arrivals::parse("burst:100@10ms");
    REQUIRE(how);
    const auto a = times(schedule(profile("1"), *how, 0, 2, 1), 30 * millisecond);
    REQUIRE(a.size() == 150);
    CHECK(a[0] == 0);
    CHECK(a[49] == 0);
    CHECK(a[50] == 10 * millisecond);
    CHECK(a[149] == 20 * millisecond);
}

TEST_CASE("schedule: a ramp's messages are the area below it, its end goes on") {
    const rate_profile ramp = profile("1k..3k/2s");
    CHECK(ramp.messages_within(2 * second) == doctest::Approx(4'000));
    CHECK(ramp.messages_within(3 * second) == doctest::Approx(7'000));
    CHECK(ramp.rate_at(second) == doctest::Approx(2'000));
    CHECK(ramp.rate_at(5 * second) == doctest::Approx(3'000));
    CHECK(times(schedule(ramp, {}, 0, 1, 1), 2 * second).size() == 4'000);
    for (const double n : {1.0, 10.0, 1'500.0, 3'999.0, 6'000.0}) {
        const double t = ramp.seconds_until(n);
        CHECK(ramp.messages_within(static_cast<nanoseconds>(t * 1e9)) == doctest::Approx(n).epsilon(1e-6));
    }
}

TEST_CASE("schedule: steps have their rates for their time, and the last one lasts") {
    const rate_profile steps = profile("100,200,400@2s");
    const auto a = times(schedule(steps, {}, 0, 1, 1), 6 * second);
    CHECK(std::count_if(a.begin(), a.end(), [](auto t) { return t < 2 * second; }) == 200);
    CHECK(std::count_if(a.begin(), a.end(), [](auto t) { return t >= 2 * second && t < 4 * second; }) == 400);
    CHECK(a.size() == 1'400);
    CHECK(times(schedule(steps, {}, 0, 1, 1), 7 * second).size() == 1'800);
    CHECK(steps.scaled(0.5).rate_at(5 * second) == 200);
}

TEST_CASE("schedule: a ramp down to nothing ends") {
    schedule s(profile("100..0/1s"), {}, 0, 1, 1);
    for (int i = 0; i < 51; ++i)
        s.pop();
    CHECK(s.peek() == std::numeric_limits<nanoseconds>::max());
}

TEST_CASE("schedule: what is no rate or no pattern is refused with a reason") {
    for (const char* bad :
         {"", "0", "-5", "fast", "1k..2k", "1k../2s", "0..0/1s", "1k..2k/0s", "10,20", "10@", "@5s", "0,5@1s"}) {
        std::string_view why;
        CHECK_MESSAGE(!rate_profile::parse(bad, why), bad);
        CHECK_MESSAGE(!why.empty(), bad);
    }
    for (const char* bad : {"", "bursts", "burst:", "burst:10", "burst:0@1s", "burst:1.5@1s", "burst:10@0"})
        CHECK_MESSAGE(!arrivals::parse(bad), bad);
}
