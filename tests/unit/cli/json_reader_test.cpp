#include "json_reader.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace martlet::cli;

TEST_CASE("json_reader: every kind of value, and members in their order") {
    const auto v =
        parse_json(R"( {"s":"a\n\u00e4\ud83d\ude00","n":-1.5e2,"t":true,"f":false,"z":null,"a":[1,"x"],"s":"again"} )");
    REQUIRE(v);
    REQUIRE(v->members() != nullptr);
    CHECK(v->members()->size() == 7);
    CHECK(*v->find("s")->text() == "a\n\xc3\xa4\xf0\x9f\x98\x80");
    CHECK(*v->find("n")->number() == -150);
    CHECK(*v->find("t")->boolean());
    CHECK_FALSE(*v->find("f")->boolean());
    CHECK(v->find("z")->text() == nullptr);
    CHECK(v->find("a")->items()->size() == 2);
    CHECK(v->find("nothing") == nullptr);
}

TEST_CASE("json_reader: what is no JSON is refused, however deep it is") {
    for (const char* const text : {"", "{", "{\"a\"}", "[1,]", "{\"a\":1,}", "tru", "01x", "\"\\x\"", "\"\\ud800\"",
                                   "\"\\udc00\"", "\"abc", "1 2", "{a:1}", "'a'"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_json(text));
    }
    CHECK_FALSE(parse_json(std::string(100'000, '[')));
    CHECK(parse_json(std::string(60, '[') + std::string(60, ']')));
}
