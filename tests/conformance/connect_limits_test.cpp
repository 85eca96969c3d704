// Sections 3.1.2.10, 3.1.2.11 and 3.2.2.3: keep-alive, and the limits that both sides announce.
#include "conformance/broker_world.hpp"

#include <algorithm>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

packets::connack connack_with(connack_properties properties) {
    packets::connack connack;
    connack.properties = properties;
    return connack;
}

// A client of MQTT 5 whose server has these limits.
void open_with(core_script& peer, const connack_properties& properties) {
    REQUIRE(peer.open(peer.default_connect(), connack_with(properties)));
}

// CONNACK as a broker's core sends it to a client that takes packets of so many bytes.
std::string accepted(std::uint32_t maximum_packet_size, const packets::connack& answer) {
    instant now{};
    core::buffer_pool pool;
    core::changes journal;
    core::session state(journal, core::session_key{1});
    core::connection subject(role::broker, {}, pool, now);
    auto hello = broker_world::hello(v5, "c");
    hello.properties.maximum_packet_size = maximum_packet_size;
    const std::string bytes = encode(hello, v5);
    subject.receive(bytes);
    core::event event;
    REQUIRE(subject.next_event(event));
    subject.accept(state, answer);
    std::string_view view[8];
    std::string out;
    const auto count = subject.out().gather(view);
    for (std::size_t i = 0; i != count; ++i)
        out += view[i];
    return out;
}

}  // namespace

// ---- keep-alive

TEST_CASE("5.0/MQTT-3.1.2-20 3.1.1/MQTT-3.1.2-23: a client that has sent nothing for the Keep Alive sends PINGREQ") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        core_script peer(role::client, version);
        auto connect = peer.default_connect();
        connect.keep_alive = 10;
        REQUIRE(peer.open(connect));
        peer.advance(9'999ms);
        CHECK(peer.is_silent());
        peer.advance(1ms);
        CHECK(peer.next() == "C0 00");
        peer.send("D0 00");

        // Any packet counts.
        peer.advance(6s);
        (void)peer.publish("t", "x", qos::at_most_once);
        CHECK(peer.next().starts_with("30 "));
        peer.advance(9'999ms);
        CHECK(peer.is_silent());
        peer.advance(1ms);
        CHECK(peer.next() == "C0 00");
        peer.send("D0 00");

        // What is received does not.
        for (int i = 0; i != 9; ++i) {
            peer.advance(1s);
            peer.send(packets::publish{.topic = "t"});
        }
        CHECK(peer.is_silent());
        peer.advance(1s);
        CHECK(peer.next() == "C0 00");
        CHECK_FALSE(peer.is_closed());
    }
    core_script off(role::client, v5);
    REQUIRE(off.open());
    off.advance(24h);
    CHECK(off.is_silent());
}

TEST_CASE("5.0/MQTT-3.1.2-21 5.0/MQTT-3.2.2-21: Server Keep Alive takes the place of the client's") {
    for (const auto& [own, servers, expected] : {std::tuple(60, 5, 5s), std::tuple(5, 60, 60s), std::tuple(0, 7, 7s)}) {
        core_script peer(role::client, v5);
        auto connect = peer.default_connect();
        connect.keep_alive = static_cast<std::uint16_t>(own);
        connack_properties properties;
        properties.server_keep_alive = static_cast<std::uint16_t>(servers);
        REQUIRE(peer.open(connect, connack_with(properties)));
        peer.advance(expected - 1ms);
        CHECK(peer.is_silent());
        peer.advance(1ms);
        CHECK(peer.next() == "C0 00");
    }
    core_script off(role::client, v5);
    auto connect = off.default_connect();
    connect.keep_alive = 10;
    connack_properties properties;
    properties.server_keep_alive = std::uint16_t{0};
    REQUIRE(off.open(connect, connack_with(properties)));
    off.advance(24h);
    CHECK(off.is_silent());
}

TEST_CASE(
    "5.0/MQTT-3.1.2-22 5.0/MQTT-3.2.2-22 3.1.1/MQTT-3.1.2-24: after 1.5 times Keep Alive without a packet the server "
    "closes") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        broker_world world;
        auto& watcher = world.connect(version, "watcher");
        CHECK(watcher.subscribe("w") == reason_code::granted_qos_2);
        auto hello = broker_world::resuming(version, "c");
        hello.keep_alive = 10;
        hello.will.emplace().topic = "w";
        auto& silent = world.connect(hello);
        CHECK_FALSE(world.connack.properties.server_keep_alive);
        CHECK(silent.subscribe("t") == reason_code::granted_qos_2);
        world.advance(14'999ms);
        CHECK_FALSE(silent.is_closed());
        CHECK(silent.is_silent());
        world.advance(1ms);
        CHECK(silent.is_closed());
        if (silent.is_v5()) CHECK(silent.take<packets::disconnect>().reason == reason_code::keep_alive_timeout);
        CHECK(silent.is_silent());
        CHECK(watcher.messages() == "w= q0");

        // The session is kept, as after a failure of the network. Any packet counts, whole or not.
        world.publish("t", "x", qos::at_least_once);
        auto& peer = world.connect(hello);
        CHECK(peer.messages() == "t=x q1");
        for (int i = 0; i != 10; ++i) {
            world.advance(14'999ms);
            peer.send(i % 2 == 0 ? "C0 00" : "40 02 00 01");
            peer.forget();
        }
        CHECK_FALSE(peer.is_closed());
    }
    broker_world world;
    auto& off = world.connect(v5, "c");
    world.advance(24h * 365);
    CHECK_FALSE(off.is_closed());
}

TEST_CASE("5.0/MQTT-3.1.2-22: a server that sets Server Keep Alive goes by it") {
    broker_options options;
    options.keep_alive_max = 20;
    for (const auto& [own, announced, lasts] :
         {std::tuple(60, true, 30s), std::tuple(0, true, 30s), std::tuple(10, false, 15s)}) {
        broker_world world(options);
        auto hello = broker_world::hello(v5, "c");
        hello.keep_alive = static_cast<std::uint16_t>(own);
        auto& peer = world.connect(hello);
        CHECK(world.connack.properties.server_keep_alive.has_value() == announced);
        if (announced) CHECK(*world.connack.properties.server_keep_alive == 20);
        world.advance(lasts - 1ms);
        CHECK_FALSE(peer.is_closed());
        world.advance(1ms);
        CHECK(peer.is_closed());
    }
}

// ---- Maximum Packet Size

TEST_CASE("5.0/MQTT-3.1.2-24 5.0/MQTT-3.1.2-25: what is larger than the client takes is dropped as if delivered") {
    for (const qos q : every_qos) {
        for (const bool connected : {true, false}) {
            CAPTURE(name(q));
            CAPTURE(connected);
            broker_world world;
            // fixed header, topic, packet id, Property Length
            const std::size_t overhead = 2 + 3 + (q == qos::at_most_once ? 0 : 2) + 1;
            auto hello = broker_world::resuming(v5, "c");
            hello.properties.maximum_packet_size = 100;
            hello.properties.receive_maximum = std::uint16_t{1};
            auto* peer = &world.connect(hello);
            CHECK(peer->subscribe("t") == reason_code::granted_qos_2);
            if (!connected) peer->cut();
            const std::string fits(100 - overhead, 'x');
            for (int i = 0; i != 3; ++i)
                world.publish("t", fits + "y", q);
            world.publish("t", fits, q);
            world.publish("t", "later", q);
            if (!connected) {
                peer = &world.connect(hello);
                if (q == qos::at_most_once) continue;
            }
            const auto first = peer->message();
            CHECK(first.payload == fits);
            if (q != qos::at_most_once) CHECK(first.id == packet_id{1});
            peer->acknowledge(first);
            CHECK(peer->messages() == "t=later q" + name(q));
            CHECK(world.engine.count().sessions_connected == 1);
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.2-24: retained messages and SUBACK keep to the client's Maximum Packet Size, too") {
    broker_world world;
    world.publish("r/large", std::string(200, 'x'), qos::at_most_once, true);
    world.publish("r/small", "x", qos::at_most_once, true);
    auto hello = broker_world::hello(v5, "c");
    hello.properties.maximum_packet_size = 100;
    auto& peer = world.connect(hello);
    CHECK(peer.subscribe("r/#") == reason_code::granted_qos_2);
    CHECK(peer.messages() == "r/small=x q0 retain");

    // A SUBACK that would be too large cannot be sent: it closes.
    packets::subscribe many{packet_id{1}, {}, {}};
    many.subscriptions.assign(100, {.filter = "t"});
    peer.send(many);
    CHECK(peer.is_closed());
    CHECK(peer.take<packets::disconnect>().reason == reason_code::packet_too_large);
}

TEST_CASE("5.0/MQTT-3.2.2-15: a client sends nothing that is larger than the server takes") {
    core_script peer(role::client, v5);
    connack_properties properties;
    properties.maximum_packet_size = 50;
    (void)peer.publish("t", std::string(100, 'x'), qos::at_least_once, false, 7);  // waits from before
    open_with(peer, properties);
    CHECK(peer.subject.publishes_done == std::vector<done>{{7, reason_code::success, errc::packet_too_large}});
    for (const qos q : every_qos) {
        const std::size_t overhead = 2 + 3 + (q == qos::at_most_once ? 0 : 2) + 1;
        const auto message = core::outgoing_message::create("t", std::string(51 - overhead, 'x'), q, false);
        CHECK(peer.subject.connection->check({message, {}, 0, q, false}) == errc::packet_too_large);
        CHECK(peer.publish("t", std::string(51 - overhead, 'x'), q) == core::send_result::dropped);
        CHECK(peer.publish("t", std::string(50 - overhead, 'x'), q) == core::send_result::sent);
    }
    CHECK(peer.subject.connection->send_qos_0("t", std::string(45, 'x'), false) == core::send_result::dropped);
    const std::string filter(50, 'f');
    CHECK(peer.subject.connection->subscribe({{}, {{filter}}, {}}, 1) == errc::packet_too_large);
    CHECK(peer.subject.connection->unsubscribe({{}, {filter}, {}}, 1) == errc::packet_too_large);
    peer.run();
    CHECK(peer.count() == 3);
    while (!peer.is_silent())
        CHECK(bytes(peer.next()).size() == 50);

    // The server answers a breach.
    broker_options options;
    options.packet_size_max = 50;
    broker_world world(options);
    auto& rude = world.connect(v5, "c");
    CHECK(world.connack.properties.maximum_packet_size == 50u);
    rude.send(packets::publish{.topic = "t", .payload = std::string(44, 'x')});
    CHECK_FALSE(rude.is_closed());
    rude.send(packets::publish{.topic = "t", .payload = std::string(45, 'x')});
    CHECK(rude.take<packets::disconnect>().reason == reason_code::packet_too_large);
    CHECK(rude.is_closed());
}

TEST_CASE("5.0/MQTT-3.2.2-19: the Reason String of CONNACK goes before the packet is too large") {
    broker_options options;
    const auto rights = std::make_shared<scripted_rights>();
    options.authenticator = rights;
    for (const bool refused : {false, true}) {
        rights->answer = [&](const authentication_request&) {
            authentication_answer answer;
            if (refused) answer.reason = reason_code::not_authorized;
            answer.reason_string = std::string(100, 'r');
            return answer;
        };
        const auto connack_for = [&](std::optional<std::uint32_t> maximum) {
            broker_world world(options);
            auto hello = broker_world::hello(v5, "c");
            hello.properties.maximum_packet_size = maximum;
            auto& peer = world.dial(v5);
            peer.send(hello);
            return bytes(peer.next());
        };
        const std::string whole = connack_for({});
        CHECK(hex(whole).find("1F 00 64") != std::string::npos);
        const auto size = static_cast<std::uint32_t>(whole.size());
        CHECK(connack_for(size) == whole);
        const std::string stripped = connack_for(size - 1);
        CHECK(stripped.size() == size - 103);
        CHECK(stripped[3] == whole[3]);
        CHECK(connack_for(static_cast<std::uint32_t>(stripped.size())) == stripped);
    }
}

TEST_CASE("5.0/MQTT-3.2.2-20: the User Properties of CONNACK go before the packet is too large") {
    const std::vector<user_property> pairs{{"name", "value"}, {"name", "value"}};
    packets::connack answer;
    answer.properties.user_properties = pairs;
    answer.properties.server_reference = "elsewhere";
    const std::string whole = accepted(1000, answer);
    CHECK(hex(whole).find("26 00 04") != std::string::npos);
    const auto size = static_cast<std::uint32_t>(whole.size());
    CHECK(accepted(size, answer) == whole);
    const std::string stripped = accepted(size - 1, answer);
    CHECK(stripped.size() == size - 2 * (1 + 2 + 4 + 2 + 5));
    CHECK(hex(stripped).find("1C 00 09") != std::string::npos);
}

// ---- topic aliases

TEST_CASE("5.0/MQTT-3.1.2-26 5.0/MQTT-3.1.2-27 5.0/MQTT-3.3.2-11: the server's aliases keep to the client's maximum") {
    broker_options options;
    options.topic_alias_maximum_out = 10;
    for (const auto& maximum : {std::optional<std::uint16_t>(), std::optional<std::uint16_t>(0),
                                std::optional<std::uint16_t>(1), std::optional<std::uint16_t>(3)}) {
        broker_world world(options);
        auto hello = broker_world::hello(v5, "c");
        hello.properties.topic_alias_maximum = maximum;
        auto& peer = world.connect(hello);
        CHECK(peer.subscribe("t/#") == reason_code::granted_qos_2);
        auto& publisher = world.connect(v5, "publisher");
        std::uint16_t highest = 0;
        for (int i = 0; i != 100; ++i) {
            const std::string topic = "t/" + std::to_string(i % 7);
            CHECK(!is_failure(publisher.publish(topic, "x", every_qos[i % 3])));
            const auto got = peer.message();
            highest = std::max(highest, got.topic_alias.value_or(1));
            if (got.topic_alias) CHECK(*got.topic_alias != 0);
            if (maximum.value_or(0) == 0) {
                CHECK_FALSE(got.topic_alias);
                CHECK(got.topic == topic);
            }
            peer.acknowledge(got);
            peer.forget();
        }
        CHECK(highest <= std::max<std::uint16_t>(maximum.value_or(0), 1));
        if (maximum == 3) CHECK(highest == 3);
    }
}

TEST_CASE("5.0/MQTT-3.2.2-17 5.0/MQTT-3.2.2-18 5.0/MQTT-3.3.2-9: the client's aliases keep to the server's maximum") {
    for (const auto& maximum : {std::optional<std::uint16_t>(), std::optional<std::uint16_t>(0),
                                std::optional<std::uint16_t>(1), std::optional<std::uint16_t>(3)}) {
        core_script peer(role::client, v5);
        peer.subject.limits.topic_alias_maximum_out = 10;
        connack_properties properties;
        properties.topic_alias_maximum = maximum;
        open_with(peer, properties);
        std::uint16_t highest = 0;
        for (int i = 0; i != 100; ++i) {
            const std::string topic = "t/" + std::to_string(i % 7);
            (void)peer.publish(topic, "x", every_qos[i % 3]);
            const auto sent = peer.take<packets::publish>();
            if (sent.topic_alias) CHECK(*sent.topic_alias != 0);
            highest = std::max(highest, sent.topic_alias.value_or(0));
        }
        CHECK(highest == maximum.value_or(0));
    }
    // The server answers a breach.
    for (const std::uint16_t alias : {std::uint16_t{11}, std::uint16_t{65'535}}) {
        broker_world world;
        auto& rude = world.connect(v5, "c");
        CHECK(world.connack.properties.topic_alias_maximum == std::uint16_t{10});
        rude.send(packets::publish{.topic = "t", .topic_alias = alias});
        CHECK(rude.take<packets::disconnect>().reason == reason_code::topic_alias_invalid);
        CHECK(rude.is_closed());
    }
}

// ---- what is asked for

TEST_CASE("5.0/MQTT-3.1.2-28: Response Information is sent only to those who ask") {
    broker_options options;
    options.response_information = "reply/here";
    for (const auto& asked : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
        broker_world world(options);
        auto hello = broker_world::hello(v5, "c");
        hello.properties.request_response_information = asked;
        (void)world.connect(hello);
        CHECK(world.connack.properties.response_information ==
              (asked == true ? std::optional("reply/here"sv) : std::nullopt));
    }
}

TEST_CASE(
    "5.0/MQTT-3.1.2-29: without Request Problem Information only CONNACK, DISCONNECT and PUBLISH explain themselves") {
    const std::vector<user_property> pairs{{"n", "v"}};
    ack_properties explained;
    explained.reason_string = "why";
    explained.user_properties = pairs;
    for (const bool requested : {true, false}) {
        CAPTURE(requested);
        core_script peer(role::broker, v5);
        auto connect = peer.default_connect();
        connect.properties.request_problem_information = requested;
        connect.properties.authentication_method = "m";
        REQUIRE(peer.open(connect));
        auto& subject = *peer.subject.connection;

        const reason_code refused[] = {reason_code::not_authorized};
        subject.suback(packet_id{1}, refused, explained);
        subject.unsuback(packet_id{2}, refused, explained);
        packets::auth auth;
        auth.properties.reason_string = "why";
        auth.properties.user_properties = pairs;
        subject.send_auth(auth);
        message_properties of_message;
        of_message.user_properties = pairs;
        CHECK(subject.send_qos_0("t", "x", false, of_message) == core::send_result::sent);
        disconnect_properties farewell;
        farewell.reason_string = "why";
        farewell.user_properties = pairs;
        subject.disconnect(reason_code::server_busy, farewell);
        peer.run();

        const auto suback = peer.take<packets::suback>();
        const auto unsuback = peer.take<packets::unsuback>();
        const auto got_auth = peer.take<packets::auth>();
        CHECK(suback.properties.reason_string.has_value() == requested);
        CHECK(suback.properties.user_properties.empty() != requested);
        CHECK(unsuback.properties.reason_string.has_value() == requested);
        CHECK(unsuback.properties.user_properties.empty() != requested);
        CHECK(got_auth.properties.reason_string.has_value() == requested);
        CHECK(got_auth.properties.user_properties.empty() != requested);
        CHECK(peer.take<packets::publish>().properties.user_properties.size() == 1);
        const auto disconnect = peer.take<packets::disconnect>();
        CHECK(disconnect.properties.reason_string == "why");
        CHECK(disconnect.properties.user_properties.size() == 1);
    }

    // The acknowledgements of PUBLISH never explain themselves.
    broker_options options;
    const auto rights = std::make_shared<scripted_rights>();
    rights->answer = [](const authentication_request&) {
        authentication_answer answer;
        answer.reason_string = "welcome";
        return answer;
    };
    rights->publishing = [](std::string_view) { return false; };
    options.authenticator = rights;
    broker_world world(options);
    auto hello = broker_world::hello(v5, "c");
    hello.properties.request_problem_information = false;
    auto& peer = world.connect(hello);
    CHECK(world.connack.properties.reason_string == "welcome");
    peer.send("32 07 00 01 't' 00 09 00 'x'");
    CHECK(peer.next() == "40 03 00 09 87");
    peer.send("34 07 00 01 't' 00 09 00 'x'");
    CHECK(peer.next() == "50 03 00 09 87");
    peer.send("62 02 00 63");
    CHECK(peer.next() == "70 03 00 63 92");
}

// ---- Maximum QoS, Retain Available

TEST_CASE("5.0/MQTT-3.2.2-9: a server that does not take QoS 1 or 2 says so") {
    for (const qos maximum : every_qos) {
        broker_options options;
        options.maximum_qos = maximum;
        broker_world world(options);
        (void)world.connect(v5, "c");
        CHECK(world.connack.properties.maximum_qos ==
              (maximum == qos::exactly_once ? std::nullopt : std::optional(maximum)));
    }
}

TEST_CASE("5.0/MQTT-3.2.2-10: a server without QoS 1 or 2 still takes subscriptions with any QoS") {
    for (const protocol_version version : every_version) {
        for (const qos maximum : {qos::at_most_once, qos::at_least_once}) {
            broker_options options;
            options.maximum_qos = maximum;
            broker_world world(options);
            auto& peer = world.connect(version, "c");
            for (const qos q : every_qos)
                CHECK(to_number(min(q, maximum)) == static_cast<int>(peer.subscribe("t", q)));
        }
    }
}

TEST_CASE("5.0/MQTT-3.2.2-11: a client never publishes above the server's Maximum QoS") {
    for (const qos maximum : {qos::at_most_once, qos::at_least_once}) {
        core_script peer(role::client, v5);
        for (const qos q : every_qos)
            (void)peer.publish("t", "waited", q, false, 1u + to_number(q));
        connack_properties properties;
        properties.maximum_qos = maximum;
        open_with(peer, properties);
        for (const qos q : every_qos) {
            const auto message = core::outgoing_message::create("t", "x", q, false);
            const auto error = peer.subject.connection->check({message, {}, 0, q, false});
            CHECK(error == (q > maximum ? error_code(errc::qos_not_supported) : error_code()));
        }
        CHECK(peer.count() == to_number(maximum) + 1u);
        while (!peer.is_silent())
            CHECK(peer.take<packets::publish>().qos <= maximum);

        broker_options options;
        options.maximum_qos = maximum;
        broker_world world(options);
        auto& rude = world.connect(v5, "c");
        rude.send(packets::publish{
            .topic = "t", .qos = qos{static_cast<std::uint8_t>(to_number(maximum) + 1)}, .id = packet_id{1}});
        CHECK(rude.take<packets::disconnect>().reason == reason_code::qos_not_supported);
        CHECK(rude.is_closed());
    }
}

TEST_CASE("5.0/MQTT-3.2.2-14: without Retain Available a client publishes nothing with RETAIN") {
    core_script peer(role::client, v5);
    (void)peer.publish("t", "waited", qos::at_least_once, true, 1);
    connack_properties properties;
    properties.retain_available = false;
    open_with(peer, properties);
    CHECK(peer.is_silent());
    CHECK(peer.subject.publishes_done == std::vector<done>{{1, reason_code::success, errc::retain_not_supported}});
    const auto message = core::outgoing_message::create("t", "x", qos::at_most_once, true);
    CHECK(peer.subject.connection->check({message, {}, 0, qos::at_most_once, true}) == errc::retain_not_supported);
    CHECK(peer.publish("t", "x", qos::at_most_once) == core::send_result::sent);

    broker_options options;
    options.retain_available = false;
    broker_world world(options);
    auto& rude = world.connect(v5, "c");
    CHECK(world.connack.properties.retain_available == false);
    rude.send(packets::publish{.topic = "t", .payload = "x", .retain = true});
    CHECK(rude.take<packets::disconnect>().reason == reason_code::retain_not_supported);
    CHECK(rude.is_closed());
}
