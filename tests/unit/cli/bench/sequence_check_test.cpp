#include "bench/sequence_check.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace martlet::cli::bench;

TEST_CASE("sequence_check: in order, a gap, late, twice") {
    sequence_check c;
    CHECK(c.take(0) == arrival_order::in_order);
    CHECK(c.take(1) == arrival_order::in_order);
    CHECK(c.take(1) == arrival_order::duplicate);
    CHECK(c.take(5) == arrival_order::in_order);
    CHECK(c.missing() == 3);
    CHECK(c.take(3) == arrival_order::reordered);
    CHECK(c.take(3) == arrival_order::duplicate);
    CHECK(c.take(2) == arrival_order::reordered);
    CHECK(c.take(4) == arrival_order::reordered);
    CHECK(c.take(4) == arrival_order::duplicate);
    CHECK(c.missing() == 0);
    CHECK(c.next() == 6);
}

TEST_CASE("sequence_check: agrees with a set over random losses, repeats and swaps") {
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random(seed);
        sequence_check c;
        std::set<std::uint64_t> seen;
        std::uint64_t greatest = 0;
        for (int i = 0; i < 3'000; ++i) {
            const std::uint64_t n = static_cast<std::uint64_t>(i) + random() % 40;
            const arrival_order order = c.take(n);
            const bool is_new = seen.insert(n).second;
            REQUIRE((order != arrival_order::duplicate) == is_new);
            if (is_new) REQUIRE((order == arrival_order::reordered) == (seen.size() > 1 && n < greatest));
            greatest = std::max(greatest, n);
            REQUIRE(c.missing() == c.next() - seen.size());
        }
    }
}

TEST_CASE("sequence_check: remembers a bounded number of gaps, and counts what it forgot as missing") {
    sequence_check c;
    for (std::uint64_t n = 1; n <= 2 * (sequence_check::gaps_max + 10); n += 2)
        c.take(n);
    CHECK(c.missing() == sequence_check::gaps_max + 10);
    CHECK(c.take(0) == arrival_order::duplicate);
    CHECK(c.take(2 * sequence_check::gaps_max) == arrival_order::reordered);
}
