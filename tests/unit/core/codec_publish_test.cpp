// PUBLISH and its acknowledgements in the codec. MQTT 5 §3.3 to §3.7.
#include "codec_checks.hpp"
#include "support/packet_generator.hpp"

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <variant>

using namespace martlet;
using namespace martlet::core;
using namespace martlet::test;

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
