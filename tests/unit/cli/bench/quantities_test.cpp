#include "bench/quantities.hpp"

#include <doctest/doctest.h>

using namespace martlet::cli::bench;

TEST_CASE("quantities: amounts have thousands, nothing negative, nothing behind") {
    CHECK(parse_amount("50k") == 50'000);
    CHECK(parse_amount("2.5k") == 2'500);
    CHECK(parse_amount("1M") == 1'000'000);
    CHECK(parse_amount("0") == 0);
    for (const char* bad : {"", "k", "-1", "1e3", "1 k", "1kk", "nan", "inf", "0x10"})
        CHECK_MESSAGE(!parse_amount(bad), bad);
}

TEST_CASE("quantities: durations have units, a bare number is seconds") {
    CHECK(parse_duration("30") == 30 * second);
    CHECK(parse_duration("1.5s") == 1'500 * millisecond);
    CHECK(parse_duration("20us") == 20 * microsecond);
    CHECK(parse_duration("7ns") == 7);
    CHECK(parse_duration("2m") == 120 * second);
    CHECK(parse_duration("1h") == 3600 * second);
    for (const char* bad : {"", "s", "-1s", "10 s", "5x", "9999999h"})
        CHECK_MESSAGE(!parse_duration(bad), bad);
}

TEST_CASE("quantities: bytes are whole; kB is 1,000 and KiB 1,024") {
    CHECK(parse_bytes("64") == 64);
    CHECK(parse_bytes("1kB") == 1'000);
    CHECK(parse_bytes("1KiB") == 1'024);
    CHECK(parse_bytes("2MiB") == 2 * 1024 * 1024);
    for (const char* bad : {"", "-1", "1.0001k", "1Kib", "1TB"})
        CHECK_MESSAGE(!parse_bytes(bad), bad);
}

TEST_CASE("quantities: text for people") {
    CHECK(duration_text(118'200) == "118 µs");
    CHECK(duration_text(1'700'000) == "1.70 ms");
    CHECK(duration_text(12.5e9) == "12.5 s");
    CHECK(duration_text(70) == "70 ns");
    CHECK(count_text(1234567) == "1 234 567");
    CHECK(count_text(123) == "123");
    CHECK(count_text(1.25) == "1.25");
    CHECK(count_text(-12345) == "-12 345");
    CHECK(bytes_text(12'800'000) == "12.8 MB");
}
