#include "help.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>

using namespace martlet::cli;

namespace {

/// True if a row of the help begins with this name, alone or after a short one.
bool has_row(const std::string& help, std::string_view name) {
    for (const char* const before : {"\n      ", ", "}) {
        for (const char* const after : {" ", "\n"}) {
            if (help.find(before + std::string(name) + after) != std::string::npos) return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("help: every option of the subcommand is there, none of the others, and lines fit a terminal of 80 columns") {
    for (const command c :
         {command::pub, command::sub, command::rr, command::broker, command::passwd, command::bench, command::msgsps}) {
        const std::string text = help_text(c, profile::native, "martlet x");
        for (const option& row : options()) {
            if (row.long_name.empty()) continue;
            const bool expected = std::any_of(options().begin(), options().end(), [&](const option& o) {
                return o.long_name == row.long_name && belongs_to(o, c);
            });
            CAPTURE(std::string(row.long_name));
            CHECK(has_row(text, row.long_name) == expected);
        }
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = text.find('\n', at);
            const std::string line = text.substr(at, end - at);
            const bool is_example = line.starts_with("  martlet x ");
            CAPTURE(line);
            CHECK((line.size() <= 80 || is_example));
            at = end + 1;
        }
    }
}

TEST_CASE("help: our own options are not offered in mosquitto's profile") {
    CHECK(help_text(command::sub, profile::native, "x").find("--json") != std::string::npos);
    CHECK(help_text(command::sub, profile::mosquitto, "x").find("--json") == std::string::npos);
}

TEST_CASE("help: the overview fits on two screens of a small terminal") {
    const std::string text = overview();
    CHECK(std::count(text.begin(), text.end(), '\n') <= 48);
}
