#include "property_argument.hpp"

#include "words.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace martlet;
using namespace martlet::cli;
using martlet::test::words;

namespace {

struct outcome {
    bool taken;
    std::string error;
    std::size_t left;
};

outcome read(const words& w, property_arguments& out, profile p = profile::mosquitto) {
    command_line in(w.argv(), command::pub, p);
    const bool taken = read_property(in, out);
    return {taken, in.error(), in.rest().size()};
}

std::string error_of(const words& w, profile p = profile::mosquitto) {
    property_arguments out;
    return read(w, out, p).error;
}

}  // namespace

TEST_CASE("-D: packet and property are found whatever their case") {
    property_arguments out;
    const words w{"PUBLISH", "Content-Type", "text/plain", "-t"};
    const outcome o = read(w, out);
    CHECK(o.taken);
    CHECK(o.left == 1);
    CHECK(out.any);
    CHECK(out.publish.content_type == "text/plain");
}

TEST_CASE("-D: a user property takes two words") {
    property_arguments out;
    const words w{"connect", "user-property", "key", "value"};
    CHECK(read(w, out).left == 0);
    REQUIRE(out.connect_user_properties.size() == 1);
    CHECK(out.connect_user_properties[0] == owned_user_property("key", "value"));
    CHECK(error_of({"publish", "user-property", "a"}) ==
          "--property argument given but not enough arguments specified.\n");
}

TEST_CASE("-D: each complaint as mosquitto has it") {
    CHECK(error_of({}) == "--property argument given but not enough arguments specified.\n");
    CHECK(error_of({"foo", "bar", "baz"}) == "Invalid command given in --property argument.\n");
    CHECK(error_of({"publish", "foo", "baz"}) == "Invalid property name given in --property argument.\n");
    CHECK(error_of({"publish", "receive-maximum", "1"}) ==
          "receive-maximum property not allowed for publish in --property argument.\n");
    CHECK(error_of({"auth", "reason-string", "x"}) ==
          "reason-string property not supported for auth in --property argument.\n");
    CHECK(error_of({"publish", "topic-alias", "70000"}) ==
          "Property value (70000) out of range for property topic-alias.\n");
    CHECK(error_of({"publish", "message-expiry-interval", "-1"}) ==
          "Property value (-1) out of range for property message-expiry-interval.\n");
    CHECK(error_of({"connect", "receive-maximum", "0"}) ==
          "Property value (0) out of range for property receive-maximum.\n");
    CHECK(error_of({"publish", "message-expiry-interval", "1m"}, profile::native) ==
          "Property value (1m) out of range for property message-expiry-interval.");
    CHECK(error_of({"publish", "response-topic", "a/#"}) ==
          "Invalid response topic 'a/#', does it contain '+' or '#'?");
    CHECK(error_of({"publish", "content-type", "\xff"}) == "Malformed UTF-8 in property content-type.\n");
}

TEST_CASE("-D: binary data may be anything") {
    property_arguments out;
    const words w{"publish", "correlation-data", "\xff\x01"};
    CHECK(read(w, out).taken);
    CHECK(out.publish.correlation_data == "\xff\x01");
}

TEST_CASE("-D: properties reach the packet that they are for") {
    property_arguments out;
    for (const words& w : {words{"connect", "session-expiry-interval", "4294967295"}})
        CHECK(read(w, out).taken);
    const words will{"will", "will-delay-interval", "5"};
    CHECK(read(will, out).taken);
    const words expiry{"will", "message-expiry-interval", "6"};
    CHECK(read(expiry, out).taken);
    const words farewell{"disconnect", "session-expiry-interval", "7"};
    CHECK(read(farewell, out).taken);
    const words reason{"disconnect", "reason-string", "bye"};
    CHECK(read(reason, out).taken);
    const words subscribe{"subscribe", "user-property", "a", "b"};
    CHECK(read(subscribe, out).taken);

    CHECK(out.session_expiry_interval == 0xFFFFFFFF);
    CHECK(out.will_delay_interval == 5);
    CHECK(out.will.message_expiry_interval == 6);
    CHECK_FALSE(out.publish.message_expiry_interval);
    CHECK(out.disconnect_session_expiry_interval == 7);
    CHECK(out.disconnect_reason_string == "bye");
    CHECK(out.subscribe_user_properties == std::vector<user_property>{{"a", "b"}});
}
