// Clients and a broker in one process, without sockets.
#include "e2e/run.hpp"

#include <martlet/blocking_client.hpp>
#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/faults.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>

using namespace martlet;
using martlet::test::run;

TEST_CASE("a client, a broker, one line between them, no socket") {
    asio::io_context io;
    broker b(io.get_executor());
    client c(io, {.urls = {b.in_process()}});
    c.async_run(asio::detached);
    run(io, [](client& me) -> asio::awaitable<void> {
        auto incoming = co_await me.async_subscribe("a", qos::exactly_once);
        const std::string large(1'000'000, 'x');
        co_await me.async_publish("a", large, {.qos = qos::exactly_once});
        CHECK((co_await incoming.async_receive()).text() == large);
    }(c));
    CHECK(b.port() == 0);
    CHECK(b.in_process() == b.in_process());
    CHECK(b.statistics().sessions_connected == 1);
}

TEST_CASE("two brokers of one process do not meet") {
    asio::io_context io;
    broker one(io.get_executor());
    broker other(io.get_executor());
    CHECK(one.in_process() != other.in_process());
    client c(io, {.urls = {one.in_process()}});
    c.async_run(asio::detached);
    run(io, [](client& me) -> asio::awaitable<void> {
        co_await me.async_publish("a", "x", {.qos = qos::at_least_once});
    }(c));
    CHECK(one.statistics().messages_received == 1);
    CHECK(other.statistics().messages_received == 0);
}

TEST_CASE("when the broker has gone, nobody is there any more") {
    asio::io_context io;
    std::string url;
    {
        broker b(io.get_executor());
        url = b.in_process();
    }
    client_options o;
    o.urls = {url};
    o.reconnect.enabled = false;
    client c(io, o);
    error_code ended;
    c.async_run([&](error_code error) {
        ended = error;
        io.stop();
    });
    io.run();
    CHECK(ended == asio::error::connection_refused);
}

TEST_CASE("a graceful stop reaches clients of the process, too") {
    asio::io_context io;
    broker b(io.get_executor());
    client_options o;
    o.urls = {b.in_process()};
    o.reconnect.enabled = false;
    client c(io, o);
    error_code ended;
    c.async_run([&](error_code error) {
        ended = error;
        io.stop();
    });
    asio::co_spawn(
        io,
        [](client& me, broker& from) -> asio::awaitable<void> {
            co_await me.async_publish("a", "x", {.qos = qos::at_least_once});
            co_await from.async_stop(asio::use_awaitable);
        }(c, b),
        asio::detached);
    io.run();
    CHECK(ended == reason_code::server_shutting_down);
}

TEST_CASE("faults are the same as on a socket") {
    asio::io_context io;
    const auto rules = std::make_shared<faults>();
    rules->add("reset out>puback n=1 times=3").value();
    broker_options with;
    with.faults = rules;
    broker b(io.get_executor(), with);
    client_options o;
    o.urls = {b.in_process()};
    o.reconnect.delay_min = {};
    o.reconnect.delay_max = {};
    client c(io, o);
    c.async_run(asio::detached);
    run(io, [](client& me) -> asio::awaitable<void> {
        co_await me.async_publish("a", "x", {.qos = qos::at_least_once});
    }(c));
    CHECK(rules->total() == 3);
    CHECK(b.statistics().messages_received == 4);
}

TEST_CASE("blocking clients on threads of their own") {
    asio::io_context io;
    broker b(io.get_executor());
    const std::string url = b.in_process();
    std::thread serving([&] { io.run(); });
    {
        client_options o;
        o.urls = {url};
        blocking_client sender(o);
        blocking_client receiver(o);
        auto incoming = receiver.subscribe("n");
        for (int i = 0; i < 200; ++i)
            sender.publish("n", std::to_string(i), {.qos = qos::exactly_once});
        for (int i = 0; i < 200; ++i) {
            const auto m = incoming.receive();
            REQUIRE(m);
            CHECK(m->text() == std::to_string(i));
        }
    }
    asio::post(io, [&] { b.stop([&] { io.stop(); }); });
    serving.join();
}
