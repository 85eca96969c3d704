#include "terminal.hpp"

#include "sys_dashboard.hpp"
#include "watch_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace martlet::cli;
using namespace std::chrono_literals;

namespace {

std::size_t longest_line(const std::string& text) {
    std::size_t longest = 0;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        longest = std::max(longest, end - at);
        at = end + 1;
    }
    return longest;
}

std::size_t lines_of(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("terminal: text is cut to the width, and cannot control the terminal") {
    CHECK(fitted("abc", 2) == "ab");
    CHECK(fitted("abc", 5, true) == "abc  ");
    CHECK(fitted("\x1b[2J\n\x7f", 10) == ".[2J..");
    CHECK(fitted("gr\xc3\xbc\xc3\x9f"
                 "e",
                 4) == "gr\xc3\xbc\xc3\x9f");
    CHECK(fitted("\xff\xc3", 5) == "..");
    CHECK(fitted("\xc2\x9b"
                 "31m",
                 5) == ".31m");
}

TEST_CASE("terminal: ages") {
    CHECK(age_text(0ms) == "0s");
    CHECK(age_text(59'999ms) == "59s");
    CHECK(age_text(184s) == "3m04s");
    CHECK(age_text(2h + 5min) == "2h05m");
    CHECK(age_text(49h) == "2d");
}

TEST_CASE("terminal: a frame clears the screen only when the size is another one, and ends at the last row") {
    screen s;
    CHECK(s.frame("a\nb\n", {80, 24}) == "\x1b[2J\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J");
    CHECK(s.frame("a\n", {80, 24}) == "\x1b[Ha\x1b[K\x1b[J");
    CHECK(s.frame("a\nb\nc\n", {80, 2}) == "\x1b[2J\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J");
}

TEST_CASE("terminal: the progress bar") {
    const progress_bar bar("restoring", 200, true);
    CHECK(bar.text(100, 80) == "restoring [####################--------------------]  50 %  100/200");
    CHECK(bar.text(200, 80).find("100 %") != std::string::npos);
    CHECK(bar.text(500, 30).size() <= 30);
    CHECK(progress_bar("x", 0, true).text(0, 80).find("100 %") != std::string::npos);
}

TEST_CASE("watch_table: fits every size, shows the topics that changed last when there is no room for all") {
    watch_table table;
    const auto start = watch_table::clock::time_point();
    for (int i = 0; i < 50; ++i)
        table.update("sensor/" + std::to_string(i) + "/temperature", "21.5 degrees\x1b[2J", i == 0,
                     start + std::chrono::seconds(i));
    for (const terminal_size size :
         {terminal_size{80, 24}, terminal_size{200, 50}, terminal_size{20, 5}, terminal_size{1, 1}}) {
        const std::string text = table.render(size, start + 60s);
        CHECK(longest_line(text) <= size.columns);
        if (size.rows >= 4) CHECK(lines_of(text) < size.rows);
        CHECK(text.find('\x1b') == std::string::npos);
    }
    const std::string small = table.render({80, 24}, start + 60s);
    CHECK(small.find("sensor/49/") != std::string::npos);
    CHECK(small.find("sensor/0/") == std::string::npos);
    CHECK(small.find("50 messages, 50 topics, the last 21 that changed are shown") != std::string::npos);
}

TEST_CASE("watch_table: rate, count and age; topics beyond the limit are counted") {
    watch_table table(1);
    const auto start = watch_table::clock::time_point();
    for (int i = 0; i < 100; ++i)
        table.update("a", std::to_string(i), false, start + i * 100ms);
    table.update("b", "x", false, start);
    const std::string text = table.render({80, 24}, start + 9'900ms);
    const double rate = std::stod(text.substr(text.find("\na") + 2));
    CHECK(rate > 8);
    CHECK(rate < 11);
    CHECK(text.find("100      0s   99") != std::string::npos);
    CHECK(text.find("1 messages of topics beyond the limit") != std::string::npos);
}

TEST_CASE("sys_dashboard: known values by name, others by topic, in as many columns as fit") {
    sys_dashboard d;
    CHECK(d.render("b", {80, 24}).find("Nothing on $SYS/# so far.") != std::string::npos);
    d.update("$SYS/broker/version", "mosquitto version 2.0.11");
    d.update("$SYS/broker/clients/connected", "3");
    d.update("$SYS/broker/odd", "\x1b[2Jvalue");
    for (const terminal_size size : {terminal_size{80, 24}, terminal_size{200, 50}, terminal_size{30, 6}}) {
        const std::string text = d.render("host:1883", size);
        CHECK(longest_line(text) <= size.columns);
        CHECK(text.find('\x1b') == std::string::npos);
    }
    const std::string text = d.render("host:1883", {80, 24});
    CHECK(text.find("version           mosquitto version 2.0.11") != std::string::npos);
    CHECK(text.find("broker/odd") != std::string::npos);
    CHECK(d.json("h").find("\"schema\":\"martlet.top/1\"") != std::string::npos);
}
