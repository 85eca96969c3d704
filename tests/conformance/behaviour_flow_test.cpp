// Section 4.9: the send quota.
#include "conformance/broker_world.hpp"

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

bool open_with(core_script& peer, std::optional<std::uint16_t> receive_maximum, bool session_present = false) {
    auto connect = peer.default_connect();
    packets::connack connack;
    connect.clean_start = false;
    connack.session_present = session_present;
    peer.subject.session_known = session_present;
    (peer.subject.own_role == role::broker ? connect.properties.receive_maximum : connack.properties.receive_maximum) =
        receive_maximum;
    return peer.open(connect, connack);
}

}  // namespace

TEST_CASE("5.0/MQTT-4.9.0-1: the quota of a connection is the peer's Receive Maximum, 65,535 if it has none") {
    for (const role subject : both_roles) {
        for (const auto& maximum : {std::optional<std::uint16_t>(1), std::optional<std::uint16_t>(17),
                                    std::optional<std::uint16_t>(65'535), std::optional<std::uint16_t>()}) {
            core_script peer(subject, v5);
            REQUIRE(open_with(peer, maximum));
            const std::size_t quota = maximum.value_or(65'535);
            for (std::size_t i = 0; i != quota + 3; ++i)
                (void)peer.publish("t", "", acknowledged_qos[i % 2]);
            CHECK(peer.count() == quota);
            // The next connection has its own, and what is sent again counts: never three.
            REQUIRE(open_with(peer, std::uint16_t{2}, true));
            CHECK(peer.count() == 2);
        }
    }
    // Receive Maximum 0 does not exist.
    core_script client(role::client, v5);
    client.begin();
    client.forget();
    client.send("20 06 00 00 03 21 00 00");
    CHECK(client.is_closed());
    CHECK(client.subject.faults.at(0).reason == reason_code::protocol_error);
    broker_world world;
    auto hello = broker_world::hello(v5, "c");
    hello.properties.receive_maximum = std::uint16_t{0};
    auto& peer = world.dial(v5);
    peer.send(hello);
    CHECK(peer.take<packets::connack>().reason == reason_code::protocol_error);
}

TEST_CASE(
    "5.0/MQTT-4.9.0-2: each PUBLISH takes one from the quota, each end of an exchange gives one back, and never more") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        REQUIRE(open_with(peer, std::uint16_t{3}));
        const auto publish = [&](qos q) { (void)peer.publish("t", "x", q); };
        publish(qos::at_least_once);
        publish(qos::exactly_once);
        publish(qos::exactly_once);
        publish(qos::at_least_once);  // 4: waits
        CHECK(peer.count() == 3);
        publish(qos::at_most_once);  // needs none
        peer.forget();

        peer.send("50 02 00 02");  // PUBREC: nothing
        CHECK(peer.rest() == "62 02 00 02");
        peer.send("70 02 00 02");  // PUBCOMP: one
        CHECK(peer.message().id == packet_id{4});
        CHECK(peer.is_silent());
        publish(qos::at_least_once);  // 5
        peer.send("50 03 00 03 97");  // a PUBREC that refuses: one
        CHECK(peer.message().id == packet_id{5});
        publish(qos::at_least_once);  // 6
        publish(qos::at_least_once);  // 7
        CHECK(peer.is_silent());
        peer.send("40 03 00 01 97");  // a PUBACK, whatever it says: one
        CHECK(peer.message().id == packet_id{6});
        CHECK(peer.is_silent());

        // Acknowledgements of nothing give nothing.
        peer.send("40 02 00 01 40 02 00 02 70 02 00 02 50 03 00 03 97 70 03 00 63 92");
        CHECK(peer.is_silent());
        // Given back to the full, it is three again.
        peer.send("40 02 00 04 40 02 00 05 40 02 00 06");
        CHECK(peer.message().id == packet_id{7});
        peer.send("40 02 00 07");
        for (int i = 0; i != 10; ++i)
            publish(qos::exactly_once);
        CHECK(peer.count() == 3);
    }
}

TEST_CASE("5.0/MQTT-4.9.0-3: with a used-up quota all other packets are processed and answered") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        REQUIRE(open_with(peer, std::uint16_t{1}));
        (void)peer.publish("t", "open", qos::exactly_once);
        (void)peer.publish("t", "waits", qos::exactly_once);
        CHECK(peer.message().payload == "open");
        CHECK(peer.is_silent());

        peer.send(packets::publish{.topic = "t", .payload = "0"});
        peer.send(packets::publish{.topic = "t", .payload = "1", .qos = qos::at_least_once, .id = packet_id{1}});
        CHECK(peer.rest() == "40 02 00 01");
        peer.send(packets::publish{.topic = "t", .payload = "2", .qos = qos::exactly_once, .id = packet_id{2}});
        CHECK(peer.rest() == "50 02 00 02");
        peer.send("62 02 00 02");
        CHECK(peer.rest() == "70 02 00 02");
        CHECK(payloads(peer.subject) == std::vector{"0"s, "1"s, "2"s});
        if (subject == role::broker) {
            peer.send("C0 00");
            CHECK(peer.rest() == "D0 00");
            peer.send(packets::subscribe{packet_id{3}, {{"t"}}, {}});
            CHECK(peer.take<packets::suback>().id == packet_id{3});
            peer.send(packets::unsubscribe{packet_id{4}, {"t"}, {}});
            CHECK(peer.take<packets::unsuback>().id == packet_id{4});
        }
        CHECK(peer.publish("t", "QoS 0", qos::at_most_once) != core::send_result::dropped);
        peer.forget();
        peer.send("50 02 00 01");
        CHECK(peer.rest() == "62 02 00 01");
        peer.send("70 02 00 01");
        CHECK(peer.message().payload == "waits");
    }
}
