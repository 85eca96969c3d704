// SUBSCRIBE and UNSUBSCRIBE of the engine.
#include "engine_script.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;
using kind = client_event::kind_type;
using phase = detail::stream_state::phase_type;

TEST_CASE("client_requests: a subscription asked for before the connection is made when there is one") {
    engine_script s;
    const auto stream = s.subscribe("a/#", 3);
    CHECK(s.outcomes.empty());
    s.open();

    const auto packet = s.take<packets::subscribe>();
    REQUIRE(packet.subscriptions.size() == 1);
    CHECK(packet.subscriptions[0].filter == "a/#");
    CHECK(packet.subscriptions[0].qos == qos::exactly_once);
    CHECK(packet.properties.subscription_identifier == 1);
    s.send(packets::suback{packet.id, {reason_code::granted_qos_1}, {}});
    REQUIRE(s.outcome_of(3) != nullptr);
    CHECK_FALSE(s.outcome_of(3)->error);
    CHECK(stream->granted == std::vector{reason_code::granted_qos_1});
    CHECK(stream->phase == phase::open);
}

TEST_CASE("client_requests: an identifier of the user's choice is sent, and belongs to one stream only") {
    engine_script s;
    s.open();
    const auto ask = [&](std::uint32_t identifier, std::uint64_t who) {
        auto stream = std::make_shared<detail::stream_state>(inbox_limits{});
        stream->filters = {"a"};
        stream->requests = {{stream->filters[0]}};
        stream->identifier = identifier;
        return s.engine.subscribe(stream, who);
    };
    CHECK_FALSE(ask(2, 1));
    CHECK(ask(2, 2) == errc::option_invalid);
    CHECK(ask(268'435'456, 3) == errc::option_invalid);
    CHECK_FALSE(ask(0, 4));
    CHECK_FALSE(ask(0, 5));
    s.run();
    for (const std::uint32_t expected : {2u, 1u, 3u})
        CHECK(s.take<packets::subscribe>().properties.subscription_identifier == expected);
}

TEST_CASE("client_requests: no identifier where the server has none") {
    engine_script s;
    packets::connack answer;
    answer.properties.subscription_identifier_available = false;
    s.open(answer);
    (void)s.subscribe("a");
    CHECK_FALSE(s.outcome_of(1)->error);

    engine_script t({}, protocol_version::v3_1_1);
    t.open();
    (void)t.subscribe("a");
    CHECK_FALSE(t.outcome_of(1)->error);
}

TEST_CASE("client_requests: bad filters and strings are refused before anything is sent") {
    engine_script s;
    s.open();
    const auto refused = [&](std::vector<subscription_request> filters) {
        return s.engine.subscribe(s.make_stream(std::move(filters)), 1);
    };
    CHECK(refused({}) == errc::topic_filter_invalid);
    CHECK(refused({{"a/#/b"}}) == errc::topic_filter_invalid);
    CHECK(refused({{"ok"}, {""}}) == errc::topic_filter_invalid);
    CHECK(refused({{"$share/g/a", qos::at_least_once, true}}) == errc::option_invalid);
    CHECK(s.engine.unsubscribe({}, {}, 1) == errc::topic_filter_invalid);
    CHECK(s.engine.unsubscribe({"a"}, {{"\xff", ""}}, 1) == errc::string_invalid);
    CHECK(s.is_silent());
}

TEST_CASE("client_requests: what the server lacks is an error of the operation") {
    engine_script s;
    packets::connack answer;
    answer.properties.wildcard_subscription_available = false;
    answer.properties.shared_subscription_available = false;
    s.open(answer);
    const auto wildcard = s.make_stream({{"a/#"}});
    const auto shared = s.make_stream({{"$share/g/a"}});
    CHECK_FALSE(s.engine.subscribe(wildcard, 1));
    CHECK_FALSE(s.engine.subscribe(shared, 2));
    s.run();

    CHECK(s.outcome_of(1)->error == errc::wildcard_not_supported);
    CHECK(s.outcome_of(2)->error == errc::shared_subscription_not_supported);
    CHECK(wildcard->phase == phase::ended);
    CHECK(s.is_silent());
}

TEST_CASE("client_requests: several filters go in one SUBSCRIBE and have one stream") {
    engine_script s;
    s.open();
    const auto stream = s.make_stream({{"a", qos::at_most_once}, {"b", qos::at_least_once, true, true}, {"c"}});
    CHECK_FALSE(s.engine.subscribe(stream, 1));
    s.run();
    const auto packet = s.take<packets::subscribe>();
    REQUIRE(packet.subscriptions.size() == 3);
    CHECK(packet.subscriptions[1].no_local);
    s.send(packets::suback{packet.id, {reason_code::success, reason_code::not_authorized, reason_code::success}, {}});

    CHECK_FALSE(s.outcome_of(1)->error);
    CHECK(s.outcome_of(1)->reasons.size() == 3);
    CHECK(stream->live == std::vector<bool>{true, false, true});
    s.send_message("b", "not ours");
    s.send_message("c", "ours");
    CHECK(stream->box.size() == 1);
}

TEST_CASE("client_requests: a subscription that is refused in full ends with the first reason") {
    engine_script s;
    s.open();
    const auto stream = s.make_stream({{"a"}, {"b"}});
    CHECK_FALSE(s.engine.subscribe(stream, 1));
    s.run();
    const auto packet = s.take<packets::subscribe>();
    s.send(packets::suback{packet.id, {reason_code::quota_exceeded, reason_code::not_authorized}, {}});

    CHECK(s.outcome_of(1)->error == reason_code::quota_exceeded);
    CHECK(stream->phase == phase::ended);
    CHECK(stream->end_reason == reason_code::quota_exceeded);
    CHECK(stream->granted.size() == 2);
}

TEST_CASE("client_requests: a request without an answer is sent again on the next connection") {
    engine_script s;
    s.open();
    const auto stream = s.make_stream({{"a"}});
    CHECK_FALSE(s.engine.subscribe(stream, 1));
    CHECK_FALSE(s.engine.unsubscribe({"b"}, {}, 2));
    s.run();
    (void)s.take<packets::subscribe>();
    (void)s.take<packets::unsubscribe>();
    s.lose();
    s.advance(10s);
    s.open({true, {}, {}});

    s.grant();
    const auto again = s.take<packets::unsubscribe>();
    s.send(packets::unsuback{again.id, {reason_code::no_subscription_existed}, {}});
    CHECK_FALSE(s.outcome_of(1)->error);
    CHECK(s.outcome_of(2)->reasons == std::vector{reason_code::no_subscription_existed});
}

TEST_CASE(
    "client_requests: subscriptions are renewed when a CONNECT got no answer, for it may have begun a new session") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("a", 1);
    s.lose();
    s.advance(10s);
    s.dial_succeeds();
    (void)s.take<packets::connect>();
    s.lose();  // before the CONNACK
    s.advance(10s);
    s.open({true, {}, {}});

    const auto packet = s.take<packets::subscribe>();
    REQUIRE(packet.subscriptions.size() == 1);
    CHECK(packet.subscriptions[0].filter == "a");
    CHECK(packet.subscriptions[0].retain_handling == retain_handling::send_if_new);
    s.send(packets::suback{packet.id, {reason_code::granted_qos_2}, {}});
    CHECK(s.count(kind::session_lost) == 0);
    CHECK(stream->phase == phase::open);

    s.lose();
    s.advance(10s);
    s.open({true, {}, {}});
    CHECK(s.is_silent());
}

TEST_CASE("client_requests: a message of what may be a new session is not taken for one of the old session") {
    for (const bool dup : {false, true}) {  // with DUP: its first sending got lost, too
        CAPTURE(dup);
        engine_script s;
        s.open();
        const auto stream = s.subscribe("a", 1);
        s.send_message("a", "old", qos::at_least_once, 7);
        CHECK(s.receive(*stream) == "old");  // and not acknowledged, as the next one is not asked for
        s.lose();
        s.advance(10s);
        s.dial_succeeds();
        (void)s.take<packets::connect>();
        s.lose();  // before the CONNACK
        s.advance(10s);
        s.open({true, {}, {}});
        s.grant();

        packets::publish other;
        other.topic = "a";
        other.payload = "new";
        other.qos = qos::at_least_once;
        other.dup = dup;
        other.id = packet_id{7};
        s.send(other);

        CHECK(s.receive(*stream) == "new");
        CHECK(s.receive(*stream).empty());
        CHECK(s.take<packets::puback>().id == packet_id{7});
    }
}

TEST_CASE("client_requests: subscriptions are renewed when the server lost the session, and only then") {
    engine_script s;
    s.open();
    const auto a = s.subscribe("a", 1);
    const auto b = s.subscribe("b", 2);
    s.lose();
    s.advance(10s);
    s.open({true, {}, {}});
    CHECK(s.is_silent());

    s.advance(2min);
    s.lose();
    s.open();
    CHECK(s.count(kind::session_lost) == 1);
    s.grant();
    CHECK(s.count(kind::resubscribed) == 0);
    s.grant(reason_code::not_authorized);
    CHECK(s.count(kind::resubscribed) == 1);
    REQUIRE(s.last(kind::resubscribe_refused) != nullptr);
    CHECK(s.last(kind::resubscribe_refused)->text == "b");
    CHECK(a->phase == phase::open);
    CHECK(b->phase == phase::ended);
    CHECK(s.outcomes.size() == 2);
}

TEST_CASE("client_requests: streams live on in the next run") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("a", 1);
    s.engine.stop();
    s.run();
    CHECK(stream->phase == phase::open);
    s.start();
    s.open();

    CHECK(s.take<packets::subscribe>().subscriptions[0].filter == "a");
}

TEST_CASE("client_requests: unsubscribing the last filter ends the stream after its last message") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("a", 1);
    s.send_message("a", "last");
    CHECK_FALSE(s.engine.unsubscribe({"a"}, {}, 2));
    s.run();
    const auto packet = s.take<packets::unsubscribe>();
    CHECK(stream->phase == phase::open);
    s.send(packets::unsuback{packet.id, {reason_code::success}, {}});

    CHECK(stream->phase == phase::ended);
    CHECK(s.receive(*stream) == "last");
    CHECK(stream->end_reason == errc::subscription_ended);
}

TEST_CASE("client_requests: before MQTT 5 every UNSUBACK is a success") {
    engine_script s({}, protocol_version::v3_1_1);
    s.open();
    CHECK_FALSE(s.engine.unsubscribe({"a", "b"}, {}, 2));
    s.run();
    s.send(packets::unsuback{s.take<packets::unsubscribe>().id, {}, {}});

    CHECK(s.outcome_of(2)->reasons == std::vector{reason_code::success, reason_code::success});
}

TEST_CASE("client_requests: closing a stream unsubscribes, and throws away what still comes") {
    engine_script s;
    s.open();
    const auto stream = s.subscribe("a", 1);
    s.send_message("a", "not taken", qos::at_least_once, 1);
    s.engine.close(stream);
    s.run();

    CHECK(s.take<packets::puback>().reason == reason_code::implementation_specific_error);
    const auto packet = s.take<packets::unsubscribe>();
    s.send_message("a", "late", qos::at_least_once, 2);
    CHECK(s.take<packets::puback>().id == packet_id{2});
    CHECK(s.engine.unclaimed().empty());
    s.send(packets::unsuback{packet.id, {reason_code::success}, {}});
    CHECK(stream->phase == phase::ended);
}

TEST_CASE("client_requests: closing a stream of a session to be resumed leaves the subscription") {
    engine_script s({.session = session_mode::resume});
    s.open();
    const auto stream = s.subscribe("a", 1);
    s.send_message("a", "not taken", qos::at_least_once, 1);
    s.engine.close(stream);
    s.run();

    CHECK(s.is_silent());
    CHECK(stream->phase == phase::ended);
}

TEST_CASE("client_requests: a filter that another stream has is not unsubscribed") {
    engine_script s;
    s.open();
    const auto first = s.subscribe("a", 1);
    const auto second = s.subscribe("a", 2);
    s.engine.close(first);
    s.run();

    CHECK(s.is_silent());
    s.send_message("a", "x", qos::at_most_once, 0, {second->identifier});
    CHECK(second->box.size() == 1);
}

TEST_CASE("client_requests: giving up before the SUBSCRIBE was sent sends nothing") {
    engine_script s;
    const auto stream = s.subscribe("a", 1);
    s.engine.close(stream);
    s.open();

    CHECK(s.is_silent());
}

TEST_CASE("client_requests: giving up after the SUBSCRIBE was sent unsubscribes") {
    engine_script s;
    s.open();
    const auto stream = s.make_stream({{"a"}});
    CHECK_FALSE(s.engine.subscribe(stream, 1));
    s.run();
    s.engine.close(stream);
    s.run();
    s.grant();

    CHECK(s.take<packets::unsubscribe>().filters.at(0) == "a");
    CHECK(s.outcomes.empty());
}
