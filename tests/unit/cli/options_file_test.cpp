#include "options_file.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace martlet::cli;

TEST_CASE("options_file: an option a line, its value as it stands, comments and blank lines") {
    const auto lines =
        parse_options_file("# comment\n-t a/b\n\n-m  two  words \n -d\n-l\r\n[sub]\n", {}, profile::mosquitto);
    CHECK(lines == std::vector<option_line>{{"-t", "a/b"}, {"-m", " two  words "}, {"-d"}, {"-l"}, {"[sub]"}});
}

TEST_CASE("options_file: sections of the native files") {
    const std::string text = "-h everywhere\n[sub]\n-v\n[profile lab]\n-h lab\n[pub]\n-r\n";
    const std::vector<std::string> shared = {""};
    const std::vector<std::string> sub = {"", "sub"};
    const std::vector<std::string> lab = {"profile lab"};
    CHECK(parse_options_file(text, shared, profile::native) == std::vector<option_line>{{"-h", "everywhere"}});
    CHECK(parse_options_file(text, sub, profile::native) == std::vector<option_line>{{"-h", "everywhere"}, {"-v"}});
    CHECK(parse_options_file(text, lab, profile::native) == std::vector<option_line>{{"-h", "lab"}});
}
