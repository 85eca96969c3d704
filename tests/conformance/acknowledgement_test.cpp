// Sections 3.4 to 3.7: PUBACK, PUBREC, PUBREL and PUBCOMP, their flags, reason codes and size.
#include "conformance/broker_world.hpp"

#include <set>
#include <string>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

// An open connection whose other end takes packets of so many bytes.
void open_narrow(core_script& peer, std::uint32_t maximum_packet_size) {
    auto connect = peer.default_connect();
    packets::connack connack;
    if (peer.subject.own_role == role::broker) {
        connect.properties.maximum_packet_size = maximum_packet_size;
    } else {
        connack.properties.maximum_packet_size = maximum_packet_size;
    }
    REQUIRE(peer.open(connect, connack));
}

template <class Ack>
void check_reasons(std::set<unsigned> of_clients, std::set<unsigned> of_servers) {
    for (const role receiver : both_roles) {
        const auto& legal = receiver == role::broker ? of_clients : of_servers;
        for (unsigned code = 0; code != 256; ++code) {
            CAPTURE(name(receiver));
            CAPTURE(code);
            const std::string packet =
                encode(Ack{packet_id{9}, reason_code::malformed_packet, {}}, v5).substr(0, 4) + static_cast<char>(code);
            core_script peer(receiver, v5);
            REQUIRE(peer.open_resuming(false));
            peer.send_bytes(packet);
            CHECK(peer.is_closed() == !legal.contains(code));
            if (!legal.contains(code)) check_refused(peer, reason_code::protocol_error);
        }
    }
}

// What goes out when the owner of a connection gives this reason for a message of this QoS.
unsigned reason_sent(role subject, qos q, unsigned code) {
    core_script peer(subject, v5);
    peer.subject.acknowledge_at_once = false;
    REQUIRE(peer.open_resuming(false));
    peer.send(packets::publish{.topic = "t", .qos = q, .id = packet_id{9}});
    peer.subject.connection->acknowledge(peer.subject.messages.at(0).number,
                                         reason_code{static_cast<std::uint8_t>(code)});
    peer.run();
    const std::string ack = bytes(peer.next());
    REQUIRE(ack.size() >= 4);
    return ack.size() == 4 ? 0u : static_cast<unsigned char>(ack[4]);
}

}  // namespace

TEST_CASE("5.0/MQTT-3.4.2-1 5.0/MQTT-3.5.2-1: PUBACK and PUBREC have only the reason codes that are their own") {
    const std::set<unsigned> of_clients{0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    std::set<unsigned> of_servers = of_clients;
    of_servers.insert(0x10);
    check_reasons<packets::puback>(of_clients, of_servers);
    check_reasons<packets::pubrec>(of_clients, of_servers);
    for (const role subject : both_roles) {
        const auto& own = subject == role::client ? of_clients : of_servers;
        for (const qos q : acknowledged_qos) {
            for (unsigned code = 0; code != 256; ++code) {
                CAPTURE(code);
                const unsigned sent = reason_sent(subject, q, code);
                CHECK(own.contains(sent));
                CHECK((sent >= 0x80) == (code >= 0x80));
                if (own.contains(code)) CHECK(sent == code);
            }
        }
    }
}

TEST_CASE("5.0/MQTT-3.6.2-1 5.0/MQTT-3.7.2-1: the reason code of PUBREL and PUBCOMP is 0 or 0x92") {
    check_reasons<packets::pubrel>({0x00, 0x92}, {0x00, 0x92});
    check_reasons<packets::pubcomp>({0x00, 0x92}, {0x00, 0x92});
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        REQUIRE(peer.open_resuming(false));
        (void)peer.publish("t", "x", qos::exactly_once);
        peer.forget();
        peer.send("50 02 00 01");
        CHECK(peer.next() == "62 02 00 01");
        peer.send("50 02 00 63");
        CHECK(peer.next() == "62 03 00 63 92");
        peer.send(packets::publish{.topic = "t", .qos = qos::exactly_once, .id = packet_id{9}});
        CHECK(peer.next() == "50 02 00 09");
        peer.send("62 02 00 09");
        CHECK(peer.next() == "70 02 00 09");
        peer.send("62 02 00 09");
        CHECK(peer.next() == "70 03 00 09 92");
    }
}

TEST_CASE(
    "5.0/MQTT-3.4.2-2 5.0/MQTT-3.4.2-3 5.0/MQTT-3.5.2-2 5.0/MQTT-3.5.2-3 5.0/MQTT-3.6.2-2 5.0/MQTT-3.6.2-3 "
    "5.0/MQTT-3.7.2-2 5.0/MQTT-3.7.2-3: acknowledgements fit where nothing but id and reason does") {
    // A receiver that takes packets of five bytes: no Reason String and no User Property has room there.
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        peer.subject.acknowledge_at_once = false;
        open_narrow(peer, 5);
        const auto refuse = [&](qos q) {
            peer.send(packets::publish{.topic = "t", .qos = q, .id = packet_id{9}});
            peer.subject.connection->acknowledge(peer.subject.messages.back().number, reason_code::not_authorized);
            peer.run();
        };
        refuse(qos::at_least_once);
        CHECK(peer.rest() == "40 03 00 09 87");
        refuse(qos::exactly_once);
        CHECK(peer.rest() == "50 03 00 09 87");
        peer.send("50 02 00 63");
        CHECK(peer.rest() == "62 03 00 63 92");
        peer.send("62 02 00 63");
        CHECK(peer.rest() == "70 03 00 63 92");
        CHECK_FALSE(peer.is_closed());
    }
}

TEST_CASE("5.0/MQTT-3.6.1-1 3.1.1/MQTT-3.6.1-1: PUBREL has the flags 0010, others close the connection") {
    for (const protocol_version version : since_v3_1_1) {
        for (const role subject : both_roles) {
            core_script sender(subject, version);
            REQUIRE(sender.open_resuming(false));
            (void)sender.publish("t", "x", qos::exactly_once);
            sender.forget();
            sender.send("50 02 00 01");
            CHECK(sender.rest() == "62 02 00 01");
            for (int flags = 0; flags != 16; ++flags) {
                core_script peer(subject, version);
                REQUIRE(peer.open_resuming(false));
                peer.send(packets::publish{.topic = "t", .qos = qos::exactly_once, .id = packet_id{9}});
                peer.forget();
                peer.send_bytes(static_cast<char>(0x60 | flags) + "\x02\0\x09"s);
                if (flags == 2) {
                    CHECK(peer.rest() == "70 02 00 09");
                } else {
                    check_refused(peer, reason_code::malformed_packet);
                }
            }
        }
    }
}
