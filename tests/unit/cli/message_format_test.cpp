#include "message_format.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <variant>

using namespace martlet;
using namespace martlet::cli;

namespace {

std::string error_of(std::string_view format) {
    const auto compiled = message_format::compile(format);
    const auto* const error = std::get_if<std::string>(&compiled);
    return error == nullptr ? "" : *error;
}

printable_message sample() {
    static const user_property pairs[] = {{"name1", "value1"}, {"name2", "value2"}};
    static const std::uint32_t ids[] = {56};
    printable_message m{.topic = "02/sub/format/test", .payload = "message"};
    m.subscription_identifiers = ids;
    m.properties.payload_format_indicator = payload_format::utf8;
    m.properties.message_expiry_interval = 3'600;
    m.properties.content_type = "plain/text";
    m.properties.response_topic = "/dev/null";
    m.properties.correlation_data = "2357";
    m.properties.user_properties = std::span<const user_property>(pairs);
    return m;
}

/// 2016-08-10 09:47:38.123456789 UTC
constexpr std::timespec when{1'470'822'458, 123'456'789};

std::string print(std::string_view format, const printable_message& m, format_options options = {},
                  print_problem expected = print_problem::none) {
    ::setenv("TZ", "UTC0", 1);
    ::tzset();
    const auto compiled = message_format::compile(format, options);
    REQUIRE(std::holds_alternative<message_format>(compiled));
    std::string out;
    CHECK(std::get<message_format>(compiled).print(m, when, out) == expected);
    return out;
}

std::string with_all(std::string_view format) { return print(format, sample()); }
std::string with_none(std::string_view format) {
    return print(format, {.topic = "02/sub/format/test", .payload = "message", .retain = true});
}

}  // namespace

TEST_CASE("-F: the values of mosquitto's own test") {
    CHECK(with_none("%%") == "%");
    for (const char* const field : {"%A", "%C", "%D", "%E", "%F", "%P", "%R", "%S"}) {
        CAPTURE(field);
        CHECK(with_none(field) == "");
    }
    CHECK(with_none("%2C") == "  ");
    CHECK(with_all("%C") == "plain/text");
    CHECK(with_all("%E") == "3600");
    CHECK(with_all("%F") == "1");
    CHECK(with_none("%l") == "7");
    CHECK(with_none("%02l") == "07");
    CHECK(with_none("%2l") == " 7");
    CHECK(with_none("%-2l") == "7 ");
    CHECK(with_none("%m") == "0");
    CHECK(with_all("%P") == "name1:value1 name2:value2");
    CHECK(with_none("%p") == "message");
    CHECK(with_none("%-12p") == "message     ");
    CHECK(with_none("%q") == "0");
    CHECK(with_none("%r") == "1");
    CHECK(with_all("%S") == "56");
    CHECK(with_none("%t") == "02/sub/format/test");
    CHECK(with_none("%.20t") == "02/sub/format/test");
    CHECK(with_none("%20t") == "  02/sub/format/test");
    CHECK(with_none("%-20t") == "02/sub/format/test  ");
    CHECK(with_none("%10.10t") == "02/sub/for");
    CHECK(with_none("%20.10t") == "          02/sub/for");
    CHECK(with_none("%-20.10t") == "02/sub/for          ");
    CHECK(with_none("%x") == "6d657373616765");
    CHECK(with_none("%.1x") == "6 d 6 5 7 3 7 3 6 1 6 7 6 5");
    CHECK(with_none("%.2x") == "6d 65 73 73 61 67 65");
    CHECK(with_none("%.2:x") == "6d:65:73:73:61:67:65");
    CHECK(with_none("%18x") == "    6d657373616765");
    CHECK(with_none("%-18x") == "6d657373616765    ");
    CHECK(with_none("%X") == "6D657373616765");
    CHECK(with_none("\\\\\\a\\e\\n\\r\\t\\v@@text") == "\\\a\033\n\r\t\v@text");
}

TEST_CASE("-F: width, precision and padding") {
    CHECK(with_none("%4x|%5x|%020X") == "6d65| 6d65|0000006D657373616765");
    CHECK(with_none("%3p|%09p|%-9p|") == "mes|00message|message  |");
    CHECK(with_none("%05m|%3A|%03A|%5R") == "00000|   |000|");
    CHECK(with_none("%-05l|") == "7    |");
    CHECK(with_all("%.5R|%8.3C|%D") == "/dev/|     pla|2357");
    CHECK(with_none("%.t") == "");
    CHECK(with_none(std::string("a\\0b")) == std::string("a\0b", 3));
}

TEST_CASE("-F: times") {
    CHECK(with_none("%I") == "2016-08-10T09:47:38+0000");
    CHECK(with_none("%.10I") == "2016-08-10");
    CHECK(with_none("%U") == "1470822458.123456789");
    CHECK(with_none("@Y-@m-@d @H:@M:@S.@N") == "2016-08-10 09:47:38.123456789");
}

TEST_CASE("-F: payloads as numbers") {
    const auto print_bytes = [](std::string_view format, std::string_view payload,
                                print_problem p = print_problem::none) {
        return print(format, {.topic = "t", .payload = payload}, {}, p);
    };
    CHECK(print_bytes("%.3d", {"\x58\x39\xB4\xC8\x76\xBE\x05\x40", 8}) == "2.718");
    CHECK(print_bytes("%.3f", {"\xF4\xFD\x34\x3F", 4}) == "0.707");
    CHECK(print_bytes("%f", {"\x00\x00\x80\x3F", 4}) == "1.000000");
    CHECK(print_bytes("%9.1f|%-9.1f|%09.1f", {"\x00\x00\x80\xBF", 4}) == "     -1.0|-1.0     |00000-1.0");
    CHECK(print_bytes("<%f>", "12345", print_problem::not_a_float) == "<>");
    CHECK(print_bytes("<%d>", "12345", print_problem::not_a_double) == "<>");
}

TEST_CASE("-F: every mistake is found when the format is compiled") {
    CHECK(error_of("%") == "Incomplete format specifier.");
    CHECK(error_of("%-010.3") == "Incomplete format specifier.");
    CHECK(error_of("a%Z") == "Invalid format specifier 'Z'.");
    CHECK(error_of("@") == "Incomplete format specifier.");
    CHECK(error_of("\\") == "Incomplete escape specifier.");
    CHECK(error_of("\\z") == "Invalid escape specifier 'z'.");
    CHECK(error_of("%99999t") == "Format width or precision above 9999.");
    CHECK(error_of("") == "");
}

TEST_CASE("JSON: the shape of 2.1, and of 2.0") {
    printable_message m = sample();
    m.qos = qos::at_least_once;
    m.retain = true;
    m.id = packet_id(7);
    CHECK(
        print("%j", m) ==
        R"({"tst":"2016-08-10T09:47:38.123456+0000","topic":"02/sub/format/test","qos":1,"retain":true,"payloadlen":7,)"
        R"("mid":7,"properties":{"payload-format-indicator":1,"message-expiry-interval":3600,"content-type":"plain/text",)"
        R"("response-topic":"/dev/null","correlation-data":"2357","user-properties":[{"name1":"value1"},{"name2":"value2"}],)"
        R"("subscription-identifier":56},"payload":"message"})");

    m = {.topic = "t", .payload = "x"};
    CHECK(print("%j", m, {.pretty = false, .style = json_style::mosquitto_2_0}) ==
          R"({"tst":"2016-08-10T09:47:38.123456+0000","topic":"t","qos":0,"retain":0,"payloadlen":1,"payload":"x"})");
    CHECK(print("%j", m, {.pretty = true}) ==
          "{\n\t\"tst\":\t\"2016-08-10T09:47:38.123456+0000\",\n\t\"topic\":\t\"t\",\n\t\"qos\":\t0,\n\t\"retain\":"
          "\tfalse,"
          "\n\t\"payloadlen\":\t1,\n\t\"payload\":\t\"x\"\n}");
}

TEST_CASE("JSON: binary payloads come in base64, a NUL is text, nothing is null") {
    const auto payload_of = [](std::string_view payload) {
        const std::string json = print("%j", {.topic = "t", .payload = payload});
        return json.substr(json.find("\"payload\"") == std::string::npos ? json.find("\"payload_b64\"")
                                                                         : json.find("\"payload\""));
    };
    CHECK(payload_of({"\x00\xff\x41", 3}) == R"("payload_b64":"AP9B"})");
    CHECK(payload_of({"\x00\x41", 2}) == R"("payload":"\u0000A"})");
    CHECK(payload_of("") == R"("payload":null})");
}

TEST_CASE("JSON: %J takes the payload as JSON") {
    const auto print_payload = [](std::string_view payload, print_problem p = print_problem::none) {
        const std::string json = print("%J", {.topic = "t", .payload = payload}, {}, p);
        return json.empty() ? "" : json.substr(json.find("\"payload\":"));
    };
    CHECK(print_payload("{ \"a\" : 1.50 }") == R"("payload":{"a":1.50}})");
    CHECK(print_payload("") == R"("payload":null})");
    CHECK(print_payload("not", print_problem::not_json) == "");
}
