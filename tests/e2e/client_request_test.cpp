// Requests and their replies, batches and PINGREQ between clients and a broker.
#include "e2e/client_world.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;
using asio::experimental::as_tuple;
using test::client_world;

namespace {

constexpr auto tuple = as_tuple(asio::use_awaitable);

// Sends the reply that a request asks for.
asio::awaitable<void> reply(client& me, const message& request, std::string text) {
    const auto asked = request.properties();
    publish_options how;
    how.qos = qos::at_least_once;
    how.properties.correlation_data = asked.correlation_data;
    co_await me.async_publish(asked.response_topic.value_or("nowhere"), std::move(text), how);
}

}  // namespace

TEST_CASE("client_request: a hundred in flight, answered in the opposite order, each gets its own") {
    client_world w;
    client asking(w.io, w.options("asking"));
    client answering(w.io, w.options("answering"));
    asking.async_run(asio::detached);
    answering.async_run(asio::detached);
    w.run([](client& a, client& b) -> asio::awaitable<void> {
        auto requests = co_await b.async_subscribe("square", qos::at_least_once);
        int right = 0;
        int ended = 0;
        for (int i = 0; i < 100; ++i) {
            a.async_request("square", std::to_string(i), [&, i](error_code error, const message& m) {
                CHECK_FALSE(error);
                if (m.text() == std::to_string(i * i)) ++right;
                ++ended;
            });
        }
        std::vector<message> all;
        while (all.size() < 100)
            all.push_back(co_await requests.async_receive());
        std::reverse(all.begin(), all.end());
        for (const auto& one : all) {
            const int n = std::stoi(std::string(one.text()));
            co_await reply(b, one, std::to_string(n * n));
        }
        while (ended < 100)
            co_await asio::post(asio::use_awaitable);
        CHECK(right == 100);
        CHECK(a.statistics().replies_late == 0);
    }(asking, answering));
}

TEST_CASE("client_request: a time limit, a late reply, and nobody to ask") {
    client_world w;
    client asking(w.io, w.options("asking"));
    client answering(w.io, w.options("answering"));
    asking.async_run(asio::detached);
    answering.async_run(asio::detached);
    w.run([](client& a, client& b) -> asio::awaitable<void> {
        auto [nobody, none] = co_await a.async_request("void", "x", tuple);
        CHECK(nobody == reason_code::no_matching_subscribers);

        auto requests = co_await b.async_subscribe("slow", qos::at_least_once);
        auto [late, nothing] = co_await a.async_request("slow", "x", {.timeout = 20ms}, tuple);
        CHECK(late == errc::operation_timeout);
        const auto request = co_await requests.async_receive();
        co_await reply(b, request, "too late");
        while (a.statistics().replies_late == 0)
            co_await asio::post(asio::use_awaitable);

        auto [invalid, nothing2] = co_await a.async_request("a/+", "x", tuple);
        CHECK(invalid == errc::topic_invalid);
        CHECK(a.statistics().connects == 1);
    }(asking, answering));
}

TEST_CASE("client_request: a cancelled request leaves the others alone") {
    client_world w;
    client asking(w.io, w.options("asking"));
    client answering(w.io, w.options("answering"));
    asking.async_run(asio::detached);
    answering.async_run(asio::detached);
    w.run([](client& a, client& b) -> asio::awaitable<void> {
        auto requests = co_await b.async_subscribe("q", qos::at_least_once);
        asio::cancellation_signal signal;
        error_code first;
        std::string second;
        a.async_request("q", "1", asio::bind_cancellation_slot(signal.slot(), [&](error_code error, const message&) {
                            first = error;
                        }));
        a.async_request("q", "2", [&](error_code, const message& m) { second = m.text(); });
        auto one = co_await requests.async_receive();
        auto two = co_await requests.async_receive();
        signal.emit(asio::cancellation_type::terminal);
        co_await reply(b, one, "r1");
        co_await reply(b, two, "r2");
        while (second.empty())
            co_await asio::post(asio::use_awaitable);
        CHECK(first == asio::error::operation_aborted);
        CHECK(second == "r2");
    }(asking, answering));
}

TEST_CASE("client_request: before MQTT 5 both ends know the reply topic, and replies come in order") {
    client_world w;
    auto o = w.options("asking");
    o.version = protocol_version::v3_1_1;
    client asking(w.io, o);
    client answering(w.io, w.options("answering"));
    asking.async_run(asio::detached);
    answering.async_run(asio::detached);
    w.run([](client& a, client& b) -> asio::awaitable<void> {
        auto requests = co_await b.async_subscribe("q", qos::at_least_once);
        auto [error, none] = co_await a.async_request("q", "x", tuple);
        CHECK(error == errc::version_not_supported);

        std::vector<std::string> replies;
        for (const auto* text : {"1", "2"}) {
            a.async_request("q", text, {.reply_topic = "q/reply"}, [&](error_code failed, const message& m) {
                CHECK_FALSE(failed);
                replies.emplace_back(m.text());
            });
        }
        for (int i = 0; i < 2; ++i) {
            const auto m = co_await requests.async_receive();
            co_await b.async_publish("q/reply", "re " + std::string(m.text()), {.qos = qos::at_least_once});
        }
        while (replies.size() < 2)
            co_await asio::post(asio::use_awaitable);
        CHECK(replies == std::vector<std::string>{"re 1", "re 2"});
    }(asking, answering));
}

TEST_CASE("client_request: a batch says how many were delivered, and why one was not") {
    client_world w;
    client c(w.io, w.options("c"));
    c.async_run(asio::detached);
    w.run([](client& me) -> asio::awaitable<void> {
        auto stream = co_await me.async_subscribe("b/#");
        std::vector<publication> batch;
        for (const auto q : {qos::at_most_once, qos::at_least_once, qos::exactly_once})
            batch.push_back({"b/t", "x", {.qos = q}});
        batch.push_back({"b/+", "x", {}});
        auto [error, result] = co_await me.async_publish_batch(batch, tuple);
        CHECK(error == errc::topic_invalid);
        CHECK(result.delivered == 3);
        CHECK(result.failed == 1);
        for (int i = 0; i < 3; ++i)
            CHECK((co_await stream.async_receive()).text() == "x");

        auto [empty, nothing] = co_await me.async_publish_batch(std::span<const publication>(), tuple);
        CHECK_FALSE(empty);
        CHECK(nothing.delivered + nothing.failed == 0);
    }(c));
}

TEST_CASE("client_request: PINGREQ is measured, and needs a connection") {
    client_world w;
    client c(w.io, w.options("c"));
    w.run([](client& me) -> asio::awaitable<void> {
        auto [error, none] = co_await me.async_ping(tuple);
        CHECK(error == errc::not_connected);
        me.async_run(asio::detached);
        co_await me.async_publish("t", "x");
        const auto elapsed = co_await me.async_ping(10s);
        CHECK(elapsed > 0us);
        CHECK(me.statistics().round_trip == elapsed);
        auto [no_way, nothing] = co_await [](client& m) -> asio::awaitable<std::tuple<error_code, int>> {
            auto [e] = co_await m.async_reauthenticate(tuple);
            co_return std::tuple{e, 0};
        }(me);
        CHECK(no_way == errc::option_invalid);
    }(c));
}
