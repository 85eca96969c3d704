#include <martlet/log.hpp>

#include <doctest/doctest.h>

#include <cctype>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace martlet;

namespace {

/// The line without its time, which is checked for its form.
std::string behind_time(const std::string& line) {
    static const std::string form = "0000-00-00T00:00:00.000Z ";
    REQUIRE(line.size() > form.size());
    for (std::size_t i = 0; i != form.size(); ++i) {
        if (form[i] == '0') {
            CHECK(std::isdigit(static_cast<unsigned char>(line[i])) != 0);
        } else {
            CHECK(line[i] == form[i]);
        }
    }
    return line.substr(form.size());
}

std::string written(std::string_view line) {
    std::ostringstream out;
    log_to(out)->write(log_level::warning, line);
    return behind_time(out.str());
}

}  // namespace

TEST_CASE("stream_log: a line has time, level and text, up to the level that was asked for") {
    std::ostringstream out;
    const auto log = log_to(out, log_level::warning);
    log->write(log_level::notice, "not this");
    log->write(log_level::error, "stopped");
    CHECK(behind_time(out.str()) == "error: stopped\n");

    std::ostringstream all;
    const auto usual = log_to(all);
    usual->write(log_level::debug, "not this");
    usual->write(log_level::information, "connected");
    CHECK(behind_time(all.str()) == "information: connected\n");
}

TEST_CASE("stream_log: what a peer says stays one line and commands no terminal") {
    CHECK(written("a\nb\x1b[2J\x7f") == "warning: a\\x0Ab\\x1B[2J\\x7F\n");
    CHECK(written("50 ms\xC2\xB1"
                  "20 ms, \xE6\xBC\xA2") ==
          "warning: 50 ms\xC2\xB1"
          "20 ms, \xE6\xBC\xA2\n");
    CHECK(written("\xC2\x9B"
                  "2J") == "warning: \\xC2\\x9B2J\n");  // CSI as one character
    CHECK(written("\xFFx\xC2") == "warning: \\xFFx\\xC2\n");
    CHECK(written("\xC2") == "warning: \\xC2\n");
}

TEST_CASE("stream_log: lines of several threads are whole") {
    std::ostringstream out;
    const auto log = log_to(out);
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k != 100; ++k)
                log->write(log_level::information, "text");
        });
    }
    for (auto& one : threads)
        one.join();
    std::istringstream in(out.str());
    int count = 0;
    for (std::string line; std::getline(in, line); ++count)
        CHECK(behind_time(line) == "information: text");
    CHECK(count == 400);
}
