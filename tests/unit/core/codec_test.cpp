// The codec: every packet once, the packets of which little is to be said, limits, and what a fault says. The fixed
// header, CONNECT and PUBLISH have files of their own.
#include "codec_checks.hpp"

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace martlet;
using namespace martlet::core;
using namespace martlet::test;

// ---- the examples

TEST_CASE("codec: every packet as the specification shows it, both ways") {
    struct row {
        protocol_version version;
        role receiver;
        const char* encoded;
        packet decoded;
    };
    packets::connect connect;
    connect.keep_alive = 60;
    connect.client_id = "a";
    packets::publish publish;
    publish.topic = "a/b";
    publish.payload = "hi";
    publish.qos = qos::at_least_once;
    publish.id = packet_id{10};
    packets::subscribe subscribe;
    subscribe.id = packet_id{10};
    subscribe.subscriptions = {{"a/b", qos::at_least_once}};
    packets::unsubscribe unsubscribe;
    unsubscribe.id = packet_id{10};
    unsubscribe.filters = {"a/b"};
    packets::suback suback;
    suback.id = packet_id{10};
    suback.reasons = {reason_code::granted_qos_1};
    packets::unsuback unsuback_v3;
    unsuback_v3.id = packet_id{10};
    packets::unsuback unsuback = unsuback_v3;
    unsuback.reasons = {reason_code::success};
    const auto of_version = [](packets::connect p, protocol_version version) {
        p.version = version;
        return p;
    };

    for (const row& row : {
             row{v3_1, to_broker, "10 0F 00 06 'MQIsdp' 03 02 00 3C 00 01 'a'", of_version(connect, v3_1)},
             row{v3_1_1, to_broker, "10 0D 00 04 'MQTT' 04 02 00 3C 00 01 'a'", of_version(connect, v3_1_1)},
             row{v5, to_broker, "10 0E 00 04 'MQTT' 05 02 00 3C 00 00 01 'a'", of_version(connect, v5)},
             row{v3_1_1, to_client, "20 02 00 00", packets::connack{}},
             row{v5, to_client, "20 03 00 00 00", packets::connack{}},
             row{v3_1_1, to_broker, "32 09 00 03 'a/b' 00 0A 'hi'", publish},
             row{v5, to_broker, "32 0A 00 03 'a/b' 00 0A 00 'hi'", publish},
             row{v3_1_1, to_broker, "40 02 00 0A", packets::puback{.id = packet_id{10}}},
             row{v5, to_broker, "40 02 00 0A", packets::puback{.id = packet_id{10}}},
             row{v3_1_1, to_client, "50 02 00 0A", packets::pubrec{.id = packet_id{10}}},
             row{v3_1_1, to_broker, "62 02 00 0A", packets::pubrel{.id = packet_id{10}}},
             row{v5, to_client, "62 02 00 0A", packets::pubrel{.id = packet_id{10}}},
             row{v5, to_client, "70 02 00 0A", packets::pubcomp{.id = packet_id{10}}},
             row{v3_1_1, to_broker, "82 08 00 0A 00 03 'a/b' 01", subscribe},
             row{v5, to_broker, "82 09 00 0A 00 00 03 'a/b' 01", subscribe},
             row{v3_1_1, to_client, "90 03 00 0A 01", suback},
             row{v5, to_client, "90 04 00 0A 00 01", suback},
             row{v3_1_1, to_broker, "A2 07 00 0A 00 03 'a/b'", unsubscribe},
             row{v5, to_broker, "A2 08 00 0A 00 00 03 'a/b'", unsubscribe},
             row{v3_1_1, to_client, "B0 02 00 0A", unsuback_v3},
             row{v5, to_client, "B0 04 00 0A 00 00", unsuback},
             row{v3_1_1, to_broker, "C0 00", packets::pingreq{}},
             row{v5, to_client, "D0 00", packets::pingresp{}},
             row{v3_1_1, to_broker, "E0 00", packets::disconnect{}},
             row{v5, to_broker, "E0 00", packets::disconnect{}},
             row{v5, to_client, "E0 01 8B", packets::disconnect{.reason = reason_code::server_shutting_down}},
             row{v5, to_broker, "F0 06 18 04 15 00 01 'm'",
                 packets::auth{.reason = reason_code::continue_authentication,
                 .properties = {.authentication_method = "m"}}},
         }) {
        CAPTURE(row.encoded);
        const std::string encoded = bytes(row.encoded);
        const test::decoded out = test::decode(encoded, row.version, row.receiver);
        CHECK(verdict(out) == "ok");
        CHECK(out.packet == row.decoded);
        CHECK(hex(test::encode(row.decoded, row.version)) == hex(encoded));
    }
}

TEST_CASE("codec: every field of CONNECT, every option of SUBSCRIBE and every flag of PUBLISH has its place") {
    packets::connect connect;
    connect.clean_start = false;
    connect.keep_alive = 0x0102;
    connect.client_id = "id";
    connect.will.emplace();
    connect.will->topic = "w";
    connect.will->payload = "bye";
    connect.will->qos = qos::exactly_once;
    connect.will->retain = true;
    connect.will->will_delay_interval = 5;
    connect.user_name = "u";
    connect.password = std::string_view("\0\xFF", 2);
    CHECK(hex(test::encode(connect, v5)) ==
          hex(bytes("10 24 00 04 'MQTT' 05 F4 01 02 00 00 02 'id' 05 18 00 00 00 05 00 01 'w' 00 03 'bye' 00 01 'u'"
                    "00 02 00 FF")));

    packets::subscribe subscribe;
    subscribe.id = packet_id{0x0102};
    subscribe.subscriptions = {
        {"a", qos::exactly_once, true, false, retain_handling::send},
        {"b", qos::at_most_once, false, true, retain_handling::send_if_new},
        {"c", qos::at_least_once, true, true, retain_handling::do_not_send},
    };
    subscribe.properties.subscription_identifier = 128;
    CHECK(hex(test::encode(subscribe, v5)) ==
          hex(bytes("82 12 01 02 03 0B 80 01 00 01 'a' 06 00 01 'b' 18 00 01 'c' 2D")));
    CHECK(hex(test::encode(subscribe, v3_1_1)) == hex(bytes("82 0E 01 02 00 01 'a' 02 00 01 'b' 00 00 01 'c' 01")));

    packets::publish publish;
    publish.topic = "t";
    publish.qos = qos::exactly_once;
    publish.dup = true;
    publish.retain = true;
    publish.id = packet_id{1};
    CHECK(hex(test::encode(publish, v3_1_1)) == hex(bytes("3D 05 00 01 't' 00 01")));
    publish.topic = {};
    publish.topic_alias = 0x0102;
    CHECK(hex(test::encode(publish, v5)) == hex(bytes("3D 08 00 00 00 01 03 23 01 02")));
}

// ---- SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK

TEST_CASE("SUBSCRIBE: filters and options") {
    check(std::array{
        verdict_row{"no filter", v5, to_broker, "82", "00 0A 00", "82 MQTT-3.8.3-2"},
        verdict_row{"no filter", v3_1_1, to_broker, "82", "00 0A", "82 MQTT-3.8.3-3"},
        verdict_row{"empty filter", v5, to_broker, "82", "00 0A 00 00 00 00", "81 MQTT-4.7.3-1"},
        verdict_row{"empty filter", v3_1_1, to_broker, "82", "00 0A 00 00 00", "81 MQTT-4.7.3-1"},
        verdict_row{"ill-formed filter", v5, to_broker, "82", "00 0A 00 00 01 FF 00", "81 MQTT-3.8.3-1"},
        verdict_row{"U+0000", v5, to_broker, "82", "00 0A 00 00 01 00 00", "81 MQTT-1.5.4-2"},
        verdict_row{"a filter that is none is refused later", v5, to_broker, "82", "00 0A 00 00 02 'a#' 00", "ok"},
        verdict_row{"a filter that is none is refused later", v3_1_1, to_broker, "82", "00 0A 00 02 '+a' 00", "ok"},
        verdict_row{"a shared one, too", v5, to_broker, "82", "00 0A 00 00 08 '$share//' 00", "ok"},
        verdict_row{"options missing", v5, to_broker, "82", "00 0A 00 00 01 'a'", "81"},
        verdict_row{"filter cut short", v5, to_broker, "82", "00 0A 00 00 02 'a'", "81"},
        verdict_row{"second filter cut short", v5, to_broker, "82", "00 0A 00 00 01 'a' 00 00", "81"},
        verdict_row{"packet identifier 0", v5, to_broker, "82", "00 00 00 00 01 'a' 00", "82 MQTT-2.2.1-3"},
        verdict_row{"packet identifier 0", v3_1_1, to_broker, "82", "00 00 00 01 'a' 00", "82 MQTT-2.3.1-1"},
        verdict_row{"QoS 3", v5, to_broker, "82", "00 0A 00 00 01 'a' 03", "82"},
        verdict_row{"retain handling 3", v5, to_broker, "82", "00 0A 00 00 01 'a' 30", "82"},
        verdict_row{"reserved bit 6", v5, to_broker, "82", "00 0A 00 00 01 'a' 40", "81 MQTT-3.8.3-5"},
        verdict_row{"reserved bit 7", v5, to_broker, "82", "00 0A 00 00 01 'a' 80", "81 MQTT-3.8.3-5"},
        verdict_row{"No Local", v5, to_broker, "82", "00 0A 00 00 01 'a' 04", "ok"},
        verdict_row{"No Local, shared", v5, to_broker, "82", "00 0A 00 00 0A '$share/g/a' 04", "82 MQTT-3.8.3-4"},
        verdict_row{"shared", v5, to_broker, "82", "00 0A 00 00 0A '$share/g/a' 00", "ok"},
        verdict_row{"not quite shared", v5, to_broker, "82", "00 0A 00 00 06 '$share' 04", "ok"},
        verdict_row{"QoS 3", v3_1_1, to_broker, "82", "00 0A 00 01 'a' 03", "81 MQTT-3.8.3-4"},
        verdict_row{"reserved bits", v3_1_1, to_broker, "82", "00 0A 00 01 'a' 04", "81 MQTT-3.8.3-4"},
        verdict_row{"reserved bits", v3_1_1, to_broker, "82", "00 0A 00 01 'a' 80", "81 MQTT-3.8.3-4"},
        verdict_row{"other bits", v3_1, to_broker, "82", "00 0A 00 01 'a' FE", "ok"},
        verdict_row{"QoS 3", v3_1, to_broker, "82", "00 0A 00 01 'a' FF", "81 MQTT-3.8.3-4"},
        verdict_row{"sent again", v3_1, to_broker, "8A", "00 0A 00 01 'a' 01", "ok"},
    });
    const std::string in = bytes("82 06 00 0A 00 01 'a' FE");
    const test::decoded out = test::decode(in, v3_1, to_broker);
    CHECK(std::get<packets::subscribe>(out.packet).subscriptions.at(0) == subscription_request{"a", qos::exactly_once});
}

TEST_CASE("SUBACK: codes") {
    check(std::array{
        verdict_row{"no code", v5, to_client, "90", "00 0A 00", "82 MQTT-3.8.4-6"},
        verdict_row{"no code", v3_1_1, to_client, "90", "00 0A", "82 MQTT-3.8.4-5"},
        verdict_row{"packet identifier 0", v5, to_client, "90", "00 00 00 00", "82 MQTT-2.2.1-6"},
        verdict_row{"packet identifier 0", v3_1_1, to_client, "90", "00 00 00", "82 MQTT-2.3.1-7"},
        verdict_row{"all there are", v3_1_1, to_client, "90", "00 0A 00 01 02 80", "ok"},
        verdict_row{"3", v3_1_1, to_client, "90", "00 0A 03", "82 MQTT-3.9.3-2"},
        verdict_row{"87", v3_1_1, to_client, "90", "00 0A 00 87", "82 MQTT-3.9.3-2"},
        verdict_row{"a failure, which 3.1 does not have", v3_1, to_client, "90", "00 0A 80", "ok"},
    });
    const std::string in = bytes("90 06 00 0A 00 02 87 00");
    const test::decoded out = test::decode(in, v5, to_client);
    CHECK(std::get<packets::suback>(out.packet).reasons ==
          std::vector{reason_code::granted_qos_2, reason_code::not_authorized, reason_code::success});
}

TEST_CASE("SUBACK: a failure is 0x80 in 3.1.1 and a granted QoS 0 in 3.1") {
    packets::suback p;
    p.id = packet_id{10};
    p.reasons = {reason_code::granted_qos_2, reason_code::not_authorized, reason_code::topic_filter_invalid};
    CHECK(hex(test::encode(p, v5)) == "90 06 00 0A 00 02 87 8F");
    CHECK(hex(test::encode(p, v3_1_1)) == "90 05 00 0A 02 80 80");
    CHECK(hex(test::encode(p, v3_1)) == "90 05 00 0A 02 00 00");
}

TEST_CASE("UNSUBSCRIBE and UNSUBACK: filters and codes") {
    check(std::array{
        verdict_row{"no filter", v5, to_broker, "A2", "00 0A 00", "82 MQTT-3.10.3-2"},
        verdict_row{"no filter", v3_1_1, to_broker, "A2", "00 0A", "82 MQTT-3.10.3-2"},
        verdict_row{"empty filter", v5, to_broker, "A2", "00 0A 00 00 00", "81 MQTT-4.7.3-1"},
        verdict_row{"ill-formed filter", v3_1_1, to_broker, "A2", "00 0A 00 01 80", "81 MQTT-3.10.3-1"},
        verdict_row{"a filter that is none", v5, to_broker, "A2", "00 0A 00 00 02 'a#'", "ok"},
        verdict_row{"second filter cut short", v3_1_1, to_broker, "A2", "00 0A 00 01 'a' 00 02 'b'", "81"},
        verdict_row{"packet identifier 0", v5, to_broker, "A2", "00 00 00 00 01 'a'", "82 MQTT-2.2.1-3"},
        verdict_row{"no code", v5, to_client, "B0", "00 0A 00", "82 MQTT-3.11.3-2"},
        verdict_row{"a code, before MQTT 5", v3_1_1, to_client, "B0", "00 0A 00", "81"},
        verdict_row{"packet identifier 0", v5, to_client, "B0", "00 00 00 00", "82 MQTT-2.2.1-6"},
        verdict_row{"packet identifier 0", v3_1_1, to_client, "B0", "00 00", "82 MQTT-2.3.1-7"},
        verdict_row{"cut short", v3_1_1, to_client, "B0", "00", "81"},
    });
}

// ---- PINGREQ, PINGRESP, DISCONNECT, AUTH

TEST_CASE("PINGREQ, PINGRESP, DISCONNECT, AUTH: length and contents") {
    check(std::array{
        verdict_row{"PINGREQ with a body", v5, to_broker, "C0", "00", "81"},
        verdict_row{"PINGRESP with a body", v3_1_1, to_client, "D0", "00", "81"},
        verdict_row{"DISCONNECT with a body", v3_1_1, to_broker, "E0", "00", "81"},
        verdict_row{"DISCONNECT with a reason", v5, to_broker, "E0", "04", "ok"},
        verdict_row{"DISCONNECT without properties", v5, to_broker, "E0", "04 00", "ok"},
        verdict_row{"DISCONNECT that goes on", v5, to_broker, "E0", "04 00 00", "81"},
        verdict_row{"DISCONNECT cut short", v5, to_broker, "E0", "04 01", "81"},
        verdict_row{"AUTH without a body", v5, to_broker, "F0", "", "82 MQTT-4.12.0-5"},
        verdict_row{"AUTH without a method", v5, to_broker, "F0", "18 00", "82 MQTT-4.12.0-5"},
        verdict_row{"AUTH with only a reason", v5, to_broker, "F0", "18", "81 MQTT-1.5.5-1"},
        verdict_row{"AUTH that goes on", v5, to_broker, "F0", "18 04 15 00 01 'm' 00", "81"},
        verdict_row{"AUTH before MQTT 5", v3_1_1, to_broker, "F0", "18 04 15 00 01 'm'", "82"},
    });
}

TEST_CASE("DISCONNECT: is encoded in the shortest of its forms, and bare before MQTT 5") {
    packets::disconnect p;
    CHECK(hex(test::encode(p, v5)) == "E0 00");
    p.reason = reason_code::disconnect_with_will;
    CHECK(hex(test::encode(p, v5)) == "E0 01 04");
    p.properties.session_expiry_interval = 1;
    CHECK(hex(test::encode(p, v5)) == "E0 07 04 05 11 00 00 00 01");
    CHECK(hex(test::encode(p, v3_1_1)) == "E0 00");
    CHECK(hex(test::encode(p, v3_1)) == "E0 00");
}

TEST_CASE("AUTH: cannot be encoded before MQTT 5") {
    packets::auth p;
    p.properties.authentication_method = "m";
    CHECK(encoded_size(packet(p), v5) > 0);
    CHECK(encoded_size(packet(p), v3_1_1) == 0);
    CHECK(encoded_size(packet(p), v3_1) == 0);
}

// ---- limits

TEST_CASE("encoded_size: is 0 for a string over 65,535 bytes") {
    const std::string longest(65'535, 'x');
    const std::string too_long(65'536, 'x');
    const auto is_encodable = [](auto set) {
        packets::connect connect;
        connect.will.emplace();
        packets::subscribe subscribe;
        subscribe.subscriptions.emplace_back();
        packets::unsubscribe unsubscribe;
        packets::publish publish;
        set(connect, subscribe, unsubscribe, publish);
        return encoded_size(packet(connect), v5) > 0 && encoded_size(packet(subscribe), v5) > 0 &&
               encoded_size(packet(unsubscribe), v5) > 0 && encoded_size(publish, v5) > 0;
    };
    for (const std::string_view text : {std::string_view(longest), std::string_view(too_long)}) {
        const bool fits = text.size() <= 65'535;
        CHECK(is_encodable([&](auto& c, auto&, auto&, auto&) { c.client_id = text; }) == fits);
        CHECK(is_encodable([&](auto& c, auto&, auto&, auto&) { c.will->topic = text; }) == fits);
        CHECK(is_encodable([&](auto& c, auto&, auto&, auto&) { c.will->payload = text; }) == fits);
        CHECK(is_encodable([&](auto& c, auto&, auto&, auto&) { c.user_name = text; }) == fits);
        CHECK(is_encodable([&](auto& c, auto&, auto&, auto&) { c.password = text; }) == fits);
        CHECK(is_encodable([&](auto&, auto& s, auto&, auto&) { s.subscriptions[0].filter = text; }) == fits);
        CHECK(is_encodable([&](auto&, auto&, auto& u, auto&) { u.filters.push_back(text); }) == fits);
        CHECK(is_encodable([&](auto&, auto&, auto&, auto& p) { p.topic = text; }) == fits);
        CHECK(is_encodable([&](auto&, auto&, auto&, auto& p) { p.payload = text; }));
    }
}

TEST_CASE("encoded_size: is 0 for a Remaining Length over 268,435,455") {
    const std::unique_ptr<char[]> memory(new char[remaining_length_max]);  // reserved, never touched
    packets::publish p;
    p.topic = "t";
    p.payload = {memory.get(), remaining_length_max - 3};
    CHECK(encoded_size(p, v3_1_1) == remaining_length_max + 5);
    CHECK(encoded_size(p, v5) == 0);  // one byte more: the Property Length
    CHECK(encoded_size(packet(p), v5) == 0);
    p.payload = {memory.get(), remaining_length_max - 2};
    CHECK(encoded_size(p, v3_1_1) == 0);
}

// ---- what a fault says

TEST_CASE("fault: its text names the field and what is wrong with it") {
    struct row {
        protocol_version version;
        role receiver;
        const char* encoded;
        std::string_view text;
    };
    for (const row& row : {
             row{v5, to_broker, "10 0E 00 04 'MQTT' 05 02 00 3C 00 00 01 FF",
                 "Client Identifier is not well-formed UTF-8"},
             row{v5, to_broker, "30 04 00 01 00 00", "Topic Name contains U+0000"},
             row{v3_1_1, to_broker, "30 02 00 01", "Topic Name is cut short"},
             row{v5, to_broker, "30 06 00 01 't' 02 01 02", "Payload Format Indicator has a value that is not allowed"},
             row{v5, to_broker, "30 06 00 01 't' 02 0B 01", "Subscription Identifier is not allowed from this side"},
             row{v5, to_broker, "30 07 00 01 't' 03 21 00 01", "Receive Maximum is not allowed in this packet"},
             row{v5, to_broker, "30 08 00 01 't' 04 01 00 01 00", "Payload Format Indicator appears twice"},
             row{v5, to_broker, "30 06 00 01 't' 02 23 00", "Topic Alias is cut short"},
             row{v3_1_1, to_broker, "F0 00", "AUTH does not exist before MQTT 5"},
             row{v3_1_1, to_broker, "D0 00", "A client must not send this packet"},
             row{v3_1_1, to_client, "C0 00", "A server must not send this packet"},
         }) {
        CAPTURE(row.encoded);
        CHECK(test::decode(bytes(row.encoded), row.version, row.receiver).why.text == row.text);
    }
}
