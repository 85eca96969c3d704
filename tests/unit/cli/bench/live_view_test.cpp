#include "bench/live_view.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace martlet::cli::bench;

namespace {

struct moment {
    run_result result;
    series_row row;
    tally interval;
    progress p;

    moment() {
        result.settings.flows.push_back({});
        row.at = 3;
        row.length = 1;
        row.sent = row.received = 12'345;
        row.e2e_p50 = 118'000;
        row.e2e_p99 = 590'000;
        row.e2e_max = 3'100'000;
        interval.of(timing::e2e).record(118'000);
        result.total.of(timing::e2e).record(118'000);
        p.phase = "measuring";
        p.share = 0.5;
        p.result = &result;
        p.row = &row;
        p.interval = &interval;
    }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("live_view: not on a terminal it is one line per interval, aligned below a header, without escapes") {
    live_view view(live_view::style::lines, 80);
    const moment now;
    const std::string first = view.update(now.p);
    const std::string second = view.update(now.p);
    CHECK(std::count(first.begin(), first.end(), '\n') == 2);
    CHECK(std::count(second.begin(), second.end(), '\n') == 1);
    CHECK(has(second, "12 345"));
    CHECK(has(second, "590 µs"));
    CHECK(has(second, "measuring"));
    CHECK_FALSE(has(first + second, "\x1b"));
}

TEST_CASE("live_view: on a terminal a panel is drawn over the one before, no line wider than the terminal") {
    for (const std::size_t columns : {std::size_t{40}, std::size_t{80}}) {
        live_view view(live_view::style::panel, columns);
        const moment now;
        const std::string first = view.update(now.p);
        const std::string second = view.update(now.p);
        const auto lines = std::count(first.begin(), first.end(), '\n');
        CHECK(second.starts_with("\x1b[" + std::to_string(lines) + "A"));
        CHECK(has(first, "[############------------]"));
        CHECK(has(first, "rate     "));
        std::size_t width = 0;
        bool is_escape = false;
        for (const char c : first) {
            if (c == '\x1b') is_escape = true;
            if (!is_escape && c != '\r' && (static_cast<unsigned char>(c) & 0xC0) != 0x80) ++width;
            if (is_escape && ((c >= 'A' && c <= 'Z'))) is_escape = false;
            if (c != '\n') continue;
            CHECK(width <= columns);  // with the line's end
            width = 0;
        }
    }
}

TEST_CASE("live_view: off is silent; a sparkline spans its values") {
    live_view view(live_view::style::off, 80);
    CHECK(view.update(moment().p).empty());
    CHECK(sparkline({0, 1, 2, 4, 8}) == "▁▁▂▄█");
    CHECK(sparkline({0, 0}) == "▁▁");
    CHECK(sparkline({}).empty());
}
