// Section 3.1.2.4, 3.1.2.11.2, 3.1.4, 3.2.2.1.1: sessions begin, are resumed, taken over and forgotten.
#include "conformance/broker_world.hpp"

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

// A session of client "c" with a subscription to "t", a message on its way in each QoS and one waiting, after a cut.
broker_peer& leave_state_behind(broker_world& world, protocol_version version) {
    auto& peer = world.connect(broker_world::resuming(version, "c"));
    CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
    world.publish("t", "one", qos::at_least_once);
    world.publish("t", "two", qos::exactly_once);
    CHECK(peer.count() == 2);
    peer.forget();
    peer.cut();
    world.publish("t", "waits", qos::at_least_once);
    return peer;
}

// A client that is to resume what it has, with what the server answers.
bool reopen(core_script& peer, bool session_present, bool clean_start = false) {
    auto connect = peer.default_connect();
    connect.clean_start = clean_start;
    packets::connack connack;
    connack.session_present = session_present;
    return peer.open(connect, connack);
}

}  // namespace

// ---- beginning anew

TEST_CASE("5.0/MQTT-3.1.2-4 3.1.1/MQTT-3.1.2-6: to begin anew ends the server's old session") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        broker_world world;
        (void)leave_state_behind(world, version);

        auto& fresh = world.connect(version, "c");
        CHECK_FALSE(world.connack.session_present);
        CHECK(fresh.is_silent());
        world.publish("t", "new", qos::at_least_once);
        CHECK(fresh.is_silent());  // the subscription is gone, too
        CHECK(world.engine.count().subscriptions == 0);

        // and its own session ends with the connection
        CHECK(fresh.subscribe("t") == reason_code::granted_qos_2);
        fresh.cut();
        world.publish("t", "unheard", qos::at_least_once);
        auto& later = world.connect(broker_world::resuming(version, "c"));
        CHECK_FALSE(world.connack.session_present);
        CHECK(later.is_silent());
        world.publish("t", "unheard", qos::at_least_once);
        CHECK(later.is_silent());
    }
}

TEST_CASE("5.0/MQTT-3.1.2-4 3.1.1/MQTT-3.1.2-6: a client that begins anew goes on with nothing of the old session") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        core_script peer(role::client, version);
        REQUIRE(reopen(peer, false));
        (void)peer.publish("t", "one", qos::at_least_once);
        (void)peer.publish("t", "two", qos::exactly_once);
        peer.send("50 02 00 02");
        peer.send(packets::publish{.topic = "in", .payload = "a", .qos = qos::exactly_once, .id = packet_id{7}});
        CHECK(peer.subject.messages.size() == 1);
        peer.forget();

        REQUIRE(reopen(peer, false, true));
        // No PUBREL and no DUP: "one" is handed in again as a new message, "two" was the server's at its PUBREC.
        const auto again = peer.take<packets::publish>();
        CHECK(again.payload == "one");
        CHECK_FALSE(again.dup);
        CHECK(peer.is_silent());
        // The received id means a new message.
        peer.send(
            packets::publish{.topic = "in", .payload = "b", .qos = qos::exactly_once, .dup = true, .id = packet_id{7}});
        CHECK(payloads(peer.subject) == std::vector{"a"s, "b"s});
    }
}

// ---- resuming

TEST_CASE(
    "5.0/MQTT-3.1.2-5 3.1.1/MQTT-3.1.2-4 3.1.1/MQTT-3.1.2-5: a session is resumed with subscriptions and messages") {
    for (const protocol_version version : every_version) {
        for (const bool durable : {false, true}) {
            CAPTURE(name(version));
            broker_world world({}, durable);
            (void)leave_state_behind(world, version);
            world.publish("t", "waits too", qos::exactly_once);

            auto& peer = world.connect(broker_world::resuming(version, "c"));
            CHECK(world.connack.session_present == (version != protocol_version::v3_1));
            CHECK(peer.messages() == "t=one q1 dup, t=two q2 dup, t=waits q1, t=waits too q2");
            world.publish("t", "live", qos::at_most_once);
            CHECK(peer.messages() == "t=live q0");
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.2-6 3.1.1/MQTT-3.1.2-4: with nothing to resume a session begins, and is kept") {
    for (const protocol_version version : since_v3_1_1) {
        broker_world world;
        auto& peer = world.connect(broker_world::resuming(version, "c"));
        CHECK_FALSE(world.connack.session_present);
        CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
        peer.leave();
        (void)world.connect(broker_world::resuming(version, "c"));
        CHECK(world.connack.session_present);
    }
}

TEST_CASE("3.1.1/MQTT-3.1.2-4 5.0/MQTT-3.1.2-23: a client keeps its state for the next connection") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        core_script peer(role::client, version);
        REQUIRE(reopen(peer, false));
        (void)peer.publish("t", "one", qos::at_least_once);
        (void)peer.publish("t", "two", qos::exactly_once);
        (void)peer.publish("t", "three", qos::exactly_once);
        peer.send("50 02 00 03");
        peer.send(packets::publish{.topic = "in", .payload = "a", .qos = qos::exactly_once, .id = packet_id{7}});
        peer.forget();
        peer.cut();
        peer.advance(std::chrono::hours(1));

        REQUIRE(reopen(peer, true));
        std::string heard = peer.rest();
        CHECK(heard.find("62 02 00 03") != std::string::npos);
        CHECK(heard.find(hex("one")) != std::string::npos);
        CHECK(heard.find(hex("two")) != std::string::npos);
        CHECK(heard.find(hex("three")) == std::string::npos);
        peer.send(
            packets::publish{.topic = "in", .payload = "a", .qos = qos::exactly_once, .dup = true, .id = packet_id{7}});
        CHECK(peer.next() == "50 02 00 07");
        CHECK(peer.subject.messages.size() == 1);
    }
}

TEST_CASE("3.1.1/MQTT-3.1.2-5: what is sent at QoS 1 and 2 while a client is away waits, in order") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& peer = world.connect(broker_world::resuming(version, "c"));
        CHECK(peer.subscribe("q1", qos::at_least_once) == reason_code::granted_qos_1);
        CHECK(peer.subscribe("q2", qos::exactly_once) == reason_code::granted_qos_2);
        peer.cut();
        auto& other = world.connect(version, "other");
        for (const qos q : acknowledged_qos) {
            CHECK(other.publish("q1", "a" + name(q), q) == reason_code::success);
            CHECK(other.publish("q2", "b" + name(q), q) == reason_code::success);
            CHECK(!is_failure(other.publish("nobody", "c", q)));
        }
        auto& back = world.connect(broker_world::resuming(version, "c"));
        CHECK(back.messages() == "q1=a1 q1, q2=b1 q1, q1=a2 q1, q2=b2 q2");
        back.cut();
        CHECK(world.connect(broker_world::resuming(version, "c")).is_silent());
    }
}

TEST_CASE("3.1.1/MQTT-3.1.2-7: retained messages outlive the sessions") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& publisher = world.connect(version, "c");
        CHECK(publisher.publish("t", "kept", qos::at_least_once, true) == reason_code(publisher.is_v5() ? 0x10 : 0));
        publisher.leave();
        CHECK(world.engine.count().sessions == 0);
        auto& same = world.connect(version, "c");
        CHECK(same.subscribe("t") == reason_code::granted_qos_2);
        CHECK(same.messages() == "t=kept q1 retain");
    }
}

// ---- by client id

TEST_CASE("5.0/MQTT-3.1.3-2 3.1.1/MQTT-3.1.3-2: sessions are told apart by client id, byte by byte") {
    for (const protocol_version version : every_version) {
        broker_world world;
        for (const std::string_view id : {"c"sv, "C"sv, "c "sv, "\xC3\xA9"sv, "e\xCC\x81"sv}) {
            auto& peer = world.connect(broker_world::resuming(version, id));
            CHECK_FALSE(world.connack.session_present);
            CHECK(peer.subscribe(std::string("t/").append(id)) == reason_code::granted_qos_2);
            peer.cut();
        }
        CHECK(world.engine.count().sessions == 5);
        world.publish("t/C", "x", qos::at_least_once);
        CHECK(world.connect(broker_world::resuming(version, "c")).is_silent());
        CHECK(world.connect(broker_world::resuming(version, "C")).messages() == "t/C=x q1");
    }
    // The client goes by the id that it was given.
    core_script peer(role::client, protocol_version::v5);
    auto hello = peer.default_connect();
    hello.client_id = "me";
    peer.begin(hello);
    CHECK(peer.take<packets::connect>().client_id == "me");
}

TEST_CASE("5.0/MQTT-3.1.4-3 3.1.1/MQTT-3.1.4-2: a new connection with the same client id closes the old one") {
    for (const protocol_version version : every_version) {
        for (const protocol_version newer : every_version) {
            CAPTURE(name(version));
            CAPTURE(name(newer));
            broker_world world;
            auto& watcher = world.connect(version, "watcher");
            CHECK(watcher.subscribe("w") == reason_code::granted_qos_2);
            auto hello = broker_world::hello(version, "c");
            hello.will.emplace().topic = "w";
            hello.will->payload = "gone";
            auto& old = world.connect(hello);
            auto& other = world.connect(version, "other");

            auto& fresh = world.connect(newer, "c");
            CHECK(old.is_closed());
            if (old.is_v5()) CHECK(old.take<packets::disconnect>().reason == reason_code::session_taken_over);
            CHECK(old.is_silent());
            CHECK(watcher.messages() == "w=gone q0");
            CHECK_FALSE(fresh.is_closed());
            CHECK_FALSE(other.is_closed());
            CHECK(world.engine.count().sessions_connected == 3);
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.4-4 3.1.1/MQTT-3.1.4-3: a take-over resumes or wipes the session as CONNECT says") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        broker_world world;
        auto& old = world.connect(broker_world::resuming(version, "c"));
        CHECK(old.subscribe("t") == reason_code::granted_qos_2);
        world.publish("t", "x", qos::at_least_once);

        auto& resuming = world.connect(broker_world::resuming(version, "c"));
        CHECK(old.is_closed());
        CHECK(world.connack.session_present == (version != protocol_version::v3_1));
        CHECK(resuming.messages() == "t=x q1 dup");

        auto& clean = world.connect(version, "c");
        CHECK(resuming.is_closed());
        CHECK_FALSE(world.connack.session_present);
        world.publish("t", "y", qos::at_least_once);
        CHECK(clean.is_silent());
    }
}

// ---- Session Present

TEST_CASE("5.0/MQTT-3.2.2-2 3.1.1/MQTT-3.2.2-1: after a clean start there is no session present") {
    for (const protocol_version version : since_v3_1_1) {
        for (const bool connected : {true, false}) {
            broker_world world;
            auto& first = world.connect(broker_world::resuming(version, "c"));
            CHECK(first.subscribe("t") == reason_code::granted_qos_2);
            if (!connected) first.cut();
            auto& peer = world.dial(version);
            peer.send(broker_world::hello(version, "c"));
            CHECK(peer.next().substr(6, 5) == "00 00");  // flags and reason
        }
    }
}

TEST_CASE(
    "5.0/MQTT-3.2.2-3 3.1.1/MQTT-3.2.2-2 3.1.1/MQTT-3.2.2-3: otherwise Session Present says whether there was one") {
    for (const protocol_version version : since_v3_1_1) {
        broker_world world;
        for (const bool present : {false, true, true}) {
            auto& peer = world.connect(broker_world::resuming(version, "c"));
            CHECK(world.connack.session_present == present);
            CHECK(world.connack.reason == reason_code::success);
            peer.cut();
        }
    }
    // also when it has expired
    broker_world world;
    world.connect(broker_world::resuming(protocol_version::v5, "c")).cut();
    world.advance(std::chrono::seconds(3600));
    (void)world.connect(broker_world::resuming(protocol_version::v5, "c"));
    CHECK_FALSE(world.connack.session_present);
}

TEST_CASE("5.0/MQTT-3.2.2-4: a client without a session does not go on with a server that has one") {
    for (const protocol_version version : since_v3_1_1) {
        core_script peer(role::client, version);
        CHECK_FALSE(reopen(peer, true, true));
        CHECK(peer.is_closed());
        CHECK(peer.fault_rule() == "MQTT-3.2.2-2");
        CHECK(peer.is_silent());
    }
}

TEST_CASE("5.0/MQTT-3.2.2-5: without a session at the server the client drops its own") {
    for (const protocol_version version : since_v3_1_1) {
        core_script peer(role::client, version);
        REQUIRE(reopen(peer, false));
        (void)peer.publish("t", "one", qos::exactly_once, false, 41);
        (void)peer.publish("t", "two", qos::exactly_once, false, 42);
        peer.send("50 02 00 02");
        peer.send(packets::publish{.topic = "in", .payload = "a", .qos = qos::exactly_once, .id = packet_id{7}});
        peer.forget();

        REQUIRE(reopen(peer, false));
        CHECK(peer.subject.session->received.count() == 0);
        CHECK(peer.subject.session->sent.first(core::inflight::list::releases) == nullptr);
        const auto again = peer.take<packets::publish>();  // as a new message
        CHECK(again.payload == "one");
        CHECK_FALSE(again.dup);
        CHECK(peer.is_silent());
        CHECK(peer.subject.publishes_done == std::vector<done>{{42, reason_code::success, {}}});
        // An acknowledgement of the old exchange's id does nothing.
        peer.send("70 02 00 02");
        CHECK_FALSE(peer.is_closed());
        peer.send(packets::publish{.topic = "in", .payload = "b", .qos = qos::exactly_once, .id = packet_id{7}});
        CHECK(payloads(peer.subject) == std::vector{"a"s, "b"s});
    }
}

// ---- Session Expiry Interval

TEST_CASE(
    "5.0/MQTT-3.1.2-23 5.0/MQTT-4.1.0-2: the server keeps a session for its Session Expiry Interval, and no longer") {
    struct expectation {
        std::optional<std::uint32_t> interval;
        std::chrono::milliseconds away;
        bool present;
    };
    for (const auto& [interval, away, present] :
         {expectation{{}, 0ms, false}, expectation{0, 0ms, false}, expectation{1, 999ms, true},
          expectation{1, 1000ms, false}, expectation{3600, 3599s, true}, expectation{3600, 3600s, false},
          expectation{0xFFFF'FFFE, std::chrono::hours(24 * 365), true},
          expectation{0xFFFF'FFFF, std::chrono::hours(24 * 365 * 200), true}}) {
        for (const bool politely : {true, false}) {
            CAPTURE(interval.value_or(0));
            CAPTURE(away.count());
            broker_world world;
            auto hello = broker_world::hello(protocol_version::v5, "c");
            hello.clean_start = false;
            hello.properties.session_expiry_interval = interval;
            auto& peer = world.connect(hello);
            CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
            if (politely) {
                peer.leave();
            } else {
                peer.cut();
            }
            world.publish("t", "x", qos::at_least_once);
            world.advance(away);
            CHECK(world.engine.count().sessions == (present ? 1 : 0));
            CHECK(world.engine.count().subscriptions == (present ? 1 : 0));
            auto& back = world.connect(hello);
            CHECK(world.connack.session_present == present);
            CHECK(back.messages() == (present ? "t=x q1" : ""));
        }
    }
}

TEST_CASE("5.0/MQTT-4.1.0-2: DISCONNECT may change how long the session lasts, but not raise it from 0") {
    broker_world world;
    auto& peer = world.connect(broker_world::resuming(protocol_version::v5, "c"));
    packets::disconnect goodbye;
    goodbye.properties.session_expiry_interval = 10;
    peer.send(goodbye);
    CHECK(peer.is_closed());
    world.advance(9s);
    CHECK(world.engine.count().sessions == 1);
    world.advance(1s);
    CHECK(world.engine.count().sessions == 0);

    auto& again = world.connect(broker_world::resuming(protocol_version::v5, "c"));
    goodbye.properties.session_expiry_interval = 0;
    again.send(goodbye);
    CHECK(world.engine.count().sessions == 0);

    auto& fleeting = world.connect(protocol_version::v5, "c");
    goodbye.properties.session_expiry_interval = 10;
    fleeting.send(goodbye);
    CHECK(fleeting.take<packets::disconnect>().reason == reason_code::protocol_error);
    CHECK(world.engine.count().sessions == 0);
}

TEST_CASE("5.0/MQTT-3.1.2-23: a broker that keeps sessions for less says so, and the client goes by it") {
    broker_options options;
    options.session_expiry_max = 60;
    broker_world world(options);
    auto& peer = world.connect(broker_world::resuming(protocol_version::v5, "c"));
    CHECK(world.connack.properties.session_expiry_interval == 60);
    peer.cut();
    world.advance(59s);
    CHECK(world.engine.count().sessions == 1);
    world.advance(1s);
    CHECK(world.engine.count().sessions == 0);
}
