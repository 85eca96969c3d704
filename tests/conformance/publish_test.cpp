// Section 3.3: PUBLISH. Receive Maximum stands in publish_receive_maximum_test.cpp, retained messages in
// publish_retain_test.cpp, what the server passes on in publish_forward_test.cpp, acknowledgements in
// acknowledgement_test.cpp.
#include "conformance/broker_world.hpp"

#include <span>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

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
                REQUIRE(peer.open_resuming(false));
                (void)peer.publish("t", "x", q);
                CHECK_FALSE(peer.take<packets::publish>().dup);
                for (int i = 0; i != 3; ++i) {
                    REQUIRE(peer.open_resuming(true));
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
            REQUIRE(peer.open_resuming(false));
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
                REQUIRE(peer.open_resuming(false));
                peer.send_bytes(first + bytes(version == v5 ? "07 00 01 't' 00 01 00 'x'" : "06 00 01 't' 00 01 'x'"));
                check_refused(peer, reason_code::malformed_packet);
                CHECK(peer.subject.messages.empty());
            }
            for (const qos q : every_qos) {
                core_script peer(subject, version);
                REQUIRE(peer.open_resuming(false));
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
            REQUIRE(peer.open_resuming(false));
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
            REQUIRE(other.open_resuming(false));
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
                    REQUIRE(peer.open_resuming(false));
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
        REQUIRE(peer.open_resuming(false));
        peer.send(packets::publish{.topic = "a/b", .payload = "1", .topic_alias = std::uint16_t{5}});
        peer.send(packets::publish{.topic = "", .payload = "2", .topic_alias = std::uint16_t{5}});
        REQUIRE(peer.subject.messages.size() == 2);
        CHECK(peer.subject.messages[1].topic == "a/b");

        REQUIRE(peer.open_resuming(true));
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
        REQUIRE(peer.open_resuming(false));
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
            REQUIRE(peer.open_resuming(false));
            peer.send(packets::publish{.topic = "t", .properties = {.response_topic = topic}});
            check_refused(peer, reason);
            CHECK(peer.subject.messages.empty());
        }
        core_script peer(subject, v5);
        REQUIRE(peer.open_resuming(false));
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
            REQUIRE(peer.open_resuming(false));
            peer.send(packets::publish{.topic = "t", .properties = {.content_type = bad}});
            check_refused(peer, reason_code::malformed_packet);
            CHECK(peer.subject.messages.empty());
        }
        core_script peer(subject, v5);
        REQUIRE(peer.open_resuming(false));
        peer.send(packets::publish{.topic = "t", .properties = {.content_type = "text/\xC3\xBC"}});
        CHECK(peer.subject.messages.size() == 1);
    }
}

// ---- answers

TEST_CASE("5.0/MQTT-3.3.4-1 3.1.1/MQTT-3.3.4-1: QoS 0 has no answer, QoS 1 PUBACK, QoS 2 PUBREC") {
    for (const protocol_version version : every_version) {
        for (const role subject : both_roles) {
            core_script peer(subject, version);
            REQUIRE(peer.open_resuming(false));
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
    REQUIRE(peer.open_resuming(false));
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
