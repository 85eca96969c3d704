#include "command_line.hpp"

#include "words.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace martlet::cli;
using martlet::test::words;

namespace {

std::string error_of(const words& w, command c, profile p) {
    command_line in(w.argv(), c, p);
    while (const option* const row = in.next())
        if (!row->value_name.empty()) static_cast<void>(in.value());
    return in.error();
}

}  // namespace

TEST_CASE("command_line: options come in order with their values") {
    const words w{"-t", "a/b", "--retain", "-m", "-t"};
    command_line in(w.argv(), command::pub, profile::mosquitto);

    const option* row = in.next();
    REQUIRE(row != nullptr);
    CHECK(row->id == option_id::topic);
    CHECK(in.value() == "a/b");
    row = in.next();
    REQUIRE(row != nullptr);
    CHECK(row->id == option_id::retain);
    row = in.next();
    REQUIRE(row != nullptr);
    CHECK(row->id == option_id::message);
    CHECK(in.value() == "-t");  // a value is the next token whatever it looks like
    CHECK(in.next() == nullptr);
    CHECK_FALSE(in.failed());
}

TEST_CASE("command_line: a missing value is named, with mosquitto's blank line in its profile") {
    CHECK(error_of({"-p"}, command::pub, profile::mosquitto) == "-p argument given but no port specified.\n");
    CHECK(error_of({"--port"}, command::pub, profile::native) == "-p argument given but no port specified.");
    CHECK(error_of({"-V"}, command::sub, profile::mosquitto) ==
          "--protocol-version argument given but no version specified.\n");
    CHECK(error_of({"-M"}, command::sub, profile::native) == "-M argument given but max_inflight not specified.");
}

TEST_CASE("command_line: tokens are exact in mosquitto's profile") {
    CHECK(error_of({"-ta"}, command::pub, profile::mosquitto) == "Unknown option '-ta'.");
    CHECK(error_of({"--topic=a"}, command::pub, profile::mosquitto) == "Unknown option '--topic=a'.");
    CHECK(error_of({"--"}, command::pub, profile::mosquitto) == "Unknown option '--'.");
    CHECK(error_of({"--retian"}, command::pub, profile::mosquitto) == "Unknown option '--retian'.");
    CHECK(error_of({"-C", "1"}, command::pub, profile::mosquitto) == "Unknown option '-C'.");
    CHECK(error_of({"word"}, command::pub, profile::mosquitto) == "Unknown option 'word'.");
}

TEST_CASE("command_line: the native profile takes --option=value and --, and helps") {
    const words w{"--topic=a=b", "--message=", "--"};
    command_line in(w.argv(), command::pub, profile::native);
    REQUIRE(in.next() != nullptr);
    CHECK(in.value() == "a=b");
    REQUIRE(in.next() != nullptr);
    CHECK(in.value() == "");
    CHECK(in.next() == nullptr);
    CHECK_FALSE(in.failed());

    CHECK(error_of({"--retain=yes"}, command::pub, profile::native) == "--retain takes no value.");
    CHECK(error_of({"--retain=yes", "-r"}, command::pub, profile::native) == "--retain takes no value.");
    CHECK(error_of({"--", "word"}, command::pub, profile::native) == "Unexpected argument 'word'.");
    CHECK(error_of({"--retian"}, command::pub, profile::native) == "Unknown option '--retian'. Did you mean --retain?");
    CHECK(error_of({"-q1"}, command::pub, profile::native) ==
          "Unknown option '-q1'. A value is a word of its own: -q 1");
    CHECK(error_of({"--topik=x"}, command::pub, profile::native) == "Unknown option '--topik'. Did you mean --topic?");
}

TEST_CASE("command_line: what is not supported says why in both profiles") {
    for (const profile p : {profile::native, profile::mosquitto}) {
        CHECK(error_of({"--tls-engine", "x"}, command::pub, p) ==
              "--tls-engine is not supported: OpenSSL has replaced engines by providers.");
    }
}

TEST_CASE("command_line: a number is checked against its range") {
    const auto port_error = [](const char* text, profile p) {
        const words w{text};
        command_line in(w.argv(), command::pub, p);
        static_cast<void>(in.number(1, 65'535, "Invalid port given: {}"));
        return in.error();
    };
    CHECK(port_error("65535", profile::native).empty());
    CHECK(port_error("65536", profile::native) == "Invalid port given: 65536");
    CHECK(port_error("1883x", profile::native) == "Invalid port given: 1883x");
    CHECK(port_error("1883x", profile::mosquitto).empty());  // as atoi reads it
    CHECK(port_error("x", profile::mosquitto) == "Invalid port given: 0");
    CHECK(port_error("99999999999999999999", profile::native) == "Invalid port given: 99999999999999999999");
}

TEST_CASE("command_line: a secret is overwritten where it stood") {
    const words w{"-P", "secret"};
    command_line in(w.argv(), command::pub, profile::native);
    REQUIRE(in.next() != nullptr);
    CHECK(in.secret() == "secret");
    CHECK(w[1] == "xxxxxx");
}

TEST_CASE("command_line: only the first complaint counts") {
    const words w{"-t"};
    command_line in(w.argv(), command::pub, profile::native);
    CHECK_FALSE(in.fail("one"));
    CHECK_FALSE(in.fail("two"));
    CHECK(in.error() == "one");
    CHECK(in.next() == nullptr);
}

TEST_CASE("parse_seconds: fractions, but nothing negative, infinite or trailing") {
    CHECK(parse_seconds("0.5") == 0.5);
    CHECK(parse_seconds("10") == 10);
    for (const char* const bad : {"", "-1", "-0", "1s", "nan", "inf", " 1"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_seconds(bad));
    }
}
