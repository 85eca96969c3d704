// CONNECT and CONNACK in the codec. MQTT 5 §3.1 and §3.2.
#include "codec_checks.hpp"

#include <array>
#include <string>
#include <variant>

using namespace martlet;
using namespace martlet::core;
using namespace martlet::test;

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
