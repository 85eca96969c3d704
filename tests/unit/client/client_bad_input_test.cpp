// A server that lies or breaks, a store that fails, and arguments that are not valid: each has its documented error, and
// what was accepted is not lost.
#include "engine_script.hpp"
#include "support/bytes.hpp"

#include <martlet/store.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;
using kind = client_event::kind_type;

namespace {

constexpr protocol_version versions[] = {protocol_version::v3_1, protocol_version::v3_1_1, protocol_version::v5};

client_options resuming() {
    client_options o;
    o.client_id = "c";
    o.session = session_mode::resume;
    o.reconnect.delay_min = 1s;
    o.reconnect.jitter = 0;
    return o;
}

packets::connack present(protocol_version version) {
    packets::connack p;
    p.session_present = version != protocol_version::v3_1;
    return p;
}

// With a message accepted and on its way: after whatever happens it is delivered on the next connection.
struct victim : engine_script {
    explicit victim(protocol_version version) : engine_script(resuming(), version) {
        open();
        CHECK_FALSE(publish("t", "precious", qos::exactly_once, 7));
        forget();
    }
    void check_survived(error_code cause) {
        REQUIRE(last(kind::lost) != nullptr);
        CHECK(last(kind::lost)->cause == cause);
        CHECK(outcome_of(7) == nullptr);
        advance(10s);
        open(present(version()));
        const auto again = take<packets::publish>();
        CHECK(again.payload == "precious");
        CHECK(again.dup);
        send(packets::pubrec{again.id, {}, {}});
        (void)take<packets::pubrel>();
        send(packets::pubcomp{again.id, {}, {}});
        REQUIRE(outcome_of(7) != nullptr);
        CHECK_FALSE(outcome_of(7)->error);
    }
};

}  // namespace

TEST_CASE("client_bad_input: ill-formed packets end the connection, and lose nothing that was accepted") {
    for (const auto version : versions) {
        for (const auto* bytes : {"00 00", "F0 80 80 80 80 80", "36 05 00 01 74 00 01", "32 03 00 01 74",
                                  "30 05 00 03 C0 80 61", "90 02 00 01", "B0 00"}) {
            CAPTURE(bytes);
            victim s(version);
            s.send(bytes);
            const auto cause = s.last(kind::lost) != nullptr ? s.last(kind::lost)->cause : error_code();
            CHECK((cause == errc::malformed_packet || cause == errc::protocol_error));
            s.check_survived(cause);
        }
    }
}

TEST_CASE("client_bad_input: packets that a server must not send end the connection") {
    for (const auto version : versions) {
        for (const auto* bytes : {"20 02 00 00", "C0 00", "82 06 00 01 00 01 74 00", "A2 05 00 01 00 01 74"}) {
            if (version == protocol_version::v5 && std::string_view(bytes) == "20 02 00 00")
                continue;  // too short there
            CAPTURE(bytes);
            victim s(version);
            s.send(bytes);
            const auto cause = s.last(kind::lost) != nullptr ? s.last(kind::lost)->cause : error_code();
            CHECK((cause == errc::malformed_packet || cause == errc::protocol_error));
            s.check_survived(cause);
        }
    }
}

TEST_CASE("client_bad_input: acknowledgements for ids that nobody uses change nothing") {
    for (const auto version : versions) {
        victim s(version);
        s.send(packets::puback{packet_id{99}, {}, {}});
        s.send(packets::pubcomp{packet_id{98}, {}, {}});
        CHECK(s.is_silent());
        s.send(packets::pubrec{packet_id{97}, {}, {}});  // the server has to come to its end
        CHECK(s.take<packets::pubrel>().id == packet_id{97});
        CHECK(s.engine.is_open());
        CHECK(s.outcome_of(7) == nullptr);
    }
}

TEST_CASE("client_bad_input: an acknowledgement of another kind than the id's exchange ends the connection") {
    for (const auto version : versions) {
        victim s(version);
        s.send(packets::puback{packet_id{1}, {}, {}});  // of the QoS 2 message
        s.check_survived(errc::protocol_error);
    }
}

TEST_CASE("client_bad_input: SUBACK or UNSUBACK with another number of codes than filters ends the connection") {
    for (const auto version : versions) {
        for (const std::size_t count : {2u, 3u}) {
            victim s(version);
            const auto stream = s.make_stream({{"a", qos::at_most_once}});
            CHECK_FALSE(s.engine.subscribe(stream, 5));
            s.run();
            const auto asked = s.take<packets::subscribe>();
            s.send(packets::suback{asked.id, std::vector<reason_code>(count, reason_code::success), {}});
            CHECK(s.outcome_of(5) == nullptr);
            REQUIRE(s.last(kind::lost) != nullptr);
            CHECK(s.last(kind::lost)->cause == errc::protocol_error);

            s.advance(10s);
            s.open(present(version));  // it is asked for again
            while (s.peek() && s.peek() != packet_type::subscribe)
                (void)s.next();
            s.grant(reason_code::success);
            REQUIRE(s.outcome_of(5) != nullptr);
            CHECK_FALSE(s.outcome_of(5)->error);
        }
    }
}

TEST_CASE("client_bad_input: more unacknowledged messages than our Receive Maximum end the connection") {
    auto o = resuming();
    o.receive_maximum = 3;
    engine_script s(o);
    s.open();
    const auto stream = s.subscribe("t");
    s.forget();
    for (int i = 1; i <= 4; ++i)
        s.send_message("t", std::to_string(i), qos::at_least_once, i);
    CHECK(s.take<packets::disconnect>().reason == reason_code::receive_maximum_exceeded);
    CHECK(s.last(kind::lost)->cause == errc::protocol_error);
    for (int i = 1; i <= 3; ++i)
        CHECK(s.receive(*stream) == std::to_string(i));
}

TEST_CASE("client_bad_input: a packet over our maximum is refused by its length, before it is there") {
    auto o = resuming();
    o.packet_size_max = 100;
    engine_script s(o);
    s.open();
    s.forget();
    s.send("30 FF 7F");
    CHECK(s.take<packets::disconnect>().reason == reason_code::packet_too_large);
    CHECK(s.last(kind::lost)->text.find("arge") != std::string::npos);
}

TEST_CASE("client_bad_input: silence in every state has its own error") {
    for (const auto version : versions) {
        auto o = resuming();
        o.connect_timeout = 5s;
        o.keep_alive = 10s;
        engine_script s(o, version);
        s.start();
        s.dial_succeeds();  // no CONNACK
        s.advance(5s);
        CHECK(s.last(kind::connect_failed)->cause == errc::connect_timeout);

        s.advance(1s);
        s.open();
        CHECK_FALSE(s.publish("t", "x", qos::at_least_once, 1));
        s.advance(16s);  // no PUBACK, no PINGRESP
        CHECK(s.last(kind::lost)->cause == errc::keep_alive_timeout);
        CHECK(s.outcome_of(1) == nullptr);

        s.advance(10s);
        s.open(present(version));
        s.send_bytes(std::string("\x30\x7F", 2));  // half a packet
        s.advance(16s);
        CHECK(s.count(kind::lost) == 2);
    }
}

TEST_CASE("client_bad_input: CONNACK that contradicts CONNECT ends the attempt") {
    engine_script s({.version = protocol_version::v5});
    s.start();
    s.dial_succeeds();
    s.forget();
    packets::connack answer;
    answer.session_present = true;  // after Clean Start
    s.send(answer);
    REQUIRE(s.last(kind::connect_failed) != nullptr);
    CHECK(s.last(kind::connect_failed)->cause == errc::protocol_error);
}

TEST_CASE("client_bad_input: a store that cannot commit ends the run with store_failed, and nothing unstored left") {
    class nothing final : public store {
        void load(load_handler) override {}
        void commit(core::change_batch, commit_handler) override {}
    };
    auto o = resuming();
    o.store = std::make_shared<nothing>();
    engine_script s(o);
    s.open();
    s.forget();
    CHECK_FALSE(s.publish("t", "x", qos::exactly_once, 1));
    (void)s.engine.journal().take();
    s.engine.on_store_failed(errc::store_failed, "the disk is full");
    s.run();

    CHECK(s.is_silent());
    CHECK(s.finished == make_error_code(errc::store_failed));
    CHECK(s.engine.session().has_state());  // the message is still there for the next run
}

TEST_CASE("client_bad_input: calls after the end are refused") {
    engine_script s;
    s.open();
    s.engine.stop();
    s.run();
    CHECK(s.publish("t", "x", qos::at_least_once, 1) == errc::not_running);
    CHECK(s.engine.subscribe(s.make_stream({{"t", qos::at_most_once}}), 2) == errc::not_running);
    CHECK(s.engine.unsubscribe({"t"}, {}, 3) == errc::not_running);
    CHECK(s.engine.disconnect({}, {}) == errc::not_running);
    CHECK(s.engine.ping(4) == errc::not_connected);
    CHECK(s.engine.reauthenticate(5) == errc::not_connected);
}
