// Sections 4.8 of 3.1.1, 4.13 of 5.0, and what is said of the byte stream and of other implementations.
#include "conformance/broker_world.hpp"
#include "conformance/client_script.hpp"

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

struct breach {
    std::string what;
    std::string bytes;
    reason_code reason;
    qos maximum_qos = qos::exactly_once;
    bool retain_available = true;
};

// What must not come on an open connection, by who gets it.
std::vector<breach> breaches(protocol_version version, role receiver) {
    using enum reason_code;
    const bool is_v5 = version == v5;
    const auto publish = [&](const packets::publish& p) { return encode(p, version); };
    std::vector<breach> all{
        {"packet type 0", bytes("00 00"), malformed_packet},
        {"Remaining Length of five bytes", bytes("30 80 80 80 80 01"), malformed_packet},
        {"QoS 3", bytes(is_v5 ? "36 06 00 01 't' 00 01 00" : "36 05 00 01 't' 00 01"), malformed_packet},
        {"a topic that is cut short", bytes("30 03 00 02 't'"), malformed_packet},
        {"a topic that is not UTF-8", publish({.topic = "\xFF"}), malformed_packet},
        {"a topic with a wildcard", publish({.topic = "a/#"}), protocol_error},
        {"packet identifier 0", bytes(is_v5 ? "32 06 00 01 't' 00 00 00" : "32 05 00 01 't' 00 00"), protocol_error},
        {"an acknowledgement of one byte", bytes("40 01 00"), malformed_packet},
        {"a packet that is too large", publish({.topic = "t", .payload = std::string(2000, 'x')}), packet_too_large},
        {"one message too many", "", receive_maximum_exceeded},
    };
    if (receiver == role::broker) {
        all.push_back({"CONNECT", encode(broker_world::hello(version, "d"), version), protocol_error});
        all.push_back({"CONNACK", bytes(is_v5 ? "20 03 00 00 00" : "20 02 00 00"), protocol_error});
        all.push_back({"SUBACK", bytes(is_v5 ? "90 04 00 01 00 00" : "90 03 00 01 00"), protocol_error});
        all.push_back({"PINGRESP", bytes("D0 00"), protocol_error});
        all.push_back({"SUBSCRIBE without a filter", bytes(is_v5 ? "82 03 00 01 00" : "82 02 00 01"), protocol_error});
        all.push_back({"PINGREQ with a body", bytes("C0 01 00"), malformed_packet});
    } else {
        all.push_back({"CONNACK", bytes(is_v5 ? "20 03 00 00 00" : "20 02 00 00"), protocol_error});
        all.push_back(
            {"SUBSCRIBE", bytes(is_v5 ? "82 07 00 01 00 00 01 't' 00" : "82 06 00 01 00 01 't' 00"), protocol_error});
        all.push_back({"PINGREQ", bytes("C0 00"), protocol_error});
    }
    if (is_v5) {
        all.push_back({"an unknown property", bytes("30 06 00 01 't' 02 7F 00"), malformed_packet});
        all.push_back({"a property of another packet", bytes("30 07 00 01 't' 03 21 00 0A"), malformed_packet});
        all.push_back({"a property twice", bytes("30 08 00 01 't' 04 01 00 01 00"), protocol_error});
        all.push_back({"an alias above the maximum", bytes("30 07 00 01 't' 03 23 00 63"), topic_alias_invalid});
        all.push_back({"an alias without a mapping", bytes("30 06 00 00 03 23 00 01"), protocol_error});
        all.push_back({"an empty topic", bytes("30 03 00 00 00"), protocol_error});
        all.push_back({"a topic of too many levels", publish({.topic = std::string(60, '/')}), topic_name_invalid});
        if (receiver == role::broker) {
            all.push_back({"QoS that is not supported",
                           publish({.topic = "t", .qos = qos::exactly_once, .id = packet_id{1}}), qos_not_supported,
                           qos::at_least_once});
            all.push_back({"RETAIN that is not supported", publish({.topic = "t", .retain = true}),
                           retain_not_supported, qos::exactly_once, false});
        }
    } else {
        all.push_back({"AUTH", bytes("F0 00"), malformed_packet});
        if (receiver == role::client) all.push_back({"DISCONNECT", bytes("E0 00"), protocol_error});
    }
    // Before MQTT 5 a client is told no Receive Maximum, so that it cannot break it.
    if (!is_v5) std::erase_if(all, [](const breach& b) { return b.bytes.empty(); });
    return all;
}

core::connection_limits narrow_limits(const breach& b) {
    core::connection_limits limits;
    limits.packet_size_max = 1000;
    limits.receive_maximum = 2;
    limits.topic_alias_maximum = 10;
    limits.topic_levels_max = 50;
    limits.maximum_qos = b.maximum_qos;
    limits.retain_available = b.retain_available;
    return limits;
}

std::string too_many(protocol_version version) {
    std::string all;
    for (std::uint16_t id = 1; id <= 3; ++id) {
        all += encode(packets::publish{.topic = "t", .qos = qos::at_least_once, .id = packet_id{id}}, version);
    }
    return all;
}

}  // namespace

TEST_CASE("3.1.1/MQTT-4.8.0-1 5.0/MQTT-4.13.2-1: a violation closes the connection by which it came") {
    for (const protocol_version version : since_v3_1_1) {
        for (const role receiver : both_roles) {
            for (const breach& b : breaches(version, receiver)) {
                CAPTURE(name(version));
                CAPTURE(name(receiver));
                CAPTURE(b.what);
                core_script peer(receiver, version);
                peer.subject.limits = narrow_limits(b);
                peer.subject.acknowledge_at_once = false;
                REQUIRE(peer.open());
                peer.send_bytes(b.bytes.empty() ? too_many(version) : b.bytes);
                CHECK(peer.is_closed());
                REQUIRE(peer.subject.faults.size() == 1);
                if (version == v5) {
                    CHECK(peer.take<packets::disconnect>().reason == b.reason);
                }
                CHECK(peer.is_silent());
                // Nothing that follows is looked at.
                const auto messages = peer.subject.messages.size();
                peer.send(packets::publish{.topic = "t"});
                CHECK(peer.subject.messages.size() == messages);
            }
        }
    }
}

TEST_CASE(
    "5.0/MQTT-4.13.1-1 5.0/MQTT-4.13.2-1: a server says which rule was broken and closes; other clients notice "
    "nothing") {
    for (const breach& b : breaches(v5, role::broker)) {
        CAPTURE(b.what);
        if (b.bytes.empty()) continue;  // the engine acknowledges at once: shown above
        broker_options options;
        options.packet_size_max = 1000;
        options.topic_alias_maximum = 10;
        options.topic_levels_max = 50;
        options.maximum_qos = b.maximum_qos;
        options.retain_available = b.retain_available;
        broker_world world(options);
        auto& watcher = world.connect(v5, "watcher");
        CHECK_FALSE(is_failure(watcher.subscribe("w")));
        auto& other = world.connect(v5, "other");
        auto hello = broker_world::hello(v5, "c");
        hello.will.emplace().topic = "w";
        auto& peer = world.connect(hello);
        peer.send_bytes(b.bytes);
        CHECK(peer.take<packets::disconnect>().reason == b.reason);
        CHECK(peer.is_silent());
        CHECK(peer.is_closed());
        CHECK(watcher.messages() == "w= q0");
        CHECK(other.publish("w", "x", qos::at_least_once) == reason_code::success);
        CHECK(watcher.messages() == "w=x q1");
        CHECK(world.engine.count().sessions == 2);
    }
}

TEST_CASE(
    "5.0/MQTT-4.13.2-1: who hears CONNACK or DISCONNECT with a reason of 0x80 or above is done with the connection") {
    core_script refused(role::client, v5);
    refused.begin();
    refused.forget();
    refused.send("20 03 00 97 00");
    CHECK(refused.is_closed());
    CHECK(refused.is_silent());
    for (const role receiver : both_roles) {
        core_script peer(receiver, v5);
        REQUIRE(peer.open());
        peer.send("E0 01 97");
        CHECK(peer.is_closed());
        CHECK(peer.is_silent());
        CHECK(peer.subject.disconnect_reason == reason_code::quota_exceeded);
    }
    // The link closes also where the DISCONNECT itself cannot be sent.
    core_script narrow(role::broker, v5);
    auto connect = narrow.default_connect();
    connect.properties.maximum_packet_size = std::uint32_t{5};
    REQUIRE(narrow.open(connect));
    narrow.send("F1 00");
    CHECK(narrow.next() == "E0 01 81");
    CHECK(narrow.is_closed());
}

TEST_CASE("3.1.1/MQTT-4.8.0-2: what cannot be taken in or answered for want of room closes that connection, no other") {
    for (const role receiver : both_roles) {
        core_script peer(receiver, protocol_version::v3_1_1);
        peer.subject.limits.packet_size_max = 100;
        REQUIRE(peer.open());
        peer.send(packets::publish{.topic = "t", .payload = std::string(96, 'x')});
        CHECK(peer.is_closed());
        CHECK(peer.subject.messages.empty());
        CHECK(peer.is_silent());
    }
    broker_options options;
    options.packet_size_max = 100;
    options.sessions_max = 3;
    broker_world world(options);
    auto& watcher = world.connect(protocol_version::v3_1_1, "watcher");
    CHECK(watcher.subscribe("#") == reason_code::granted_qos_2);
    auto& large = world.connect(protocol_version::v3_1_1, "large");
    auto& other = world.connect(protocol_version::v3_1_1, "other");
    large.send(packets::publish{.topic = "t", .payload = std::string(96, 'x')});
    CHECK(large.is_closed());
    // no room for a session
    (void)world.connect(protocol_version::v3_1_1, "third");
    auto& fourth = world.dial(protocol_version::v3_1_1);
    fourth.send(broker_world::hello(protocol_version::v3_1_1, "fourth"));
    CHECK(fourth.next() == "20 02 00 03");
    CHECK(fourth.is_closed());
    CHECK(other.publish("t", "x", qos::at_least_once) == reason_code::success);
    CHECK(watcher.messages() == "t=x q1");
}

// ---- the byte stream

TEST_CASE("5.0/MQTT-6.0.0-2 3.1.1/MQTT-6.0.0-2: packets may be split and joined at any byte") {
    for (const protocol_version version : every_version) {
        const std::string session =
            encode(packets::subscribe{packet_id{1}, {{"t"}}, {}}, version) +
            encode(packets::publish{.topic = "t", .payload = "one", .qos = qos::at_least_once, .id = packet_id{2}},
                   version) +
            encode(packets::publish{.topic = "t", .payload = std::string(300, 'x')}, version) +
            encode(packets::publish{.topic = "t", .payload = "two", .qos = qos::exactly_once, .id = packet_id{3}},
                   version) +
            encode(packets::pubrel{packet_id{3}}, version) + encode(packets::pingreq{}, version) +
            encode(packets::unsubscribe{packet_id{4}, {"t"}, {}}, version) + encode(packets::disconnect{}, version);
        const std::string hello = encode(broker_world::hello(version, "c"), version);
        std::string expected;
        const auto answers = [&](const std::vector<std::string>& frames) {
            broker_world world;
            auto& peer = world.dial(version);
            for (const std::string& frame : frames)
                peer.send_bytes(frame);
            CHECK(peer.is_closed());
            return peer.rest();
        };
        expected = answers({hello, session});
        CHECK(expected.size() > 1000);
        const std::string all = hello + session;
        CHECK(answers({all}) == expected);
        for (std::size_t at = 1; at != all.size(); ++at) {
            CHECK(answers({all.substr(0, at), all.substr(at)}) == expected);
        }
        for (const std::size_t size : {1u, 2u, 3u, 7u, 64u}) {
            std::vector<std::string> frames;
            for (std::size_t at = 0; at < all.size(); at += size)
                frames.push_back(all.substr(at, size));
            CHECK(answers(frames) == expected);
        }
    }
    // and towards a client
    for (const protocol_version version : every_version) {
        const std::string session =
            encode(packets::connack{}, version) +
            encode(packets::publish{.topic = "t", .payload = "one", .qos = qos::at_least_once, .id = packet_id{2}},
                   version) +
            encode(packets::publish{.topic = "t", .payload = std::string(300, 'x')}, version) +
            encode(packets::publish{.topic = "t", .payload = "two", .qos = qos::exactly_once, .id = packet_id{3}},
                   version) +
            encode(packets::pubrel{packet_id{3}}, version);
        for (std::size_t at = 0; at != session.size(); ++at) {
            core_script peer(role::client, version);
            peer.begin();
            peer.forget();
            if (at != 0) peer.send_bytes(session.substr(0, at));
            peer.send_bytes(session.substr(at));
            CHECK(payloads(peer.subject) == std::vector{"one"s, std::string(300, 'x'), "two"s});
            CHECK(peer.rest() == "40 02 00 02 50 02 00 03 70 02 00 03");
        }
    }
}

// ---- others

TEST_CASE("3.1.1/MQTT-7.0.0-2: a peer that knows nothing but the standard, byte by byte, is served") {
    broker_world world;
    auto& server_of_ours = world.dial(protocol_version::v3_1_1);
    const auto dialogue = [&](const char* says, const char* hears) {
        server_of_ours.send(says);
        CHECK(server_of_ours.rest() == hears);
    };
    dialogue("10 0D 00 04 4D 51 54 54 04 02 00 3C 00 01 61", "20 02 00 00");
    dialogue("82 08 00 0A 00 03 61 2F 62 01", "90 03 00 0A 01");
    dialogue("32 09 00 03 61 2F 62 00 0A 68 69", "32 09 00 03 61 2F 62 00 01 68 69 40 02 00 0A");
    dialogue("40 02 00 01", "");
    dialogue("34 09 00 03 61 2F 62 00 0B 68 69", "32 09 00 03 61 2F 62 00 02 68 69 50 02 00 0B");
    dialogue("62 02 00 0B", "70 02 00 0B");
    dialogue("A2 07 00 0A 00 03 61 2F 62", "B0 02 00 0A");
    dialogue("C0 00", "D0 00");
    dialogue("E0 00", "");
    CHECK(server_of_ours.is_closed());

    client_options options;
    options.client_id = "a";
    client_script client_of_ours(options, protocol_version::v3_1_1);
    CHECK_FALSE(client_of_ours.start());
    CHECK(client_of_ours.rest() == "10 0D 00 04 4D 51 54 54 04 02 00 3C 00 01 61");
    client_of_ours.send("20 02 00 00");
    const auto stream = client_of_ours.subscribe("a/b", qos::at_least_once);
    client_of_ours.send("32 09 00 03 61 2F 62 00 0A 68 69");
    CHECK(stream->box.size() == 1);
    CHECK_FALSE(client_of_ours.engine.publish_qos_0("a/b", "hi", false, {}));
    client_of_ours.run();
    CHECK(client_of_ours.rest() == "30 07 00 03 61 2F 62 68 69");
    CHECK_FALSE(client_of_ours.engine.disconnect({}, {}));
    client_of_ours.run();
    CHECK(client_of_ours.rest() == "E0 00");
    CHECK(client_of_ours.is_closed());
}

// ---- what a client refuses by itself

TEST_CASE(
    "5.0/MQTT-3.8.3-2 5.0/MQTT-3.10.3-2 3.1.1/MQTT-3.8.3-3 3.1.1/MQTT-3.10.3-2 5.0/MQTT-3.8.3-4: a client sends no "
    "request without a filter, and no No Local for a shared one") {
    for (const protocol_version version : since_v3_1_1) {
        client_options options;
        options.client_id = "c";
        client_script client(options, version);
        client.open();
        CHECK(client.refusal({}) == errc::topic_filter_invalid);
        CHECK(client.engine.unsubscribe({}, {}, 1) == errc::topic_filter_invalid);
        CHECK(client.refusal({{.filter = "t"}, {.filter = "$share/g/t", .no_local = true}}) == errc::option_invalid);
        CHECK(client.refusal({{.filter = "$share/g/"}}) == errc::topic_filter_invalid);
        client.run();
        CHECK(client.is_silent());
    }
}

TEST_CASE(
    "3.1.1/MQTT-3.1.3-7 3.1.1/MQTT-3.1.2-22: a client without an id begins anew each time, and has no password without "
    "a name") {
    for (const protocol_version version : {protocol_version::v3_1_1, v5}) {
        client_options options;
        options.client_id = "";
        options.session = session_mode::fresh;
        client_script client(options, version);
        client.open();
        CHECK(client.connect.client_id.empty());
        CHECK(client.connect.clean_start);
        client.reconnect();
        const auto again = client.take<packets::connect>();
        if (version == protocol_version::v3_1_1) CHECK(again.clean_start);
    }
    client_options options;
    options.session = session_mode::resume;
    CHECK(client_script(options, protocol_version::v3_1_1).start() == errc::client_id_invalid);
    options.client_id = "c";
    options.password = "p";
    CHECK(client_script(options, protocol_version::v3_1_1).start() == errc::option_invalid);
    CHECK_FALSE(client_script(options, v5).start());
}
