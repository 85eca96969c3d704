// Every operation is cancelled at every point of its life, counted in handlers of the loop, while another subscription
// and another QoS 2 publication of the same client go on. And the client is destroyed at every point.
#include "e2e/client_world.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;
using test::client_world;

namespace {

constexpr std::array operations{"publish 0",   "publish 1", "publish 2",    "batch",       "request", "subscribe",
                                "unsubscribe", "receive",   "receive some", "receive any", "event",   "ping"};

// What handlers outlive the test's steps with.
struct world {
    client_world net;
    client subject{net.io, net.options("subject")};
    subscription witness;  // of the operations that nobody cancels
    subscription other;
    std::vector<message> room{4};
    std::vector<std::string> heard;
    int witnessed = 0;  // publications that have ended
    asio::cancellation_signal signal;
    int ended = 0;
    error_code error;

    // Runs one handler; false if there is nothing to do, also in a moment.
    bool step() {
        for (int i = 0; i < 20; ++i) {
            if (net.io.poll_one() != 0) return true;
            std::this_thread::yield();
        }
        return false;
    }
    template <class Condition>
    void run_until(Condition condition) {
        const auto patience = std::chrono::steady_clock::now() + 30s;
        while (!condition() && std::chrono::steady_clock::now() < patience)
            net.io.run_one_for(1s);
        REQUIRE(condition());
    }

    void connect() {
        subject.async_run(asio::detached);
        subject.async_subscribe("w", [this](error_code, subscription s) {
            witness = std::move(s);
            hear();
        });
        subject.async_subscribe("o/#", [this](error_code, subscription s) { other = std::move(s); });
        run_until([this] { return witness.is_open() && other.is_open(); });
    }
    void hear() {
        witness.async_receive([this](error_code failed, const message& m) {
            if (failed) return;
            heard.emplace_back(m.text());
            hear();
        });
    }
    void publish(const char* text) {
        subject.async_publish("w", text, {.qos = qos::exactly_once}, [this](error_code failed, publish_result) {
            CHECK_FALSE(failed);
            ++witnessed;
        });
    }

    // Any handler: counts, and remembers the error.
    auto done() {
        return asio::bind_cancellation_slot(signal.slot(), [this](error_code failed, auto&&...) {
            ++ended;
            error = failed;
        });
    }
    void start(std::string_view what) {
        const std::vector<publication> batch{{"o/b", "1", {.qos = qos::exactly_once}}, {"o/b", "2", {}}};
        if (what == "publish 0") return subject.async_publish("o/p", "x", done());
        if (what == "publish 1") return subject.async_publish("o/p", "x", {.qos = qos::at_least_once}, done());
        if (what == "publish 2") return subject.async_publish("o/p", "x", {.qos = qos::exactly_once}, done());
        if (what == "batch") return subject.async_publish_batch(batch, done());
        if (what == "request") return subject.async_request("o/r", "x", done());
        if (what == "subscribe") return subject.async_subscribe("s/#", done());
        if (what == "unsubscribe") return subject.async_unsubscribe("o/#", done());
        if (what == "receive") return other.async_receive(done());
        if (what == "receive some") return other.async_receive_some(room, done());
        if (what == "receive any") return subject.async_receive(done());
        if (what == "event") return subject.async_next_event(done());
        if (what == "ping") return subject.async_ping(done());
        FAIL("no such operation");
    }
};

}  // namespace

TEST_CASE("client_cancellation: every operation at every point, and nothing else notices") {
    for (const auto* const what : operations) {
        CAPTURE(what);
        for (int point = 0; point < 60; ++point) {
            CAPTURE(point);
            world w;
            w.connect();
            w.publish("before");
            w.start(what);
            int steps = 0;
            while (steps < point && w.step())
                ++steps;
            const bool has_ended_itself = w.ended != 0;
            const bool is_quiet = steps < point;

            w.signal.emit(asio::cancellation_type::terminal);
            w.publish("after");
            w.run_until([&] { return w.witnessed == 2 && w.heard.size() == 2 && w.ended == 1; });
            CHECK(w.heard == std::vector<std::string>{"before", "after"});
            const bool is_fine = !w.error || w.error == asio::error::operation_aborted;
            CHECK(is_fine);
            const auto statistics = w.subject.statistics();
            CHECK(statistics.connects == 1);
            CHECK(statistics.lost_by_server + statistics.lost_by_network + statistics.lost_by_protocol == 0);
            CHECK(w.net.broker.statistics().connections_accepted == 1);
            if (has_ended_itself || is_quiet) break;  // no further points in its life
        }
    }
}

TEST_CASE("client_cancellation: destroying the client at every point ends every operation once") {
    for (int point = 0; point < 40; ++point) {
        CAPTURE(point);
        auto w = std::make_unique<world>();
        w->connect();
        for (const auto* const what : operations)
            w->start(what);
        for (int steps = 0; steps < point; ++steps)
            (void)w->step();
        w->subject = client(w->net.io, w->net.options("next"));
        w->run_until([&] { return w->ended == static_cast<int>(operations.size()); });
        for (int i = 0; i < 10; ++i)
            (void)w->step();
        CHECK(w->ended == static_cast<int>(operations.size()));
    }
}

TEST_CASE("client_cancellation: destroying loop and client with everything in flight leaks nothing") {
    for (int point = 0; point < 40; point += 3) {
        auto w = std::make_unique<world>();
        w->connect();
        for (const auto* const what : operations)
            w->start(what);
        for (int steps = 0; steps < point; ++steps)
            (void)w->step();
        w.reset();  // the sanitizer has the last word
    }
}
