// Section 3.3.4: no more QoS 1 and 2 messages are under way than the receiver takes, and that delays nothing else.
#include "conformance/broker_world.hpp"

#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::test;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

}  // namespace

TEST_CASE(
    "5.0/MQTT-3.3.4-7 5.0/MQTT-3.3.4-9: no more QoS 1 and 2 messages are open than the receiver's Receive Maximum") {
    for (const role subject : both_roles) {
        for (const std::uint16_t maximum : {std::uint16_t{1}, std::uint16_t{3}}) {
            CAPTURE(name(subject));
            CAPTURE(maximum);
            core_script peer(subject, v5);
            auto connect = peer.default_connect();
            packets::connack connack;
            (subject == role::broker ? connect.properties.receive_maximum : connack.properties.receive_maximum) =
                maximum;
            REQUIRE(peer.open(connect, connack));
            // How each exchange ends: PUBACK, PUBCOMP, or a PUBREC that refuses.
            std::vector<packets::publish> open;
            std::size_t sent = 0;
            for (int i = 0; i != 30; ++i)
                (void)peer.publish("t", std::to_string(i), acknowledged_qos[i % 2]);
            for (int steps = 0; steps != 200 && sent + open.size() != 30; ++steps) {
                while (!peer.is_silent())
                    open.push_back(peer.message());
                CHECK(open.size() == maximum);
                const auto first = open.front();
                if (first.qos == qos::at_least_once) {
                    peer.send(packets::puback{first.id});
                } else if (steps % 4 == 1) {
                    peer.send(packets::pubrec{first.id, reason_code::quota_exceeded, {}});
                } else {
                    peer.send(packets::pubrec{first.id});
                    peer.expect(packets::pubrel{first.id});
                    CHECK(peer.is_silent());  // PUBREC alone makes no room
                    peer.send(packets::pubcomp{first.id});
                }
                open.erase(open.begin());
                ++sent;
            }
            CHECK(sent + open.size() == 30);
        }
    }
}

TEST_CASE("5.0/MQTT-3.3.4-7 5.0/MQTT-3.3.4-9: more than our Receive Maximum is answered with DISCONNECT 0x93") {
    for (const role subject : both_roles) {
        for (const qos q : acknowledged_qos) {
            core_script peer(subject, v5);
            peer.subject.limits.receive_maximum = 3;
            peer.subject.acknowledge_at_once = false;
            REQUIRE(peer.open_resuming(false));
            for (std::uint16_t id = 1; id <= 3; ++id) {
                peer.send(packets::publish{.topic = "t", .qos = q, .id = packet_id{id}});
            }
            peer.send(packets::publish{.topic = "t", .qos = q, .dup = true, .id = packet_id{3}});  // not one more
            peer.send(packets::publish{.topic = "t"});
            CHECK_FALSE(peer.is_closed());
            peer.send(packets::publish{.topic = "t", .qos = q, .id = packet_id{4}});
            check_refused(peer, reason_code::receive_maximum_exceeded);
        }
    }
}

TEST_CASE("5.0/MQTT-3.3.4-8: a used-up quota delays nothing of a client but PUBLISH") {
    core_script peer(role::client, v5);
    packets::connack connack;
    connack.properties.receive_maximum = std::uint16_t{1};
    REQUIRE(peer.open(peer.default_connect(), connack));
    (void)peer.publish("t", "open", qos::exactly_once);
    (void)peer.publish("t", "waits", qos::at_least_once);
    CHECK(peer.count() == 1);
    peer.forget();

    CHECK_FALSE(peer.subject.connection->subscribe({{}, {{"t"}}, {}}, 1));
    CHECK_FALSE(peer.subject.connection->unsubscribe({{}, {"t"}, {}}, 1));
    peer.subject.connection->ping();
    peer.run();
    CHECK(peer.next().starts_with("82 "));
    CHECK(peer.next().starts_with("A2 "));
    CHECK(peer.next() == "C0 00");
    peer.send(packets::publish{.topic = "t", .qos = qos::at_least_once, .id = packet_id{1}});
    CHECK(peer.next() == "40 02 00 01");
    peer.send(packets::publish{.topic = "t", .qos = qos::exactly_once, .id = packet_id{2}});
    CHECK(peer.next() == "50 02 00 02");
    peer.send("62 02 00 02");
    CHECK(peer.next() == "70 02 00 02");
    peer.send("50 02 00 01");
    CHECK(peer.next() == "62 02 00 01");
    CHECK(peer.is_silent());
    peer.send("70 02 00 01");
    CHECK(peer.message().payload == "waits");
    peer.subject.connection->disconnect();
    peer.run();
    CHECK(peer.next() == "E0 00");
}

TEST_CASE("5.0/MQTT-3.3.4-10: a used-up quota delays nothing of a server but PUBLISH") {
    broker_world world;
    auto hello = broker_world::hello(v5, "c");
    hello.properties.receive_maximum = std::uint16_t{1};
    auto& peer = world.connect(hello);
    CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
    world.publish("t", "open", qos::exactly_once);
    world.publish("t", "waits", qos::at_least_once);
    const auto open = peer.message();
    CHECK(open.payload == "open");
    CHECK(peer.is_silent());

    peer.send("C0 00");
    CHECK(peer.next() == "D0 00");
    CHECK(peer.subscribe("u") == reason_code::granted_qos_2);
    CHECK(peer.unsubscribe("u") == reason_code::success);
    CHECK(peer.publish("other", "x", qos::at_least_once) == reason_code::no_matching_subscribers);
    CHECK(peer.publish("other", "x", qos::exactly_once) == reason_code::no_matching_subscribers);
    world.publish("t", "QoS 0 needs no quota", qos::at_most_once);
    CHECK(peer.messages() == "t=QoS 0 needs no quota q0");
    peer.send(packets::pubrec{open.id});
    peer.expect(packets::pubrel{open.id});
    CHECK(peer.is_silent());
    peer.send(packets::pubcomp{open.id});
    CHECK(peer.messages() == "t=waits q1");
}
