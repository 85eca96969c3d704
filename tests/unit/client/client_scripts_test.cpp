// Scripts of a server that other client libraries answer wrongly: a QoS 2 message across a lost connection and repeated
// on one, PUBREL for an unknown id, and more messages than a busy application takes.
#include "engine_script.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <deque>
#include <string>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;

namespace {

constexpr protocol_version versions[] = {protocol_version::v3_1_1, protocol_version::v5};
constexpr auto id_5 = packet_id{5};

void send_qos_2(engine_script& s, std::string_view payload, bool dup) {
    packets::publish p;
    p.topic = "t";
    p.payload = payload;
    p.qos = qos::exactly_once;
    p.id = id_5;
    p.dup = dup;
    s.send(p);
}

client_options resuming(protocol_version version) {
    client_options o;
    o.client_id = "c";
    o.session = session_mode::resume;
    o.version = version;
    return o;
}

packets::connack present() {
    packets::connack p;
    p.session_present = true;
    return p;
}

}  // namespace

TEST_CASE("client_scripts: QoS 2 across a lost connection is delivered once, and its id can be used again") {
    for (const auto version : versions) {
        engine_script s(resuming(version), version);
        s.open();
        const auto stream = s.subscribe("t");
        s.forget();
        send_qos_2(s, "A", false);
        CHECK(s.receive(*stream) == "A");
        CHECK(s.receive(*stream).empty());  // asking for more acknowledges
        CHECK(s.take<packets::pubrec>().id == id_5);
        s.lose();
        s.advance(10s);
        s.open(present());
        send_qos_2(s, "A", true);
        CHECK(s.take<packets::pubrec>().id == id_5);
        s.send(packets::pubrel{id_5, {}, {}});
        CHECK(s.take<packets::pubcomp>().id == id_5);
        send_qos_2(s, "B", false);

        CHECK(s.receive(*stream) == "B");
        CHECK(s.receive(*stream).empty());
        CHECK(s.take<packets::pubrec>().id == id_5);
    }
}

TEST_CASE("client_scripts: QoS 2 across a loss before the application took it is delivered once, too") {
    for (const auto version : versions) {
        engine_script s(resuming(version), version);
        s.open();
        const auto stream = s.subscribe("t");
        s.forget();
        send_qos_2(s, "A", false);
        s.lose();
        s.advance(10s);
        s.open(present());
        send_qos_2(s, "A", true);
        CHECK(s.is_silent());
        CHECK(s.receive(*stream) == "A");
        CHECK(s.receive(*stream).empty());
        CHECK(s.take<packets::pubrec>().id == id_5);
        s.send(packets::pubrel{id_5, {}, {}});
        CHECK(s.take<packets::pubcomp>().id == id_5);
        send_qos_2(s, "B", false);
        CHECK(s.receive(*stream) == "B");
    }
}

TEST_CASE("client_scripts: a QoS 2 message that is repeated on one connection is delivered once") {
    for (const auto version : versions) {
        engine_script s(resuming(version), version);
        s.open();
        const auto stream = s.subscribe("t");
        s.forget();
        send_qos_2(s, "A", false);
        send_qos_2(s, "A", true);
        CHECK(s.receive(*stream) == "A");
        CHECK(s.receive(*stream).empty());
        CHECK(s.take<packets::pubrec>().id == id_5);
        send_qos_2(s, "A", true);
        CHECK(s.take<packets::pubrec>().id == id_5);
        s.send(packets::pubrel{id_5, {}, {}});
        CHECK(s.take<packets::pubcomp>().id == id_5);
        send_qos_2(s, "B", false);
        CHECK(s.receive(*stream) == "B");
        CHECK(s.receive(*stream).empty());
    }
}

TEST_CASE("client_scripts: PUBREL for an unknown id is answered, so that the server comes to its end") {
    for (const auto version : versions) {
        engine_script s(resuming(version), version);
        s.open(present());
        s.forget();
        s.send(packets::pubrel{packet_id{7}, {}, {}});
        const auto answer = s.take<packets::pubcomp>();
        CHECK(answer.id == packet_id{7});
        if (version == protocol_version::v5) CHECK(answer.reason == reason_code::packet_identifier_not_found);
        CHECK(s.engine.is_open());
    }
}

TEST_CASE("client_scripts: 70,000 QoS 1 messages to a busy application, MQTT 5: Receive Maximum is the bound") {
    constexpr int all = 70'000;
    engine_script s({.receive_maximum = 500});
    s.start();
    s.dial_succeeds();
    REQUIRE(s.take<packets::connect>().properties.receive_maximum == 500u);
    s.send(packets::connack{});
    const auto stream = s.subscribe("t");
    s.forget();

    // A server that keeps the rule: it sends while the window is open. The application takes a message now and then.
    int sent = 0;
    int taken = 0;
    int open = 0;
    std::size_t most = 0;
    while (taken < all) {
        while (sent < all && open < 500) {
            ++open;
            s.send_message("t", std::to_string(sent), qos::at_least_once, sent % 65'535 + 1);
            ++sent;
        }
        most = std::max(most, stream->box.size());
        REQUIRE(s.is_reading);  // replies to operations would pass
        for (int i = 0; i < 97 && taken < sent; ++i)
            REQUIRE(s.receive(*stream) == std::to_string(taken++));
        while (s.peek() == packet_type::puback) {
            (void)s.next();
            --open;
        }
    }
    (void)s.receive(*stream);
    CHECK(most <= 500);
    CHECK(s.engine.statistics().messages_received == all);
    CHECK(s.engine.statistics().messages_dropped_in == 0);
    CHECK(s.engine.statistics().unacknowledged == 0);
}

TEST_CASE("client_scripts: 70,000 QoS 1 messages to a busy application, MQTT 3.1.1: it stops reading") {
    constexpr int all = 70'000;
    engine_script s({}, protocol_version::v3_1_1);
    s.open();
    const auto stream = s.subscribe("t", 1, {.count_max = 1'000, .bytes_max = 1 << 20});
    s.forget();

    // The server knows no bound: it sends as long as somebody reads.
    int sent = 0;
    int taken = 0;
    std::size_t most = 0;
    while (taken < all) {
        while (sent < all && s.is_reading) {
            s.send_message("t", std::to_string(sent), qos::at_least_once, sent % 65'535 + 1);
            ++sent;
        }
        most = std::max(most, stream->box.size());
        for (int i = 0; i < 97 && taken < sent; ++i)
            REQUIRE(s.receive(*stream) == std::to_string(taken++));
        s.forget();
    }
    (void)s.receive(*stream);
    CHECK(most <= 1'000);
    CHECK(s.engine.statistics().messages_dropped_in == 0);
    CHECK(s.engine.statistics().unacknowledged == 0);
}
