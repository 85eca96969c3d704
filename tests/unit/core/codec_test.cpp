#include "support/bytes.hpp"
#include "support/decoded.hpp"
#include "support/packet_generator.hpp"

#include <martlet/core/codec.hpp>

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace martlet;
using namespace martlet::core;
using martlet::test::bytes;
using martlet::test::hex;
using martlet::test::verdict;

namespace {

constexpr auto v3_1 = protocol_version::v3_1;
constexpr auto v3_1_1 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;
constexpr std::array versions{v3_1, v3_1_1, v5};
constexpr std::array roles{role::client, role::broker};
constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

role peer_of(role r) { return r == role::client ? role::broker : role::client; }

// A whole packet around a body.
std::string packet_of(const char* first_byte, const std::string& body) {
    std::array<char, 4> length{};
    char* const end = encode_variable_byte_integer(body.size(), length.data());
    return bytes(first_byte).append(length.data(), end).append(body);
}

// What cut_frame says, and of what size.
struct cut {
    frame_status status{};
    frame out;
    fault why;
    std::size_t size_hint = 7;
};

cut cut_first(std::string_view in, protocol_version version, std::size_t packet_size_max = no_limit) {
    cut c;
    c.status = cut_frame(in, version, packet_size_max, c.out, c.why, c.size_hint);
    return c;
}

// For rows of a table.
struct verdict_row {
    const char* subject;
    protocol_version version;
    role receiver;
    const char* first_byte;
    const char* body;
    const char* verdict;
};

template <std::size_t Size>
void check(const std::array<verdict_row, Size>& rows) {
    for (const verdict_row& row : rows) {
        CAPTURE(row.subject);
        CAPTURE(to_string(row.version));
        CAPTURE(row.body);
        CHECK(verdict(test::decode(packet_of(row.first_byte, bytes(row.body)), row.version, row.receiver)) ==
              row.verdict);
    }
}

constexpr auto to_broker = role::broker;
constexpr auto to_client = role::client;

}  // namespace

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

// ---- the fixed header

TEST_CASE("cut_frame: takes the first of several packets") {
    const std::string in = bytes("40 02 00 0A  C0 00");
    const cut c = cut_first(in, v5);
    CHECK(c.status == frame_status::complete);
    CHECK(c.out.type == packet_type::puback);
    CHECK(c.out.flags == 0);
    CHECK(hex(c.out.body) == "00 0A");
    CHECK(hex(c.out.packet) == "40 02 00 0A");
    CHECK(c.size_hint == 4);
    CHECK_FALSE(c.why);
}

TEST_CASE("cut_frame: reads the length in each of its sizes, and waits for each of its bytes") {
    for (const std::size_t length : {0U, 1U, 127U, 128U, 255U, 256U, 16'383U, 16'384U, 2'097'151U, 2'097'152U}) {
        CAPTURE(length);
        const std::string in = packet_of("30", std::string(length, 'x'));
        const std::size_t head = in.size() - length;

        const cut whole = cut_first(in, v5);
        CHECK(whole.status == frame_status::complete);
        CHECK(whole.out.body.size() == length);
        CHECK(whole.out.packet.size() == in.size());

        for (std::size_t size = 0; size < head; ++size) {
            const cut c = cut_first(in.substr(0, size), v5);
            CHECK(c.status == frame_status::incomplete);
            CHECK(c.size_hint == 0);
        }
        for (std::size_t size = head; size < in.size(); size += 1 + length / 50) {
            const cut c = cut_first(std::string_view(in).substr(0, size), v5);
            CHECK(c.status == frame_status::incomplete);
            CHECK(c.size_hint == in.size());
        }
    }
    CHECK(cut_first(bytes("30 FF FF FF 7F"), v5).size_hint == 268'435'460);
}

TEST_CASE("MQTT-1.5.5-1: a Remaining Length in too many bytes is malformed") {
    for (const char* const text : {"C0 80 00", "30 81 00", "30 FF 80 00", "30 80 80 80 00"}) {
        CAPTURE(text);
        const cut c = cut_first(bytes(text), v5);
        CHECK(c.status == frame_status::faulty);
        CHECK(c.why.reason == reason_code::malformed_packet);
        CHECK(c.why.rule == "MQTT-1.5.5-1");
    }
    // Only MQTT 5 forbids it to the receiver.
    CHECK(cut_first(bytes("C0 80 00"), v3_1_1).status == frame_status::complete);
    CHECK(cut_first(bytes("C0 80 80 80 00"), v3_1).status == frame_status::complete);
    CHECK(cut_first(bytes("C0 80 80 80 00"), v3_1).out.packet.size() == 5);
    // More than four bytes are never legal, and need not be waited for.
    for (const protocol_version version : versions) {
        CHECK(cut_first(bytes("30 80 80 80 80"), version).status == frame_status::faulty);
        CHECK(cut_first(bytes("30 FF FF FF FF"), version).status == frame_status::faulty);
        CHECK(cut_first(bytes("30 FF FF FF"), version).status == frame_status::incomplete);
    }
}

TEST_CASE("cut_frame: a packet too large is refused as soon as its length is there") {
    const std::string in = packet_of("30", std::string(200, 'x'));
    CHECK(cut_first(in, v5, 203).status == frame_status::complete);

    const cut c = cut_first(std::string_view(in).substr(0, 3), v5, 202);
    CHECK(c.status == frame_status::faulty);
    CHECK(c.why.reason == reason_code::packet_too_large);
    CHECK(c.size_hint == 203);
}

TEST_CASE("MQTT-2.1.3-1: the first byte is legal for its packet type or malformed, for all 256 in each version") {
    // §2.1.3, table 2-2; in PUBLISH QoS 3 is malformed [MQTT-3.3.1-4] and DUP is 0 at QoS 0 [MQTT-3.3.1-2].
    const std::set<unsigned> prescribed{0x10, 0x20, 0x40, 0x50, 0x62, 0x70, 0x82,
                                        0x90, 0xA2, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0};
    for (unsigned first = 0; first < 0x100; ++first) {
        CAPTURE(first);
        const bool is_publish = first >> 4 == 3;
        const unsigned qos_bits = first >> 1 & 3;
        const bool is_dup_at_qos_0 = qos_bits == 0 && (first & 8) != 0;
        const std::string in{static_cast<char>(first), '\0'};
        for (const protocol_version version : versions) {
            const bool is_old = version == v3_1;
            const bool is_legal = first < 0x10 ? false
                                  : is_publish ? qos_bits != 3 && (is_old || !is_dup_at_qos_0)
                                               : is_old || prescribed.contains(first);
            const cut c = cut_first(in, version);
            CHECK(c.status == (is_legal ? frame_status::complete : frame_status::faulty));
            if (is_legal) {
                CHECK(static_cast<unsigned>(c.out.type) == first >> 4);
                CHECK(c.out.flags == (first & 15));
            } else {
                CHECK(c.why.reason == reason_code::malformed_packet);
                CHECK(cut_first(in.substr(0, 1), version).status == frame_status::faulty);
            }
        }
    }
}

TEST_CASE("cut_frame: names the statement about the flags") {
    struct row {
        const char* first;
        const char* rule_v5;
        const char* rule_v3;
    };
    for (const row& row : {
             row{"11", "MQTT-2.1.3-1", "MQTT-2.2.2-2"},
             row{"36", "MQTT-3.3.1-4", "MQTT-3.3.1-4"},
             row{"38", "MQTT-3.3.1-2", "MQTT-3.3.1-2"},
             row{"60", "MQTT-3.6.1-1", "MQTT-3.6.1-1"},
             row{"80", "MQTT-3.8.1-1", "MQTT-3.8.1-1"},
             row{"A3", "MQTT-3.10.1-1", "MQTT-3.10.1-1"},
             row{"E1", "MQTT-3.14.1-1", "MQTT-3.14.1-1"},
             row{"F2", "MQTT-3.15.1-1", "MQTT-2.2.2-2"},
             row{"00", "", ""},
         }) {
        CAPTURE(row.first);
        CHECK(cut_first(bytes(row.first), v5).why.rule == row.rule_v5);
        CHECK(cut_first(bytes(row.first), v3_1_1).why.rule == row.rule_v3);
    }
}

TEST_CASE("decode: a packet that must not flow in this direction is a Protocol Error") {
    test::packet_generator generator(1);
    for (const protocol_version version : versions) {
        for (const role sender : roles) {
            for (int number = 1; number <= 15; ++number) {
                const auto type = static_cast<packet_type>(number);
                const bool is_legal = test::may_send(sender, type, version);
                // In v3 nobody can make an AUTH, so it is the one of MQTT 5 that arrives.
                const protocol_version made_for = type == packet_type::auth ? v5 : version;
                const std::string in = test::encode(generator.next(type, made_for, sender), made_for);
                CAPTURE(to_string(type));
                CAPTURE(to_string(version));
                CHECK(verdict(test::decode(in, version, peer_of(sender))) == (is_legal ? "ok" : "82"));
            }
        }
    }
}

// ---- CONNECT

TEST_CASE("MQTT-3.1.2-1: an unknown protocol name is told apart from an unknown version") {
    struct row {
        const char* begin;
        const char* verdict;
        protocol_version answer_in;
    };
    for (const row& row : {
             row{"00 04 'MQTX' 05", "84 MQTT-3.1.2-1", v5},
             row{"00 04 'mqtt' 05", "84 MQTT-3.1.2-1", v5},
             row{"00 05 'MQTT' 00 05", "84 MQTT-3.1.2-1", v5},
             row{"00 00 05", "84 MQTT-3.1.2-1", v5},
             row{"00 04 'MQTT' 03", "84 MQTT-3.1.2-2", v3_1_1},
             row{"00 04 'MQTT' 00", "84 MQTT-3.1.2-2", v3_1_1},
             row{"00 04 'MQTT' 83", "84 MQTT-3.1.2-2", v3_1_1},
             row{"00 06 'MQIsdp' 04", "84 MQTT-3.1.2-2", v3_1_1},
             row{"00 06 'MQIsdp' 05", "84 MQTT-3.1.2-2", v3_1_1},
             row{"00 04 'MQTT' 06", "84 MQTT-3.1.2-2", v5},
             row{"00 04 'MQTT' 7F", "84 MQTT-3.1.2-2", v5},
             row{"00 04 'MQTT' 85", "84 MQTT-3.1.2-2", v5},
         }) {
        CAPTURE(row.begin);
        const std::string in = packet_of("10", bytes(row.begin) + bytes("02 00 3C 00 00 01 'a'"));
        const test::decoded out = test::decode(in, v5, to_broker);
        CHECK(verdict(out) == row.verdict);
        CHECK(std::get<packets::connect>(out.packet).version == row.answer_in);
    }
}

TEST_CASE("CONNECT: bit 7 of the level marks a bridge before MQTT 5") {
    struct row {
        const char* encoded;
        protocol_version version;
    };
    for (const row& row : {row{"10 0F 00 06 'MQIsdp' 83 02 00 3C 00 01 'a'", v3_1},
                           row{"10 0D 00 04 'MQTT' 84 02 00 3C 00 01 'a'", v3_1_1}}) {
        const std::string in = bytes(row.encoded);
        const test::decoded out = test::decode(in, v5, to_broker);
        REQUIRE(verdict(out) == "ok");
        const auto& connect = std::get<packets::connect>(out.packet);
        CHECK(connect.bridge);
        CHECK(connect.version == row.version);
        CHECK(hex(test::encode(connect, v5)) == hex(in));
    }
    packets::connect connect;
    connect.bridge = true;
    CHECK(test::encode(connect, v5)[8] == 5);  // MQTT 5 has no such mark
}

TEST_CASE("CONNECT: flags that contradict each other") {
    // The same flags in each version; what is ok in one is a fault in another.
    struct row {
        const char* flags;
        const char* rest;
        const char* in_v3_1;
        const char* in_v3_1_1;
        const char* in_v5;
    };
    for (const row& row : {
             row{"03", "", "ok", "81 MQTT-3.1.2-3", "81 MQTT-3.1.2-3"},
             row{"0A", "", "ok", "81 MQTT-3.1.2-13", "81 MQTT-3.1.2-11"},
             row{"1A", "", "ok", "81 MQTT-3.1.2-13", "81 MQTT-3.1.2-11"},
             row{"22", "", "ok", "81 MQTT-3.1.2-15", "81 MQTT-3.1.2-13"},
             row{"1E", "00 01 'w' 00 00", "81 MQTT-3.1.2-14", "81 MQTT-3.1.2-14", "81 MQTT-3.1.2-12"},
             row{"42", "00 01 'p'", "81 MQTT-3.1.2-22", "81 MQTT-3.1.2-22", "ok"},
             row{"C2", "00 01 'u' 00 01 'p'", "ok", "ok", "ok"},
             row{"82", "00 01 'u'", "ok", "ok", "ok"},
             row{"00", "", "ok", "ok", "ok"},
             // fields that are flagged and missing
             row{"82", "", "ok", "81 MQTT-3.1.2-19", "81 MQTT-3.1.2-17"},
             row{"C2", "", "ok", "81 MQTT-3.1.2-19", "81 MQTT-3.1.2-17"},
             row{"C2", "00 01 'u'", "ok", "81 MQTT-3.1.2-21", "81 MQTT-3.1.2-19"},
             row{"C2", "00", "81 MQTT-3.1.2-19", "81 MQTT-3.1.2-19", "81 MQTT-3.1.2-17"},
             row{"06", "", "81 MQTT-3.1.2-9", "81 MQTT-3.1.2-9", "81 MQTT-1.5.5-1"},
             row{"06", "00 01 'w'", "81 MQTT-3.1.2-9", "81 MQTT-3.1.2-9", "81 MQTT-3.1.2-9"},
             // one that is not flagged
             row{"02", "00 01 'u'", "81", "81", "81"},
             row{"02", "00", "81", "81", "81"},
         }) {
        CAPTURE(row.flags);
        CAPTURE(row.rest);
        const std::string flags = bytes(row.flags) + bytes("00 3C");
        const std::string rest = bytes(row.rest);
        const bool has_will = (flags[0] & 4) != 0;
        const std::string will_properties = has_will && !rest.empty() ? bytes("00") : "";
        const std::string old_rest = bytes("00 01 'a'") + rest;
        const std::string rest_in_v5 = bytes("00 00 01 'a'") + will_properties + rest;
        const auto verdict_of = [&](const char* begin, const std::string& end) {
            return verdict(test::decode(packet_of("10", bytes(begin) + flags + end), v5, to_broker));
        };
        CHECK(verdict_of("00 06 'MQIsdp' 03", old_rest) == row.in_v3_1);
        CHECK(verdict_of("00 04 'MQTT' 04", old_rest) == row.in_v3_1_1);
        CHECK(verdict_of("00 04 'MQTT' 05", rest_in_v5) == row.in_v5);
    }
}

TEST_CASE("CONNECT: what MQTT 3.1 flags and leaves out is absent, and a will that is not there has no QoS") {
    const std::string in = bytes("10 0F 00 06 'MQIsdp' 03 F8 00 3C 00 01 'a'");
    const test::decoded out = test::decode(in, v3_1, to_broker);
    REQUIRE(verdict(out) == "ok");
    const auto& connect = std::get<packets::connect>(out.packet);
    CHECK_FALSE(connect.user_name);
    CHECK_FALSE(connect.password);
    CHECK_FALSE(connect.will);
    CHECK_FALSE(connect.clean_start);
}

TEST_CASE("CONNECT: strings and their rules") {
    constexpr auto old = "00 04 'MQTT' 04";
    struct row {
        const char* begin;
        const char* rest;
        const char* verdict;
    };
    for (const row& row : {
             row{old, "02 00 3C 00 00", "ok"},  // whether to take an empty client id is the owner's business
             row{old, "02 00 3C 00 02 C3 'a'", "81 MQTT-3.1.3-4"},
             row{old, "02 00 3C 00 01 00", "81 MQTT-1.5.3-2"},
             row{old, "02 00 3C", "81 MQTT-3.1.3-3"},
             row{old, "02 00", "81 MQTT-3.1.4-1"},
             row{old, "", "81 MQTT-3.1.4-1"},
             row{old, "06 00 3C 00 01 'a' 00 00 00 00", "82 MQTT-4.7.3-1"},
             row{old, "06 00 3C 00 01 'a' 00 01 '#' 00 00", "82 MQTT-4.7.1-1"},
             row{old, "06 00 3C 00 01 'a' 00 01 FF 00 00", "81 MQTT-3.1.3-10"},
             row{old, "06 00 3C 00 01 'a' 00 01 00 00 00", "81 MQTT-1.5.3-2"},
             row{old, "06 00 3C 00 01 'a' 00 01 'w' 00 02 FF 00", "ok"},  // the payload is binary
             row{old, "82 00 3C 00 01 'a' 00 01 FF", "81 MQTT-3.1.3-11"},
             row{old, "C2 00 3C 00 01 'a' 00 01 'u' 00 02 FF 00", "ok"},  // so is the password
             row{"00 04 'MQTT' 05", "02 00 3C 00 00 02 C3 'a'", "81 MQTT-3.1.3-4"},
             row{"00 04 'MQTT' 05", "02 00 3C 00 00 01 00", "81 MQTT-1.5.4-2"},
             row{"00 04 'MQTT' 05", "06 00 3C 00 00 01 'a' 00 00 01 '+' 00 00", "82 MQTT-4.7.0-1"},
             row{"00 04 'MQTT' 05", "06 00 3C 00 00 01 'a' 00 00 01 FF 00 00", "81 MQTT-3.1.3-11"},
             row{"00 04 'MQTT' 05", "82 00 3C 00 00 01 'a' 00 01 FF", "81 MQTT-3.1.3-12"},
             row{"00 04 'MQT'", "", "81 MQTT-3.1.4-1"},
             row{"00 04 'MQTT'", "", "81 MQTT-3.1.4-1"},
         }) {
        CAPTURE(row.begin);
        CAPTURE(row.rest);
        CHECK(verdict(test::decode(packet_of("10", bytes(row.begin) + bytes(row.rest)), v5, to_broker)) == row.verdict);
    }
}

TEST_CASE("CONNECT: cannot be encoded with a password but no user name before MQTT 5") {
    packets::connect connect;
    connect.client_id = "a";
    connect.password = "p";
    for (const protocol_version version : versions) {
        connect.version = version;
        CHECK((encoded_size(packet(connect), v5) == 0) == (version != v5));  // the connection's version does not count
    }
}

// ---- CONNACK

TEST_CASE("CONNACK: return codes of 3.1 and 3.1.1 are reason codes, both ways") {
    constexpr std::array reasons{reason_code::success,
                                 reason_code::unsupported_protocol_version,
                                 reason_code::client_identifier_not_valid,
                                 reason_code::server_unavailable,
                                 reason_code::bad_user_name_or_password,
                                 reason_code::not_authorized};
    for (const protocol_version version : {v3_1, v3_1_1}) {
        for (unsigned code = 0; code < 0x100; ++code) {
            CAPTURE(code);
            const std::string in = bytes("20 02 00") + static_cast<char>(code);
            const test::decoded out = test::decode(in, version, to_client);
            if (code < reasons.size()) {
                CHECK(verdict(out) == "ok");
                CHECK(std::get<packets::connack>(out.packet).reason == reasons[code]);
                CHECK(hex(test::encode(packets::connack{.reason = reasons[code]}, version)) == hex(in));
            } else {
                CHECK(verdict(out) == "82");
            }
        }
    }
}

TEST_CASE("CONNACK: a reason that 3.1.1 does not have becomes the nearest return code") {
    const auto code_of = [](reason_code reason) {
        return static_cast<int>(test::encode(packets::connack{.reason = reason}, v3_1_1).at(3));
    };
    CHECK(code_of(reason_code::banned) == 5);
    CHECK(code_of(reason_code::bad_authentication_method) == 5);
    CHECK(code_of(reason_code::server_busy) == 3);
    CHECK(code_of(reason_code::quota_exceeded) == 3);
    CHECK(code_of(reason_code::unspecified_error) == 3);
    CHECK(code_of(reason_code::connection_rate_exceeded) == 3);
}

TEST_CASE("CONNACK: flags, reasons and length") {
    check(std::array{
        verdict_row{"session present", v5, to_client, "20", "01 00 00", "ok"},
        verdict_row{"session present", v3_1_1, to_client, "20", "01 00", "ok"},
        verdict_row{"reserved flags", v5, to_client, "20", "02 00 00", "81 MQTT-3.2.2-1"},
        verdict_row{"reserved flags", v5, to_client, "20", "81 00 00", "81 MQTT-3.2.2-1"},
        verdict_row{"reserved flags", v3_1_1, to_client, "20", "02 00", "81"},
        verdict_row{"reserved byte", v3_1, to_client, "20", "FF 00", "ok"},
        verdict_row{"empty", v5, to_client, "20", "", "81"},
        verdict_row{"only flags", v5, to_client, "20", "00", "81"},
        verdict_row{"no Property Length", v5, to_client, "20", "00 00", "81 MQTT-1.5.5-1"},
        verdict_row{"goes on", v5, to_client, "20", "00 00 00 00", "81"},
        verdict_row{"goes on", v3_1_1, to_client, "20", "00 00 00", "81"},
        verdict_row{"another packet's reason", v5, to_client, "20", "00 10 00", "82 MQTT-3.2.2-8"},
        verdict_row{"no reason at all", v5, to_client, "20", "00 7F 00", "82 MQTT-3.2.2-8"},
    });
    const std::string in = bytes("20 02 01 00");
    CHECK(std::get<packets::connack>(test::decode(in, v3_1_1, to_client).packet).session_present);
    CHECK_FALSE(std::get<packets::connack>(test::decode(in, v3_1, to_client).packet).session_present);
    CHECK(hex(test::encode(packets::connack{.session_present = true}, v3_1_1)) == "20 02 01 00");
    CHECK(hex(test::encode(packets::connack{.session_present = true}, v3_1)) == "20 02 00 00");
}

// ---- PUBLISH

TEST_CASE("PUBLISH: topic, packet identifier and length") {
    check(std::array{
        verdict_row{"no payload", v3_1_1, to_broker, "30", "00 01 't'", "ok"},
        verdict_row{"no payload", v5, to_client, "30", "00 01 't' 00", "ok"},
        verdict_row{"wildcard +", v3_1_1, to_broker, "30", "00 03 'a/+'", "82 MQTT-3.3.2-2"},
        verdict_row{"wildcard #", v5, to_client, "30", "00 01 '#' 00", "82 MQTT-3.3.2-2"},
        verdict_row{"ill-formed topic", v5, to_broker, "30", "00 02 C0 80 00", "81 MQTT-3.3.2-1"},
        verdict_row{"U+0000", v5, to_broker, "30", "00 03 'a' 00 'b' 00", "81 MQTT-1.5.4-2"},
        verdict_row{"U+0000", v3_1_1, to_broker, "30", "00 03 'a' 00 'b'", "81 MQTT-1.5.3-2"},
        verdict_row{"ill-formed and wildcard", v5, to_broker, "30", "00 02 FF '#' 00", "81 MQTT-3.3.2-1"},
        verdict_row{"empty topic", v3_1, to_broker, "30", "00 00 'x'", "82 MQTT-4.7.3-1"},
        verdict_row{"empty topic", v3_1_1, to_broker, "30", "00 00 'x'", "82 MQTT-4.7.3-1"},
        verdict_row{"empty topic", v5, to_broker, "30", "00 00 00 'x'", "82 MQTT-4.7.3-1"},
        verdict_row{"empty topic with alias", v5, to_broker, "30", "00 00 03 23 00 01", "ok"},
        verdict_row{"topic cut short", v5, to_broker, "30", "00 02 't'", "81 MQTT-3.3.2-1"},
        verdict_row{"topic cut short", v3_1_1, to_broker, "30", "00", "81 MQTT-3.3.2-1"},
        verdict_row{"empty", v3_1_1, to_broker, "30", "", "81 MQTT-3.3.2-1"},
        verdict_row{"packet identifier 0", v5, to_broker, "32", "00 01 't' 00 00 00", "82 MQTT-2.2.1-3"},
        verdict_row{"packet identifier 0", v5, to_client, "34", "00 01 't' 00 00 00", "82 MQTT-2.2.1-4"},
        verdict_row{"packet identifier 0", v3_1_1, to_broker, "34", "00 01 't' 00 00", "82 MQTT-2.3.1-1"},
        verdict_row{"packet identifier 0", v3_1_1, to_client, "32", "00 01 't' 00 00", "82 MQTT-2.3.1-4"},
        verdict_row{"packet identifier cut short", v3_1_1, to_broker, "32", "00 01 't' 00", "81"},
        verdict_row{"no Property Length", v5, to_broker, "30", "00 01 't'", "81 MQTT-1.5.5-1"},
        verdict_row{"Property Length too long", v5, to_broker, "30", "00 01 't' 02 01", "81"},
    });
}

TEST_CASE("PUBLISH: no version checks the payload") {
    for (const protocol_version version : versions) {
        const std::string in = packet_of("30", bytes(version == v5 ? "00 01 't' 00 FF 00 80" : "00 01 't' FF 00 80"));
        const test::decoded out = test::decode(in, version, to_broker);
        REQUIRE(verdict(out) == "ok");
        CHECK(hex(std::get<packets::publish>(out.packet).payload) == "FF 00 80");
    }
}

TEST_CASE("PUBLISH: DUP at QoS 0 means nothing in 3.1, and is never sent") {
    const std::string in = bytes("38 04 00 01 't' 'x'");
    const test::decoded out = test::decode(in, v3_1, to_broker);
    REQUIRE(verdict(out) == "ok");
    CHECK_FALSE(std::get<packets::publish>(out.packet).dup);

    packets::publish p;
    p.topic = "t";
    p.dup = true;
    CHECK(test::encode(p, v5)[0] == 0x30);
    p.qos = qos::at_least_once;
    CHECK(test::encode(p, v5)[0] == 0x3A);
}

TEST_CASE("PUBLISH: is encoded within its size, and comes back, for topics and payloads of all small sizes") {
    std::string text(200, ' ');
    for (std::size_t i = 0; i != text.size(); ++i)
        text[i] = static_cast<char>('A' + i % 50);
    for (const protocol_version version : versions) {
        for (std::size_t topic = 1; topic != 100; ++topic) {
            for (const std::size_t payload : {std::size_t{0}, std::size_t{1}, topic, std::size_t{140}}) {
                for (const qos q : {qos::at_most_once, qos::at_least_once}) {
                    packets::publish p;
                    p.topic = std::string_view(text).substr(0, topic);
                    p.payload = std::string_view(text).substr(200 - payload);
                    p.qos = q;
                    p.id = packet_id{q == qos::at_most_once ? std::uint16_t{0} : std::uint16_t{0x1234}};
                    if (version == v5 && topic % 3 == 0) p.topic_alias = 7;
                    CAPTURE(topic);
                    CAPTURE(payload);

                    const std::size_t size = encoded_size(p, version);
                    std::string out(size + 1, '#');
                    const char* const end = encode(p, version, out.data());

                    REQUIRE(end == out.data() + size);
                    CHECK(out.back() == '#');
                    out.pop_back();
                    const test::decoded again = test::decode(out, version, role::broker);
                    CHECK(std::get<packets::publish>(again.packet) == p);
                }
            }
        }
    }
}

TEST_CASE("decode_publish: a topic that is known is not validated again, any other is") {
    const std::string in = bytes("30 05 00 03 'a/#'");
    const cut c = cut_first(in, v3_1_1);
    packets::publish out;
    CHECK_FALSE(decode_publish(c.out, v3_1_1, to_broker, "a/#", out));
    CHECK(decode_publish(c.out, v3_1_1, to_broker, "a/b", out));
    CHECK(decode_publish(c.out, v3_1_1, to_broker, "a/##", out));
    CHECK(decode_publish(c.out, v3_1_1, to_broker, "", out));
}

TEST_CASE("decode_publish: leaves nothing of the packet before in its result") {
    test::packet_generator generator(7);
    packets::publish reused;
    for (int i = 0; i < 2'000; ++i) {
        const protocol_version version = versions[generator.below(3)];
        const packet made = generator.next(packet_type::publish, version, role::broker);
        const std::string in = test::encode(made, version);
        CHECK_FALSE(decode_publish(cut_first(in, version).out, version, to_client, {}, reused));
        CHECK(reused == std::get<packets::publish>(made));
        if (version != v5) CHECK(reused.property_section.empty());
        generator.forget();
    }
}

TEST_CASE("decode_publish: gives the encoded properties, for those who forward them") {
    const std::string in = bytes("30 0A 00 01 't' 05 02 00 00 00 07 'x'");
    packets::publish out;
    CHECK_FALSE(decode_publish(cut_first(in, v5).out, v5, to_broker, {}, out));
    CHECK(hex(out.property_section) == "02 00 00 00 07");
    CHECK(out.property_section.data() == in.data() + 6);
}

// ---- acknowledgements of PUBLISH

TEST_CASE("PUBACK, PUBREC, PUBREL, PUBCOMP: all lengths that are legal, and the others") {
    for (const char* const first : {"40", "50", "62", "70"}) {
        const auto verdict_of = [&](const char* body, protocol_version version) {
            return verdict(test::decode(packet_of(first, bytes(body)), version, to_broker));
        };
        CAPTURE(first);
        CHECK(verdict_of("00 0A", v5) == "ok");
        CHECK(verdict_of("00 0A 00", v5) == "ok");
        CHECK(verdict_of("00 0A 00 00", v5) == "ok");
        CHECK(verdict_of("00 0A 00 04 1F 00 01 'x'", v5) == "ok");
        CHECK(verdict_of("00 0A 00 00 00", v5) == "81");
        CHECK(verdict_of("00 0A 00 01", v5) == "81");
        CHECK(verdict_of("00", v5) == "81");
        CHECK(verdict_of("", v5) == "81");
        CHECK(verdict_of("00 00", v5) == "82 MQTT-2.2.1-5");
        for (const protocol_version version : {v3_1, v3_1_1}) {
            CHECK(verdict_of("00 0A", version) == "ok");
            CHECK(verdict_of("00 0A 00", version) == "81");
            CHECK(verdict_of("00", version) == "81");
            CHECK(verdict_of("00 00", version) == "82 MQTT-2.3.1-6");
        }
    }
}

TEST_CASE("reason codes: each packet takes those of its table from either side, and no others") {
    // MQTT 5, sections 3.2.2.2, 3.4.2.1 … 3.15.2.1.
    const std::set<unsigned> received{0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    const std::set<unsigned> received_by_server{0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    const std::set<unsigned> released{0x00, 0x92};
    struct row {
        const char* first;
        const char* before;
        const char* after;
        role receiver;
        std::set<unsigned> reasons;
        const char* fault;
    };
    for (const row& row : {
             row{"20",
                 "00",
                 "00",
                 to_client,
                 {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
                  0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
                 "82 MQTT-3.2.2-8"},
             row{"40", "00 0A", "", to_broker, received, "82 MQTT-3.4.2-1"},
             row{"40", "00 0A", "", to_client, received_by_server, "82 MQTT-3.4.2-1"},
             row{"50", "00 0A", "", to_broker, received, "82 MQTT-3.5.2-1"},
             row{"50", "00 0A", "", to_client, received_by_server, "82 MQTT-3.5.2-1"},
             row{"62", "00 0A", "", to_broker, released, "82 MQTT-3.6.2-1"},
             row{"62", "00 0A", "", to_client, released, "82 MQTT-3.6.2-1"},
             row{"70", "00 0A", "", to_broker, released, "82 MQTT-3.7.2-1"},
             row{"70", "00 0A", "", to_client, released, "82 MQTT-3.7.2-1"},
             row{"90",
                 "00 0A 00",
                 "",
                 to_client,
                 {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
                 "82 MQTT-3.9.3-2"},
             row{"B0", "00 0A 00", "", to_client, {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}, "82 MQTT-3.11.3-2"},
             // with 9B, which section 3.3.4 lets a client send
             row{"E0",
                 "",
                 "",
                 to_broker,
                 {0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9B},
                 "82 MQTT-3.14.2-1"},
             // with 8C, which only the table of all reason codes gives to DISCONNECT
             row{"E0",
                 "",
                 "",
                 to_client,
                 {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
                  0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2},
                 "82 MQTT-3.14.2-1"},
             row{"F0", "", "04 15 00 01 'm'", to_broker, {0x18, 0x19}, "82 MQTT-3.15.2-1"},
             row{"F0", "", "04 15 00 01 'm'", to_client, {0x00, 0x18}, "82 MQTT-3.15.2-1"},
         }) {
        CAPTURE(row.first);
        for (unsigned code = 0; code < 0x100; ++code) {
            CAPTURE(code);
            const std::string body = bytes(row.before) + static_cast<char>(code) + bytes(row.after);
            const std::string in = packet_of(row.first, body);
            CHECK(verdict(test::decode(in, v5, row.receiver)) == (row.reasons.contains(code) ? "ok" : row.fault));
        }
    }
}

TEST_CASE("encode_short_ack: writes what encode does for an acknowledgement without properties") {
    const auto check_type = [](auto ack, packet_type type) {
        for (const protocol_version version : versions) {
            for (const reason_code reason : {reason_code::success, reason_code::packet_identifier_not_found}) {
                ack.id = packet_id{0x1234};
                ack.reason = reason;
                std::array<char, short_ack_size_max> buffer{};
                char* const end = encode_short_ack(type, ack.id, reason, version, buffer.data());
                CHECK(hex(std::string(buffer.data(), end)) == hex(test::encode(ack, version)));
            }
        }
    };
    check_type(packets::puback{}, packet_type::puback);
    check_type(packets::pubrec{}, packet_type::pubrec);
    check_type(packets::pubrel{}, packet_type::pubrel);
    check_type(packets::pubcomp{}, packet_type::pubcomp);

    std::array<char, short_ack_size_max> buffer{};
    char* const end = encode_short_ack(packet_type::pubrel, packet_id{10}, reason_code{0x92}, v5, buffer.data());
    CHECK(hex(std::string(buffer.data(), end)) == "62 03 00 0A 92");
}

TEST_CASE("PUBACK: is encoded in the shortest of its forms") {
    packets::puback p{.id = packet_id{10}};
    CHECK(hex(test::encode(p, v5)) == "40 02 00 0A");
    p.reason = reason_code::not_authorized;
    CHECK(hex(test::encode(p, v5)) == "40 03 00 0A 87");
    CHECK(hex(test::encode(p, v3_1_1)) == "40 02 00 0A");
    p.reason = reason_code::success;
    p.properties.reason_string = "x";
    CHECK(hex(test::encode(p, v5)) == hex(bytes("40 08 00 0A 00 04 1F 00 01 'x'")));
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
