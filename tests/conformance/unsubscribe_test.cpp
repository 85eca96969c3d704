// Sections 3.10 and 3.11: UNSUBSCRIBE and UNSUBACK.
#include "conformance/broker_world.hpp"

#include <set>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

broker_peer& subscriber_of(broker_world& world, protocol_version version) { return world.connect(version, "c"); }

}  // namespace

TEST_CASE(
    "5.0/MQTT-3.10.4-1 3.1.1/MQTT-3.10.4-1: UNSUBSCRIBE removes the filter that is the same, character for character") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& peer = subscriber_of(world, version);
        auto& other = world.connect(version, "other");
        for (const char* const filter : {"a/b", "a/+", "a/#", "#"}) {
            CHECK(peer.subscribe(filter, qos::at_most_once) == reason_code::success);
            CHECK(other.subscribe(filter, qos::at_most_once) == reason_code::success);
        }
        const auto none = reason_code(peer.is_v5() ? 0x11 : 0);
        for (const char* const other_filter : {"a", "A/b", "a/b/", "/a/b", "+/b", "+/+", "a/c", "a/b/#", "+"}) {
            CHECK(peer.unsubscribe(other_filter) == none);
        }
        CHECK(world.engine.count().subscriptions == 8);
        std::size_t left = 8;
        for (const char* const filter : {"a/+", "#", "a/b", "a/#"}) {
            CHECK(peer.unsubscribe(filter) == reason_code::success);
            CHECK(world.engine.count().subscriptions == --left);
            CHECK(peer.unsubscribe(filter) == none);
        }
        world.publish("a/b", "x", qos::at_most_once);
        CHECK(peer.is_silent());
        CHECK(other.messages() == "a/b=x q0");
    }
    // The prefix of a shared filter counts.
    broker_world world;
    auto& peer = subscriber_of(world, v5);
    CHECK(peer.subscribe("$share/g/t") == reason_code::granted_qos_2);
    for (const char* const other_filter : {"t", "$share/h/t", "$share/g/u"}) {
        CHECK(peer.unsubscribe(other_filter) == reason_code::no_subscription_existed);
    }
    world.publish("t", "x", qos::at_most_once);
    CHECK(peer.messages() == "t=x q0");
    CHECK(peer.unsubscribe("$share/g/t") == reason_code::success);
    world.publish("t", "x", qos::at_most_once);
    CHECK(peer.is_silent());
}

TEST_CASE("5.0/MQTT-3.10.4-2 3.1.1/MQTT-3.10.4-2: after UNSUBSCRIBE no new message is added") {
    for (const protocol_version version : every_version) {
        for (const qos q : every_qos) {
            broker_world world;
            auto& peer = world.connect(broker_world::resuming(version, "c"));
            CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
            CHECK(peer.subscribe("u") == reason_code::granted_qos_2);
            CHECK(peer.unsubscribe("t") == reason_code::success);
            world.publish("t", "x", q);
            CHECK(peer.is_silent());
            peer.cut();
            world.publish("t", "x", q);
            auto& again = world.connect(broker_world::resuming(version, "c"));
            world.publish("t", "x", q);
            CHECK(again.is_silent());
            world.publish("u", "x", q);
            CHECK(again.messages() == "u=x q" + name(q));
        }
    }
}

TEST_CASE("5.0/MQTT-3.10.4-3 3.1.1/MQTT-3.10.4-3: deliveries that have begun are carried to their end") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& peer = world.connect(broker_world::resuming(version, "c"));
        CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
        world.publish("t", "one", qos::at_least_once);
        world.publish("t", "two", qos::exactly_once);
        world.publish("t", "released", qos::exactly_once);
        const auto one = peer.message();
        const auto two = peer.message();
        const auto released = peer.message();
        peer.send(packets::pubrec{released.id});
        peer.expect(packets::pubrel{released.id});
        CHECK(peer.unsubscribe("t") == reason_code::success);
        // here
        peer.send(packets::pubrec{two.id});
        peer.expect(packets::pubrel{two.id});
        CHECK(peer.is_silent());
        peer.cut();
        // and on the next connection
        auto& again = world.connect(broker_world::resuming(version, "c"));
        std::set<std::string> heard;
        while (!again.is_silent())
            heard.insert(again.next());
        CHECK(heard.contains(hex(encode(packets::pubrel{two.id}, version))));
        CHECK(heard.contains(hex(encode(packets::pubrel{released.id}, version))));
        CHECK(heard.contains(hex(encode(
            packets::publish{.topic = "t", .payload = "one", .qos = qos::at_least_once, .dup = true, .id = one.id},
            version))));
        CHECK(heard.size() == 3);
    }
}

TEST_CASE("5.0/MQTT-3.10.4-5 3.1.1/MQTT-3.10.4-5: UNSUBACK comes also when there was nothing to remove") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& peer = subscriber_of(world, version);
        peer.send(packets::unsubscribe{packet_id{7}, {"never", "+/#"}, {}});
        CHECK(peer.next() == (peer.is_v5() ? "B0 05 00 07 00 11 11" : "B0 02 00 07"));
    }
}

TEST_CASE("5.0/MQTT-3.10.4-6 3.1.1/MQTT-3.10.4-6: several filters are as several UNSUBSCRIBEs with one UNSUBACK") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& peer = subscriber_of(world, version);
        for (const char* const filter : {"a", "b", "c"})
            CHECK_FALSE(is_failure(peer.subscribe(filter)));
        peer.send(packets::unsubscribe{packet_id{7}, {"a", "never", "c", "a"}, {}});
        CHECK(peer.rest() == (peer.is_v5() ? "B0 07 00 07 00 00 11 00 11" : "B0 02 00 07"));
        CHECK(world.engine.count().subscriptions == 1);
        for (const char* const topic : {"a", "b", "c"})
            world.publish(topic, "x", qos::at_most_once);
        CHECK(peer.messages() == "b=x q0");
    }
}

TEST_CASE(
    "5.0/MQTT-3.11.3-1 5.0/MQTT-3.11.3-2: UNSUBACK has a code for each filter, in order, of those that are its own") {
    const std::set<unsigned> own{0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};
    broker_world world;
    auto& peer = subscriber_of(world, v5);
    CHECK(peer.subscribe("a") == reason_code::granted_qos_2);
    CHECK(peer.subscribe("b") == reason_code::granted_qos_2);
    peer.send(packets::unsubscribe{packet_id{7}, {"x", "a", "y", "z", "b"}, {}});
    CHECK(peer.next() == "B0 08 00 07 00 11 00 11 11 00");
    // a filter that is none
    peer.send(packets::unsubscribe{packet_id{8}, {"a#", "x"}, {}});
    const auto unsuback = peer.take<packets::unsuback>();
    REQUIRE(unsuback.reasons.size() == 2);
    for (const reason_code reason : unsuback.reasons)
        CHECK(own.contains(static_cast<unsigned>(reason)));

    for (unsigned code = 0; code != 256; ++code) {
        // what an owner of the core says
        core_script server(role::broker, v5);
        REQUIRE(server.open());
        const reason_code reasons[] = {reason_code{static_cast<std::uint8_t>(code)}};
        server.subject.connection->unsuback(packet_id{1}, reasons);
        server.run();
        CHECK(own.contains(static_cast<unsigned char>(bytes(server.next()).back())));
        // what a client takes
        core_script client(role::client, v5);
        REQUIRE(client.open());
        CHECK_FALSE(client.subject.connection->unsubscribe({{}, {"t"}, {}}, 1));
        client.run();
        client.forget();
        client.send_bytes(bytes("B0 04 00 01 00") + static_cast<char>(code));
        CHECK(client.is_closed() == !own.contains(code));
    }
    for (const char* const wrong_count : {"B0 03 00 01 00", "B0 05 00 01 00 00 00"}) {
        core_script client(role::client, v5);
        REQUIRE(client.open());
        CHECK_FALSE(client.subject.connection->unsubscribe({{}, {"t"}, {}}, 1));
        client.run();
        client.forget();
        client.send(wrong_count);
        check_refused(client, reason_code::protocol_error);
    }
}
