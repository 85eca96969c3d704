#include "bench/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

using namespace martlet::cli::bench;

TEST_CASE("histogram: percentiles are those of the sorted values, to three digits") {
    std::mt19937_64 random(7);
    std::lognormal_distribution<double> shape(11, 2);
    histogram h;
    std::vector<nanoseconds> all;
    for (int i = 0; i < 20'000; ++i) {
        all.push_back(static_cast<nanoseconds>(shape(random)));
        h.record(all.back());
    }
    std::sort(all.begin(), all.end());

    for (const double p : {0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
        const auto rank = std::clamp<std::size_t>(static_cast<std::size_t>(std::ceil(p / 100 * 20'000)), 1, 20'000);
        const auto exact = static_cast<double>(all[rank - 1]);
        CHECK_MESSAGE(std::fabs(static_cast<double>(h.percentile(p)) - exact) <= exact * 0.001 + 1, p);
    }
    CHECK(h.minimum() == all.front());
    CHECK(h.maximum() == all.back());
    CHECK(h.count() == 20'000);
}

TEST_CASE("histogram: every counter's bounds map back to it, and they touch") {
    histogram h;
    for (nanoseconds v = 0; v < histogram::value_max; v = v * 9 / 8 + 1) {
        h.clear();
        h.record(v);
        const auto index = h.counters().size() - 1;
        REQUIRE(histogram::lowest_of(index) <= v);
        REQUIRE(v <= histogram::highest_of(index));
        REQUIRE(histogram::highest_of(index) + 1 == histogram::lowest_of(index + 1));
        REQUIRE(static_cast<double>(histogram::highest_of(index) - histogram::lowest_of(index)) <=
                0.001 * static_cast<double>(v));
    }
}

TEST_CASE("histogram: an empty one is all zero; above the range is clipped and counted") {
    histogram h;
    CHECK(h.percentile(50) == 0);
    CHECK(h.minimum() == 0);
    CHECK(h.mean() == 0);

    h.record(histogram::value_max + 5);
    h.record(-3);

    CHECK(h.clipped() == 1);
    CHECK(h.maximum() == histogram::value_max);
    CHECK(h.minimum() == 0);
    CHECK(h.count() == 2);
}

TEST_CASE("histogram: the sum of two is as if all had been recorded in one") {
    histogram a;
    histogram b;
    histogram both;
    for (int i = 1; i < 5'000; ++i) {
        (i % 3 == 0 ? a : b).record(i * 977);
        both.record(i * 977);
    }
    a.add(b);
    CHECK(std::equal(a.counters().begin(), a.counters().end(), both.counters().begin(), both.counters().end()));
    CHECK(a.count() == both.count());
    CHECK(a.minimum() == both.minimum());
    CHECK(a.maximum() == both.maximum());
    CHECK(a.mean() == both.mean());
    CHECK(a.count_between(977, 2 * 977) == 2);
}
