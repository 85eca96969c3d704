#include "terminal.hpp"

#include "sys_dashboard.hpp"
#include "watch_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

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
    const auto rate = [&](std::chrono::milliseconds after) {
        const std::string shown = table.render({80, 24}, start + after);
        return std::stod(shown.substr(shown.find("\na") + 2));
    };
    table.update("a", "0", false, start);
    CHECK(rate(0ms) == 0);  // of one message there is none
    for (int i = 1; i < 20; ++i)
        table.update("a", std::to_string(i), false, start + i * 100ms);
    CHECK(rate(1'900ms) == doctest::Approx(10).epsilon(0.05));  // a young topic
    for (int i = 20; i < 100; ++i)
        table.update("a", std::to_string(i), false, start + i * 100ms);
    CHECK(rate(9'900ms) == doctest::Approx(10).epsilon(0.05));
    CHECK(rate(60'000ms) < 0.01);
    table.update("b", "x", false, start);
    const std::string text = table.render({80, 24}, start + 9'900ms);
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
    CHECK(text.find("  odd  ") != std::string::npos);
    CHECK(d.json("h").find("\"schema\":\"martlet.top/1\"") != std::string::npos);
}

TEST_CASE("sys_dashboard: where a line is too long its name is cut, never its number") {
    sys_dashboard d;
    d.update("$SYS/broker/load/of/something/with/a/long/name/15min", "1234567.89");
    CHECK(d.render("b", {40, 24}).find("  1234567.89\n") != std::string::npos);
    CHECK(d.render("b", {200, 24}).find("  load/of/something/with/a/long/name/15min  1234567.89\n") !=
          std::string::npos);
}

namespace {

/// What a process on a terminal of its own gets for a password when `keys` are typed; "!" and why, if it gets none.
std::string typed(const std::string& keys) {
    const int ours = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(ours >= 0);
    REQUIRE((::grantpt(ours) == 0 && ::unlockpt(ours) == 0));
    const std::string name = ::ptsname(ours);
    int answer[2] = {};
    REQUIRE(::pipe2(answer, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();
        const int terminal = ::open(name.c_str(), O_RDWR);  // now it is this session's
        std::string why;
        const auto password = ask_password("Password: ", why);
        termios after{};
        ::tcgetattr(terminal, &after);
        std::string text = password ? *password : "!" + why;
        if ((after.c_lflag & ECHO) == 0) text += " and no echo";
        static_cast<void>(::write(answer[1], text.data(), text.size()) == 0);
        ::_exit(0);
    }
    ::close(answer[1]);
    std::string seen;
    char block[256] = {};
    while (seen.find("Password: ") == std::string::npos) {
        const ssize_t n = ::read(ours, block, sizeof(block));
        REQUIRE(n > 0);
        seen.append(block, static_cast<std::size_t>(n));
    }
    REQUIRE(::write(ours, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
    std::string got;
    for (ssize_t n = 0; (n = ::read(answer[0], block, sizeof(block))) > 0;)
        got.append(block, static_cast<std::size_t>(n));
    ::close(answer[0]);
    ::close(ours);
    ::waitpid(child, nullptr, 0);
    return got;
}

}  // namespace

TEST_CASE("terminal: a password is typed unseen, and Ctrl-C leaves the echo on") {
    CHECK(typed("secret\n") == "secret");
    CHECK(typed("secrex\x7ft\n") == "secret");
    CHECK(typed("\xc3\xbc\x7f\x7f"
                "a\n") == "a");
    CHECK(typed("wrong\x15right\n") == "right");
    CHECK(typed("\n") == "");
    CHECK(typed("sec\x03") == "!interrupted");
    CHECK(typed("\x04") == "!the terminal was closed");
}
