// What is published: offline and in flight, its limits, the queue, its lifetime, topic aliases.
#include "engine_script.hpp"
#include "support/bytes.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;
using kind = client_event::kind_type;

TEST_CASE("client_engine: messages published while offline go out in order, once") {
    engine_script s;
    CHECK_FALSE(s.publish("t", "1", qos::at_least_once, 1));
    s.start();
    CHECK_FALSE(s.publish("t", "2", qos::at_least_once, 2));
    s.open();

    CHECK(s.take<packets::publish>().payload == "1");
    CHECK(s.take<packets::publish>().payload == "2");
    CHECK(s.outcomes.empty());
    s.send(packets::puback{packet_id{1}, reason_code::no_matching_subscribers, {}});
    REQUIRE(s.outcome_of(1) != nullptr);
    CHECK(s.outcome_of(1)->reason == reason_code::no_matching_subscribers);
    CHECK_FALSE(s.outcome_of(1)->error);
}

TEST_CASE("client_engine: at QoS 2 the outcome has the reason of PUBREC, of this message and no other") {
    engine_script s;
    s.open();
    CHECK_FALSE(s.publish("t", "1", qos::exactly_once, 1));
    s.send(packets::pubrec{packet_id{1}, reason_code::no_matching_subscribers, {}});
    CHECK(s.outcomes.empty());
    s.send(packets::pubcomp{packet_id{1}, reason_code::success, {}});
    REQUIRE(s.outcome_of(1) != nullptr);
    CHECK(s.outcome_of(1)->reason == reason_code::no_matching_subscribers);

    for (int id = 2; id != 200; ++id) {  // also where the slot is used again
        CHECK_FALSE(s.publish("t", "2", qos::exactly_once, static_cast<core::token>(id)));
        s.send(packets::pubrec{packet_id{static_cast<std::uint16_t>(id)}, reason_code::success, {}});
        s.send(packets::pubcomp{packet_id{static_cast<std::uint16_t>(id)}, reason_code::success, {}});
        REQUIRE(s.outcome_of(static_cast<core::token>(id)) != nullptr);
        CHECK(s.outcome_of(static_cast<core::token>(id))->reason == reason_code::success);
    }
}

TEST_CASE("client_engine: QoS 0 that somebody waits for waits for a connection") {
    engine_script s;
    CHECK_FALSE(s.publish("t", "x", qos::at_most_once, 2));
    CHECK(s.outcomes.empty());
    s.open();

    CHECK(s.take<packets::publish>().payload == "x");
    REQUIRE(s.outcome_of(2) != nullptr);
    CHECK_FALSE(s.outcome_of(2)->error);
}

TEST_CASE("client_engine: QoS 0 without anybody waiting is refused without a connection") {
    engine_script s;
    CHECK(s.publish("t", "x", qos::at_most_once, 0) == errc::not_connected);

    engine_script keeps({.queue = {.keep_qos_0 = true}});
    CHECK_FALSE(keeps.publish("t", "x", qos::at_most_once, 0));
    keeps.open();
    CHECK(keeps.take<packets::publish>().payload == "x");
}

TEST_CASE("client_engine: a publish in flight survives the connection, and completes once") {
    for (const auto q : {qos::at_least_once, qos::exactly_once}) {
        engine_script s;
        s.open();
        CHECK_FALSE(s.publish("t", "x", q, 5));
        CHECK_FALSE(s.take<packets::publish>().dup);
        s.lose();
        s.advance(10s);
        s.open({true, reason_code::success, {}});
        const auto again = s.take<packets::publish>();
        CHECK(again.dup);
        CHECK(to_number(again.id) == 1);
        if (q == qos::at_least_once) {
            s.send(packets::puback{again.id, {}, {}});
        } else {
            s.send(packets::pubrec{again.id, {}, {}});
            CHECK(s.take<packets::pubrel>().id == again.id);
            s.send(packets::pubcomp{again.id, {}, {}});
        }
        CHECK(s.outcomes.size() == 1);
        CHECK_FALSE(s.outcome_of(5)->error);
    }
}

TEST_CASE("client_engine: a session that the server lost gets unacknowledged messages anew") {
    engine_script s;
    s.open();
    CHECK_FALSE(s.publish("t", "x", qos::exactly_once, 5));
    (void)s.take<packets::publish>();
    s.lose();
    s.advance(10s);
    s.open();

    CHECK(s.count(kind::session_lost) == 1);
    CHECK_FALSE(s.take<packets::publish>().dup);
    CHECK(s.outcomes.empty());
}

TEST_CASE("client_engine: a refused publish ends with the server's reason") {
    engine_script s;
    s.open();
    CHECK_FALSE(s.publish("t", "x", qos::at_least_once, 5));
    s.send(packets::puback{packet_id{1}, reason_code::quota_exceeded, {}});

    CHECK(s.outcome_of(5)->error == reason_code::quota_exceeded);
    CHECK(s.outcome_of(5)->reason == reason_code::quota_exceeded);
}

TEST_CASE("client_engine: the server's limits are respected before anything is sent") {
    engine_script s;
    packets::connack answer;
    answer.properties.maximum_qos = qos::at_least_once;
    answer.properties.retain_available = false;
    answer.properties.maximum_packet_size = 100;
    s.open(answer);

    CHECK(s.publish("t", "x", qos::exactly_once, 1) == errc::qos_not_supported);
    CHECK(s.publish("t", std::string(200, 'x'), qos::at_least_once, 2) == errc::packet_too_large);
    CHECK(s.engine.publish_qos_0("t", std::string(200, 'x'), false, {}) == errc::packet_too_large);
    CHECK(s.engine.publish_qos_0("t", "x", true, {}) == errc::retain_not_supported);
    CHECK(s.is_silent());
}

TEST_CASE("client_engine: publish_qos_0 takes valid topics, up to the bound of the output") {
    engine_script s;
    s.open();
    CHECK(s.engine.publish_qos_0("a/+", "x", false, {}) == errc::topic_invalid);
    CHECK(s.engine.publish_qos_0("", "x", false, {}) == errc::topic_invalid);

    const std::string payload(1000, 'x');
    std::size_t taken = 0;
    while (!s.engine.publish_qos_0("a/b", payload, false, {}))
        ++taken;
    CHECK(taken > 1000);
    CHECK(taken < 1100);
    CHECK(s.engine.publish_qos_0("a/b", payload, false, {}) == errc::queue_full);
    bool is_done = true;
    core::outgoing what;
    what.message = core::outgoing_message::create("a/b", payload, qos::at_most_once, false);
    what.who = 9;
    CHECK_FALSE(s.engine.publish(std::move(what), is_done));
    CHECK_FALSE(is_done);
    CHECK(s.engine.waits_for_output());
    s.engine.on_output_drained();
    s.run();
    CHECK(s.outcome_of(9) != nullptr);
    CHECK(s.count() == taken + 1);
}

TEST_CASE("client_engine: a full queue refuses") {
    engine_script s({.queue = {.count_max = 2}});
    CHECK_FALSE(s.publish("t", "1", qos::at_least_once, 1));
    CHECK_FALSE(s.publish("t", "2", qos::at_least_once, 2));
    CHECK(s.publish("t", "3", qos::at_least_once, 3) == errc::queue_full);
}

TEST_CASE("client_engine: a full queue that drops its oldest tells whose it was") {
    engine_script s({.queue = {.count_max = 2, .policy = core::queue_policy::drop_oldest}});
    for (core::token who = 1; who <= 3; ++who)
        CHECK_FALSE(s.publish("t", "x", qos::at_least_once, who));

    CHECK(s.outcome_of(1)->error == errc::discarded);
    REQUIRE(s.last(kind::queue_dropped) != nullptr);
    CHECK(s.last(kind::queue_dropped)->count == 1);
}

TEST_CASE("client_engine: a queue of the latest per topic keeps places and tells whose message went") {
    engine_script s({.queue = {.count_max = 3, .policy = core::queue_policy::latest_per_topic}});
    CHECK_FALSE(s.publish("a", "1", qos::at_least_once, 1));
    CHECK_FALSE(s.publish("b", "1", qos::exactly_once, 2));
    CHECK_FALSE(s.publish("a", "2", qos::at_least_once, 3));
    CHECK(s.outcome_of(1)->error == errc::discarded);
    CHECK_FALSE(s.publish("c", "1", qos::at_least_once, 4));
    CHECK_FALSE(s.publish("d", "1", qos::at_least_once, 5));  // at the bound the oldest goes
    CHECK(s.outcome_of(3)->error == errc::discarded);
    CHECK_FALSE(s.publish("a", "3", qos::at_least_once, 6));
    CHECK(s.outcome_of(2)->error == errc::discarded);
    s.open();

    std::string sent;
    while (s.peek() == packet_type::publish) {
        const auto m = s.message();
        sent.append(m.topic).append(m.payload).append(" ");
    }
    CHECK(sent == "c1 d1 a3 ");
    CHECK(s.engine.statistics().queued == 0);
    CHECK(s.engine.statistics().queued_bytes == 0);
}

TEST_CASE("client_engine: the lifetime of a message is counted while it waits") {
    engine_script s;
    const auto publish = [&](core::token who, std::chrono::seconds lifetime) {
        core::outgoing what;
        what.message = core::outgoing_message::create("t", "x", qos::at_least_once, false, {}, s.now.wall + lifetime);
        what.qos = qos::at_least_once;
        what.who = who;
        bool is_done = false;
        return s.engine.publish(std::move(what), is_done);
    };
    CHECK_FALSE(publish(1, 5s));
    CHECK_FALSE(publish(2, 60s));
    s.advance(10s);
    s.open();

    CHECK(s.outcome_of(1)->error == errc::message_expired);
    CHECK(s.take<packets::publish>().properties.message_expiry_interval == 50u);
    CHECK(s.is_silent());
}

TEST_CASE("client_engine: topic aliases are given out to the topics used last, as many as the server allows") {
    engine_script s({.topic_alias_maximum_out = 10});
    packets::connack answer;
    answer.properties.topic_alias_maximum = 2;
    s.open(answer);
    std::string sent;
    for (const auto* topic : {"a", "b", "a", "c", "b"}) {
        CHECK_FALSE(s.engine.publish_qos_0(topic, "", false, {}));
        s.run();
        const auto m = s.message();
        sent.append(m.topic).append(std::to_string(m.topic_alias.value_or(0))).append(" ");
    }
    CHECK(sent == "a1 b2 1 c2 b1 ");

    engine_script off({.topic_alias_maximum_out = 0});
    off.open(answer);
    CHECK_FALSE(off.engine.publish_qos_0("a", "", false, {}));
    off.run();
    CHECK_FALSE(off.message().topic_alias);
}
