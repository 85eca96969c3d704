#include "pacing.hpp"

#include <doctest/doctest.h>

using martlet::cli::pacing;
using namespace std::chrono_literals;

TEST_CASE("pacing: the n-th message is due n intervals after the first, whatever happened between") {
    pacing p(100);
    const pacing::clock::time_point start{7s};
    CHECK(p.due(start) == start);
    p.sent(start);
    CHECK(p.due(start) == start + 10ms);
    CHECK(p.due(start + 3ms) == start + 10ms);
    p.sent(start + 95ms);
    CHECK(p.due(start + 95ms) == start + 20ms);  // late: those behind it keep their times
    for (int i = 0; i < 999'998; ++i)
        p.sent(start + 95ms);
    CHECK(p.due(start + 96ms) == start + 10'000s);
}

TEST_CASE("pacing: less than one a second") {
    pacing p(0.0001);
    const pacing::clock::time_point start{0s};
    CHECK(p.due(start) == start);
    p.sent(start);
    CHECK(p.due(start + 1s) == start + 10'000s);
}
