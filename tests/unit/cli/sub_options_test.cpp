#include "sub_options.hpp"

#include "words.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace martlet;
using namespace martlet::cli;
using martlet::test::words;

namespace {

sub_settings read(const words& w, std::string& error, profile p = profile::native) {
    sub_settings settings;
    settings.connection = default_settings(p);
    command_line in(w.argv(), command::sub, p);
    while (const option* const row = in.next())
        CHECK(read_sub_option(*row, in, settings));
    finish_sub_options(in, settings);
    error = in.error();
    return settings;
}

sub_settings settings_of(const words& w, profile p = profile::native) {
    std::string error;
    sub_settings settings = read(w, error, p);
    CHECK(error.empty());
    return settings;
}

std::string error_of(const words& w, profile p = profile::native) {
    std::string error;
    read(w, error, p);
    return error;
}

}  // namespace

TEST_CASE("sub: filters may be repeated, and -L brings one") {
    const sub_settings s = settings_of({"-t", "a/#", "-L", "mqtt://h/+/b", "-t", "$share/g/c"});
    CHECK(s.filters == std::vector<std::string>{"a/#", "+/b", "$share/g/c"});
    CHECK(error_of({}) == "You must specify a topic to subscribe to (-t) or unsubscribe from (-U).");
    CHECK(error_of({"-U", "x"}).empty());
    CHECK(error_of({"-t", "++"}) == "Invalid subscription topic '++', are all '+' and '#' wildcards correct?");
    CHECK(error_of({"-t", "a", "-U", "b#"}) ==
          "Invalid unsubscribe topic 'b#', are all '+' and '#' wildcards correct?");
    CHECK(error_of({"-t", "a", "-T", "b#"}) == "Invalid filter topic 'b#', are all '+' and '#' wildcards correct?");
}

TEST_CASE("sub: numbers and times") {
    CHECK(settings_of({"-t", "a", "-C", "5000000000"}).count == 5'000'000'000u);
    CHECK(error_of({"-t", "a", "-C", "0"}) == "Invalid message count \"0\".");
    CHECK(settings_of({"-t", "a", "-W", "0.5"}).timeout == std::chrono::milliseconds(500));
    CHECK(settings_of({"-t", "a", "-W", "2"}, profile::mosquitto).timeout == std::chrono::seconds(2));
    CHECK(error_of({"-t", "a", "-W", "0.5"}, profile::mosquitto) == "Invalid timeout \"0\".\n");
    CHECK(error_of({"-t", "a", "-W", "0"}) == "Invalid timeout \"0\".");
    CHECK(error_of({"-t", "a", "--random-filter", "0"}) == "--random-filter chance must be between 0.1-100.0");
    CHECK(error_of({"-t", "a", "-q", "3"}) == "Invalid QoS given: 3");
}

TEST_CASE("sub: retained messages") {
    CHECK(settings_of({"-t", "a", "-R"}).retain_handling == retain_handling::do_not_send);
    CHECK(settings_of({"-t", "a", "--retain-handling", "new"}).retain_handling == retain_handling::send_if_new);
    CHECK(error_of({"-t", "a", "--retain-handling", "x"}) == "Unknown value 'x' for --retain-handling.");
    CHECK(error_of({"-t", "a", "-R", "--retained-only"}) == "Combining '-R' and '--retained-only' makes no sense.");
}

TEST_CASE("sub: options of MQTT 5 are refused for older versions") {
    const std::string complaint =
        "--no-local, --retain-as-published and --retain-handling need MQTT 5, but -V asks for an older one.";
    CHECK(error_of({"-t", "a", "--no-local", "-V", "311"}) == complaint);
    CHECK(error_of({"-t", "a", "--retain-as-published", "-V", "31"}) == complaint);
    CHECK(error_of({"-t", "a", "-R", "-V", "311"}).empty());
    CHECK(error_of({"-t", "a", "--retain-as-published", "-V", "311"}, profile::mosquitto).empty());
}

TEST_CASE("sub: a format is checked at once, and --pretty counts wherever it stands") {
    CHECK(error_of({"-t", "a", "-F", "%Z"}) == "Invalid format specifier 'Z'.");
    const sub_settings s = settings_of({"-t", "a", "-j", "--pretty"});
    REQUIRE(s.output.format);
    std::string out;
    s.output.format->print({.topic = "t", .payload = "x"}, {}, out);
    CHECK(out.starts_with("{\n\t\"tst\""));
}
