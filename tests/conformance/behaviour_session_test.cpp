// Sections 4.1 and 4.5: session state lives as long as it has to, and takes up what is sent to it.
#include "conformance/broker_world.hpp"

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

}  // namespace

TEST_CASE(
    "5.0/MQTT-4.1.0-1 3.1.1/MQTT-4.1.0-2: while the connection is open the server forgets nothing of the session") {
    for (const protocol_version version : every_version) {
        for (const std::uint32_t expiry : {0u, 1u, 10u}) {
            broker_world world;
            auto hello = broker_world::hello(version, "c");
            if (version == v5) hello.properties.session_expiry_interval = expiry;
            auto& peer = world.connect(hello);
            CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
            world.publish("t", "one", qos::at_least_once);
            world.publish("t", "two", qos::exactly_once);
            peer.send(packets::publish{.topic = "u", .qos = qos::exactly_once, .id = packet_id{9}});
            const auto one = peer.message();
            const auto two = peer.message();
            peer.forget();
            world.advance(std::chrono::hours(24 * 365));

            CHECK_FALSE(peer.is_closed());
            CHECK(world.engine.count().subscriptions == 1);
            peer.send(packets::pubrec{two.id});
            peer.expect(packets::pubrel{two.id});
            peer.send(packets::puback{one.id});
            peer.send(packets::publish{.topic = "u", .qos = qos::exactly_once, .dup = true, .id = packet_id{9}});
            CHECK(peer.rest() == "50 02 00 09");
            world.publish("t", "three", qos::at_least_once);
            CHECK(peer.messages() == "t=three q1");
        }
    }
}

TEST_CASE(
    "5.0/MQTT-4.1.0-1 3.1.1/MQTT-4.1.0-2: while the connection is open the client forgets nothing of the session") {
    for (const protocol_version version : every_version) {
        core_script peer(role::client, version);
        auto connect = peer.default_connect();
        if (version == v5) connect.properties.session_expiry_interval = 0;
        REQUIRE(peer.open(connect));
        (void)peer.publish("t", "one", qos::at_least_once, false, 7);
        (void)peer.publish("t", "two", qos::exactly_once, false, 8);
        peer.send(packets::publish{.topic = "u", .qos = qos::exactly_once, .id = packet_id{9}});
        peer.forget();
        peer.advance(std::chrono::hours(24 * 365));
        peer.send("50 02 00 02");
        CHECK(peer.next() == "62 02 00 02");
        peer.send("70 02 00 02");
        peer.send("40 02 00 01");
        CHECK(peer.subject.publishes_done ==
              std::vector<done>{{8, reason_code::success, {}}, {7, reason_code::success, {}}});
        peer.send(packets::publish{.topic = "u", .qos = qos::exactly_once, .dup = true, .id = packet_id{9}});
        CHECK(peer.subject.messages.size() == 1);
    }
}

TEST_CASE("3.1.1/MQTT-4.1.0-1: session state is kept over any number of connections, at both ends") {
    for (const protocol_version version : every_version) {
        // A client's core and a broker's engine, joined by hand: what one sends the other gets.
        broker_world world;
        core_script client(role::client, version);
        auto connect = client.default_connect();
        connect.clean_start = false;

        // The broker's half: subscription, QoS 1 and 2 under way, an id received.
        auto* peer = &world.connect(broker_world::resuming(version, "c"));
        CHECK(peer->subscribe("t") == reason_code::granted_qos_2);
        peer->send(packets::publish{.topic = "u", .qos = qos::exactly_once, .id = packet_id{9}});
        peer->forget();
        for (int i = 0; i != 5; ++i) {
            peer->cut();
            world.advance(30min);
            world.publish("t", std::to_string(i), qos::exactly_once);
            peer = &world.connect(broker_world::resuming(version, "c"));
            std::string heard;
            while (!peer->is_silent())
                heard.append(peer->message().payload);
            CHECK(heard == "01234"s.substr(0, static_cast<std::size_t>(i) + 1));
            peer->send(packets::publish{.topic = "u", .qos = qos::exactly_once, .dup = true, .id = packet_id{9}});
            CHECK(peer->rest() == "50 02 00 09");
        }

        // The client's half.
        packets::connack present;
        REQUIRE(client.open(connect, present));
        (void)client.publish("t", "0", qos::exactly_once);
        client.send(packets::publish{.topic = "u", .qos = qos::exactly_once, .id = packet_id{9}});
        client.forget();
        present.session_present = version != protocol_version::v3_1;
        for (int i = 1; i != 5; ++i) {
            client.cut();
            client.advance(24h);
            (void)client.publish("t", std::to_string(i), qos::exactly_once);
            REQUIRE(client.open(connect, present));
            std::string heard;
            while (!client.is_silent())
                heard.append(client.message().payload);
            CHECK(heard == "01234"s.substr(0, static_cast<std::size_t>(i) + 1));
            client.send(packets::publish{.topic = "u", .qos = qos::exactly_once, .dup = true, .id = packet_id{9}});
            CHECK(client.rest() == "50 02 00 09");
            CHECK(client.subject.messages.size() == 1);
        }
    }
}

TEST_CASE("5.0/MQTT-4.5.0-1 3.1.1/MQTT-4.5.0-1: a message is added to each session that subscribes, connected or not") {
    for (const protocol_version version : every_version) {
        for (const bool durable : {false, true}) {
            for (const qos q : acknowledged_qos) {
                broker_world world({}, durable);
                std::vector<broker_peer*> here;
                for (const char* const id : {"here 1", "here 2", "away 1", "away 2"}) {
                    auto& peer = world.connect(broker_world::resuming(version, id));
                    CHECK(peer.subscribe(id[5] == '1' ? "t" : "#") == reason_code::granted_qos_2);
                    if (id[0] == 'a') {
                        peer.cut();
                    } else {
                        here.push_back(&peer);
                    }
                }
                auto& other = world.connect(broker_world::resuming(version, "other"));
                CHECK(other.subscribe("u") == reason_code::granted_qos_2);
                auto& publisher = world.connect(version, "publisher");
                CHECK(publisher.publish("t", "x", q) == reason_code::success);
                for (broker_peer* const peer : here) {
                    CHECK(to_text(peer->message()) == "t=x q" + name(q));
                    peer->cut();  // not acknowledged: it is in the session
                }
                for (const char* const id : {"here 1", "here 2"}) {
                    CHECK(world.connect(broker_world::resuming(version, id)).messages() == "t=x q" + name(q) + " dup");
                }
                for (const char* const id : {"away 1", "away 2"}) {
                    CHECK(world.connect(broker_world::resuming(version, id)).messages() == "t=x q" + name(q));
                }
                CHECK(other.is_silent());
            }
        }
    }
}
