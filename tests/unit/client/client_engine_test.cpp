// Links come and go: dialling, handshake, versions, losing, trying again, leaving.
#include "engine_script.hpp"
#include "support/bytes.hpp"

#include <martlet/store.hpp>

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <chrono>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;
using kind = client_event::kind_type;

TEST_CASE("client_engine: connects, and tells what the server said") {
    engine_script s;
    s.start();
    CHECK(s.dialled.size() == 1);
    CHECK(s.dialled[0].port == 1883);

    s.dial_succeeds();
    const auto connect = s.take<packets::connect>();
    CHECK(connect.clean_start);
    CHECK(connect.client_id == "c");
    CHECK(connect.keep_alive == 60);
    CHECK(connect.properties.session_expiry_interval == 3600);
    CHECK(connect.properties.receive_maximum == 1000);
    packets::connack answer;
    answer.properties.receive_maximum = 7;
    answer.properties.server_keep_alive = 5;
    answer.properties.reason_string = "welcome";
    s.send(answer);

    CHECK(s.engine.is_open());
    REQUIRE(s.last(kind::connected) != nullptr);
    const auto& info = s.last(kind::connected)->info;
    CHECK(info.receive_maximum == 7);
    CHECK(info.keep_alive == 5);
    CHECK(info.reason_string == "welcome");
    CHECK(info.version == protocol_version::v5);
}

TEST_CASE("client_engine: unusable options end the run before anything is dialled") {
    const auto started_with = [](client_options o) {
        detail::client_engine engine(o, 1);
        return engine.start();
    };
    CHECK(started_with({.urls = {}}) == errc::url_invalid);
    CHECK(started_with({.urls = {"http://x"}}) == errc::url_invalid);
    CHECK(started_with({.client_id = "\xff"}) == errc::client_id_invalid);
    CHECK(started_with({.client_id = "", .version = protocol_version::v3_1}) == errc::client_id_invalid);
    CHECK(started_with({.version = protocol_version::v3_1_1, .session = session_mode::resume}) ==
          errc::client_id_invalid);
    CHECK(started_with({.version = protocol_version::v3_1_1, .password = "x"}) == errc::option_invalid);
    CHECK(started_with({.user_name = "a\xC0"}) == errc::string_invalid);
    CHECK(started_with({.will = will_options{.topic = "a/+"}}) == errc::topic_invalid);
    CHECK(started_with({.keep_alive = 65'536s}) == errc::option_invalid);
    CHECK(started_with({.receive_maximum = 0}) == errc::option_invalid);
    CHECK_FALSE(started_with({.client_id = "ok"}));
}

TEST_CASE("client_engine: a fresh session is begun anew once, then resumed (MQTT 5)") {
    engine_script s;
    s.open();
    s.lose();
    s.advance(10s);
    s.dial_succeeds();

    CHECK_FALSE(s.take<packets::connect>().clean_start);
}

TEST_CASE("client_engine: a fresh session is clean on every connection before MQTT 5") {
    engine_script s({}, protocol_version::v3_1_1);
    s.open();
    s.lose();
    s.advance(10s);
    s.dial_succeeds();

    CHECK(s.take<packets::connect>().clean_start);
    s.send(packets::connack{});
    CHECK(s.count(kind::session_lost) == 0);
}

TEST_CASE("client_engine: resume never begins anew") {
    for (const auto version : {protocol_version::v3_1_1, protocol_version::v5}) {
        engine_script s({.session = session_mode::resume}, version);
        s.start();
        s.dial_succeeds();
        const auto connect = s.take<packets::connect>();
        CHECK_FALSE(connect.clean_start);
        if (version == protocol_version::v5) CHECK(connect.properties.session_expiry_interval == 0xFFFF'FFFF);
    }
}

TEST_CASE("client_engine: goes through the URLs, then waits, with doubling delays") {
    engine_script s({.urls = {"mqtt://a", "mqtt://b:1884"}, .reconnect = {.delay_min = 1s, .jitter = 0}});
    s.start();
    s.dial_fails();
    REQUIRE(s.dialled.size() == 2);
    CHECK(s.dialled[1].host == "b");
    CHECK(s.dialled[1].port == 1884);
    s.dial_fails();
    CHECK(s.dialled.size() == 2);
    REQUIRE(s.last(kind::retry_in) != nullptr);
    CHECK(s.last(kind::retry_in)->delay == 1s);

    s.advance(999ms);
    CHECK(s.dialled.size() == 2);
    s.advance(1ms);
    REQUIRE(s.dialled.size() == 3);
    CHECK(s.dialled[2].host == "a");
    s.dial_fails();
    s.dial_fails();
    CHECK(s.last(kind::retry_in)->delay == 2s);
    CHECK(s.count(kind::connect_failed) == 4);
}

TEST_CASE("client_engine: with reconnecting off, one failed round ends the run with its cause") {
    engine_script s({.urls = {"mqtt://a", "mqtt://b"}, .reconnect = {.enabled = false}});
    s.start();
    s.dial_fails();
    CHECK_FALSE(s.finished);
    s.dial_fails(boost::asio::error::host_unreachable);

    CHECK(s.finished == error_code(boost::asio::error::host_unreachable));
}

TEST_CASE("client_engine: before_first_connect off ends the run only until the first success") {
    engine_script s({.reconnect = {.before_first_connect = false}});
    s.start();
    s.dial_fails();
    CHECK(s.finished.has_value());

    engine_script t({.reconnect = {.before_first_connect = false}});
    t.open();
    t.lose();
    t.advance(2s);
    t.dial_fails();
    CHECK_FALSE(t.finished);
}

TEST_CASE("client_engine: a fatal refusal ends the run with the server's reason, others do not") {
    engine_script s;
    s.open({false, reason_code::bad_user_name_or_password, {}});
    CHECK(s.finished == make_error_code(reason_code::bad_user_name_or_password));
    CHECK(s.last(kind::stopped)->cause == reason_code::bad_user_name_or_password);

    engine_script t;
    t.open({false, reason_code::server_busy, {}});
    CHECK_FALSE(t.finished);
    CHECK(t.count(kind::retry_in) == 1);
}

TEST_CASE("client_engine: falls back to 3.1.1 when MQTT 5 is refused, and remembers") {
    for (const auto* answer : {"20 03 00 84 00", "20 02 00 01"}) {  // in the form of MQTT 5, in that of 3.1.1
        engine_script s({.client_id = "c"});
        s.start();
        s.dial_succeeds();
        CHECK(s.take<packets::connect>().version == protocol_version::v5);
        s.send(answer);
        CHECK(s.dialled.size() == 2);
        CHECK(s.count(kind::version_changed) == 1);
        const std::string told = to_string(*s.last(kind::version_changed));
        CHECK(told.ends_with("; trying MQTT 3.1.1"));
        CHECK(told.starts_with("the server does not know this version") == (answer[4] == '3'));
        CHECK(s.count(kind::connect_failed) == 0);

        s.dial_succeeds();
        CHECK(s.take<packets::connect>().version == protocol_version::v3_1_1);
        s.send("20 02 00 00");
        CHECK(s.engine.is_open());
        s.lose();
        s.advance(10s);
        s.dial_succeeds();
        CHECK(s.take<packets::connect>().version == protocol_version::v3_1_1);
    }
}

TEST_CASE("client_engine: falls back when the server hangs up on MQTT 5, but tries it again in the next round") {
    engine_script s({.reconnect = {.delay_min = 1s, .jitter = 0}});
    s.start();
    s.dial_succeeds();
    (void)s.take<packets::connect>();
    s.lose();
    s.dial_succeeds();
    CHECK(s.take<packets::connect>().version == protocol_version::v3_1_1);
    s.lose();
    CHECK(s.count(kind::connect_failed) == 1);
    s.advance(1s);
    s.dial_succeeds();
    CHECK(s.take<packets::connect>().version == protocol_version::v5);
}

TEST_CASE("client_engine: a version that is given is not negotiated") {
    engine_script s({.version = protocol_version::v5});
    s.start();
    s.dial_succeeds();
    (void)s.take<packets::connect>();
    s.send("20 03 00 84 00");

    CHECK(s.finished == make_error_code(reason_code::unsupported_protocol_version));
}

TEST_CASE("client_engine: a silent server is left after the connect timeout, dialling included") {
    engine_script s({.connect_timeout = 5s, .reconnect = {.enabled = false}});
    s.start();
    s.advance(3s);
    s.dial_succeeds();
    s.advance(1900ms);
    CHECK_FALSE(s.finished);
    s.advance(200ms);

    CHECK(s.finished == make_error_code(errc::connect_timeout));
}

TEST_CASE("client_engine: a dead link is found within 1.5 times the keep-alive") {
    engine_script s({.keep_alive = 10s, .reconnect = {.enabled = false}});
    s.open();
    s.advance(10s);
    CHECK(s.next() == "C0 00");
    s.advance(4900ms);
    CHECK_FALSE(s.finished);
    s.advance(200ms);

    CHECK(s.finished == make_error_code(errc::keep_alive_timeout));
}

TEST_CASE("client_engine: a lost connection is dialled again at once if it has lasted") {
    engine_script s({.keep_alive = 0s});
    s.open();
    s.advance(2min);
    s.lose(boost::asio::error::connection_reset);

    CHECK(s.last(kind::lost)->cause == boost::asio::error::connection_reset);
    CHECK(s.dialled.size() == 2);
}

TEST_CASE("client_engine: the server's DISCONNECT is told with its reason; a take-over is final") {
    engine_script s;
    s.open();
    s.send(packets::disconnect{reason_code::server_shutting_down, {{}, "bye", {}, {}}});
    CHECK(s.last(kind::lost)->cause == reason_code::server_shutting_down);
    CHECK(s.last(kind::lost)->text == "bye");
    CHECK_FALSE(s.finished);

    engine_script t;
    t.open();
    t.send(packets::disconnect{reason_code::session_taken_over, {}});
    CHECK(t.finished == make_error_code(reason_code::session_taken_over));
}

TEST_CASE("client_engine: a server that breaks the protocol hears why, and is left") {
    engine_script s;
    s.open();
    s.send("00 00");

    CHECK(s.take<packets::disconnect>().reason == reason_code::malformed_packet);
    CHECK(s.last(kind::lost)->cause == errc::malformed_packet);
    CHECK_FALSE(s.last(kind::lost)->text.empty());
}

TEST_CASE("client_engine: disconnect says good-bye, ends the session of a fresh client, and ends the run") {
    engine_script s;
    s.open();
    CHECK_FALSE(s.engine.disconnect({}, "done"));
    s.run();

    const auto bye = s.take<packets::disconnect>();
    CHECK(bye.reason == reason_code::success);
    CHECK(bye.properties.session_expiry_interval == 0);
    CHECK(bye.properties.reason_string == "done");
    CHECK(s.finished == error_code());
    CHECK(s.engine.disconnect({}, "") == errc::not_running);
    CHECK(s.publish("t", "x", qos::at_least_once, 1) == errc::not_running);
}

TEST_CASE("client_engine: disconnect carries user properties, which must be text") {
    engine_script s;
    s.open();
    CHECK(s.engine.disconnect({}, "", {{"name", "\xff"}}) == errc::string_invalid);
    CHECK_FALSE(s.engine.disconnect({}, "", {{"a", "1"}, {"a", "2"}}));
    s.run();

    const auto bye = s.take<packets::disconnect>();
    CHECK(std::vector<user_property>(bye.properties.user_properties.begin(), bye.properties.user_properties.end()) ==
          std::vector<user_property>{{"a", "1"}, {"a", "2"}});
}

TEST_CASE("client_engine: disconnect keeps the session that is to be resumed") {
    engine_script s({.session = session_mode::resume});
    s.open();
    CHECK_FALSE(s.engine.disconnect({.reason = reason_code::disconnect_with_will}, ""));
    s.run();

    const auto bye = s.take<packets::disconnect>();
    CHECK(bye.reason == reason_code::disconnect_with_will);
    CHECK_FALSE(bye.properties.session_expiry_interval);
}

TEST_CASE("client_engine: draining waits for every acknowledgement, across a reconnect") {
    engine_script s;
    s.open();
    CHECK_FALSE(s.publish("t", "x", qos::exactly_once, 1));
    CHECK_FALSE(s.engine.disconnect({.drain = true}, ""));
    s.run();
    CHECK(s.publish("t", "y", qos::at_least_once, 2) == errc::not_running);
    (void)s.take<packets::publish>();
    s.lose();
    s.advance(10s);
    s.open({true, {}, {}});
    CHECK(s.take<packets::publish>().dup);
    s.send(packets::pubrec{packet_id{1}, {}, {}});
    (void)s.take<packets::pubrel>();
    CHECK_FALSE(s.finished);
    s.send(packets::pubcomp{packet_id{1}, {}, {}});

    (void)s.take<packets::disconnect>();
    CHECK(s.finished == error_code());
    CHECK_FALSE(s.outcome_of(1)->error);
}

TEST_CASE("client_engine: stop cuts the connection and keeps what is queued for the next run") {
    engine_script s;
    s.open();
    CHECK_FALSE(s.publish("t", "x", qos::at_least_once, 1));
    s.forget();
    s.engine.stop();
    s.run();
    CHECK(s.finished == error_code());
    CHECK(s.is_silent());

    s.start();
    s.open();
    CHECK(s.take<packets::publish>().payload == "x");
}

TEST_CASE("client_engine: stop while dialling or waiting ends the run, too") {
    engine_script s;
    s.start();
    s.engine.stop();
    s.run();
    CHECK(s.finished == error_code());
    s.dial_succeeds();
    CHECK_FALSE(s.engine.is_open());

    engine_script t;
    t.start();
    t.dial_fails();
    t.engine.stop();
    t.run();
    CHECK(t.finished == error_code());
    CHECK(t.engine.next_deadline() == never);
}

TEST_CASE("client_engine: the server's choice of a client id is used from then on") {
    client_options o{.client_id = ""};
    engine_script s;
    s.options.client_id.clear();
    detail::client_engine engine(s.options, 1);
    engine.set_time(s.now);
    CHECK_FALSE(engine.start());
    detail::link_action ignored;
    while (engine.take_action(ignored)) {}
    engine.on_dialed();
    CHECK(engine.on_bytes(test::bytes("20 09 00 00 06 12 00 03 'abc'")));
    REQUIRE(engine.info());
    CHECK(engine.info()->client_id == "abc");
    engine.on_link_closed({});
    engine.release_link();
    engine.set_time({s.now.steady + 1min, s.now.wall + 1min});
    engine.on_deadline();
    engine.on_dialed();
    std::string_view view[1];
    REQUIRE(engine.out().gather(view) == 1);
    CHECK(view[0].find("abc") != std::string_view::npos);
}

TEST_CASE("client_engine: nothing leaves before the store has committed it") {
    engine_script s({.store = memory_store()});
    s.open();
    CHECK_FALSE(s.publish("t", "x", qos::at_least_once, 1));
    CHECK(s.is_silent());
    REQUIRE(s.engine.journal().has_rows());
    s.engine.on_committed(s.engine.journal().take().number);
    s.run();

    CHECK(s.take<packets::publish>().payload == "x");
}

TEST_CASE("client_engine: a server that knows neither 5 nor 3.1.1 is asked for 3.1") {
    engine_script s({.client_id = "c"});
    s.start();
    for (int i = 0; i < 2; ++i) {
        s.dial_succeeds();
        (void)s.take<packets::connect>();
        s.send("20 02 00 01");
    }
    s.dial_succeeds();
    CHECK(s.take<packets::connect>().version == protocol_version::v3_1);
    s.send("20 02 00 00");
    CHECK(s.engine.is_open());
    CHECK(s.count(kind::version_changed) == 2);
}

TEST_CASE(
    "client_engine: a clean session begins anew on every connection, and publishes again what is unacknowledged") {
    for (const auto version : {protocol_version::v3_1_1, protocol_version::v5}) {
        engine_script s({.session = session_mode::clean}, version);
        s.start();
        s.dial_succeeds();
        const auto first = s.take<packets::connect>();
        CHECK(first.clean_start);
        CHECK_FALSE(first.properties.session_expiry_interval);
        s.send(packets::connack{});
        const auto stream = s.subscribe("t/#");
        CHECK_FALSE(s.publish("t", "x", qos::exactly_once, 5));
        s.forget();
        s.advance(10s);
        s.lose();
        s.dial_succeeds();
        CHECK(s.take<packets::connect>().clean_start);
        s.send(packets::connack{});
        CHECK_FALSE(s.take<packets::publish>().dup);
        CHECK(s.take<packets::subscribe>().subscriptions[0].filter == "t/#");
        CHECK(s.count(kind::session_lost) == 0);  // it was never to be kept
    }
}

TEST_CASE("client_engine: what may be a port of TLS is not called an old server") {
    const auto story = [](const std::string& url, const char* answer) {
        engine_script s({.urls = {url}, .client_id = "c"});
        s.start();
        s.dial_succeeds();
        (void)s.take<packets::connect>();
        if (answer != nullptr) {
            s.send(answer);
        } else {
            s.engine.on_link_closed(errc::connection_closed, {});
            s.run();
        }
        return to_string(*s.last(kind::version_changed));
    };
    CHECK(story("mqtt://h", nullptr) ==
          "the server closed the connection without an answer (does the port want TLS? mqtts://); trying MQTT 3.1.1");
    CHECK(story("mqtts://h", nullptr) == "the server closed the connection without an answer; trying MQTT 3.1.1");
    CHECK(story("mqtt://h", "15 03 01 00 02 02 46") ==  // OpenSSL's alert to what is not TLS
          "the server's answer is not one of MQTT 5, as that of an older one is not (does the port want TLS? "
          "mqtts://); trying MQTT 3.1.1");
}
