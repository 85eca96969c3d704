#include "payload_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>

using namespace martlet::cli;

TEST_CASE("payload_text: hex") {
    CHECK(decode_hex("00 ffA1\n") == std::string("\x00\xff\xa1", 3));
    CHECK(decode_hex("") == "");
    CHECK_FALSE(decode_hex("0"));
    CHECK_FALSE(decode_hex("0g"));
    CHECK_FALSE(decode_hex("0 0"));
}

TEST_CASE("payload_text: base64, with and without padding") {
    CHECK(decode_base64("AP8=") == std::string("\x00\xff", 2));
    CHECK(decode_base64("AP8") == std::string("\x00\xff", 2));
    CHECK(decode_base64("aGVs\nbG8=") == "hello");
    CHECK(decode_base64("-_-_") == decode_base64("+/+/"));
    CHECK_FALSE(decode_base64("A"));
    CHECK_FALSE(decode_base64("AP8=A"));
    CHECK_FALSE(decode_base64("*"));
}

TEST_CASE("payload_text: values of -D") {
    std::string why;
    CHECK(decode_value("plain", why) == "plain");
    CHECK(decode_value("hex:0102", why) == "\x01\x02");
    CHECK(decode_value("b64:aGk=", why) == "hi");
    CHECK(decode_value("text:hex:01", why) == "hex:01");
    CHECK(why.empty());
    CHECK_FALSE(decode_value("hex:1", why));
    CHECK(why == "'hex:1' is not hex: it takes pairs of the digits 0-9 and a-f.");
    CHECK_FALSE(decode_value("@/nonexistent", why));
    CHECK(why == "Unable to read file \"/nonexistent\": No such file or directory.");
}

TEST_CASE("payload_text: templates") {
    const auto compiled = [](std::string_view text) { return payload_template::compile(text); };
    auto made = compiled("n={{seq}} {{ rand 5 }}|{{uuid}}|{{now}}");
    REQUIRE(std::holds_alternative<payload_template>(made));
    auto& t = std::get<payload_template>(made);
    const std::string first = t.fill(1);
    CHECK(first.starts_with("n=1 "));
    CHECK(first.size() == 4 + 5 + 1 + 36 + 1 + 20);
    CHECK(t.fill(2) != first);
    CHECK(std::get<std::string>(compiled("{{seq")) == "The template has a {{ without }}.");
    CHECK(std::get<std::string>(compiled("{{rand 0}}")) == "{{rand N}} takes a number of characters from 1 to 65536.");
    CHECK(std::get<std::string>(compiled("{{nonsense}}")).starts_with("The template has {{nonsense}}; known are "));
    CHECK(std::get<std::string>(compiled("{{env MARTLET_NO_SUCH_VARIABLE}}")).find("which is not set") !=
          std::string::npos);
}
