// What a client lets others see of its work: its packets, its numbers, its log.
#include "engine_script.hpp"
#include "support/bytes.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;

TEST_CASE("client_engine: an observer sees every packet in both directions") {
    struct watcher : packet_observer {
        std::vector<std::string> seen;
        void on_sent(const packet& p, protocol_version, std::size_t) override {
            seen.push_back("> " + std::string(to_string(type_of(p))));
        }
        void on_received(const packet& p, protocol_version, std::size_t) override {
            seen.push_back("< " + std::string(to_string(type_of(p))));
        }
    };
    const auto observer = std::make_shared<watcher>();
    engine_script s({.observer = observer});
    s.open();
    const auto stream = s.subscribe("t");
    CHECK_FALSE(s.publish("t", std::string(10'000, 'x'), qos::at_least_once, 2));
    CHECK_FALSE(s.engine.publish_qos_0("t", "y", false, {}));
    s.send_message("t", "z", qos::at_least_once, 9);
    (void)s.receive(*stream);
    (void)s.receive(*stream);
    CHECK_FALSE(s.engine.disconnect({}, ""));
    s.run();

    CHECK(observer->seen == std::vector<std::string>{"> CONNECT", "< CONNACK", "> SUBSCRIBE", "< SUBACK", "> PUBLISH",
                                                     "> PUBLISH", "< PUBLISH", "> PUBACK", "> DISCONNECT"});
}

TEST_CASE("client_engine: counts what passes") {
    engine_script s;
    s.open();
    CHECK_FALSE(s.publish("t", "x", qos::at_least_once, 1));
    s.send(packets::puback{packet_id{1}, {}, {}});
    auto now = s.engine.statistics();
    CHECK(now.connected);
    CHECK(now.connects == 1);
    CHECK(now.messages_sent == 1);
    CHECK(now.bytes_sent > 20);
    CHECK(now.bytes_received == 5 + 4);
    s.lose();
    now = s.engine.statistics();
    CHECK_FALSE(now.connected);
    CHECK(now.messages_sent == 1);
}

TEST_CASE("client_engine: PINGREQ on demand, joined, measured and counted") {
    engine_script s;
    CHECK(s.engine.ping(1) == errc::not_connected);
    s.open();
    CHECK_FALSE(s.engine.ping(1));
    CHECK_FALSE(s.engine.ping(2));
    s.run();
    CHECK(s.next() == "C0 00");
    CHECK(s.is_silent());
    s.advance(300us);
    s.send("D0 00");
    CHECK_FALSE(s.outcome_of(1)->error);
    CHECK_FALSE(s.outcome_of(2)->error);
    const auto stats = s.engine.statistics();
    CHECK(stats.round_trip == 300us);
    CHECK(stats.round_trips[9] == 1);  // 256 to 511

    CHECK_FALSE(s.engine.ping(3));
    s.run();
    s.lose();
    CHECK(s.outcome_of(3)->error == errc::not_connected);
}

TEST_CASE("client_engine: losses are counted by who caused them") {
    engine_script s({.keep_alive = 10s});
    const auto again = [&] {
        s.advance(100s);
        s.open({true, {}, {}});
    };
    s.open();
    s.send(packets::disconnect{reason_code::server_busy, {}});
    again();
    s.send("30 00");
    again();
    s.lose();
    again();
    s.advance(16s);

    const auto stats = s.engine.statistics();
    CHECK(stats.lost_by_server == 1);
    CHECK(stats.lost_by_protocol == 1);
    CHECK(stats.lost_by_network == 1);
    CHECK(stats.lost_by_silence == 1);
    CHECK(stats.connects == 4);
}

TEST_CASE("client_engine: a logger gets a line for each event, without secrets") {
    class lines : public client_log {
    public:
        void write(log_level level, std::string_view line) override {
            text.append(level == log_level::error     ? "E "
                        : level == log_level::warning ? "W "
                                                      : "I ")
                .append(line) += '\n';
        }
        std::string text;
    };
    const auto log = std::make_shared<lines>();
    engine_script s({.urls = {"mqtt://me:secret@h"}, .password = "secret2", .log = log});
    s.open();
    s.send(packets::disconnect{reason_code::not_authorized, {}});

    CHECK(log->text ==
          "I connecting to mqtt://h\nI connected to mqtt://h, MQTT 5.0, a new session\n"
          "W lost the connection to mqtt://h: Not authorized\nE stopped: Not authorized\n");
}
