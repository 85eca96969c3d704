#include "bench/clock_offset.hpp"

#include "bench/schedule.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace martlet::cli::bench;

TEST_CASE("clock offset: an exchange that takes the same time both ways is exact") {
    clock_offset o;
    o.add(1'000, 501'300, 501'400, 1'700);  // 300 there, 100 at work, 300 back; the other is 500,000 ahead
    CHECK(o.exchanges() == 1);
    CHECK(o.ahead() == 500'000);
    CHECK(o.round_trip() == 600);
    CHECK(o.error() == 300);
}

TEST_CASE("clock offset: of many exchanges the quickest counts") {
    clock_offset o;
    o.add(0, 900, 900, 1'000);  // 900 there, 100 back
    o.add(2'000, 2'060, 2'060, 2'100);
    o.add(3'000, 3'800, 3'900, 4'000);
    CHECK(o.round_trip() == 100);
    CHECK(o.ahead() == 10);
}

TEST_CASE("clock offset: however the delays are, the error bar has the true offset in it") {
    random_source random(7);
    for (int run = 0; run < 200; ++run) {
        const auto ahead =
            static_cast<nanoseconds>(random.below(2'000'000'000'000)) - 1'000'000'000'000;  // up to 1,000 s either way
        clock_offset o;
        nanoseconds now = 1'000'000;
        nanoseconds least = 0;
        for (int n = 0; n < 50; ++n) {
            const auto there = static_cast<nanoseconds>(random.below(3'000'000) + 20'000);
            const auto at_work = static_cast<nanoseconds>(random.below(1'000'000));
            const auto back = static_cast<nanoseconds>(random.below(300'000) + 20'000);  // ten times as quick
            o.add(now, now + there + ahead, now + there + at_work + ahead, now + there + at_work + back);
            least = n == 0 ? there + back : std::min(least, there + back);
            now += there + at_work + back;
        }
        CHECK(o.round_trip() == least);
        CHECK(std::abs(o.ahead() - ahead) <= o.error());
    }
}
