#include "message_record.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::cli;

TEST_CASE("message_record: a line with everything") {
    message_record r;
    CHECK(parse_record(
              R"({"t":1.5,"topic":"a/b","qos":2,"retain":true,"payload_b64":"AP8=","properties":)"
              R"({"payload-format-indicator":1,"message-expiry-interval":60,"content-type":"t","response-topic":"r",)"
              R"("correlation-data_b64":"AQI=","user-properties":[{"b":"1"},{"a":"2"},{"b":"3"}]}})",
              r) == "");
    CHECK(r.time == 1.5);
    CHECK(r.topic == "a/b");
    CHECK(r.qos == qos::exactly_once);
    CHECK(r.retain == true);
    CHECK(r.payload == std::string("\x00\xff", 2));
    std::vector<user_property> pairs;
    const message_properties p = r.properties(pairs);
    CHECK(p.payload_format_indicator == payload_format::utf8);
    CHECK(p.message_expiry_interval == 60);
    CHECK(p.correlation_data == "\x01\x02");
    CHECK(p.user_properties == user_property_list(std::vector<user_property>{{"b", "1"}, {"a", "2"}, {"b", "3"}}));
}

TEST_CASE("message_record: mosquitto's lines, and lines with nothing but a topic") {
    message_record r;
    CHECK(parse_record(R"({"tst":"x","topic":"a","qos":0,"retain":1,"payloadlen":0,"payload":null,)"
                       R"("properties":{"user-properties":{"k":"v"}}})",
                       r) == "");
    CHECK(r.retain == true);
    CHECK(r.user_properties.size() == 1);
    CHECK(parse_record(R"({"topic":"a"})", r) == "");
    CHECK_FALSE(r.qos);
    CHECK_FALSE(r.time);
}

TEST_CASE("message_record: mistakes are named") {
    message_record r;
    CHECK(parse_record("x", r) == "not a JSON object.");
    CHECK(parse_record("[]", r) == "not a JSON object.");
    CHECK(parse_record(R"({"topic":"a/+"})", r) == "topic: 'a/+' is no topic to publish to.");
    CHECK(parse_record(R"({"topic":1})", r) == "topic: must be a string.");
    CHECK(parse_record(R"({"topic":"a","qos":3})", r) == "qos: must be 0, 1 or 2.");
    CHECK(parse_record(R"({"topic":"a","qos":0.5})", r) == "qos: must be 0, 1 or 2.");
    CHECK(parse_record(R"({"topic":"a","retain":"x"})", r) == "retain: must be true or false.");
    CHECK(parse_record(R"({"topic":"a","payload":{}})", r) == "payload: must be a string, or base64 in payload_b64.");
    CHECK(parse_record(R"({"topic":"a","payload_b64":"*"})", r) ==
          "payload: must be a string, or base64 in payload_b64.");
    CHECK(parse_record(R"({"topic":"a","properties":{"message-expiry-interval":-1}})", r)
              .starts_with("message-expiry-interval:"));
    CHECK(
        parse_record(R"({"topic":"a","properties":{"user-properties":[{"k":1}]}})", r).starts_with("user-properties:"));
}
