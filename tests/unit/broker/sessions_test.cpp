// Sessions, wills and expiry, as clients see them.
#include "broker/sessions.hpp"

#include "unit/broker/wire.hpp"

using namespace martlet;
using namespace martlet::broker_test;

namespace {

packets::connect resuming(std::uint32_t expiry = 3'600) {
    packets::connect c;
    c.clean_start = false;
    c.properties.session_expiry_interval = expiry;
    return c;
}

packets::connect with_will(packets::connect c, std::string_view payload, std::uint32_t delay = 0) {
    c.will = will{.topic = "will", .payload = payload};
    if (delay != 0) c.will->will_delay_interval = delay;
    return c;
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("MQTT-3.1.2-4 to -6: Clean Start begins anew, without it the session is resumed, subscriptions included") {
    for (const auto version : {protocol_version::v3_1_1, protocol_version::v5}) {
        world w;
        wire_client watcher(w, version);
        watcher.connect("watcher");
        {
            wire_client client(w, version);
            CHECK(!client.connect("c", resuming()).session_present);
            client.subscribe("t", qos::at_least_once);
        }
        watcher.publish("t", "1", qos::at_least_once);
        {
            wire_client client(w, version);
            CHECK(client.connect("c", resuming()).session_present);
            CHECK(client.payloads() == list{"1"});
        }
        {
            wire_client client(w, version);
            CHECK(!client.connect("c").session_present);
            watcher.publish("t", "2", qos::at_least_once);
            CHECK(!client.has_packet());
        }
        wire_client client(w, version);  // clean session 1 left nothing behind [MQTT-3.1.2-6]
        CHECK(!client.connect("c", resuming()).session_present);
    }
}

TEST_CASE("MQTT-4.4.0-1: a resumed session sends again what is unacknowledged, with DUP and the same id") {
    world w;
    wire_client publisher(w, protocol_version::v5);
    publisher.connect("p");
    packets::publish first;
    {
        wire_client client(w, protocol_version::v3_1_1);
        client.connect("c", resuming());
        client.subscribe("t", qos::exactly_once);
        publisher.publish("t", "x", qos::exactly_once);
        first = client.get<packets::publish>();
        CHECK(!first.dup);
    }
    const packet_id id = first.id;
    wire_client client(w, protocol_version::v3_1_1);
    client.connect("c", resuming());
    const auto again = client.get<packets::publish>();
    CHECK(again.dup);
    CHECK(again.id == id);
    client.acknowledge(again);
    CHECK(client.get<packets::pubrel>().id == id);
}

TEST_CASE("MQTT-3.1.2-23: the session ends when its expiry interval has passed without a connection") {
    world w;
    { wire_client(w, protocol_version::v5).connect("c", resuming(10)); }
    w.pass(9s);
    { CHECK(wire_client(w, protocol_version::v5).connect("c", resuming(10)).session_present); }
    w.pass(11s);
    CHECK(w.engine.count().sessions == 0);
    CHECK(!wire_client(w, protocol_version::v5).connect("c", resuming(10)).session_present);
}

TEST_CASE("sessions: one that expired while the clock was set forward is not resumed") {
    world w;
    { wire_client(w, protocol_version::v5).connect("c", resuming(10)); }
    w.now.wall += 1h;
    CHECK(!wire_client(w, protocol_version::v5).connect("c", resuming(10)).session_present);
}

TEST_CASE("MQTT-4.1.0-2: with interval 0 it ends with the connection; 0xFFFFFFFF never ends") {
    world w;
    { wire_client(w, protocol_version::v5).connect("zero", resuming(0)); }
    CHECK(w.engine.count().sessions == 0);
    { wire_client(w, protocol_version::v5).connect("for ever", resuming(0xFFFF'FFFF)); }
    { wire_client(w, protocol_version::v3_1_1).connect("old", resuming()); }
    w.pass(24h * 365);
    CHECK(w.engine.count().sessions == 2);
    CHECK(w.engine.next_deadline() == never);
}

TEST_CASE("sessions: an expiry above the broker's maximum is lowered, and CONNACK says so") {
    world w({.session_expiry_max = 100});
    CHECK(wire_client(w, protocol_version::v5).connect("a", resuming(101)).properties.session_expiry_interval == 100);
    CHECK(!wire_client(w, protocol_version::v5).connect("b", resuming(100)).properties.session_expiry_interval);
    { wire_client(w, protocol_version::v3_1_1).connect("c", resuming()); }
    w.pass(101s);
    CHECK(w.engine.count().sessions == 0);
}

TEST_CASE("sessions: DISCONNECT may change the expiry interval") {
    world w;
    for (const std::uint32_t interval : {0u, 5u}) {
        wire_client client(w, protocol_version::v5);
        client.connect("c", resuming(100));
        packets::disconnect d;
        d.properties.session_expiry_interval = interval;
        client.send(d);
        CHECK(client.closed);
        client.drop();
        CHECK(w.engine.count().sessions == (interval == 0 ? 0 : 1));
    }
    w.pass(5s);
    CHECK(w.engine.count().sessions == 0);
}

TEST_CASE("MQTT-3.1.4-3: a second connection takes over; the first is told and closed, the session goes on") {
    for (const auto version : all_versions) {
        world w;
        wire_client publisher(w, version);
        publisher.connect("p");
        wire_client first(w, version);
        first.connect("c", resuming());
        first.subscribe("t", qos::at_least_once);
        wire_client second(w, version);
        CHECK(second.connect("c", resuming()).session_present == (version != protocol_version::v3_1));
        CHECK(first.closed);
        if (version == protocol_version::v5) {
            CHECK(first.get<packets::disconnect>().reason == reason_code::session_taken_over);
        }
        CHECK(!first.has_packet());
        publisher.publish("t", "x", qos::at_least_once);
        CHECK(second.payloads() == list{"x"});
        CHECK(w.engine.count().sessions_connected == 2);
    }
}

TEST_CASE("sessions: 50 connections take each other over in one go, and one session is left") {
    world w;
    std::vector<std::unique_ptr<wire_client>> clients;
    for (int i = 0; i < 50; ++i) {
        clients.push_back(std::make_unique<wire_client>(w, protocol_version::v5));
        clients.back()->connect("c", resuming());
    }
    CHECK(w.engine.count().sessions == 1);
    CHECK(w.engine.count().sessions_connected == 1);
    CHECK(w.engine.count().connections == 1);
    for (int i = 0; i < 49; ++i)
        CHECK(clients[static_cast<std::size_t>(i)]->closed);
}

TEST_CASE("MQTT-3.1.2-8: the will is published when the connection goes, but not after DISCONNECT 0x00") {
    for (const auto version : all_versions) {
        world w;
        wire_client watcher(w, version);
        watcher.connect("watcher");
        watcher.subscribe("will");
        { wire_client(w, version).connect("a", with_will({}, "lost")); }
        CHECK(watcher.payloads() == list{"lost"});

        wire_client polite(w, version);
        polite.connect("b", with_will({}, "said good-bye"));
        polite.send(packets::disconnect{});
        CHECK(polite.closed);
        polite.drop();
        CHECK(watcher.payloads().empty());

        wire_client faulty(w, version);
        faulty.connect("c", with_will({}, "broke a rule"));
        faulty.send_bytes(std::string_view("\xF0\xFF\xFF\xFF\xFF", 5));
        CHECK(faulty.closed);
        CHECK(watcher.payloads() == list{"broke a rule"});

        wire_client mute(w, version);
        mute.connect("d", with_will({.keep_alive = 5}, "silent"));
        w.pass(7'400ms);
        CHECK(!mute.closed);
        CHECK(watcher.payloads().empty());
        w.pass(200ms);
        CHECK(mute.closed);
        CHECK(watcher.payloads() == list{"silent"});
    }
}

TEST_CASE("MQTT-3.14.4-3: DISCONNECT 0x04 publishes the will") {
    world w;
    wire_client watcher(w, protocol_version::v5);
    watcher.connect("watcher");
    watcher.subscribe("will");
    wire_client client(w, protocol_version::v5);
    client.connect("a", with_will({}, "x"));
    client.send(packets::disconnect{reason_code::disconnect_with_will, {}});
    CHECK(watcher.payloads() == list{"x"});
    client.drop();
    CHECK(watcher.payloads().empty());
}

TEST_CASE("MQTT-3.1.2-8: will delay or the session's end, whichever is first") {
    world w;
    wire_client watcher(w, protocol_version::v5);
    watcher.connect("watcher", {.keep_alive = 0});
    watcher.subscribe("will");
    { wire_client(w, protocol_version::v5).connect("delay first", with_will(resuming(5), "3 of 5", 3)); }
    { wire_client(w, protocol_version::v5).connect("end first", with_will(resuming(2), "2 of 5", 5)); }
    { wire_client(w, protocol_version::v5).connect("no session", with_will({}, "0 of 5", 5)); }
    CHECK(watcher.payloads() == list{"0 of 5"});
    w.pass(1'900ms);
    CHECK(watcher.payloads().empty());
    w.pass(200ms);
    CHECK(watcher.payloads() == list{"2 of 5"});
    w.pass(800ms);
    CHECK(watcher.payloads().empty());
    w.pass(200ms);
    CHECK(watcher.payloads() == list{"3 of 5"});
    w.pass(1h);
    CHECK(watcher.payloads().empty());
}

TEST_CASE("MQTT-3.1.3-9: a reconnect in time cancels a delayed will; with Clean Start it is published at once") {
    world w;
    wire_client watcher(w, protocol_version::v5);
    watcher.connect("watcher", {.keep_alive = 0});
    watcher.subscribe("will");
    { wire_client(w, protocol_version::v5).connect("c", with_will(resuming(), "1", 10)); }
    w.pass(5s);
    { wire_client(w, protocol_version::v5).connect("c", with_will(resuming(), "2", 10)); }
    w.pass(9s);
    CHECK(watcher.payloads().empty());
    wire_client anew(w, protocol_version::v5);
    anew.connect("c");
    CHECK(watcher.payloads() == list{"2"});
    w.pass(1h);
    CHECK(watcher.payloads().empty());
}

TEST_CASE(
    "sessions: a take-over publishes the will of the old connection, unless it is delayed and the session goes on") {
    world w;
    wire_client watcher(w, protocol_version::v5);
    watcher.connect("watcher", {.keep_alive = 0});
    watcher.subscribe("will");
    wire_client one(w, protocol_version::v5);
    one.connect("c", with_will(resuming(), "at once"));
    wire_client two(w, protocol_version::v5);
    two.connect("c", with_will(resuming(), "delayed", 10));
    CHECK(watcher.payloads() == list{"at once"});
    wire_client three(w, protocol_version::v5);
    three.connect("c", with_will(resuming(), "delayed, clean", 10));
    CHECK(watcher.payloads().empty());
    wire_client four(w, protocol_version::v5);
    four.connect("c");
    CHECK(watcher.payloads() == list{"delayed, clean"});
}

TEST_CASE("MQTT-3.1.2-15: a will with RETAIN is retained, and its lifetime begins when it is published") {
    world w;
    auto c = with_will(resuming(), "x", 100);
    c.will->retain = true;
    c.will->qos = qos::at_least_once;
    c.will->properties.message_expiry_interval = 60;
    c.will->properties.content_type = "text";
    { wire_client(w, protocol_version::v5).connect("c", c); }
    w.pass(110s);
    wire_client watcher(w, protocol_version::v5);
    watcher.connect("watcher", {.keep_alive = 0});
    watcher.subscribe("#", qos::exactly_once);
    const auto p = watcher.get<packets::publish>();
    CHECK(p.retain);
    CHECK(p.qos == qos::at_least_once);
    CHECK(p.properties.message_expiry_interval == 50);
    CHECK(p.properties.content_type == "text");
    w.pass(51s);
    CHECK(w.engine.count().retained == 0);
}

TEST_CASE("sessions: their number is bounded") {
    world w({.sessions_max = 2});
    wire_client one(w, protocol_version::v5);
    wire_client two(w, protocol_version::v3_1_1);
    one.connect("one");
    two.connect("two");
    CHECK(wire_client(w, protocol_version::v5).connect("three").reason == reason_code::quota_exceeded);
    CHECK(wire_client(w, protocol_version::v3_1_1).connect("three").reason == reason_code::server_unavailable);
    wire_client again(w, protocol_version::v5);
    CHECK(again.connect("one").reason == reason_code::success);
}
