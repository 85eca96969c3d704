// Sections 3.3 to 3.7: PUBLISH and its acknowledgements. Retained messages stand in publish_retain_test.cpp, what the
// server passes on in publish_forward_test.cpp.
#include "conformance/broker_world.hpp"

#include <algorithm>
#include <set>
#include <span>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

bool open_resuming(core_script& peer, bool session_present) {
    auto connect = peer.default_connect();
    connect.clean_start = false;
    packets::connack connack;
    connack.session_present = session_present && peer.version() != protocol_version::v3_1;
    peer.subject.session_known = session_present;
    return peer.open(connect, connack);
}

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

}  // namespace

// ---- the fixed header

TEST_CASE("5.0/MQTT-3.3.1-1 3.1.1/MQTT-3.3.1-1: a PUBLISH that is sent again has DUP, the first has not") {
    for (const protocol_version version : every_version) {
        for (const role subject : both_roles) {
            for (const qos q : acknowledged_qos) {
                CAPTURE(name(version));
                CAPTURE(name(subject));
                CAPTURE(name(q));
                core_script peer(subject, version);
                REQUIRE(open_resuming(peer, false));
                (void)peer.publish("t", "x", q);
                CHECK_FALSE(peer.take<packets::publish>().dup);
                for (int i = 0; i != 3; ++i) {
                    REQUIRE(open_resuming(peer, true));
                    CHECK(peer.take<packets::publish>().dup);
                    CHECK(peer.is_silent());
                }
            }
        }
    }
}

TEST_CASE("5.0/MQTT-3.3.1-2 3.1.1/MQTT-3.3.1-2: DUP is 0 at QoS 0") {
    for (const protocol_version version : every_version) {
        const packets::publish message{.topic = "t", .payload = "x", .dup = true};
        CHECK(encode(message, version)[0] == '\x30');
        for (const role subject : both_roles) {
            core_script peer(subject, version);
            REQUIRE(open_resuming(peer, false));
            (void)peer.publish("t", "x", qos::at_most_once);
            CHECK(peer.next().starts_with("30 "));
            if (version == protocol_version::v3_1) continue;  // where it means nothing
            peer.send(version == v5 ? "38 04 00 01 't' 00" : "38 03 00 01 't'");
            check_refused(peer, reason_code::malformed_packet);
            CHECK(peer.subject.messages.empty());
        }
    }
}

TEST_CASE("5.0/MQTT-3.3.1-3 3.1.1/MQTT-3.3.1-3: the DUP of what comes in is not the DUP of what goes out") {
    for (const protocol_version version : every_version) {
        for (const qos q : acknowledged_qos) {
            broker_world world;
            auto& subscriber = world.connect(broker_world::resuming(version, "subscriber"));
            CHECK(subscriber.subscribe("t") == reason_code::granted_qos_2);
            auto& publisher = world.connect(version, "publisher");
            CHECK(publisher.publish({.topic = "t", .payload = "x", .qos = q, .dup = true}) == reason_code::success);
            CHECK_FALSE(subscriber.message().dup);
            CHECK(publisher.publish({.topic = "t", .payload = "y", .qos = q}) == reason_code::success);
            CHECK_FALSE(subscriber.message().dup);
            subscriber.cut();
            auto& again = world.connect(broker_world::resuming(version, "subscriber"));
            CHECK(again.messages() == "t=x q" + name(q) + " dup, t=y q" + name(q) + " dup");
        }
    }
}

TEST_CASE("5.0/MQTT-3.3.1-4 3.1.1/MQTT-3.3.1-4: QoS 3 closes the connection") {
    for (const protocol_version version : every_version) {
        for (const role subject : both_roles) {
            for (const char first : {'\x36', '\x37', '\x3E', '\x3F'}) {
                core_script peer(subject, version);
                REQUIRE(open_resuming(peer, false));
                peer.send_bytes(first + bytes(version == v5 ? "07 00 01 't' 00 01 00 'x'" : "06 00 01 't' 00 01 'x'"));
                check_refused(peer, reason_code::malformed_packet);
                CHECK(peer.subject.messages.empty());
            }
            for (const qos q : every_qos) {
                core_script peer(subject, version);
                REQUIRE(open_resuming(peer, false));
                (void)peer.publish("t", "x", q);
                CHECK(peer.take<packets::publish>().qos == q);
            }
        }
    }
}

// ---- the topic name

TEST_CASE("5.0/MQTT-3.3.2-1 3.1.1/MQTT-3.3.2-1: the topic name comes first and is well-formed UTF-8") {
    for (const protocol_version version : every_version) {
        for (const role subject : both_roles) {
            core_script peer(subject, version);
            REQUIRE(open_resuming(peer, false));
            (void)peer.publish("\xC3\xBC/b", "x", qos::at_most_once);
            CHECK(peer.next().substr(6, 17) == "00 04 C3 BC 2F 62" + ""s);
            peer.send(packets::publish{.topic = "\xC3\xBC/b"});
            REQUIRE(peer.subject.messages.size() == 1);
            CHECK(peer.subject.messages[0].topic == "\xC3\xBC/b");
            peer.send(packets::publish{.topic = "\xC3/b"});
            check_refused(peer, reason_code::malformed_packet);
            CHECK(peer.subject.messages.size() == 1);

            // a length that is larger than the packet
            core_script other(subject, version);
            REQUIRE(open_resuming(other, false));
            other.send("30 03 00 02 't'");
            check_refused(other, reason_code::malformed_packet);
        }
    }
    CHECK_FALSE(is_valid_topic_name("\xC3/b"));
}

TEST_CASE("5.0/MQTT-3.3.2-2 3.1.1/MQTT-3.3.2-2: a topic name with a wildcard closes the connection") {
    for (const protocol_version version : every_version) {
        for (const std::string_view topic : {"#"sv, "+"sv, "a/#"sv, "a/+/b"sv, "a#"sv, "+a"sv, "abcdefghijklmnop+"sv}) {
            CHECK_FALSE(is_valid_topic_name(topic));
            for (const role subject : both_roles) {
                for (const qos q : every_qos) {
                    core_script peer(subject, version);
                    REQUIRE(open_resuming(peer, false));
                    peer.send(packets::publish{
                        .topic = topic,
                        .qos = q,
                        .id = packet_id{q == qos::at_most_once ? std::uint16_t{0} : std::uint16_t{1}}});
                    check_refused(peer, reason_code::protocol_error);
                    CHECK(peer.subject.messages.empty());
                }
            }
        }
    }
}

// ---- topic aliases

TEST_CASE("5.0/MQTT-3.3.2-7: an alias means nothing on another connection") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        peer.subject.limits.topic_alias_maximum = 5;
        REQUIRE(open_resuming(peer, false));
        peer.send(packets::publish{.topic = "a/b", .payload = "1", .topic_alias = std::uint16_t{5}});
        peer.send(packets::publish{.topic = "", .payload = "2", .topic_alias = std::uint16_t{5}});
        REQUIRE(peer.subject.messages.size() == 2);
        CHECK(peer.subject.messages[1].topic == "a/b");

        REQUIRE(open_resuming(peer, true));
        peer.send(packets::publish{.topic = "", .payload = "3", .topic_alias = std::uint16_t{5}});
        check_refused(peer, reason_code::protocol_error);
        CHECK(peer.subject.messages.size() == 2);
    }
    // The sender names the topic anew.
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        peer.subject.limits.topic_alias_maximum_out = 5;
        auto connect = peer.default_connect();
        packets::connack connack;
        connect.clean_start = false;
        connect.properties.topic_alias_maximum = std::uint16_t{5};
        connack.properties.topic_alias_maximum = std::uint16_t{5};
        for (int i = 0; i != 2; ++i) {
            REQUIRE(peer.open(connect, connack));
            (void)peer.publish("a/b", "x", qos::at_most_once);
            CHECK(peer.take<packets::publish>().topic == "a/b");
            (void)peer.publish("a/b", "y", qos::at_most_once);
            CHECK(peer.take<packets::publish>().topic == "");
        }
    }
}

TEST_CASE("5.0/MQTT-3.3.2-7: what is sent again on a new connection names its topic") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        peer.subject.limits.topic_alias_maximum_out = 5;
        auto connect = peer.default_connect();
        packets::connack connack;
        connect.clean_start = false;
        connect.properties.topic_alias_maximum = std::uint16_t{5};
        connack.properties.topic_alias_maximum = std::uint16_t{5};
        REQUIRE(peer.open(connect, connack));
        (void)peer.publish("a/b", "x", qos::at_least_once);
        (void)peer.publish("a/b", "y", qos::at_least_once);
        connack.session_present = true;
        peer.subject.session_known = true;
        REQUIRE(peer.open(connect, connack));
        const auto first = peer.take<packets::publish>();
        CHECK(first.topic == "a/b");
        CHECK(first.dup);
    }
}

TEST_CASE("5.0/MQTT-3.3.2-8: Topic Alias 0 is refused, and never sent") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        peer.subject.limits.topic_alias_maximum = 5;
        REQUIRE(open_resuming(peer, false));
        peer.send("30 07 00 01 't' 03 23 00 00");
        check_refused(peer, reason_code::topic_alias_invalid);
        CHECK(peer.subject.messages.empty());
    }
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        peer.subject.limits.topic_alias_maximum_out = 3;
        auto connect = peer.default_connect();
        packets::connack connack;
        connect.properties.topic_alias_maximum = std::uint16_t{65'535};
        connack.properties.topic_alias_maximum = std::uint16_t{65'535};
        REQUIRE(peer.open(connect, connack));
        for (int i = 0; i != 20; ++i) {
            (void)peer.publish("t/" + std::to_string(i % 5), "x", qos::at_most_once);
            CHECK(peer.take<packets::publish>().topic_alias.value_or(1) != 0);
        }
    }
}

TEST_CASE("5.0/MQTT-3.3.2-10 5.0/MQTT-3.3.2-12: every alias from 1 to the maximum that was announced is accepted") {
    for (const role subject : both_roles) {
        for (const std::uint16_t maximum : {std::uint16_t{1}, std::uint16_t{20}, std::uint16_t{65'535}}) {
            core_script peer(subject, v5);
            peer.subject.limits.topic_alias_maximum = maximum;
            peer.begin();
            if (subject == role::client) {
                CHECK(peer.take<packets::connect>().properties.topic_alias_maximum == maximum);
                peer.send(packets::connack{});
            } else {
                peer.send(peer.default_connect());
                CHECK(peer.take<packets::connack>().properties.topic_alias_maximum == maximum);
            }
            for (const unsigned at : {1u, maximum / 2u + 1u, unsigned{maximum}}) {
                const auto alias = static_cast<std::uint16_t>(at);
                const std::string topic = "t/" + std::to_string(at);
                peer.send(packets::publish{.topic = topic, .topic_alias = alias});
                peer.send(packets::publish{.topic = "", .topic_alias = alias});
                REQUIRE_FALSE(peer.subject.messages.empty());
                CHECK(peer.subject.messages.back().topic == topic);
                peer.send(packets::publish{.topic = "other", .topic_alias = alias});  // changed
                peer.send(packets::publish{.topic = "", .topic_alias = alias});
                CHECK(peer.subject.messages.back().topic == "other");
            }
            CHECK_FALSE(peer.is_closed());
            if (maximum == 65'535) continue;
            peer.send(packets::publish{.topic = "t", .topic_alias = static_cast<std::uint16_t>(maximum + 1)});
            check_refused(peer, reason_code::topic_alias_invalid);
        }
    }
    // The broker's limit is the engine's.
    broker_options options;
    options.topic_alias_maximum = 7;
    broker_world world(options);
    auto& subscriber = world.connect(v5, "subscriber");
    CHECK(subscriber.subscribe("#") == reason_code::granted_qos_2);
    auto& publisher = world.connect(v5, "publisher");
    CHECK(world.connack.properties.topic_alias_maximum == std::uint16_t{7});
    for (std::uint16_t alias = 1; alias <= 7; ++alias) {
        publisher.send(packets::publish{.topic = std::to_string(alias), .topic_alias = alias});
    }
    for (std::uint16_t alias = 1; alias <= 7; ++alias) {
        publisher.send(packets::publish{.topic = "", .payload = "x", .topic_alias = alias});
    }
    CHECK(subscriber.messages() ==
          "1= q0, 2= q0, 3= q0, 4= q0, 5= q0, 6= q0, 7= q0, 1=x q0, 2=x q0, 3=x q0, 4=x q0, 5=x q0, 6=x q0, 7=x q0");
}

// ---- properties that are strings

TEST_CASE("5.0/MQTT-3.3.2-13 5.0/MQTT-3.3.2-14: a Response Topic is UTF-8 without wildcards") {
    for (const role subject : both_roles) {
        for (const auto& [topic, reason] :
             {std::pair("\xC3/b"sv, reason_code::malformed_packet), std::pair("a\0"sv, reason_code::malformed_packet),
              std::pair("a/#"sv, reason_code::protocol_error), std::pair("+/a"sv, reason_code::protocol_error),
              std::pair("abcdefghi+klmnop"sv, reason_code::protocol_error)}) {
            core_script peer(subject, v5);
            REQUIRE(open_resuming(peer, false));
            peer.send(packets::publish{.topic = "t", .properties = {.response_topic = topic}});
            check_refused(peer, reason);
            CHECK(peer.subject.messages.empty());
        }
        core_script peer(subject, v5);
        REQUIRE(open_resuming(peer, false));
        peer.send(packets::publish{.topic = "t", .properties = {.response_topic = "answers/\xC3\xBC"}});
        CHECK(peer.subject.messages.size() == 1);
    }
    // of a will, too
    broker_world world;
    auto hello = broker_world::hello(v5, "c");
    hello.will.emplace().topic = "w";
    hello.will->properties.response_topic = "a/+";
    auto& peer = world.dial(v5);
    peer.send(hello);
    CHECK(is_failure(peer.take<packets::connack>().reason));
    CHECK(peer.is_closed());
}

TEST_CASE("5.0/MQTT-3.3.2-19: a Content Type is UTF-8") {
    for (const role subject : both_roles) {
        for (const std::string_view bad : {"\xC3("sv, "\xED\xA0\x80"sv, "a\0b"sv}) {
            core_script peer(subject, v5);
            REQUIRE(open_resuming(peer, false));
            peer.send(packets::publish{.topic = "t", .properties = {.content_type = bad}});
            check_refused(peer, reason_code::malformed_packet);
            CHECK(peer.subject.messages.empty());
        }
        core_script peer(subject, v5);
        REQUIRE(open_resuming(peer, false));
        peer.send(packets::publish{.topic = "t", .properties = {.content_type = "text/\xC3\xBC"}});
        CHECK(peer.subject.messages.size() == 1);
    }
}

// ---- answers

TEST_CASE("5.0/MQTT-3.3.4-1 3.1.1/MQTT-3.3.4-1: QoS 0 has no answer, QoS 1 PUBACK, QoS 2 PUBREC") {
    for (const protocol_version version : every_version) {
        for (const role subject : both_roles) {
            core_script peer(subject, version);
            REQUIRE(open_resuming(peer, false));
            peer.send(packets::publish{.topic = "t", .payload = "0"});
            CHECK(peer.is_silent());
            peer.send(packets::publish{.topic = "t", .payload = "1", .qos = qos::at_least_once, .id = packet_id{5}});
            CHECK(peer.rest() == "40 02 00 05");
            peer.send(packets::publish{.topic = "t", .payload = "2", .qos = qos::exactly_once, .id = packet_id{6}});
            CHECK(peer.rest() == "50 02 00 06");
            CHECK(peer.subject.messages.size() == 3);
        }
        broker_world world;
        auto& peer = world.connect(version, "c");
        CHECK(peer.subscribe("t", qos::at_most_once) == reason_code::success);
        peer.send(packets::publish{.topic = "t", .payload = "0"});
        CHECK(peer.messages() == "t=0 q0");
        peer.send(packets::publish{.topic = "t", .payload = "1", .qos = qos::at_least_once, .id = packet_id{5}});
        CHECK(peer.message().payload == "1");
        CHECK(peer.rest() == "40 02 00 05");
        peer.send(packets::publish{.topic = "t", .payload = "2", .qos = qos::exactly_once, .id = packet_id{6}});
        CHECK(peer.message().payload == "2");
        CHECK(peer.rest() == "50 02 00 06");
    }
}

TEST_CASE("5.0/MQTT-3.3.4-6: a Subscription Identifier from a client is a Protocol Error; it is not passed on") {
    broker_world world;
    auto& subscriber = world.connect(v5, "subscriber");
    CHECK(subscriber.subscribe("t") == reason_code::granted_qos_2);
    auto& rude = world.connect(v5, "rude");
    rude.send("30 06 00 01 't' 02 0B 07");
    CHECK(rude.take<packets::disconnect>().reason == reason_code::protocol_error);
    CHECK(rude.is_closed());
    CHECK(subscriber.is_silent());

    // A client that passes on what it has received does not pass on the identifiers.
    core_script peer(role::client, v5);
    REQUIRE(open_resuming(peer, false));
    const std::uint32_t ids[] = {1, 268'435'455};
    packets::publish message{.topic = "t", .payload = "x"};
    message.subscription_identifiers = std::span<const std::uint32_t>(ids);
    message.properties.content_type = "c";
    const std::string encoded = encode(message, v5);
    const auto received = decode(encoded, v5, role::client);
    REQUIRE(verdict(received) == "ok");
    const auto& got = std::get<packets::publish>(received.packet);
    CHECK(got.subscription_identifiers.size() == 2);
    const auto again = core::outgoing_message::create(got, peer.now.wall);
    CHECK(peer.subject.connection->send({again, {}, 0, qos::at_most_once, false}) == core::send_result::sent);
    peer.run();
    const auto sent = peer.take<packets::publish>();
    CHECK(sent.properties.content_type == "c");
    CHECK(sent.subscription_identifiers.empty());
}

// ---- Receive Maximum

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
            REQUIRE(open_resuming(peer, false));
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

// ---- reason codes of the acknowledgements

namespace {

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
            REQUIRE(open_resuming(peer, false));
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
    REQUIRE(open_resuming(peer, false));
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
        REQUIRE(open_resuming(peer, false));
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
            REQUIRE(open_resuming(sender, false));
            (void)sender.publish("t", "x", qos::exactly_once);
            sender.forget();
            sender.send("50 02 00 01");
            CHECK(sender.rest() == "62 02 00 01");
            for (int flags = 0; flags != 16; ++flags) {
                core_script peer(subject, version);
                REQUIRE(open_resuming(peer, false));
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
