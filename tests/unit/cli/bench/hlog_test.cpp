#include "bench/hlog.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace martlet::cli::bench;

TEST_CASE("hlog: what is encoded is decoded, empty and large ones too") {
    for (const int values : {0, 1, 3, 100'000}) {
        histogram h;
        for (int i = 0; i < values; ++i)
            h.record(i * 7'919 % 1'000'000'007, static_cast<std::uint64_t>(i % 300 + 1));
        const auto back = decode_histogram(encode_histogram(h));
        REQUIRE(back);
        CHECK(back->count() == h.count());
        CHECK(std::equal(h.counters().begin(), h.counters().end(), back->counters().begin(), back->counters().end()));
    }
}

TEST_CASE("hlog: the encoding begins as HdrHistogram's does") {
    histogram h;
    h.record(1'000);
    CHECK(encode_histogram(h).starts_with("HISTFAAA"));
}

TEST_CASE("hlog: damaged text is refused") {
    histogram h;
    for (int i = 0; i < 100; ++i)
        h.record(i * 1'000);
    const std::string good = encode_histogram(h);
    CHECK_FALSE(decode_histogram(""));
    CHECK_FALSE(decode_histogram("HISTFAAA"));
    CHECK_FALSE(decode_histogram(good.substr(0, good.size() - 4)));
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        CHECK_MESSAGE(!decode_histogram(bad), i);
    }
}

TEST_CASE("hlog: a line has tag, start, length, maximum in milliseconds and the histogram") {
    histogram h;
    h.record(2'500'000);
    CHECK(hlog_line("e2e", 1, 0.5, h) == "Tag=e2e,1.000,0.500,2.500," + encode_histogram(h) + '\n');
    CHECK(hlog_header(1'700'000'000).starts_with("#[Histogram log format version 1.3]\n#[StartTime: 1700000000.000"));
}
