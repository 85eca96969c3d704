// The client's shell on real sockets of the loopback: tokens, cancellation, life cycle. The server is a script.
#include "scripted_server.hpp"

#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::experimental::as_tuple;
using test::scripted_server;

namespace {

struct fixture {
    asio::io_context io;
    scripted_server server{io};

    [[nodiscard]] client_options options() {
        client_options o;
        o.urls = {server.url()};
        o.client_id = "c";
        o.reconnect.delay_min = 1ms;
        o.reconnect.delay_max = 5ms;
        return o;
    }
    void spawn(asio::awaitable<void> what) {
        asio::co_spawn(io, std::move(what), [this](std::exception_ptr error) {
            failure = error;
            server.close();
        });
    }
    /// Runs the loop until nothing is left to do; a test that hangs fails.
    void run() {
        io.run_for(20s);
        CHECK(io.stopped());
        if (failure) std::rethrow_exception(failure);
    }
    std::exception_ptr failure;
};

}  // namespace

TEST_CASE("client: a coroutine publishes and receives at every QoS, and leaves") {
    fixture f;
    client c(f.io, f.options());
    std::vector<std::string> got;
    error_code ended = asio::error::would_block;
    f.spawn([](client& me, std::vector<std::string>& heard) -> asio::awaitable<void> {
        auto stream = co_await me.async_subscribe("t/#");
        CHECK(stream.is_open());
        CHECK(stream.granted() == std::vector{reason_code::success});
        for (const auto q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
            co_await me.async_publish("t/a", std::string("x"), {.qos = q});
            const auto m = co_await stream.async_receive();
            heard.emplace_back(m.text());
        }
        co_await me.async_unsubscribe(stream);
        CHECK_FALSE(stream.is_open());
        co_await me.async_disconnect();
    }(c, got));
    c.async_run([&](error_code error) { ended = error; });
    f.run();

    CHECK(got == std::vector<std::string>{"x", "x", "x"});
    CHECK_FALSE(ended);
    CHECK(f.server.has(packet_type::disconnect));
}

TEST_CASE("client: a handler is never called from inside the initiating function") {
    fixture f;
    client c(f.io, f.options());
    bool is_inside = true;
    int calls = 0;
    const auto check = [&] {
        CHECK_FALSE(is_inside);
        ++calls;
    };
    c.async_publish("a/+", "x", [&](error_code error, publish_result) {
        check();
        CHECK(error == errc::topic_invalid);
    });
    c.async_subscribe("a/#/b", [&](error_code error, subscription) {
        check();
        CHECK(error == errc::topic_filter_invalid);
    });
    c.async_disconnect([&](error_code error) {
        check();
        CHECK(error == errc::not_running);
    });
    subscription none;
    none.async_receive(asio::bind_executor(f.io, [&](error_code error, message) {
        check();
        CHECK(error == errc::subscription_ended);
    }));
    is_inside = false;
    f.server.close();
    while (calls < 4)
        f.io.run_one_for(10s);
    CHECK(calls == 4);
}

TEST_CASE("client: futures, from another thread") {
    fixture f;
    client c(f.io, f.options());
    c.async_run(asio::detached);
    std::thread loop([&] { f.run(); });

    auto stream = c.async_subscribe("t", qos::at_least_once, asio::use_future).get();
    c.async_publish("t", "hello", {.qos = qos::exactly_once}, asio::use_future).get();
    const auto m = stream.async_receive(asio::use_future).get();
    CHECK(m.text() == "hello");
    CHECK_THROWS_AS((void)c.async_publish("", "x", asio::use_future).get(), boost::system::system_error);
    c.async_disconnect(asio::use_future).get();
    asio::post(f.io, [&] { f.server.close(); });
    loop.join();
}

TEST_CASE("client: the handler's executor is honoured") {
    fixture f;
    asio::thread_pool pool(1);
    client c(f.io, f.options());
    c.async_run(asio::detached);
    std::thread::id called_on;
    std::promise<void> called;
    c.async_publish("t", "x", {.qos = qos::at_least_once}, asio::bind_executor(pool, [&](error_code, publish_result) {
                        called_on = std::this_thread::get_id();
                        asio::post(f.io, [&] {
                            c.stop();
                            f.server.close();
                        });
                    }));
    f.run();
    pool.join();

    CHECK(called_on != std::thread::id());
    CHECK(called_on != std::this_thread::get_id());
}

TEST_CASE("client: cancelling an operation ends it, and harms nothing else") {
    fixture f;
    f.server.acknowledges = false;
    client c(f.io, f.options());
    asio::cancellation_signal signal;
    int ended = 0;
    const auto is_aborted = [&](error_code error) {
        CHECK(error == asio::error::operation_aborted);
        ++ended;
    };
    c.async_publish("t", "x", {.qos = qos::at_least_once},
                    asio::bind_cancellation_slot(signal.slot(), [&](error_code e, publish_result) {
                        is_aborted(e);
                        f.server.acknowledges = true;
                        c.async_publish("t", "y", {.qos = qos::at_least_once}, [&](error_code error, publish_result) {
                            CHECK_FALSE(error);
                            ++ended;
                            c.stop();
                            f.server.close();
                        });
                    }));
    c.async_run(asio::detached);
    const std::function<void()> when_sent = [&] {
        if (f.server.has(packet_type::publish))
            signal.emit(asio::cancellation_type::terminal);
        else
            asio::post(f.io, when_sent);
    };
    asio::post(f.io, when_sent);
    f.run();

    CHECK(ended == 2);
    CHECK(f.server.connections == 1);
}

TEST_CASE("client: a cancelled receive loses no message") {
    fixture f;
    client c(f.io, f.options());
    f.spawn([](client& me) -> asio::awaitable<void> {
        auto stream = co_await me.async_subscribe("t");
        auto [error, none] = co_await stream.async_receive(1ms, as_tuple(asio::use_awaitable));
        CHECK(error == errc::operation_timeout);
        CHECK_FALSE(none);
        co_await me.async_publish("t", "x");
        CHECK((co_await stream.async_receive(10s)).text() == "x");
        me.stop();
    }(c));
    c.async_run(asio::detached);
    f.run();
}

TEST_CASE("client: the time limit of an operation is its own affair") {
    fixture f;
    f.server.acknowledges = false;
    client c(f.io, f.options());
    f.spawn([](client& me, scripted_server& peer) -> asio::awaitable<void> {
        auto [error, result] = co_await me.async_publish("t", "x", {.qos = qos::at_least_once, .timeout = 5ms},
                                                         as_tuple(asio::use_awaitable));
        CHECK(error == errc::operation_timeout);
        auto [error2, none] = co_await me.async_subscribe("t", {.timeout = 5ms}, as_tuple(asio::use_awaitable));
        CHECK(error2 == errc::operation_timeout);
        peer.acknowledges = true;
        auto stream = co_await me.async_subscribe("t");
        CHECK(peer.connections == 1);
        me.stop();
    }(c, f.server));
    c.async_run(asio::detached);
    f.run();
}

TEST_CASE("client: operations survive a lost connection") {
    fixture f;
    f.server.acknowledges = false;
    client c(f.io, f.options());
    f.spawn([](client& me, scripted_server& peer) -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor);
        bool is_done = false;
        me.async_publish("t", "x", {.qos = qos::exactly_once}, [&](error_code error, publish_result) {
            CHECK_FALSE(error);
            is_done = true;
            timer.cancel();
        });
        while (!peer.has(packet_type::publish))
            co_await asio::post(asio::use_awaitable);
        peer.acknowledges = true;
        peer.hang_up();
        timer.expires_after(10s);
        co_await timer.async_wait(as_tuple(asio::use_awaitable));
        CHECK(is_done);
        CHECK(peer.connections >= 2);
        me.stop();
    }(c, f.server));
    c.async_run(asio::detached);
    f.run();
}

TEST_CASE("client: events tell the story") {
    fixture f;
    client c(f.io, f.options());
    std::vector<client_event::kind_type> story;
    using kind = client_event::kind_type;
    f.spawn([](client& me, scripted_server& peer, std::vector<kind>& told) -> asio::awaitable<void> {
        for (;;) {
            auto [error, e] = co_await me.async_next_event(as_tuple(asio::use_awaitable));
            if (error) {
                CHECK(error == errc::not_running);
                co_return;
            }
            if (e.kind == kind::retry_in || e.kind == kind::connecting) continue;
            told.push_back(e.kind);
            if (e.kind == kind::connected && peer.connections == 1) peer.hang_up();
            if (e.kind == kind::connected && peer.connections == 2) me.stop();
        }
    }(c, f.server, story));
    c.async_run(asio::detached);
    f.run();

    CHECK(story == std::vector{kind::connected, kind::lost, kind::connected, kind::session_lost, kind::stopped});
}

TEST_CASE("client: async_run ends with the server's refusal, and pending operations with it") {
    fixture f;
    f.server.connack.reason = reason_code::bad_user_name_or_password;
    client c(f.io, f.options());
    error_code run_ended;
    error_code publish_ended;
    error_code receive_ended;
    c.async_publish("t", "x", [&](error_code error, publish_result) {
        CHECK(run_ended);  // the reason is heard first
        publish_ended = error;
    });
    c.async_receive([&](error_code error, message) {
        CHECK(run_ended);
        receive_ended = error;
    });
    c.async_run([&](error_code error) {
        CHECK_FALSE(publish_ended);
        run_ended = error;
        f.server.close();
    });
    f.run();

    CHECK(run_ended == reason_code::bad_user_name_or_password);
    CHECK(publish_ended == errc::not_running);
    CHECK(receive_ended == errc::not_running);
}

TEST_CASE("client: a second async_run is refused, cancelling the first ends it") {
    fixture f;
    client c(f.io, f.options());
    asio::cancellation_signal signal;
    error_code first;
    error_code second;
    c.async_run(asio::bind_cancellation_slot(signal.slot(), [&](error_code error) { first = error; }));
    c.async_run([&](error_code error) {
        second = error;
        signal.emit(asio::cancellation_type::all);
        f.server.close();
    });
    f.run();

    CHECK(second == errc::already_running);
    CHECK(first == asio::error::operation_aborted);
}

TEST_CASE("client: destroying it with everything in flight ends every operation once") {
    fixture f;
    f.server.acknowledges = false;
    std::optional<client> c(std::in_place, f.io, f.options());
    int aborted = 0;
    const auto count = [&](error_code error, auto&&...) { aborted += error == asio::error::operation_aborted ? 1 : 0; };
    c->async_run(count);
    c->async_publish("t", "x", {.qos = qos::exactly_once}, count);
    c->async_subscribe("t", count);
    c->async_unsubscribe("u", count);
    c->async_receive(count);
    std::function<void(error_code, client_event)> next = [&](error_code error, const client_event&) {
        if (error) return count(error);
        if (f.server.has(packet_type::unsubscribe)) {
            f.server.close();
            c.reset();
        } else {
            asio::post(f.io, [&] { next({}, {}); });
        }
    };
    c->async_next_event(next);
    f.run();

    CHECK(aborted == 5);
}

TEST_CASE("client: destroying it from a handler of its own is safe") {
    fixture f;
    std::optional<client> c(std::in_place, f.io, f.options());
    int ended = 0;
    for (int i = 0; i < 3; ++i) {
        c->async_publish("t", "x", {.qos = qos::at_least_once}, [&](error_code, publish_result) {
            ++ended;
            f.server.close();
            c.reset();
        });
    }
    c->async_run([&](error_code) { ++ended; });
    f.run();

    CHECK(ended == 4);
}

TEST_CASE("client: a loop that ends before the client's operations leaks nothing") {
    SUBCASE("client outside") {
        asio::io_context io;
        scripted_server server(io);
        client c(io, {.urls = {server.url()}});
        asio::co_spawn(
            io,
            [](client& me) -> asio::awaitable<void> {
                auto stream = co_await me.async_subscribe("t");
                (void)co_await stream.async_receive();
            }(c),
            asio::detached);
        c.async_run(asio::detached);
        while (!server.has(packet_type::subscribe))
            io.run_one_for(10s);
    }
    SUBCASE("client in the coroutine that waits for it") {
        asio::io_context io;
        scripted_server server(io);
        asio::co_spawn(
            io,
            [](std::string url) -> asio::awaitable<void> {
                const auto executor = co_await asio::this_coro::executor;
                client c(executor, {.urls = {url}});
                c.async_run(asio::detached);
                auto stream = co_await c.async_subscribe("t");
                (void)co_await stream.async_receive();
            }(server.url()),
            asio::detached);
        while (!server.has(packet_type::subscribe))
            io.run_one_for(10s);
    }
}

TEST_CASE("client: a subscription may outlive its client") {
    fixture f;
    std::optional<client> c(std::in_place, f.io, f.options());
    subscription kept;
    c->async_run(asio::detached);
    c->async_subscribe("t", [&](error_code, subscription s) {
        kept = std::move(s);
        c.reset();
        kept.async_receive([&](error_code error, message) {
            CHECK(error == asio::error::operation_aborted);
            f.server.close();
        });
        message m;
        CHECK_FALSE(kept.try_receive(m));
    });
    f.run();
}

TEST_CASE("client: a handler that throws leaves the others their turn") {
    fixture f;
    client c(f.io, f.options());
    int called = 0;
    for (int i = 0; i < 3; ++i) {
        c.async_publish("a/#", "x", [&](error_code, publish_result) {
            ++called;
            throw 1;
        });
    }
    f.server.close();
    for (int i = 0; i < 3; ++i)
        CHECK_THROWS_AS(f.io.run(), int);
    CHECK(called == 3);
}

TEST_CASE("client: publish says whether the message was taken, and writes once per turn") {
    fixture f;
    client c(f.io, f.options());
    CHECK(c.publish("t", "x") == errc::not_connected);
    CHECK(c.publish("+", "x") == errc::topic_invalid);
    f.spawn([](client& me) -> asio::awaitable<void> {
        auto stream = co_await me.async_subscribe("t");
        for (int i = 0; i < 100; ++i)
            CHECK_FALSE(me.publish("t", std::to_string(i)));
        std::vector<message> batch(64);
        int next = 0;
        while (next < 100) {
            const auto count = co_await stream.async_receive_some(batch);
            for (std::size_t i = 0; i < count; ++i)
                CHECK(batch[i].text() == std::to_string(next++));
        }
        message one;
        CHECK_FALSE(stream.try_receive(one));
        CHECK_FALSE(me.publish("t", "last", {.qos = qos::at_least_once}));
        co_await me.async_disconnect({.drain = true});
    }(c));
    c.async_run(asio::detached);
    f.run();

    CHECK(c.statistics().messages_sent == 101);
    CHECK(c.statistics().messages_received >= 100);
}

TEST_CASE("client: 64 KiB of publish() leave at once, before the turn of the loop is over") {
    fixture f;
    client c(f.io, f.options());
    f.server.echoes = false;
    f.spawn([](client& me, scripted_server& server) -> asio::awaitable<void> {
        (void)co_await me.async_subscribe("t");  // connected, and nothing under way
        const std::string kib(1'024, 'x');
        for (int i = 0; i < 70; ++i)
            CHECK_FALSE(me.publish("t", kib));
        CHECK(server.has_unread());
        co_await me.async_disconnect();
    }(c, f.server));
    c.async_run(asio::detached);
    f.run();

    CHECK(c.statistics().messages_sent == 70);
}

TEST_CASE("client: a million steps of one coroutine do not grow the stack") {
    fixture f;
    f.server.echoes = false;
    client c(f.io, f.options());
    f.spawn([](client& me) -> asio::awaitable<void> {
        auto stream = co_await me.async_subscribe("t");
        for (int i = 0; i < 20'000; ++i)
            co_await me.async_publish("t", "x");
        co_await me.async_disconnect();
    }(c));
    c.async_run(asio::detached);
    f.run();
}
