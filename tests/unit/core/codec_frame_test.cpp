// The fixed header, and which packets may flow in which direction. MQTT 5 §2.1.
#include "codec_checks.hpp"
#include "support/packet_generator.hpp"

#include <set>
#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::core;
using namespace martlet::test;

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
