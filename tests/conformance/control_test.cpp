// Sections 3.12 to 3.15: PINGREQ, PINGRESP, DISCONNECT, AUTH.
#include "conformance/broker_world.hpp"

#include <set>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

const std::set<unsigned> disconnects_of_clients{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90,
                                                0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99};
const std::set<unsigned> disconnects_of_servers{0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E,
                                                0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
                                                0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};

// An open connection with an Authentication Method, whose other end takes packets of so many bytes.
void open_with_method(core_script& peer, std::optional<std::uint32_t> maximum_packet_size = {}) {
    auto connect = peer.default_connect();
    packets::connack connack;
    connect.properties.authentication_method = "m";
    connack.properties.authentication_method = "m";
    (peer.subject.own_role == role::broker ? connect.properties.maximum_packet_size
                                           : connack.properties.maximum_packet_size) = maximum_packet_size;
    REQUIRE(peer.open(connect, connack));
}

}  // namespace

// ---- PINGREQ

TEST_CASE("5.0/MQTT-3.12.4-1 3.1.1/MQTT-3.12.4-1: each PINGREQ is answered with PINGRESP") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& peer = world.connect(version, "c");
        for (int i = 0; i != 3; ++i) {
            peer.send("C0 00");
            CHECK(peer.rest() == "D0 00");
        }
        peer.send("C0 00 C0 00");
        CHECK(peer.rest() == "D0 00 D0 00");
    }
}

// ---- DISCONNECT

TEST_CASE("5.0/MQTT-3.14.0-1: a server sends no DISCONNECT before CONNACK") {
    const auto check = [](broker_world& world, broker_peer& peer, const char* what) {
        CAPTURE(std::string(what));
        CHECK(peer.is_closed());
        const std::string answer = peer.next();
        CHECK_FALSE(answer.starts_with("E0"));
        if (!answer.empty()) {
            CHECK(answer.starts_with("20 "));
            CHECK(static_cast<unsigned char>(bytes(answer).at(3)) >= 0x80);
        }
        CHECK(peer.is_silent());
        CHECK(world.engine.count().sessions == 0);
    };
    for (const char* const first :
         {"00 00", "10 00", "10 80 80 80 80 01", "11 00", "20 03 00 00 00", "C0 00", "E0 00", "F0 00",
          "10 0C 00 04 'MQTT' 05 03 00 00 00 00", "10 0E 00 04 'MQTT' 05 02 00 00 00 00 01 00"}) {
        broker_world world;
        auto& peer = world.dial(v5);
        peer.send(first);
        check(world, peer, first);
    }
    {
        broker_world world;
        auto& peer = world.dial(v5);
        world.advance(1h);
        check(world, peer, "no CONNECT in time");
    }
    const auto rights = std::make_shared<scripted_rights>();
    broker_options options;
    options.authenticator = rights;
    auto hello = broker_world::hello(v5, "c");
    {
        broker_world world(options);
        auto& peer = world.dial(v5);
        peer.send(hello);
        world.shut_down();
        check(world, peer, "shut down while the authenticator thinks");
    }
    {
        broker_world world(options);
        auto& peer = world.dial(v5);
        peer.send(hello);
        world.advance(1h);
        check(world, peer, "no answer of the authenticator in time");
    }
    rights->answer = [](const authentication_request&) {
        authentication_answer more;
        more.reason = reason_code::continue_authentication;
        return more;
    };
    hello.properties.authentication_method = "m";
    for (const char* const instead_of_auth :
         {"C0 00", "30 04 00 01 't' 00", "F1 00", "F0 00", "F0 06 18 04 15 00 01 'n'"}) {
        broker_world world(options);
        auto& peer = world.dial(v5);
        peer.send(hello);
        CHECK(peer.take<packets::auth>().reason == reason_code::continue_authentication);
        peer.send(instead_of_auth);
        check(world, peer, instead_of_auth);
    }
}

TEST_CASE("5.0/MQTT-3.14.1-1 3.1.1/MQTT-3.14.1-1: DISCONNECT with other flags is malformed and not a clean one") {
    for (const protocol_version version : since_v3_1_1) {
        for (unsigned flags = 1; flags != 16; ++flags) {
            broker_world world;
            auto& watcher = world.connect(version, "watcher");
            CHECK(watcher.subscribe("w") == reason_code::granted_qos_2);
            auto hello = broker_world::hello(version, "c");
            hello.will.emplace().topic = "w";
            auto& peer = world.connect(hello);
            peer.send_bytes(static_cast<char>(0xE0U | flags) + "\0"s);
            CHECK(peer.is_closed());
            if (peer.is_v5()) CHECK(peer.take<packets::disconnect>().reason == reason_code::malformed_packet);
            CHECK(peer.is_silent());
            CHECK(watcher.messages() == "w= q0");
        }
    }
    for (unsigned flags = 1; flags != 16; ++flags) {
        core_script client(role::client, v5);
        REQUIRE(client.open());
        client.send_bytes(static_cast<char>(0xE0U | flags) + "\0"s);
        check_refused(client, reason_code::malformed_packet);
    }
}

TEST_CASE("5.0/MQTT-3.14.2-1: DISCONNECT has only the reason codes of its sender") {
    for (unsigned code = 0; code != 256; ++code) {
        CAPTURE(code);
        for (const role receiver : both_roles) {
            // 8C and 9B stand in some of the standard's lists and not in others: both are a refusal either way.
            const auto& legal = receiver == role::broker ? disconnects_of_clients : disconnects_of_servers;
            if ((receiver == role::broker && code == 0x9B) || (receiver == role::client && code == 0x8C)) continue;
            core_script peer(receiver, v5);
            REQUIRE(peer.open());
            peer.send_bytes("\xE0\x01"s + static_cast<char>(code));
            CHECK(peer.is_closed());
            if (legal.contains(code)) {
                CHECK(peer.subject.disconnect_reason == reason_code{static_cast<std::uint8_t>(code)});
                CHECK(peer.is_silent());
            } else {
                check_refused(peer, reason_code::protocol_error);
            }
        }
        for (const role sender : both_roles) {
            // whatever its owner says
            const auto& legal = sender == role::client ? disconnects_of_clients : disconnects_of_servers;
            if ((sender == role::client && code == 0x9B) || (sender == role::broker && code == 0x8C)) continue;
            core_script peer(sender, v5);
            REQUIRE(peer.open());
            peer.subject.connection->disconnect(reason_code{static_cast<std::uint8_t>(code)});
            peer.run();
            const std::string sent = bytes(peer.next());
            REQUIRE(sent.size() >= 2);
            const unsigned said = sent.size() == 2 ? 0U : static_cast<unsigned char>(sent[2]);
            CHECK(legal.contains(said));
            if (legal.contains(code)) CHECK(said == code);
        }
    }
    // A client that hears nothing any more has no reason code of its own for it.
    core_script client(role::client, v5);
    auto connect = client.default_connect();
    connect.keep_alive = 10;
    REQUIRE(client.open(connect));
    client.advance(1min);
    CHECK(client.next() == "C0 00");
    CHECK(client.is_closed());
    CHECK(disconnects_of_clients.contains(static_cast<unsigned>(client.take<packets::disconnect>().reason)));
}

TEST_CASE("5.0/MQTT-3.14.2-2: a server's DISCONNECT has no Session Expiry Interval") {
    core_script client(role::client, v5);
    REQUIRE(client.open());
    client.send("E0 07 00 05 11 00 00 00 0A");
    CHECK(client.is_closed());
    REQUIRE(client.subject.faults.size() == 1);
    CHECK(client.subject.faults[0].reason == reason_code::protocol_error);
    CHECK_FALSE(client.subject.disconnect_reason);

    // whatever ends the connection
    broker_world world;
    std::vector<broker_peer*> peers;
    for (const std::string_view id : {"take-over"sv, "malformed"sv, "keep-alive"sv, "shut down"sv}) {
        auto hello = broker_world::resuming(v5, id);
        if (id == "keep-alive") hello.keep_alive = 10;
        peers.push_back(&world.connect(hello));
    }
    (void)world.connect(broker_world::resuming(v5, "take-over"));
    peers[1]->send("F1 00");
    world.advance(15s);
    world.shut_down();
    const reason_code reasons[] = {reason_code::session_taken_over, reason_code::malformed_packet,
                                   reason_code::keep_alive_timeout, reason_code::server_shutting_down};
    for (std::size_t i = 0; i != 4; ++i) {
        const auto disconnect = peers[i]->take<packets::disconnect>();
        CHECK(disconnect.reason == reasons[i]);
        CHECK_FALSE(disconnect.properties.session_expiry_interval);
        CHECK(peers[i]->is_closed());
    }
    CHECK(world.engine.count().sessions == 4);  // they are kept
}

TEST_CASE("5.0/MQTT-3.14.2-3 5.0/MQTT-3.14.2-4: Reason String and User Properties go before DISCONNECT is too large") {
    const std::vector<user_property> pairs{{"name", "value"}};
    disconnect_properties properties;
    properties.reason_string = "because";
    properties.user_properties = pairs;
    for (const role sender : both_roles) {
        const auto sent = [&](std::optional<std::uint32_t> maximum) {
            core_script peer(sender, v5);
            open_with_method(peer, maximum);
            peer.subject.connection->disconnect(reason_code::quota_exceeded, properties);
            peer.run();
            CHECK(peer.is_closed());
            return bytes(peer.next());
        };
        const std::string whole = sent({});
        CHECK(whole.size() == 2 + 1 + 1 + 10 + 14);
        for (std::uint32_t maximum = 20; maximum <= 28; ++maximum) {
            const std::string packet = sent(maximum);
            CHECK(packet.size() == (maximum == 28 ? 28U : 14U));
            CHECK(packet[2] == '\x97');
            CHECK(hex(packet).find("1F 00 07") != std::string::npos);
        }
    }
    // Neither fits where CONNACK has just enough room.
    core_script peer(role::broker, v5);
    auto connect = peer.default_connect();
    connect.properties.maximum_packet_size = std::uint32_t{5};
    REQUIRE(peer.open(connect));
    peer.subject.connection->disconnect(reason_code::quota_exceeded, properties);
    peer.run();
    CHECK(peer.rest() == "E0 01 97");
}

TEST_CASE(
    "5.0/MQTT-3.14.4-1 5.0/MQTT-3.14.4-2 3.1.1/MQTT-3.14.4-1 3.1.1/MQTT-3.14.4-2: after DISCONNECT its sender "
    "sends nothing more and closes") {
    for (const protocol_version version : every_version) {
        for (const role sender : both_roles) {
            if (sender == role::broker && version != v5) continue;  // which has no DISCONNECT to send
            core_script peer(sender, version);
            peer.subject.acknowledge_at_once = false;
            REQUIRE(peer.open());
            peer.send(packets::publish{.topic = "t", .qos = qos::at_least_once, .id = packet_id{1}});
            peer.send(packets::publish{.topic = "t", .qos = qos::exactly_once, .id = packet_id{2}});
            (void)peer.publish("t", "x", qos::exactly_once);
            peer.forget();

            auto& connection = *peer.subject.connection;
            connection.disconnect();
            peer.run();
            CHECK(peer.rest() == "E0 00");
            CHECK(peer.is_closed());
            for (const auto& message : peer.subject.messages)
                connection.acknowledge(message.number);
            (void)peer.publish("t", "x", qos::at_most_once);
            (void)peer.publish("t", "x", qos::at_least_once);
            connection.ping();
            connection.disconnect();
            connection.fail({reason_code::protocol_error, {}, "again"});
            connection.send_auth({});
            if (sender == role::client) {
                CHECK(connection.subscribe({{}, {{"t"}}, {}}, 1) == errc::not_connected);
                CHECK(connection.unsubscribe({{}, {"t"}, {}}, 1) == errc::not_connected);
            } else {
                const reason_code granted[] = {reason_code::success};
                connection.suback(packet_id{1}, granted);
                connection.unsuback(packet_id{1}, granted);
            }
            connection.receive("\xC0\0\x50\x02\0\x01"sv);
            peer.subject.take_events();
            connection.keep_rest();
            connection.on_deadline();
            connection.on_committed();
            peer.run();
            CHECK(peer.is_silent());
            CHECK((connection.next_deadline() == never));
        }
    }
    // A broker engine: what comes for the client meanwhile waits for its next connection.
    broker_world world;
    auto& old = world.connect(broker_world::resuming(v5, "c"));
    CHECK(old.subscribe("t") == reason_code::granted_qos_2);
    auto& fresh = world.connect(broker_world::resuming(v5, "c"));
    world.publish("t", "x", qos::at_least_once);
    CHECK(old.take<packets::disconnect>().reason == reason_code::session_taken_over);
    CHECK(old.is_silent());
    CHECK(old.is_closed());
    CHECK(fresh.messages() == "t=x q1");
}

// ---- AUTH

TEST_CASE("5.0/MQTT-3.15.1-1: AUTH with other flags than 0 is malformed and closes") {
    for (const role receiver : both_roles) {
        for (unsigned flags = 0; flags != 16; ++flags) {
            core_script peer(receiver, v5);
            open_with_method(peer);
            peer.send_bytes(static_cast<char>(0xF0U | flags) +
                            bytes(receiver == role::broker ? "06 19 04 15 00 01 'm'" : "06 18 04 15 00 01 'm'"));
            CHECK(peer.is_closed() == (flags != 0));
            if (flags != 0) check_refused(peer, reason_code::malformed_packet);
        }
        core_script peer(receiver, v5);
        open_with_method(peer);
        packets::auth auth;
        auth.reason = reason_code::continue_authentication;
        peer.subject.connection->send_auth(auth);
        peer.run();
        CHECK(peer.next().starts_with("F0 "));
    }
}

TEST_CASE("5.0/MQTT-3.15.2-1: a server's AUTH says 0 or 0x18, a client's 0x18 or 0x19") {
    for (const role sender : both_roles) {
        const std::set<unsigned> own =
            sender == role::client ? std::set<unsigned>{0x18, 0x19} : std::set<unsigned>{0x00, 0x18};
        for (unsigned code = 0; code != 256; ++code) {
            CAPTURE(code);
            const std::string packet = "\xF0\x06"s + static_cast<char>(code) + bytes("04 15 00 01 'm'");
            const role receiver = sender == role::client ? role::broker : role::client;
            const bool is_legal = own.contains(code);
            CHECK(is_legal == (verdict(decode(packet, v5, receiver)) == "ok"));
            if (!is_legal) {
                core_script peer(receiver, v5);
                open_with_method(peer);
                peer.send_bytes(packet);
                check_refused(peer, reason_code::protocol_error);
            }
            // what is sent, whatever the owner says
            core_script peer(sender, v5);
            open_with_method(peer);
            packets::auth auth;
            auth.reason = reason_code{static_cast<std::uint8_t>(code)};
            peer.subject.connection->send_auth(auth);
            peer.run();
            const auto said = static_cast<unsigned char>(bytes(peer.next()).at(2));
            CHECK(own.contains(said));
            if (is_legal) CHECK(said == code);
        }
    }
}

TEST_CASE("5.0/MQTT-3.15.2-2 5.0/MQTT-3.15.2-3: Reason String and User Properties go before AUTH is too large") {
    const std::vector<user_property> pairs{{"name", "value"}};
    packets::auth auth;
    auth.reason = reason_code::continue_authentication;
    auth.properties.authentication_data = "data";
    auth.properties.reason_string = "because";
    auth.properties.user_properties = pairs;
    for (const role sender : both_roles) {
        const auto sent = [&](std::optional<std::uint32_t> maximum) {
            core_script peer(sender, v5);
            open_with_method(peer, maximum);
            peer.subject.connection->send_auth(auth);
            peer.run();
            return bytes(peer.next());
        };
        const std::uint32_t bare = 2 + 1 + 1 + 4 + 7;
        CHECK(sent({}).size() == bare + 10 + 14);
        for (std::uint32_t maximum = bare; maximum <= bare + 24; ++maximum) {
            const std::string packet = sent(maximum);
            CHECK(packet.size() == (maximum == bare + 24 ? bare + 24 : maximum >= bare + 10 ? bare + 10 : bare));
            CHECK(hex(packet).find("16 00 04 64 61 74 61") != std::string::npos);
        }
    }
}
