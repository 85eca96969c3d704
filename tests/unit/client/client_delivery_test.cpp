// Received messages of the engine: streams, acknowledgements, bounds.
#include "engine_script.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;
using kind = client_event::kind_type;

TEST_CASE("client_delivery: a message counts as acknowledged when the next one is asked for") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("#");
    s.send_message("a", "1", qos::at_least_once, 1);
    s.send_message("a", "2", qos::exactly_once, 2);
    CHECK(s.is_silent());

    CHECK(s.receive(*stream) == "1");
    CHECK(s.is_silent());
    CHECK(s.receive(*stream) == "2");
    CHECK(s.next() == "40 02 00 01");
    CHECK(s.receive(*stream) == "");
    CHECK(s.next() == "50 02 00 02");
    s.send(packets::pubrel{packet_id{2}, {}, {}});
    CHECK(s.next() == "70 02 00 02");
}

TEST_CASE("client_delivery: manual acknowledgement in any order leaves in the order of arrival") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("#");
    stream->manual_acknowledgement = true;
    s.send_message("a", "1", qos::at_least_once, 1);
    s.send_message("a", "2", qos::at_least_once, 2);
    const auto first = stream->box.take();
    const auto second = stream->box.take();
    CHECK(s.receive(*stream) == "");
    CHECK(s.is_silent());

    s.engine.acknowledge(*stream, second.receipt(), reason_code::success);
    s.run();
    CHECK(s.is_silent());
    s.engine.acknowledge(*stream, first.receipt(), reason_code::not_authorized);
    s.engine.acknowledge(*stream, first.receipt(), reason_code::success);
    s.run();
    CHECK(s.next() == "40 03 00 01 87");
    CHECK(s.next() == "40 02 00 02");
    CHECK(s.is_silent());
}

TEST_CASE("client_delivery: a re-sent message is not handed over again; its acknowledgement waits for it") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("#");
    s.send_message("a", "1", qos::exactly_once, 1);
    CHECK(s.receive(*stream) == "1");
    s.lose();
    CHECK(s.receive(*stream) == "");
    s.advance(10s);
    s.open({true, {}, {}});
    CHECK(s.is_silent());
    s.send_message("a", "1", qos::exactly_once, 1);

    CHECK(s.next() == "50 02 00 01");
    CHECK(s.receive(*stream) == "");
}

TEST_CASE("client_delivery: every matching stream gets the message, and it is acknowledged when all have") {
    engine_script s({}, protocol_version::v3_1_1);
    s.open();
    const auto all = s.subscribe("#", 1);
    const auto one = s.subscribe("a", 2);
    s.send_message("a", "x", qos::at_least_once, 1);

    CHECK(s.receive(*all) == "x");
    CHECK(s.receive(*all) == "");
    CHECK(s.is_silent());
    CHECK(s.receive(*one) == "x");
    CHECK(s.is_silent());
    CHECK(s.receive(*one) == "");
    CHECK(s.next() == "40 02 00 01");
}

TEST_CASE("client_delivery: unclaimed messages wait for a subscription, unacknowledged") {
    engine_script s({.session = session_mode::resume});
    s.open({true, {}, {}});
    s.send_message("a", "1", qos::at_least_once, 1);
    s.send_message("b", "2", qos::at_least_once, 2);
    CHECK(s.is_silent());
    CHECK(s.engine.unclaimed().size() == 2);

    const auto stream = s.subscribe("a");
    CHECK(s.receive(*stream) == "1");
    CHECK(s.receive(*stream) == "");
    CHECK(s.next() == "40 02 00 01");
    CHECK(s.engine.unclaimed().size() == 1);
}

TEST_CASE("client_delivery: unclaimed messages beyond the bound are refused, counted, and told once") {
    engine_script s({.session = session_mode::resume, .unclaimed = {.count_max = 2}});
    s.open({true, {}, {}});
    for (int id = 1; id <= 4; ++id)
        s.send_message("a", "x", qos::at_least_once, id);
    CHECK(s.is_silent());  // acknowledgements leave in the order of arrival
    CHECK(s.engine.statistics().messages_dropped_in == 2);
    CHECK(s.count(kind::messages_dropped) == 1);

    (void)s.engine.unclaimed().take();
    (void)s.engine.unclaimed().take();
    s.engine.acknowledge_taken(nullptr);
    s.run();
    CHECK(s.next() == "40 02 00 01");
    CHECK(s.next() == "40 02 00 02");
    CHECK(s.next() == "40 03 00 03 83");
    CHECK(s.next() == "40 03 00 04 83");
}

TEST_CASE("client_delivery: unclaimed messages never take more than half of Receive Maximum") {
    engine_script s({.session = session_mode::resume, .receive_maximum = 10});
    s.open({true, {}, {}});
    for (int id = 1; id <= 10; ++id)
        s.send_message("a", "x", qos::at_least_once, id);

    CHECK(s.engine.unclaimed().size() == 5);
}

TEST_CASE("client_delivery: a full stream stops reading, and room resumes it") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("#", 1, {.count_max = 4});
    for (int i = 0; i < 4; ++i)
        s.send_message("a", std::to_string(i));
    CHECK_FALSE(s.is_reading);

    for (int i = 0; i < 2; ++i)
        CHECK(s.receive(*stream) == std::to_string(i));
    CHECK(s.is_reading);
    CHECK(s.engine.statistics().messages_dropped_in == 0);
}

TEST_CASE("client_delivery: what was read and not looked at comes first, and nothing is lost") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("#", 1, {.count_max = 4});
    std::string many;
    for (int i = 0; i < 50; ++i)
        many += std::string(
                    "\x30\x06\x00\x01"
                    "a"
                    "\x00",
                    6) +
                (i < 10 ? "0" : "") + std::to_string(i);
    s.send_bytes(many);
    CHECK_FALSE(s.is_reading);
    CHECK(stream->box.size() == 4);

    for (int i = 0; i < 50; ++i)
        CHECK(std::stoi(s.receive(*stream)) == i);
    CHECK(s.is_reading);
}

TEST_CASE("client_delivery: no PINGRESP is expected while we do not read") {
    engine_script s({.keep_alive = 10s});
    s.open();
    const auto stream = s.subscribe("#", 1, {.count_max = 1});
    s.send_message("a", "x");
    CHECK_FALSE(s.is_reading);
    s.advance(1min);

    CHECK(s.engine.is_open());
}

TEST_CASE("client_delivery: while an operation awaits a reply, reading goes on and QoS 0 is dropped") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("#", 1, {.count_max = 2});
    CHECK_FALSE(s.publish("t", "x", qos::at_least_once, 5));
    const auto id = s.take<packets::publish>().id;
    for (int i = 0; i < 6; ++i)
        s.send_message("a", std::to_string(i));
    CHECK(s.is_reading);
    CHECK(stream->box.size() == 2);
    CHECK(s.engine.statistics().messages_dropped_in == 4);
    CHECK(s.count(kind::messages_dropped) == 1);

    s.send(packets::puback{id, {}, {}});
    CHECK(s.outcome_of(5) != nullptr);
    CHECK_FALSE(s.is_reading);
}

TEST_CASE("client_delivery: an operation that begins while reading has stopped makes it go on") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("#", 1, {.count_max = 1});
    s.send_message("a", "x");
    CHECK_FALSE(s.is_reading);
    CHECK_FALSE(s.publish("t", "x", qos::at_least_once, 5));

    CHECK(s.is_reading);
}

TEST_CASE("client_delivery: before MQTT 5 QoS 1 is held up to a hard bound, then operations are told") {
    engine_script s({}, protocol_version::v3_1_1);
    s.open();
    const auto stream = s.subscribe("#", 1, {.count_max = 3});
    CHECK_FALSE(s.publish("t", "x", qos::at_least_once, 5));
    (void)s.take<packets::publish>();
    for (int id = 1; id <= 11; ++id)
        s.send_message("a", std::to_string(id), qos::at_least_once, id);
    CHECK(s.is_reading);
    CHECK_FALSE(s.engine.take_blocked());
    s.send_message("a", "12", qos::at_least_once, 12);

    CHECK_FALSE(s.is_reading);
    CHECK(s.engine.take_blocked());
    for (int id = 1; id <= 12; ++id)
        CHECK(s.receive(*stream) == std::to_string(id));
    CHECK(s.is_reading);
    CHECK(s.engine.statistics().messages_dropped_in == 0);
}

TEST_CASE("client_delivery: Receive Maximum is the bound of MQTT 5's QoS 1 and 2, and reading goes on") {
    engine_script s({.receive_maximum = 20});
    s.open();
    const auto stream = s.subscribe("#", 1, {.count_max = 3});
    for (int id = 1; id <= 20; ++id)
        s.send_message("a", "x", qos::at_least_once, id);

    CHECK(s.is_reading);
    CHECK(stream->box.size() == 20);
    s.send_message("a", "x", qos::at_least_once, 21);
    CHECK(s.take<packets::disconnect>().reason == reason_code::receive_maximum_exceeded);
}

TEST_CASE("client_delivery: a stream that is let go does not go on holding up the others") {
    engine_script s;
    s.open();
    const auto slow = s.subscribe("slow", 1, {.count_max = 1});
    s.send_message("slow", "x");
    CHECK_FALSE(s.is_reading);
    s.engine.close(slow);
    s.run();

    CHECK(s.is_reading);
}

TEST_CASE("client_delivery: messages stay in their stream when the session is lost; acknowledging them does nothing") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("#");
    s.send_message("a", "1", qos::at_least_once, 1);
    s.lose();
    s.advance(10s);
    s.open();
    s.grant();

    CHECK(s.receive(*stream) == "1");
    CHECK(s.receive(*stream) == "");
    CHECK(s.is_silent());
    s.send_message("a", "2", qos::at_least_once, 1);
    CHECK(s.receive(*stream) == "2");
}
