#include "bench/stamp.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace martlet::cli::bench;

TEST_CASE("stamp: what is written is read, in both forms") {
    for (const std::size_t size : {std::size_t{16}, std::size_t{31}, std::size_t{32}, std::size_t{1024}}) {
        std::string payload(size, '\0');
        fill_payload(payload, 9);
        write_stamp(payload, {9, 4'711, 123'456, 5'000'000'123, 64'000});
        const auto s = read_stamp(payload, 9);
        REQUIRE(s);
        CHECK(s->publisher == 4'711);
        CHECK(s->sequence == 123'456);
        CHECK(s->intended == 5'000'000'123);
        CHECK(s->lag == (size < 32 ? 0 : 64'000));
        CHECK_FALSE(read_stamp(payload, 10));
    }
    CHECK_FALSE(read_stamp(std::string(15, 'x'), 9));
}

TEST_CASE("stamp: every flipped bit of a full stamp is found, and every damaged byte behind it") {
    std::string payload(100, '\0');
    fill_payload(payload, 3);
    const std::string pattern = payload;
    write_stamp(payload, {3, 1, 2, 3, 4});
    for (std::size_t bit = 0; bit < 8 * payload.size(); ++bit) {
        std::string bad = payload;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
        REQUIRE((!read_stamp(bad, 3) || !is_fill_intact(bad, pattern)));
    }
    CHECK(read_stamp(payload, 3));
    CHECK(is_fill_intact(payload, pattern));
    CHECK(is_fill_intact(std::string_view(payload).substr(0, 50), pattern));
    CHECK_FALSE(is_fill_intact(payload + 'x', pattern));
}
