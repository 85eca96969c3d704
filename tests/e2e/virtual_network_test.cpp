// The users' simulator: client and broker of the public API on the network and the clock of <martlet/testing.hpp>.
#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/testing.hpp>
#include <martlet/tls.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;

namespace {

client_options options(std::string id) {
    client_options o;
    o.urls = {"mqtt://broker.example"};
    o.client_id = std::move(id);
    o.session = session_mode::resume;
    return o;
}

struct world {
    explicit world(std::uint64_t seed = 1) : net(io, seed), served(io.get_executor()) {
        REQUIRE(served.listen("mqtt://127.0.0.1:1883").has_value());
    }

    asio::io_context io;
    testing::virtual_network net;
    broker served;
};

// Everything that the stream gets, as it comes.
void collect(subscription& from, std::vector<std::string>& into) {
    from.async_receive([&](error_code error, const message& m) {
        if (error) return;
        into.emplace_back(m.text());
        collect(from, into);
    });
}

}  // namespace

TEST_CASE("virtual_network: a message at each QoS takes the links' delay, and no time of ours") {
    world w;
    w.net.set_delay(10ms);
    client c(w.io, options("one"));
    c.async_run(asio::detached);
    std::vector<std::string> got;
    subscription all;
    c.async_subscribe("t", [&](error_code error, subscription s) {
        REQUIRE_FALSE(error);
        all = std::move(s);
        collect(all, got);
    });
    REQUIRE(w.net.run_until([&] { return all.is_open(); }));
    CHECK(w.net.elapsed() == 60ms);  // dialing, CONNECT and CONNACK, SUBSCRIBE and SUBACK
    CHECK(w.net.open_links() == 1);

    const auto before = w.net.elapsed();
    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        c.async_publish("t", std::to_string(static_cast<int>(level)), {.qos = level}, asio::detached);
    }
    REQUIRE(w.net.run_until([&] { return got.size() == 3; }));
    CHECK(w.net.elapsed() - before == 20ms);  // there and back; at QoS 2 the rest of the handshake goes on
    w.net.advance(1h);
    CHECK(c.statistics().connects == 1);
}

TEST_CASE("virtual_network: a silent link is found by keep-alive, and what was held is not lost") {
    world w;
    auto o = options("quiet");
    o.keep_alive = 60s;
    client c(w.io, std::move(o));
    c.async_run(asio::detached);
    REQUIRE(w.net.run_until([&] { return c.statistics().connected; }));
    w.net.set_silent(true);
    bool is_delivered = false;
    c.async_publish("t", "x", {.qos = qos::at_least_once},
                    [&](error_code error, publish_result) { is_delivered = !error; });
    const auto before = w.net.elapsed();
    REQUIRE(w.net.run_until([&] { return !c.statistics().connected; }));
    CHECK(w.net.elapsed() - before <= 90s);
    CHECK(c.statistics().lost_by_silence == 1);
    w.net.set_silent(false);
    REQUIRE(w.net.run_until([&] { return is_delivered; }));
}

TEST_CASE("virtual_network: a server that is away for a day; the client's delays grow to their maximum") {
    world w;
    client c(w.io, options("patient"));
    c.async_run(asio::detached);
    REQUIRE(w.net.run_until([&] { return c.statistics().connected; }));
    w.net.set_reachable(false);
    w.net.cut_all();
    w.net.advance(24h);
    const auto failures = c.statistics().connect_failures;
    CHECK(failures > 24 * 60 / 2);
    CHECK(failures < 24 * 60 * 2);
    w.net.set_reachable(true);
    CHECK(w.net.run_until([&] { return c.statistics().connected; }, 2min));
}

TEST_CASE("virtual_network: an exchange at QoS 2 that breaks at each of its bytes delivers once") {
    std::uint64_t at = 0;
    for (bool has_broken = true; has_broken; ++at) {
        CAPTURE(at);
        world w;
        client publisher(w.io, options("pub"));
        client subscriber(w.io, options("sub"));
        publisher.async_run(asio::detached);
        subscriber.async_run(asio::detached);
        std::vector<std::string> got;
        subscription all;
        subscriber.async_subscribe("t", [&](error_code error, subscription s) {
            REQUIRE_FALSE(error);
            all = std::move(s);
            collect(all, got);
        });
        REQUIRE(w.net.run_until([&] { return all.is_open() && publisher.statistics().connected; }));
        w.net.cut_after(at);
        bool is_delivered = false;
        publisher.async_publish("t", "x", {.qos = qos::exactly_once}, [&](error_code error, publish_result) {
            REQUIRE_FALSE(error);
            is_delivered = true;
        });
        REQUIRE(w.net.run_until([&] { return is_delivered && !got.empty(); }));
        w.net.advance(10min);
        CHECK(got == std::vector<std::string>{"x"});
        const auto connects = publisher.statistics().connects + subscriber.statistics().connects;
        CHECK(connects <= 3);
        has_broken = connects == 3;  // or all has been carried
    }
    CHECK(at > 50);
}

TEST_CASE("virtual_network: the same seed, the same story") {
    const auto story = [](std::uint64_t seed) {
        world w(seed);
        client c(w.io, options("same"));
        c.async_run(asio::detached);
        w.net.set_reachable(false);
        w.net.advance(1h);
        w.net.set_reachable(true);
        REQUIRE(w.net.run_until([&] { return c.statistics().connected; }));
        return w.net.elapsed();
    };
    CHECK(story(7) == story(7));
    CHECK(story(7) != story(8));
}

TEST_CASE("virtual_network: TLS works on it, too") {
    if (!has_tls()) return;
    asio::io_context io;
    testing::virtual_network net(io);
    broker served(io.get_executor());
    const auto made = make_test_certificates({"broker.example"}).value();
    listener_options secure;
    secure.tls.certificate_pem = made.server_certificate;
    secure.tls.key_pem = made.server_key;
    REQUIRE(served.listen("mqtts://127.0.0.1", secure).has_value());
    auto o = options("tls");
    o.urls = {"mqtts://broker.example"};
    o.tls.ca_pem = made.ca_certificate;
    client c(io, std::move(o));
    c.async_run(asio::detached);
    CHECK(net.run_until([&] { return c.statistics().connected; }, 1min));
}

TEST_CASE("virtual_network: one per context, and the real network is back when it is gone") {
    asio::io_context io;
    {
        testing::virtual_network net(io);
        CHECK_THROWS_AS(testing::virtual_network(io, 2), asio::service_already_exists);
        broker on_it(io.get_executor());
        const auto first = on_it.listen("mqtt://127.0.0.1:0");
        REQUIRE(first.has_value());
        CHECK(on_it.listen("mqtt://127.0.0.1:" + std::to_string(first->port)).error() == asio::error::address_in_use);
    }
    broker on_sockets(io.get_executor());
    const auto where = on_sockets.listen("mqtt://127.0.0.1:0");
    REQUIRE(where.has_value());
    client c(io, {.urls = {"mqtt://127.0.0.1:" + std::to_string(where->port)}});
    bool has_run = false;
    c.async_run([&](error_code error) { has_run = !error; });
    c.async_publish("t", "x", {.qos = qos::at_least_once},
                    [&](error_code, publish_result) { c.async_disconnect([&](error_code) { on_sockets.stop(); }); });
    io.restart();
    io.run();
    CHECK(has_run);
}
