// Section 3.1: the form of CONNECT, who is let in and who is refused. Sessions, wills and limits, which CONNECT begins,
// stand in connect_session_test.cpp, connect_will_test.cpp and connect_limits_test.cpp.
#include "conformance/broker_world.hpp"

#include <set>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

// A string field: length and characters.
std::string field(std::string_view text) {
    std::string out{static_cast<char>(text.size() >> 8), static_cast<char>(text.size())};
    return out.append(text);
}

std::string framed(char first, std::string_view body) {
    char length[4];
    char* const end = core::encode_variable_byte_integer(body.size(), length);
    return first + std::string(length, end).append(body);
}

// A CONNECT with these flags, and what stands behind the keep-alive (and the properties).
std::string connect_bytes(protocol_version version, unsigned flags, std::string_view payload) {
    std::string body = field(version == protocol_version::v3_1 ? "MQIsdp" : "MQTT");
    body += static_cast<char>(version);
    body += static_cast<char>(flags);
    body += "\0\0"sv;
    if (version == protocol_version::v5) body += '\0';
    return framed(0x10, body.append(payload));
}

constexpr unsigned clean = 0x02;
constexpr unsigned will_flag = 0x04;
constexpr unsigned will_retain = 0x20;
constexpr unsigned password_flag = 0x40;
constexpr unsigned user_flag = 0x80;
constexpr unsigned will_qos(unsigned q) { return q << 3; }

// Will properties (none), topic and payload.
std::string will_fields(protocol_version version) {
    return (version == protocol_version::v5 ? "\0"s : ""s) + field("w") + field("gone");
}

// The answer to a malformed CONNECT: with MQTT 5 a CONNACK that says so, before nothing.
void check_malformed(broker_peer& peer, const char* reason = "81") {
    CHECK(peer.is_closed());
    if (peer.is_v5()) CHECK(peer.next() == "20 03 00 " + std::string(reason) + " 00");
    CHECK(peer.is_silent());
}

std::string sent_by_client(const packets::connect& packet) {
    core_script peer(role::client, packet.version);
    peer.begin(packet);
    return peer.next();
}

}  // namespace

// ---- 3.1.0

TEST_CASE("5.0/MQTT-3.1.0-1 3.1.1/MQTT-3.1.0-1: a client begins with CONNECT, whatever waits to be sent") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        core_script peer(role::client, version);
        for (const qos q : every_qos)
            (void)peer.publish("t", "early", q);
        peer.begin();
        (void)peer.take<packets::connect>();
        (void)peer.publish("t", "later", qos::at_most_once);
        CHECK(peer.subject.connection->subscribe({{}, {{"t"}}, {}}, 1) == errc::not_connected);
        peer.run();
        CHECK(peer.is_silent());

        peer.send(packets::connack{});
        CHECK(peer.count() == 4);
    }
}

TEST_CASE("5.0/MQTT-3.1.0-1 3.1.1/MQTT-3.1.0-1: a server closes on any other first packet, without an answer") {
    for (const protocol_version version : every_version) {
        for (const packet& first :
             {packet(packets::publish{.topic = "t", .payload = "x"}),
              packet(packets::publish{.topic = "t", .qos = qos::at_least_once, .id = packet_id{1}}),
              packet(packets::puback{packet_id{1}}), packet(packets::pubrec{packet_id{1}}),
              packet(packets::pubrel{packet_id{1}}), packet(packets::pubcomp{packet_id{1}}),
              packet(packets::subscribe{packet_id{1}, {{"t"}}, {}}),
              packet(packets::unsubscribe{packet_id{1}, {"t"}, {}}), packet(packets::pingreq{}),
              packet(packets::disconnect{}), packet(packets::connack{}), packet(packets::pingresp{})}) {
            CAPTURE(name(version));
            CAPTURE(to_string(type_of(first)));
            broker_world world;
            auto& watcher = world.connect(version, "watcher");
            CHECK(watcher.subscribe("#") == reason_code::granted_qos_2);
            auto& peer = world.dial(version);
            peer.send(first);
            CHECK(peer.is_closed());
            CHECK(peer.is_silent());
            CHECK(watcher.is_silent());
            CHECK(world.engine.count().connections_accepted == 1);
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.0-2 3.1.1/MQTT-3.1.0-2: a second CONNECT closes the connection, and its will is published") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        broker_world world;
        auto& watcher = world.connect(version, "watcher");
        CHECK(watcher.subscribe("w") == reason_code::granted_qos_2);
        auto hello = broker_world::hello(version, "c");
        hello.will.emplace().topic = "w";
        hello.will->payload = "gone";
        auto& peer = world.connect(hello);
        peer.send(broker_world::hello(version, "d"));
        if (peer.is_v5()) CHECK(peer.take<packets::disconnect>().reason == reason_code::protocol_error);
        CHECK(peer.is_silent());
        CHECK(peer.is_closed());
        CHECK(watcher.messages() == "w=gone q0");
        CHECK_FALSE(watcher.is_closed());
    }
}

// ---- 3.1.2: name, level, flags

TEST_CASE("5.0/MQTT-3.1.2-1: the protocol name is MQTT; a server closes on another one") {
    CHECK(sent_by_client(broker_world::hello(protocol_version::v5, "c")).starts_with("10 0E 00 04 4D 51 54 54 05 "));
    for (const std::string_view other : {"MQTt"sv, "MQT"sv, "MQTTX"sv, ""sv, "mqtt"sv, "HTTP"sv, "MQIsdp"sv}) {
        CAPTURE(std::string(other));
        broker_world world;
        auto& peer = world.dial(protocol_version::v5);
        peer.send_bytes(framed(0x10, field(other) + "\x05\x02\0\0\0"s + field("c")));
        CHECK(peer.is_closed());
        const std::string answer = peer.next();
        CHECK((answer.empty() || answer == "20 03 00 84 00" || answer == "20 02 00 01"));
        CHECK(peer.is_silent());
        CHECK(world.engine.count().sessions == 0);
    }
}

TEST_CASE("3.1.1/MQTT-3.1.2-1: another protocol name is not served as 3.1.1, MQIsdp with level 3 is 3.1") {
    CHECK(
        sent_by_client(broker_world::hello(protocol_version::v3_1_1, "c")).starts_with("10 0D 00 04 4D 51 54 54 04 "));
    for (const std::string_view other : {"MQTt"sv, "MQT"sv, "MQTTX"sv, ""sv, "mqtt"sv, "HTTP"sv}) {
        CAPTURE(std::string(other));
        broker_world world;
        auto& peer = world.dial(protocol_version::v3_1_1);
        peer.send_bytes(framed(0x10, field(other) + "\x04\x02\0\0"s + field("c")));
        CHECK(peer.is_closed());
        CHECK(peer.is_silent());
    }
    broker_world world;
    auto& wrong_level = world.dial(protocol_version::v3_1_1);
    wrong_level.send_bytes(framed(0x10, field("MQIsdp") + "\x04\x02\0\0"s + field("c")));
    CHECK(wrong_level.is_closed());

    // Reserved flags close a connection of 3.1.1, but not one of 3.1.
    auto& old = world.dial(protocol_version::v3_1);
    old.send("10 0F 00 06 'MQIsdp' 03 03 00 00 00 01 'c'");
    CHECK(old.next() == "20 02 00 00");
    CHECK_FALSE(old.is_closed());
}

TEST_CASE("5.0/MQTT-3.1.2-2: an unknown protocol level gets CONNACK 0x84, 3.1 and 3.1.1 are served") {
    for (const char level : {'\x06', '\x07', '\x7F'}) {
        broker_world world;
        auto& peer = world.dial(protocol_version::v5);
        peer.send_bytes(framed(0x10, field("MQTT") + level + "\x02\0\0\0"s + field("c")));
        CHECK(peer.next() == "20 03 00 84 00");
        CHECK(peer.is_closed());
        CHECK(peer.is_silent());
    }
    for (const protocol_version version : every_version) {
        broker_world world;
        CHECK_FALSE(world.connect(version, "c").is_closed());
    }
}

TEST_CASE("3.1.1/MQTT-3.1.2-2: MQTT with a level that is not supported gets return code 1") {
    for (const char level : {'\x00', '\x01', '\x02', '\x03'}) {
        broker_world world;
        auto& peer = world.dial(protocol_version::v3_1_1);
        peer.send_bytes(framed(0x10, field("MQTT") + level + "\x02\0\0"s + field("c")));
        CHECK(peer.next() == "20 02 00 01");
        CHECK(peer.is_closed());
        CHECK(peer.is_silent());
    }
}

TEST_CASE("5.0/MQTT-3.1.2-3 3.1.1/MQTT-3.1.2-3: the reserved bit of Connect Flags closes the connection") {
    for (const protocol_version version : since_v3_1_1) {
        for (const unsigned others : {0U, clean, clean | user_flag}) {
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(
                connect_bytes(version, others | 1, field("c") + ((others & user_flag) != 0 ? field("u") : "")));
            check_malformed(peer);
        }
        // A client never sets it.
        for (const bool clean_start : {false, true}) {
            auto hello = broker_world::hello(version, "c");
            hello.clean_start = clean_start;
            const std::string sent = bytes(sent_by_client(hello));
            CHECK((sent.at(9) & 1) == 0);
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.2-11 3.1.1/MQTT-3.1.2-11 3.1.1/MQTT-3.1.2-13: without a will the Will QoS is 0") {
    for (const protocol_version version : since_v3_1_1) {
        for (const unsigned q : {1U, 2U, 3U}) {
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(connect_bytes(version, clean | will_qos(q), field("c")));
            check_malformed(peer);
        }
        CHECK(hex(connect_bytes(version, clean, field("c"))) == sent_by_client(broker_world::hello(version, "c")));
    }
}

TEST_CASE("5.0/MQTT-3.1.2-13 3.1.1/MQTT-3.1.2-11 3.1.1/MQTT-3.1.2-15: without a will there is no Will Retain") {
    for (const protocol_version version : since_v3_1_1) {
        for (const unsigned q : {0U, 1U}) {
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(connect_bytes(version, clean | will_retain | will_qos(q), field("c")));
            check_malformed(peer);
        }
        CHECK((bytes(sent_by_client(broker_world::hello(version, "c"))).at(9) & 0x3C) == 0);
    }
}

TEST_CASE("3.1.1/MQTT-3.1.2-11: without the Will Flag there are no will fields") {
    for (const protocol_version version : since_v3_1_1) {
        broker_world world;
        auto& peer = world.dial(version);
        peer.send_bytes(connect_bytes(version, clean, field("c") + will_fields(version)));
        check_malformed(peer);
    }
}

TEST_CASE("5.0/MQTT-3.1.2-12 3.1.1/MQTT-3.1.2-14: a Will QoS of 0, 1 and 2 is sent and accepted, 3 closes") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        for (const qos q : every_qos) {
            auto hello = broker_world::hello(version, "c");
            hello.will.emplace().topic = "w";
            hello.will->payload = "gone";
            hello.will->qos = q;
            const std::string expected =
                connect_bytes(version, clean | will_flag | will_qos(to_number(q)), field("c") + will_fields(version));
            CHECK(sent_by_client(hello) == hex(expected));
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(expected);
            CHECK(peer.take<packets::connack>().reason == reason_code::success);
        }
        broker_world world;
        auto& peer = world.dial(version);
        peer.send_bytes(connect_bytes(version, clean | will_flag | will_qos(3), field("c") + will_fields(version)));
        check_malformed(peer);
    }
}

TEST_CASE("5.0/MQTT-3.1.2-9 3.1.1/MQTT-3.1.2-9: with the Will Flag all will fields have to be there") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        const std::string fields = will_fields(version);
        for (std::size_t size = 0; size != fields.size(); ++size) {
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(connect_bytes(version, clean | will_flag, field("c") + fields.substr(0, size)));
            check_malformed(peer);
        }
        // An empty payload is one; QoS and RETAIN of the flags are those of the message.
        broker_world world;
        auto& watcher = world.connect(version, "watcher");
        CHECK(watcher.subscribe("w") == reason_code::granted_qos_2);
        auto& peer = world.dial(version);
        peer.send_bytes(
            connect_bytes(version, clean | will_flag | will_retain | will_qos(2), field("c") + will_fields(version)));
        CHECK(peer.take<packets::connack>().reason == reason_code::success);
        peer.cut();
        CHECK(watcher.messages() == "w=gone q2");
        auto& later = world.connect(version, "later");
        CHECK(later.subscribe("w") == reason_code::granted_qos_2);
        CHECK(later.messages() == "w=gone q2 retain");
    }
}

TEST_CASE(
    "5.0/MQTT-3.1.2-16 5.0/MQTT-3.1.2-18 3.1.1/MQTT-3.1.2-18 3.1.1/MQTT-3.1.2-20: no flag, no user name or password") {
    for (const protocol_version version : since_v3_1_1) {
        CAPTURE(name(version));
        CHECK(sent_by_client(broker_world::hello(version, "c")) == hex(connect_bytes(version, clean, field("c"))));
        auto hello = broker_world::hello(version, "c");
        hello.user_name = "u";
        CHECK(sent_by_client(hello) == hex(connect_bytes(version, clean | user_flag, field("c") + field("u"))));
        for (const auto& [flags, payload] : {std::pair(clean, field("c") + field("u")),
                                             std::pair(clean | user_flag, field("c") + field("u") + field("p")),
                                             std::pair(clean | user_flag, field("c") + field("u") + "x")}) {
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(connect_bytes(version, flags, payload));
            check_malformed(peer);
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.2-17 5.0/MQTT-3.1.2-19 3.1.1/MQTT-3.1.2-19 3.1.1/MQTT-3.1.2-21: what is flagged is there") {
    for (const protocol_version version : since_v3_1_1) {
        CAPTURE(name(version));
        auto hello = broker_world::hello(version, "c");
        hello.user_name = "u";
        hello.password = "\0p\xFF"sv;
        const std::string whole =
            connect_bytes(version, clean | user_flag | password_flag, field("c") + field("u") + field("\0p\xFF"sv));
        CHECK(sent_by_client(hello) == hex(whole));

        broker_options options;
        const auto rights = std::make_shared<scripted_rights>();
        rights->answer = [](const auto&) { return authentication_answer{}; };
        options.authenticator = rights;
        broker_world world(options);
        auto& peer = world.dial(version);
        peer.send_bytes(whole);
        CHECK(peer.take<packets::connack>().reason == reason_code::success);
        CHECK(rights->asked == std::vector{"connect c u:\0p\xFF"s});

        for (const auto& [flags, payload] :
             {std::pair(clean | user_flag, field("c")), std::pair(clean | user_flag, field("c") + "\0"s),
              std::pair(clean | user_flag, field("c") + "\0\2u"s),
              std::pair(clean | user_flag | password_flag, field("c") + field("u")),
              std::pair(clean | user_flag | password_flag, field("c") + field("u") + "\0"s),
              std::pair(clean | user_flag | password_flag, field("c") + field("u") + "\0\2p"s)}) {
            broker_world strict;
            auto& cut_short = strict.dial(version);
            cut_short.send_bytes(connect_bytes(version, flags, payload));
            check_malformed(cut_short);
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.2-19: a password does not need a user name") {
    auto hello = broker_world::hello(protocol_version::v5, "c");
    hello.password = "p";
    const std::string whole = connect_bytes(protocol_version::v5, clean | password_flag, field("c") + field("p"));
    CHECK(sent_by_client(hello) == hex(whole));
    broker_world world;
    auto& peer = world.dial(protocol_version::v5);
    peer.send_bytes(whole);
    CHECK(peer.take<packets::connack>().reason == reason_code::success);
}

TEST_CASE("3.1.1/MQTT-3.1.2-22: a password without a user name is never sent, and closes") {
    for (const protocol_version version : {protocol_version::v3_1, protocol_version::v3_1_1}) {
        packets::connect hello = broker_world::hello(version, "c");
        hello.password = "p";
        CHECK(encode(hello, version).empty());
        broker_world world;
        auto& peer = world.dial(version);
        peer.send_bytes(connect_bytes(version, clean | password_flag, field("c") + field("p")));
        CHECK(peer.is_closed());
        CHECK(peer.is_silent());
    }
}

// ---- 3.1.3: payload

TEST_CASE("5.0/MQTT-3.1.3-1 3.1.1/MQTT-3.1.3-1: client id, will, user name and password stand in this order") {
    const std::vector<user_property> pairs{{"n", "v"}};
    for (const protocol_version version : since_v3_1_1) {
        auto hello = broker_world::hello(version, "id");
        hello.will.emplace().topic = "w/t";
        hello.will->payload = "gone";
        hello.will->properties.user_properties = pairs;
        hello.user_name = "user";
        hello.password = "pass";
        const std::string will_properties = version == protocol_version::v5 ? "07 26 00 01 'n' 00 01 'v' " : "";
        const std::string whole = connect_bytes(
            version, clean | will_flag | user_flag | password_flag,
            bytes("00 02 'id' " + will_properties + "00 03 'w/t' 00 04 'gone' 00 04 'user' 00 04 'pass'"));
        CHECK(sent_by_client(hello) == hex(whole));

        broker_options options;
        const auto rights = std::make_shared<scripted_rights>();
        rights->answer = [](const auto&) { return authentication_answer{}; };
        options.authenticator = rights;
        broker_world world(options);
        auto& watcher = world.connect(version, "watcher");
        CHECK(watcher.subscribe("w/t") == reason_code::granted_qos_2);
        auto& peer = world.dial(version);
        peer.send_bytes(whole);
        CHECK(peer.take<packets::connack>().reason == reason_code::success);
        CHECK(rights->asked.back() == "connect id user:pass");
        peer.cut();
        CHECK(watcher.messages() == "w/t=gone q0");
    }
}

TEST_CASE("5.0/MQTT-3.1.3-3 3.1.1/MQTT-3.1.3-3: the client id is always there and comes first") {
    for (const protocol_version version : since_v3_1_1) {
        CHECK(sent_by_client(broker_world::hello(version, "")) == hex(connect_bytes(version, clean, field(""))));
        for (const auto& payload : {""s, "\0"s, "\0\1"s, "\0\5four"s}) {
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(connect_bytes(version, clean, payload));
            check_malformed(peer);
        }
        // If it were missing, the user name would be taken for it.
        broker_world world;
        auto& peer = world.dial(version);
        peer.send_bytes(connect_bytes(version, clean | user_flag, field("u")));
        check_malformed(peer);
    }
}

TEST_CASE(
    "5.0/MQTT-3.1.3-4 5.0/MQTT-3.1.3-11 5.0/MQTT-3.1.3-12 3.1.1/MQTT-3.1.3-4 3.1.1/MQTT-3.1.3-10 "
    "3.1.1/MQTT-3.1.3-11: client id, Will Topic and user name are UTF-8, the password is binary") {
    const auto bad = "\xC3("s;
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        const std::string no_properties = version == protocol_version::v5 ? "\0"s : "";
        for (const auto& [flags, payload] :
             {std::pair(clean, field(bad)),
              std::pair(clean | will_flag, field("c") + no_properties + field(bad) + field("gone")),
              std::pair(clean | user_flag, field("c") + field(bad))}) {
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(connect_bytes(version, flags, payload));
            check_malformed(peer);
        }
        broker_world world;
        auto& peer = world.dial(version);
        peer.send_bytes(connect_bytes(version, clean | user_flag | password_flag,
                                      field("\xC3\xB1") + field("\xC3\xBC") + field("\0\xFF\xC3("sv)));
        CHECK(peer.take<packets::connack>().reason == reason_code::success);
    }
}

TEST_CASE("5.0/MQTT-3.1.3-5 3.1.1/MQTT-3.1.3-5: client ids of 1 to 23 letters and digits are accepted") {
    const std::string_view alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const protocol_version version : every_version) {
        broker_world world;
        for (std::size_t size = 1; size <= 23; ++size) {
            for (std::size_t at = 0; at < alphabet.size(); at += size) {
                const std::string id = std::string(alphabet.substr(at, size)) + std::string(23, 'z');
                CHECK_FALSE(world.connect(version, id.substr(0, size)).is_closed());
            }
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.3-6 5.0/MQTT-3.1.3-7 5.0/MQTT-3.2.2-16: to an empty client id a unique one is assigned") {
    broker_world world;
    std::set<std::string> ids;
    for (int i = 0; i != 50; ++i) {
        (void)world.connect(protocol_version::v5, "");
        REQUIRE(world.connack.properties.assigned_client_identifier);
        const std::string id(*world.connack.properties.assigned_client_identifier);
        CHECK_FALSE(id.empty());
        CHECK(ids.insert(id).second);
    }
    CHECK(world.engine.count().sessions_connected == 50);

    // The session is known by that id.
    auto hello = broker_world::resuming(protocol_version::v5, "");
    auto& peer = world.connect(hello);
    CHECK_FALSE(world.connack.session_present);
    const std::string id(world.connack.properties.assigned_client_identifier.value());
    CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
    peer.cut();
    hello.client_id = id;
    (void)world.connect(hello);
    CHECK(world.connack.session_present);
    CHECK_FALSE(world.connack.properties.assigned_client_identifier);
}

TEST_CASE("3.1.1/MQTT-3.1.3-6: clients without an id are told apart") {
    broker_world world;
    auto& a = world.connect(protocol_version::v3_1_1, "");
    auto& b = world.connect(protocol_version::v3_1_1, "");
    CHECK(world.engine.count().sessions_connected == 2);
    CHECK(a.subscribe("t") == reason_code::granted_qos_2);
    CHECK(b.publish("t", "x", qos::at_least_once) == reason_code::success);
    CHECK(a.messages() == "t=x q1");
    CHECK(b.is_silent());
    CHECK_FALSE(a.is_closed());
}

TEST_CASE("3.1.1/MQTT-3.1.3-8 3.1.1/MQTT-3.1.3-9: an empty client id without Clean Session gets return code 2") {
    broker_world world;
    auto hello = broker_world::hello(protocol_version::v3_1_1, "");
    hello.clean_start = false;
    auto& peer = world.dial(protocol_version::v3_1_1);
    peer.send(hello);
    CHECK(peer.next() == "20 02 00 02");
    CHECK(peer.is_closed());
    CHECK(peer.is_silent());
}

TEST_CASE("5.0/MQTT-3.1.3-8 3.1.1/MQTT-3.1.3-9: a client id that is refused is told so, and the connection closes") {
    broker_options strict;
    strict.allow_empty_client_id = false;
    for (const protocol_version version : every_version) {
        broker_world world(strict);
        auto& peer = world.dial(version);
        peer.send(broker_world::hello(version, ""));
        CHECK(peer.next() == (peer.is_v5() ? "20 03 00 85 00" : "20 02 00 02"));
        CHECK(peer.is_closed());
        CHECK(peer.is_silent());
    }
    for (const protocol_version version : every_version) {
        broker_options options;
        const auto rights = std::make_shared<scripted_rights>();
        rights->answer = [](const authentication_request& request) {
            authentication_answer answer;
            if (request.client.client_id == "bad") answer.reason = reason_code::client_identifier_not_valid;
            return answer;
        };
        options.authenticator = rights;
        broker_world world(options);
        auto& peer = world.dial(version);
        peer.send(broker_world::hello(version, "bad"));
        CHECK(peer.next() == (peer.is_v5() ? "20 03 00 85 00" : "20 02 00 02"));
        CHECK(peer.is_closed());
    }
}

// ---- 3.1.4: answers

TEST_CASE("5.0/MQTT-3.1.4-1 3.1.1/MQTT-3.1.4-1: a CONNECT whose form is wrong anywhere closes the connection") {
    // Every proper prefix as a whole packet, and one byte too many.
    for (const protocol_version version : since_v3_1_1) {
        CAPTURE(name(version));
        auto hello = broker_world::hello(version, "id");
        hello.will.emplace().topic = "w";
        hello.user_name = "u";
        hello.password = "p";
        hello.properties.receive_maximum = 10;
        const std::string whole = encode(hello, version);
        const std::string body = whole.substr(2);
        for (std::size_t size = 0; size <= body.size() + 1; ++size) {
            if (size == body.size()) continue;
            CAPTURE(size);
            broker_world world;
            auto& peer = world.dial(version);
            peer.send_bytes(framed(0x10, size < body.size() ? body.substr(0, size) : body + "x"));
            CHECK(peer.is_closed());
            const std::string answer = peer.next();
            if (!peer.is_v5()) CHECK(answer == "");
            if (peer.is_v5() && size > 6) CHECK(answer == "20 03 00 81 00");
            CHECK(peer.is_silent());
            CHECK(world.engine.count().sessions == 0);
        }
    }
    // Properties: a value out of range, one twice, one of another packet.
    for (const auto& [properties, reason] :
         {std::pair("03 21 00 00", "82"), std::pair("05 27 00 00 00 00", "82"), std::pair("02 17 02", "82"),
          std::pair("02 19 02", "82"), std::pair("06 21 00 0A 21 00 0A", "82"), std::pair("03 23 00 01", "81"),
          std::pair("02 7F 00", "81"), std::pair("04 16 00 01 'x'", "82")}) {
        CAPTURE(std::string(properties));
        broker_world world;
        auto& peer = world.dial(protocol_version::v5);
        peer.send_bytes(framed(0x10, bytes("00 04 'MQTT' 05 02 00 00 " + std::string(properties)) + field("c")));
        check_malformed(peer, reason);
    }
}

TEST_CASE("5.0/MQTT-3.1.4-2 5.0/MQTT-3.2.2-7 3.1.1/MQTT-3.2.2-5: who is refused hears why, and the connection closes") {
    struct refusal {
        reason_code reason;
        const char* v3;
    };
    for (const auto& [reason, return_code] :
         {refusal{reason_code::bad_user_name_or_password, "20 02 00 04"},
          refusal{reason_code::not_authorized, "20 02 00 05"}, refusal{reason_code::banned, "20 02 00 05"},
          refusal{reason_code::server_unavailable, "20 02 00 03"},
          refusal{reason_code::unspecified_error, "20 02 00 03"}}) {
        for (const protocol_version version : every_version) {
            CAPTURE(name(version));
            broker_options options;
            const auto rights = std::make_shared<scripted_rights>();
            options.authenticator = rights;
            broker_world world(options);
            auto& peer = world.dial(version);
            peer.send(broker_world::hello(version, "c"));
            CHECK(peer.is_silent());
            REQUIRE(rights->waiting.size() == 1);
            authentication_answer answer;
            answer.reason = reason;
            rights->waiting[0](answer);
            world.engine.on_deadline(world.now);
            world.run();
            if (peer.is_v5()) {
                CHECK(peer.take<packets::connack>().reason == reason);
            } else {
                CHECK(peer.next() == return_code);
            }
            CHECK(peer.is_closed());
            CHECK(peer.is_silent());
            CHECK(world.engine.count().sessions == 0);
        }
    }
    // Limits: no more connections.
    broker_options full;
    full.connections_max = 1;
    for (const protocol_version version : every_version) {
        broker_world world(full);
        (void)world.connect(version, "first");
        auto& second = world.dial(version);
        second.send(broker_world::hello(version, "second"));
        CHECK(second.next() == (second.is_v5() ? "20 03 00 97 00" : "20 02 00 03"));
        CHECK(second.is_closed());
    }
}

TEST_CASE("5.0/MQTT-3.1.4-5 3.1.1/MQTT-3.1.4-4: a valid CONNECT is answered with CONNACK 0") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& peer = world.dial(version);
        peer.send(broker_world::hello(version, "c"));
        CHECK(peer.take<packets::connack>().reason == reason_code::success);
        CHECK(peer.is_silent());
        CHECK_FALSE(peer.is_closed());
    }
}

TEST_CASE("5.0/MQTT-3.1.4-6 3.1.1/MQTT-3.1.4-5: nothing of what follows a refused CONNECT is processed") {
    for (const protocol_version version : every_version) {
        for (const bool at_once : {true, false}) {
            CAPTURE(name(version));
            broker_options options;
            const auto rights = std::make_shared<scripted_rights>();
            rights->answer = [](const authentication_request&) { return authentication_answer{}; };
            options.authenticator = rights;
            broker_world world(options);
            auto& watcher = world.connect(version, "watcher");
            CHECK(watcher.subscribe("#") == reason_code::granted_qos_2);

            authentication_answer no;
            no.reason = reason_code::not_authorized;
            if (at_once) {
                rights->answer = [&](const authentication_request&) { return no; };
            } else {
                rights->answer = nullptr;
            }
            auto& peer = world.dial(version);
            peer.send_bytes(
                encode(broker_world::hello(version, "c"), version) +
                encode(packets::publish{.topic = "t", .payload = "x", .retain = true}, version) +
                encode(packets::publish{.topic = "t", .payload = "x", .qos = qos::at_least_once, .id = packet_id{1}},
                       version) +
                encode(packets::subscribe{packet_id{2}, {{"t"}}, {}}, version) + encode(packets::pingreq{}, version));
            if (!at_once) {
                CHECK(peer.is_silent());
                REQUIRE(rights->waiting.size() == 1);
                rights->waiting[0](no);
                world.engine.on_deadline(world.now);
                world.run();
            }
            CHECK(peer.next() == (peer.is_v5() ? "20 03 00 87 00" : "20 02 00 05"));
            CHECK(peer.is_silent());
            CHECK(peer.is_closed());
            CHECK(watcher.is_silent());
            CHECK(world.engine.count().retained == 0);
            CHECK(world.engine.count().subscriptions == 1);
        }
    }
}
