#include "json_text.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace martlet::cli;

namespace {

std::string minified(std::string_view text) {
    std::string out = "<";
    return append_minified_json(text, out) ? out.substr(1) : out + "refused";
}

std::string quoted(std::string_view text) {
    std::string out;
    append_json_string(text, out);
    return out;
}

}  // namespace

TEST_CASE("is_utf8: the table of Unicode 3-7") {
    CHECK(is_utf8(""));
    CHECK(is_utf8(std::string_view("a\0b", 3)));
    CHECK(is_utf8("\u00e4\u20ac\U0001F600"));
    for (const std::string_view bad :
         {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
          "\xf5\x80\x80\x80", "\xe2\x82", "\xff"}) {
        CHECK_FALSE(is_utf8(bad));
    }
}

TEST_CASE("json strings: escapes as RFC 8259 wants them") {
    CHECK(quoted("a\"\\\b\f\n\r\t\x1f\x7f/\u20ac") == "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u001f\x7f/\u20ac\"");
    CHECK(quoted(std::string_view("\0", 1)) == "\"\\u0000\"");
}

TEST_CASE("base64: the examples of RFC 4648") {
    const auto encoded = [](std::string_view bytes) {
        std::string out;
        append_base64(bytes, out);
        return out;
    };
    CHECK(encoded("") == "");
    CHECK(encoded("f") == "Zg==");
    CHECK(encoded("fo") == "Zm8=");
    CHECK(encoded("foo") == "Zm9v");
    CHECK(encoded("foobar") == "Zm9vYmFy");
    CHECK(encoded("\xff\xfe") == "//4=");
}

TEST_CASE("minified json: white space goes, numbers stay as they were written") {
    CHECK(minified(" { \"a\" : [ 1 , 1.50 , 12345678901234567890 , -0.1e+5 ] , \"b\" : { } } \n") ==
          "{\"a\":[1,1.50,12345678901234567890,-0.1e+5],\"b\":{}}");
    CHECK(minified("\"a b\\u00e4\\n\"") == "\"a b\\u00e4\\n\"");
    CHECK(minified("true") == "true");
    CHECK(minified(" null ") == "null");
}

TEST_CASE("minified json: what is not one JSON value is refused, and nothing is appended") {
    for (const std::string_view bad :
         {"",   " ",   "{",     "[1,]", "{\"a\"}", "{\"a\":1,}",  "{a:1}",  "01",  "1.",    ".5",       "+1",
          "1e", "tru", "nulll", "\"a",  "\"\\x\"", "\"\\u12g4\"", "\"\n\"", "1 2", "[1 2]", "\"\xff\"", "NaN"}) {
        CAPTURE(std::string(bad));
        CHECK(minified(bad) == "<refused");
    }
    CHECK(minified(std::string(10'000, '[')) == "<refused");  // no end of the stack
}

TEST_CASE("json_writer: compact and indented as cJSON does") {
    const auto written = [](bool pretty) {
        std::string out;
        json_writer json(out, pretty);
        json.begin_object();
        json.key("a");
        json.number(1);
        json.key("b");
        json.begin_object();
        json.end_object();
        json.key("c");
        json.begin_array();
        json.string("x");
        json.boolean(true);
        json.end_array();
        json.key("d");
        json.raw("{\"e\":[1,\"f,:]\"],\"g\":null}");
        json.end_object();
        return out;
    };
    CHECK(written(false) == R"({"a":1,"b":{},"c":["x",true],"d":{"e":[1,"f,:]"],"g":null}})");
    CHECK(written(true) ==
          "{\n\t\"a\":\t1,\n\t\"b\":\t{\n\t},\n\t\"c\":\t[\"x\", true],\n\t\"d\":\t{\n\t\t\"e\":\t[1, \"f,:]\"],\n\t\t"
          "\"g\":\tnull\n\t}\n}");
}
