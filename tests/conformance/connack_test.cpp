// Section 3.2: CONNACK.
#include "conformance/broker_world.hpp"

#include <set>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

broker_options refusing_with(unsigned code) {
    const auto rights = std::make_shared<scripted_rights>();
    rights->answer = [code](const authentication_request&) {
        authentication_answer no;
        no.reason = reason_code{static_cast<std::uint8_t>(code)};
        return no;
    };
    broker_options options;
    options.authenticator = rights;
    return options;
}

}  // namespace

TEST_CASE("5.0/MQTT-3.2.0-1 3.1.1/MQTT-3.2.0-1: CONNACK is the first packet of a server") {
    for (const protocol_version version : every_version) {
        for (const bool durable : {false, true}) {
            CAPTURE(name(version));
            broker_options options;
            const auto rights = std::make_shared<scripted_rights>();
            rights->answer = [](const authentication_request&) { return authentication_answer{}; };
            options.authenticator = rights;
            broker_world world(options, durable);
            auto& first = world.connect(broker_world::resuming(version, "c"));
            CHECK(first.subscribe("t") == reason_code::granted_qos_2);
            first.cut();
            world.publish("t", "waits", qos::at_least_once);

            // Messages and a PINGREQ are there before CONNECT is answered.
            rights->answer = nullptr;
            auto& peer = world.dial(version);
            peer.send_bytes(encode(broker_world::resuming(version, "c"), version) +
                            encode(packets::pingreq{}, version));
            world.publish("t", "new", qos::at_most_once);
            world.publish("t", "newer", qos::at_least_once);
            CHECK(peer.is_silent());
            rights->waiting.at(0)({});
            world.engine.on_deadline(world.now);
            world.run();
            CHECK(peer.take<packets::connack>().reason == reason_code::success);
            CHECK(peer.count() == 3);
        }
    }
}

TEST_CASE("5.0/MQTT-3.2.0-2: a connection sees one CONNACK at most") {
    for (const protocol_version version : every_version) {
        broker_options options;
        const auto rights = std::make_shared<scripted_rights>();
        options.authenticator = rights;
        broker_world world(options);
        auto& peer = world.dial(version);
        peer.send(broker_world::hello(version, "c"));
        peer.send(broker_world::hello(version, "c"));
        REQUIRE(rights->waiting.size() == 1);
        rights->waiting[0]({});
        world.engine.on_deadline(world.now);
        world.run();
        CHECK(peer.take<packets::connack>().reason == reason_code::success);
        if (peer.is_v5()) CHECK(peer.take<packets::disconnect>().reason == reason_code::protocol_error);
        CHECK(peer.is_silent());
        CHECK(peer.is_closed());
    }
    // A client does not take a second one.
    for (const protocol_version version : every_version) {
        core_script peer(role::client, version);
        REQUIRE(peer.open());
        peer.send(packets::connack{});
        check_refused(peer, reason_code::protocol_error);
    }
}

TEST_CASE("5.0/MQTT-3.2.2-1: bits 7 to 1 of the acknowledge flags are 0") {
    for (unsigned flags = 2; flags != 256; ++flags) {
        core_script peer(role::client, protocol_version::v5);
        packets::connect resuming = peer.default_connect();
        resuming.clean_start = false;
        peer.begin(resuming);
        peer.forget();
        peer.send_bytes("\x20\x03"s + static_cast<char>(flags) + "\0\0"s);
        CHECK(peer.is_closed());
        REQUIRE(peer.subject.faults.size() == 1);
        CHECK(peer.subject.faults[0].reason == reason_code::malformed_packet);
    }
    broker_world world;
    auto& peer = world.dial(protocol_version::v5);
    peer.send(broker_world::resuming(protocol_version::v5, "c"));
    CHECK(bytes(peer.next()).at(2) == '\0');
    peer.cut();
    auto& again = world.dial(protocol_version::v5);
    again.send(broker_world::resuming(protocol_version::v5, "c"));
    CHECK(bytes(again.next()).at(2) == '\1');
}

TEST_CASE("5.0/MQTT-3.2.2-6 3.1.1/MQTT-3.2.2-4: a CONNACK that refuses has Session Present 0") {
    for (const protocol_version version : since_v3_1_1) {
        broker_options options;
        const auto rights = std::make_shared<scripted_rights>();
        rights->answer = [](const authentication_request&) { return authentication_answer{}; };
        options.authenticator = rights;
        broker_world world(options);
        world.connect(broker_world::resuming(version, "c")).cut();
        rights->answer = [](const authentication_request&) {
            authentication_answer no;
            no.reason = reason_code::not_authorized;
            return no;
        };
        auto& peer = world.dial(version);
        peer.send(broker_world::resuming(version, "c"));
        CHECK(peer.next() == (peer.is_v5() ? "20 03 00 87 00" : "20 02 00 05"));
    }
}

TEST_CASE("5.0/MQTT-3.2.2-8: CONNACK has only the reason codes that are its own") {
    const std::set<unsigned> own{0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
                                 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
    for (unsigned code = 0; code != 256; ++code) {
        CAPTURE(code);
        core_script client(role::client, protocol_version::v5);
        client.begin();
        client.forget();
        client.send_bytes("\x20\x03\0"s + static_cast<char>(code) + '\0');
        CHECK(client.subject.faults.empty() == own.contains(code));
        CHECK(client.is_closed() == (code != 0));

        // Whatever the hooks say.
        if (code < 0x80 || to_string(reason_code{static_cast<std::uint8_t>(code)}).empty()) continue;
        broker_world world(refusing_with(code));
        auto& peer = world.dial(protocol_version::v5);
        peer.send(broker_world::hello(protocol_version::v5, "c"));
        const auto said = static_cast<unsigned char>(bytes(peer.next()).at(3));
        CHECK(own.contains(said));
        CHECK(said >= 0x80);
        CHECK(peer.is_closed());
    }
}

TEST_CASE("3.1.1/MQTT-3.2.2-6: a return code other than 1 to 5 is never sent; where none fits the server just closes") {
    for (unsigned code = 0x80; code <= 0xA2; ++code) {
        CAPTURE(code);
        broker_world world(refusing_with(code));
        auto& peer = world.dial(protocol_version::v3_1_1);
        peer.send(broker_world::hello(protocol_version::v3_1_1, "c"));
        CHECK(peer.is_closed());
        const std::string answer = peer.next();
        if (!answer.empty()) {
            CHECK(answer.starts_with("20 02 00 0"));
            CHECK(answer.back() >= '1');
            CHECK(answer.back() <= '5');
        }
    }
    // A CONNECT that is too large, or that is none.
    for (const char* const bad : {"10 80 80 80 01", "10 00", "00 00"}) {
        broker_world world;
        auto& peer = world.dial(protocol_version::v3_1_1);
        peer.send(bad);
        CHECK(peer.is_closed());
        CHECK(peer.is_silent());
    }
}
