// Sections 3.8 and 3.9: SUBSCRIBE and SUBACK.
#include "conformance/broker_world.hpp"

#include <set>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

broker_peer& subscriber_of(broker_world& world, protocol_version version) { return world.connect(version, "c"); }

// The reasons of the SUBACK to a SUBSCRIBE with these filters.
std::vector<reason_code> granted(broker_peer& peer, const std::vector<subscription_request>& wanted) {
    const packets::subscribe packet{peer.next_id(), wanted, {}};
    peer.send(packet);
    const auto suback = peer.take<packets::suback>();
    CHECK(suback.id == packet.id);
    return suback.reasons;
}

constexpr reason_code refused_in(protocol_version version, reason_code reason) {
    return version == v5 ? reason : reason_code::unspecified_error;
}

}  // namespace

// ---- SUBSCRIBE

TEST_CASE(
    "5.0/MQTT-3.8.1-1 5.0/MQTT-3.10.1-1 3.1.1/MQTT-3.8.1-1 3.1.1/MQTT-3.10.1-1: SUBSCRIBE and UNSUBSCRIBE have "
    "the flags 0010, others close the connection") {
    for (const protocol_version version : since_v3_1_1) {
        for (const bool is_subscribe : {true, false}) {
            const std::string good = is_subscribe ? encode(packets::subscribe{packet_id{1}, {{"t"}}, {}}, version)
                                                  : encode(packets::unsubscribe{packet_id{1}, {"t"}, {}}, version);
            CHECK((static_cast<unsigned char>(good[0]) & 0xF) == 2);
            for (unsigned flags = 0; flags != 16; ++flags) {
                broker_world world;
                auto& peer = subscriber_of(world, version);
                std::string packet = good;
                packet[0] = static_cast<char>((static_cast<unsigned char>(good[0]) & 0xF0U) | flags);
                peer.send_bytes(packet);
                if (flags == 2) {
                    CHECK(peer.count() == 1);
                    CHECK_FALSE(peer.is_closed());
                    continue;
                }
                if (peer.is_v5()) CHECK(peer.take<packets::disconnect>().reason == reason_code::malformed_packet);
                CHECK(peer.is_silent());
                CHECK(peer.is_closed());
                CHECK(world.engine.count().subscriptions == 0);
            }
        }
    }
    // A client sends them so.
    core_script peer(role::client, v5);
    REQUIRE(peer.open());
    CHECK_FALSE(peer.subject.connection->subscribe({{}, {{"t"}}, {}}, 1));
    CHECK_FALSE(peer.subject.connection->unsubscribe({{}, {"t"}, {}}, 1));
    peer.run();
    CHECK(peer.next().starts_with("82 "));
    CHECK(peer.next().starts_with("A2 "));
}

TEST_CASE(
    "5.0/MQTT-3.8.3-1 5.0/MQTT-3.10.3-1 3.1.1/MQTT-3.8.3-1 3.1.1/MQTT-3.10.3-1: filters are UTF-8, one after the "
    "other") {
    for (const protocol_version version : every_version) {
        for (const std::string_view bad : {"\xC3("sv, "a/\xED\xA0\x80"sv, "a\0"sv}) {
            for (const packet& p : {packet(packets::subscribe{packet_id{1}, {{"good"}, {bad}}, {}}),
                                    packet(packets::unsubscribe{packet_id{1}, {"good", bad}, {}})}) {
                broker_world world;
                auto& peer = subscriber_of(world, version);
                peer.send(p);
                if (peer.is_v5()) CHECK(peer.take<packets::disconnect>().reason == reason_code::malformed_packet);
                CHECK(peer.is_silent());
                CHECK(peer.is_closed());
                CHECK(world.engine.count().subscriptions == 0);
            }
            CHECK_FALSE(is_valid_topic_filter(bad));
        }
        const bool is_v5 = version == v5;
        CHECK(hex(encode(packets::unsubscribe{packet_id{10}, {"a/b", "c/d"}, {}}, version)) ==
              (is_v5 ? "A2 0D 00 0A 00 00 03 61 2F 62 00 03 63 2F 64" : "A2 0C 00 0A 00 03 61 2F 62 00 03 63 2F 64"));
        CHECK(hex(encode(packets::subscribe{packet_id{10}, {{"a/b", qos::at_least_once}, {"c", qos::exactly_once}}, {}},
                         version)) ==
              (is_v5 ? "82 0D 00 0A 00 00 03 61 2F 62 01 00 01 63 02" : "82 0C 00 0A 00 03 61 2F 62 01 00 01 63 02"));
        broker_world world;
        auto& peer = subscriber_of(world, version);
        CHECK(peer.subscribe("\xC3\xBC/\xEF\xBB\xBF") == reason_code::granted_qos_2);
    }
}

TEST_CASE(
    "5.0/MQTT-3.8.3-2 5.0/MQTT-3.10.3-2 3.1.1/MQTT-3.8.3-3 3.1.1/MQTT-3.10.3-2: a request without a filter closes") {
    for (const protocol_version version : every_version) {
        for (const char* const head : {"82", "A2"}) {
            broker_world world;
            auto& peer = subscriber_of(world, version);
            peer.send((std::string(head) + (peer.is_v5() ? " 03 00 01 00" : " 02 00 01")).c_str());
            if (peer.is_v5()) CHECK(peer.take<packets::disconnect>().reason == reason_code::protocol_error);
            CHECK(peer.is_silent());
            CHECK(peer.is_closed());
        }
    }
}

TEST_CASE("5.0/MQTT-3.8.3-3: with No Local a subscription brings nothing of its own client") {
    broker_world world;
    auto& peer = world.connect(broker_world::resuming(v5, "c"));
    CHECK(peer.subscribe({.filter = "own/#", .qos = qos::exactly_once, .no_local = true}) ==
          reason_code::granted_qos_2);
    CHECK(peer.subscribe({.filter = "all/#", .qos = qos::exactly_once}) == reason_code::granted_qos_2);
    auto& other = world.connect(v5, "other");
    for (const qos q : every_qos) {
        CHECK_FALSE(is_failure(peer.publish("own/1", "mine", q)));
        CHECK(peer.is_silent());
        CHECK(other.publish("own/1", "theirs", q) == reason_code::success);
        CHECK(peer.messages() == "own/1=theirs q" + name(q));
    }
    CHECK(peer.publish("all/1", "mine", qos::at_most_once) == reason_code::success);
    CHECK(peer.messages() == "all/1=mine q0");
    // Where both match, the other one brings it.
    CHECK(peer.subscribe("own/+", qos::at_most_once) == reason_code::success);
    CHECK(peer.publish("own/1", "mine", qos::at_most_once) == reason_code::success);
    CHECK(peer.messages() == "own/1=mine q0");
    CHECK(peer.unsubscribe("own/+") == reason_code::success);
    // It goes by the client id, not by the connection.
    peer.send(packets::publish{.topic = "own/1", .payload = "mine", .qos = qos::at_least_once, .id = packet_id{1}});
    peer.forget();
    peer.cut();
    auto& again = world.connect(broker_world::resuming(v5, "c"));
    CHECK_FALSE(is_failure(again.publish("own/1", "mine", qos::at_least_once)));
    CHECK(again.is_silent());
}

TEST_CASE("5.0/MQTT-3.8.3-4: No Local on a shared subscription is a Protocol Error") {
    broker_world world;
    auto& peer = subscriber_of(world, v5);
    peer.send(packets::subscribe{packet_id{1}, {{.filter = "t"}, {.filter = "$share/g/t", .no_local = true}}, {}});
    CHECK(peer.take<packets::disconnect>().reason == reason_code::protocol_error);
    CHECK(peer.is_silent());
    CHECK(peer.is_closed());
    CHECK(world.engine.count().subscriptions == 0);
}

TEST_CASE("5.0/MQTT-3.8.3-5 3.1.1/MQTT-3.8.3-4: reserved bits of the options and QoS 3 close the connection") {
    for (const protocol_version version : since_v3_1_1) {
        for (unsigned options = 0; options != 256; ++options) {
            CAPTURE(options);
            const bool reserved = (options & (version == v5 ? 0xC0U : 0xFCU)) != 0;
            const bool faulty = reserved || (options & 3) == 3 || (version == v5 && (options & 0x30) == 0x30);
            broker_world world;
            auto& peer = subscriber_of(world, version);
            peer.send_bytes(bytes(peer.is_v5() ? "82 07 00 01 00 00 01 't'" : "82 06 00 01 00 01 't'") +
                            static_cast<char>(options));
            CHECK(peer.is_closed() == faulty);
            if (!faulty) {
                CHECK(peer.take<packets::suback>().reasons ==
                      std::vector{reason_code{static_cast<std::uint8_t>(options & 3)}});
            } else if (peer.is_v5()) {
                CHECK(peer.take<packets::disconnect>().reason ==
                      (reserved ? reason_code::malformed_packet : reason_code::protocol_error));
            }
            CHECK(peer.is_silent());
        }
        // A client sets no bit that is reserved.
        for (const qos q : every_qos) {
            subscription_request wanted{.filter = "t",
                                        .qos = q,
                                        .no_local = true,
                                        .retain_as_published = true,
                                        .retain_handling = retain_handling::do_not_send};
            const std::string packet = encode(packets::subscribe{packet_id{1}, {wanted}, {}}, version);
            CHECK(static_cast<unsigned char>(packet.back()) == (version == v5 ? 0x2C + to_number(q) : to_number(q)));
        }
    }
}

TEST_CASE("3.1.1/MQTT-3.8.3-2: a server without wildcards refuses every filter that has one") {
    broker_options options;
    options.wildcard_subscription_available = false;
    for (const protocol_version version : since_v3_1_1) {
        broker_world world(options);
        auto& peer = subscriber_of(world, version);
        if (peer.is_v5()) CHECK(world.connack.properties.wildcard_subscription_available == false);
        const auto refused = refused_in(version, reason_code::wildcard_subscriptions_not_supported);
        CHECK(granted(peer, {{"#"}, {"a"}, {"a/+"}, {"+"}, {"a/#"}}) ==
              std::vector{refused, reason_code::success, refused, refused, refused});
        world.publish("a", "x", qos::at_most_once);
        world.publish("b", "x", qos::at_most_once);
        CHECK(peer.messages() == "a=x q0");
    }
}

// ---- SUBACK

TEST_CASE(
    "5.0/MQTT-3.8.4-1 5.0/MQTT-3.8.4-2 5.0/MQTT-2.2.1-6 3.1.1/MQTT-3.8.4-1 3.1.1/MQTT-3.8.4-2 3.1.1/MQTT-2.3.1-7 "
    "5.0/MQTT-3.10.4-4 3.1.1/MQTT-3.10.4-4: each request is answered with its packet identifier") {
    for (const protocol_version version : every_version) {
        for (const bool durable : {false, true}) {
            broker_world world({}, durable);
            auto& peer = subscriber_of(world, version);
            for (const std::uint16_t id :
                 {std::uint16_t{1}, std::uint16_t{0x1234}, std::uint16_t{0xFFFF}, std::uint16_t{1}}) {
                peer.send(packets::subscribe{packet_id{id}, {{"t"}}, {}});
                CHECK(peer.take<packets::suback>().id == packet_id{id});
                CHECK(peer.is_silent());
                peer.send(packets::unsubscribe{packet_id{id}, {"t"}, {}});
                CHECK(peer.take<packets::unsuback>().id == packet_id{id});
                CHECK(peer.is_silent());
            }
            // several at once, refused ones among them
            std::string many;
            for (std::uint16_t id = 1; id <= 20; ++id) {
                many += encode(packets::subscribe{packet_id{id}, {{id % 2 == 0 ? "t" : "a#"}}, {}}, version);
                if (version == protocol_version::v3_1 && id % 2 == 1) many.clear();  // where it closes
            }
            peer.send_bytes(many);
            const std::size_t answers = peer.count();
            for (std::size_t i = 0; i != answers; ++i) {
                const auto id = to_number(peer.take<packets::suback>().id);
                CHECK(id == (version == protocol_version::v3_1 ? 20 : i + 1));
            }
            CHECK(answers == (version == protocol_version::v3_1 ? 1 : 20));
        }
    }
}

TEST_CASE("5.0/MQTT-3.8.4-3 3.1.1/MQTT-3.8.4-3: SUBSCRIBE with the same filter takes the subscription's place") {
    for (const protocol_version version : every_version) {
        broker_world world;
        world.publish("t", "kept", qos::exactly_once, true);
        auto& peer = subscriber_of(world, version);
        auto& publisher = world.connect(version, "publisher");
        for (const qos q : {qos::at_most_once, qos::exactly_once, qos::at_least_once}) {
            CHECK_FALSE(is_failure(peer.subscribe("t", q)));
            CHECK(peer.messages() == "t=kept q" + name(q) + " retain");  // again
            CHECK(publisher.publish("t", "x", qos::exactly_once) == reason_code::success);
            CHECK(peer.messages() == "t=x q" + name(q));  // one copy
            CHECK(world.engine.count().subscriptions == 1);
        }
    }
}

TEST_CASE("5.0/MQTT-3.8.4-3: options and Subscription Identifier take the new values, absent ones included") {
    broker_world world;
    auto& peer = subscriber_of(world, v5);
    CHECK(peer.subscribe({.filter = "t", .qos = qos::exactly_once, .no_local = true, .retain_as_published = true}, 7) ==
          reason_code::granted_qos_2);
    auto& other = world.connect(v5, "other");
    CHECK(other.publish("t", "x", qos::at_most_once, true) == reason_code::success);
    auto got = peer.message();
    CHECK(got.retain);
    CHECK(got.subscription_identifiers.size() == 1);
    CHECK_FALSE(is_failure(peer.publish("t", "mine", qos::at_most_once)));
    CHECK(peer.is_silent());

    CHECK(peer.subscribe({.filter = "t", .qos = qos::at_least_once, .retain_handling = retain_handling::do_not_send}) ==
          reason_code::granted_qos_1);
    CHECK(other.publish("t", "x", qos::exactly_once, true) == reason_code::success);
    got = peer.message();
    CHECK_FALSE(got.retain);
    CHECK(got.qos == qos::at_least_once);
    CHECK(got.subscription_identifiers.empty());
    CHECK(peer.publish("t", "mine", qos::at_most_once) == reason_code::success);
    CHECK(peer.messages() == "t=mine q0");
    CHECK(world.engine.count().subscriptions == 1);

    // A shared subscription with the same filter is another one.
    CHECK(peer.subscribe("$share/g/t") == reason_code::granted_qos_2);
    CHECK(world.engine.count().subscriptions + world.engine.count().shared_subscriptions >= 2);
    CHECK(other.publish("t", "x", qos::at_most_once) == reason_code::success);
    CHECK(peer.messages() == "t=x q0, t=x q0");
}

TEST_CASE("5.0/MQTT-3.8.4-4 3.1.1/MQTT-3.8.4-3: no message is lost while a subscription is replaced") {
    for (const protocol_version version : every_version) {
        broker_world world;
        world.publish("t", "kept", qos::at_least_once, true);
        auto hello = broker_world::resuming(version, "c");
        if (version == v5) hello.properties.receive_maximum = std::uint16_t{2};
        auto& peer = world.connect(hello);
        CHECK(peer.subscribe("t", qos::exactly_once) == reason_code::granted_qos_2);
        CHECK(peer.messages() == "t=kept q1 retain");
        std::string expected;
        for (int i = 0; i != 6; ++i) {
            world.publish("t", std::to_string(i), acknowledged_qos[i % 2]);
            expected += (i == 0 ? "t=" : ", t=") + std::to_string(i) + " q" + name(acknowledged_qos[i % 2]);
        }
        // Some are under way, some wait for their turn.
        peer.send(packets::subscribe{packet_id{1}, {{"t", qos::at_least_once}}, {}});
        std::string before;
        std::vector<packets::publish> taken;
        while (peer.peek() == packet_type::publish)
            taken.push_back(peer.message());
        CHECK(peer.take<packets::suback>().id == packet_id{1});
        for (const auto& message : taken) {
            before += (before.empty() ? "" : ", ") + to_text(message);
            peer.acknowledge(message);
        }
        const std::string after = peer.messages();
        std::string all = before + (after.empty() ? "" : ", " + after);
        const auto at = all.find("t=kept q1 retain");
        REQUIRE(at != std::string::npos);  // again, somewhere behind the SUBACK
        CHECK(at >= before.size());
        all.erase(at, "t=kept q1 retain, "s.size());
        if (all.ends_with(", ")) all.resize(all.size() - 2);
        CHECK(all == expected);
        world.publish("t", "new", qos::exactly_once);
        CHECK(peer.messages() == "t=new q1");
    }
}

TEST_CASE(
    "5.0/MQTT-3.8.4-5 3.1.1/MQTT-3.8.4-4 5.0/MQTT-3.8.4-6 3.1.1/MQTT-3.8.4-5: several filters are as several "
    "SUBSCRIBEs with one SUBACK, which has a code for each") {
    for (const protocol_version version : every_version) {
        broker_world world;
        world.publish("a", "kept a", qos::at_least_once, true);
        world.publish("b", "kept b", qos::at_least_once, true);
        auto& peer = subscriber_of(world, version);
        CHECK(
            granted(peer, {{"a", qos::exactly_once}, {"b", qos::at_most_once}, {"a", qos::at_least_once}, {"none"}}) ==
            std::vector{reason_code::granted_qos_2, reason_code::success, reason_code::granted_qos_1,
                        reason_code::success});
        std::multiset<std::string> got;
        while (!peer.is_silent()) {
            const auto message = peer.message();
            got.insert(to_text(message));
            peer.acknowledge(message);
        }
        CHECK(got.contains("a=kept a q1 retain"));
        CHECK(got.count("b=kept b q0 retain") == 1);
        CHECK(world.engine.count().subscriptions == 3);  // the later "a" has taken the earlier one's place
        world.publish("a", "x", qos::exactly_once);
        CHECK(peer.messages() == "a=x q1");
    }
}

TEST_CASE(
    "5.0/MQTT-3.8.4-7 5.0/MQTT-3.9.3-1 5.0/MQTT-3.9.3-2 3.1.1/MQTT-3.8.4-5 3.1.1/MQTT-3.9.3-1 3.1.1/MQTT-3.9.3-2: "
    "SUBACK says in order what was granted, or why not, in the codes that are its own") {
    const std::set<unsigned> own_v5{0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};
    for (const protocol_version version : since_v3_1_1) {
        broker_options options;
        options.shared_subscription_available = false;
        const auto rights = std::make_shared<scripted_rights>();
        rights->answer = [](const authentication_request&) { return authentication_answer{}; };
        rights->subscribing = [](std::string_view filter) { return filter != "secret"; };
        options.authenticator = rights;
        for (unsigned code = 0x80; code != 0x100; ++code) {
            options.deny_subscribe.push_back(
                {"denied/" + std::to_string(code), reason_code{static_cast<std::uint8_t>(code)}});
        }
        broker_world world(options);
        auto& peer = subscriber_of(world, version);
        CHECK(granted(peer, {{"two", qos::exactly_once},
                             {"secret", qos::exactly_once},
                             {"zero", qos::at_most_once},
                             {"a#", qos::at_most_once},
                             {"one", qos::at_least_once},
                             {"$share/g/t", qos::at_least_once}}) ==
              std::vector{reason_code::granted_qos_2, refused_in(version, reason_code::not_authorized),
                          reason_code::success, refused_in(version, reason_code::topic_filter_invalid),
                          reason_code::granted_qos_1,
                          refused_in(version, reason_code::shared_subscriptions_not_supported)});
        for (unsigned code = 0x80; code != 0x100; ++code) {
            CAPTURE(code);
            const auto said = static_cast<unsigned>(peer.subscribe("denied/" + std::to_string(code)));
            CHECK(said >= 0x80);
            if (version == v5) {
                CHECK(own_v5.contains(said));
                if (own_v5.contains(code)) CHECK(said == code);
            } else {
                CHECK(said == 0x80);
            }
        }
        CHECK(world.engine.count().subscriptions == 3);
        // A client takes no other code.
        for (unsigned code = 0; code != 256; ++code) {
            core_script client(role::client, version);
            REQUIRE(client.open());
            CHECK_FALSE(client.subject.connection->subscribe({{}, {{"t"}}, {}}, 1));
            client.run();
            client.forget();
            client.send_bytes(bytes(version == v5 ? "90 04 00 01 00" : "90 03 00 01") + static_cast<char>(code));
            const bool legal = version == v5 ? own_v5.contains(code) : code <= 2 || code == 0x80;
            CHECK(client.is_closed() == !legal);
        }
    }
}

TEST_CASE(
    "5.0/MQTT-3.8.4-8 3.1.1/MQTT-3.8.4-6: messages come at the lower of their own QoS and the one that was granted") {
    for (const protocol_version version : every_version) {
        for (const qos granted_qos : every_qos) {
            broker_world world;
            auto& peer = world.connect(broker_world::resuming(version, "c"));
            CHECK(peer.subscribe("t", granted_qos) == reason_code{to_number(granted_qos)});
            auto& publisher = world.connect(version, "publisher");
            for (const qos q : every_qos) {
                CHECK(publisher.publish("t", "x", q, true) == reason_code::success);
                CHECK(peer.messages() == "t=x q" + name(min(q, granted_qos)));
                CHECK_FALSE(is_failure(peer.subscribe("t", granted_qos)));
                CHECK(peer.messages() == "t=x q" + name(min(q, granted_qos)) + " retain");
            }
            peer.cut();
            CHECK(publisher.publish("t", "x", qos::exactly_once) == reason_code::success);
            CHECK(world.connect(broker_world::resuming(version, "c")).messages() ==
                  (granted_qos == qos::at_most_once ? "" : "t=x q" + name(granted_qos)));
        }
    }
    broker_options options;
    options.maximum_qos = qos::at_least_once;
    broker_world world(options);
    auto& peer = subscriber_of(world, v5);
    CHECK(peer.subscribe("t", qos::exactly_once) == reason_code::granted_qos_1);  // lower than asked for
}

namespace {

// What a broker's core sends with Reason String and User Property to a client that takes packets of so many bytes.
std::string explained(bool is_suback, std::uint32_t maximum, bool reason_string, bool user_property_too) {
    core_script peer(role::broker, v5);
    auto connect = peer.default_connect();
    connect.properties.maximum_packet_size = maximum;
    REQUIRE(peer.open(connect));
    const std::vector<user_property> pairs{{"name", "value"}};
    ack_properties properties;
    if (reason_string) properties.reason_string = "because";
    if (user_property_too) properties.user_properties = pairs;
    const reason_code reasons[] = {reason_code::not_authorized};
    if (is_suback) {
        peer.subject.connection->suback(packet_id{1}, reasons, properties);
    } else {
        peer.subject.connection->unsuback(packet_id{1}, reasons, properties);
    }
    peer.run();
    return bytes(peer.next());
}

}  // namespace

TEST_CASE(
    "5.0/MQTT-3.9.2-1 5.0/MQTT-3.9.2-2 5.0/MQTT-3.11.2-1 5.0/MQTT-3.11.2-2: Reason String and User Properties go "
    "before SUBACK or UNSUBACK is too large") {
    for (const bool is_suback : {true, false}) {
        const std::string bare = explained(is_suback, 1000, false, false);
        CHECK(bare.size() == 6);
        for (const auto& [reason_string, user_property_too] :
             {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
            const std::string whole = explained(is_suback, 1000, reason_string, user_property_too);
            CHECK(whole.size() == 6u + (reason_string ? 10u : 0u) + (user_property_too ? 14u : 0u));
            for (std::uint32_t maximum = 6; maximum <= whole.size(); ++maximum) {
                const std::string sent = explained(is_suback, maximum, reason_string, user_property_too);
                CHECK(sent.size() <= maximum);
                CHECK(sent.back() == '\x87');
                if (maximum == whole.size()) CHECK(sent == whole);
                if (reason_string && maximum >= 16) CHECK(hex(sent).find("1F 00 07") != std::string::npos);
            }
        }
    }
}
