// The proxy between two sockets of the loopback.
#include "unit/net/loop.hpp"

#include <martlet/fault_proxy.hpp>

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace martlet;
using namespace martlet::net::test;

namespace {

/// client ── proxy ── server, all on one loop.
class proxied {
public:
    explicit proxied(const std::vector<std::string>& rules, std::uint64_t seed = 1)
        : faults(std::make_shared<martlet::faults>(seed)) {
        for (const auto& one : rules)
            faults->add(one).value();
        auto made = on.net->listen(
            url("mqtt://127.0.0.1:0"), {},
            [this](std::unique_ptr<net::transport> link) { server = std::make_unique<end>(on, std::move(link)); }, {});
        REQUIRE(made.listener);
        upstream = std::move(made.listener);
        proxy = std::make_unique<fault_proxy>(
            on.io, fault_proxy_options{.to = to_string(upstream->local()), .faults = faults});
        where = proxy->listen("mqtt://127.0.0.1:0").value();
    }
    ~proxied() {
        client.reset();
        server.reset();
    }

    void connect() {
        std::unique_ptr<net::transport> link;
        const auto dialing = on.net->dial(where, {}, [&](net::dial_result got) { link = std::move(got.link); });
        on.until([&] { return link != nullptr; });
        client = std::make_unique<end>(on, std::move(link));
        client->io->start();
        on.until([&] { return server != nullptr; });
        server->io->start();
    }

    loop on;
    std::shared_ptr<martlet::faults> faults;
    std::unique_ptr<net::listener> upstream;
    std::unique_ptr<end> server;
    std::unique_ptr<end> client;
    std::unique_ptr<fault_proxy> proxy;
    endpoint where;
};

}  // namespace

TEST_CASE("bytes pass both ways, and so do the ends") {
    proxied w({});
    w.connect();
    const std::string much = noise(3'000'000);
    w.client->send(much);
    w.server->send("answer");
    w.on.until([&] { return w.server->received.size() == much.size() && w.client->received.size() == 6; });
    CHECK(w.server->received == much);
    w.client->io->close_after_flush();
    w.on.until([&] { return w.server->closed.has_value(); });
    CHECK(*w.server->closed == boost::asio::error::eof);
    w.on.until([&] { return w.client->closed.has_value() && w.proxy->statistics().connections == 0; });
    CHECK(w.proxy->statistics().accepted == 1);
    CHECK(w.proxy->statistics().bytes_in == much.size());
    CHECK(w.proxy->statistics().bytes_out == 6);
}

TEST_CASE("a reset after so many bytes reaches both ends, behind those bytes") {
    proxied w({"reset in>any after=1000B"});
    w.connect();
    w.client->send(noise(5'000));
    w.on.until([&] { return w.server->closed && w.client->closed; });
    CHECK(w.server->received == noise(5'000).substr(0, 1000));
    CHECK(*w.server->closed == boost::asio::error::connection_reset);
    CHECK(*w.client->closed == boost::asio::error::connection_reset);
    CHECK(w.faults->total() == 1);
    w.on.until([&] { return w.proxy->statistics().connections == 0; });
}

TEST_CASE("half-close: one end hears that no more comes, the other goes on") {
    proxied w({"half-close in>any after=3B"});
    w.connect();
    w.client->send("abcdef");
    w.on.until([&] { return w.server->closed.has_value(); });
    CHECK(w.server->received == "abc");
    CHECK(*w.server->closed == boost::asio::error::eof);
}

// How many reads that makes is the receiver's affair; faulty_link_test counts the writes.
TEST_CASE("one-byte segments: everything arrives") {
    proxied w({"split 1"});
    w.connect();
    w.client->send("0123456789");
    w.server->send("abcdefghij");
    w.on.until([&] { return w.server->received.size() == 10 && w.client->received.size() == 10; });
    CHECK(w.server->received == "0123456789");
    CHECK(w.client->received == "abcdefghij");
}

TEST_CASE("half-open: neither end hears of the other any more") {
    proxied w({"half-open in>any after=3B", "half-open out>any after=3B"});
    w.connect();
    w.client->send("abcdef");
    w.server->send("uvwxyz");
    w.on.until([&] { return w.faults->total() == 2; });
    w.server->io->close();
    w.on.until([&] { return w.server->closed.has_value(); });
    w.on.settle();
    CHECK_FALSE(w.client->closed.has_value());
    CHECK(w.proxy->statistics().connections == 1);
    w.client->io->close();
    w.on.until([&] { return w.proxy->statistics().connections == 0; });
}

TEST_CASE("a delay holds up what is written, not the loop") {
    proxied w({"delay 20ms in>any"});
    w.connect();
    const auto before = std::chrono::steady_clock::now();
    w.client->send("abc");
    w.on.until([&] { return w.server->received == "abc"; });
    CHECK(std::chrono::steady_clock::now() - before >= std::chrono::milliseconds(20));
}

TEST_CASE("a broker that cannot be reached closes the client, and is told") {
    loop on;
    std::string line;
    auto gone = on.net->listen(url("mqtt://127.0.0.1:0"), {}, [](std::unique_ptr<net::transport>) {}, {});
    const std::string nowhere = to_string(gone.listener->local());
    gone.listener.reset();
    fault_proxy proxy(on.io.get_executor(),
                      {.to = nowhere, .log = [&](log_level, std::string_view text) { line = text; }});
    const auto where = proxy.listen("mqtt://127.0.0.1:0").value();
    std::unique_ptr<net::transport> link;
    const auto dialing = on.net->dial(where, {}, [&](net::dial_result got) { link = std::move(got.link); });
    on.until([&] { return link != nullptr; });
    end client(on, std::move(link));
    client.io->start();
    on.until([&] { return client.closed.has_value(); });
    CHECK(proxy.statistics().failed == 1);
    CHECK(line.find("refused") != std::string::npos);
}

TEST_CASE("what it cannot pass on or listen at is refused in one line") {
    loop on;
    std::string why;
    fault_proxy proxy(on.io.get_executor(), {.to = "mqtts://a.example"});
    CHECK(proxy.listen("mqtt://127.0.0.1:0", &why).has_error());
    CHECK(why == "mqtts://a.example: a proxy passes on bytes: mqtt:// or unix:, also for TLS and WebSocket");
    fault_proxy other(on.io.get_executor(), {.to = "mqtt://"});
    CHECK(other.listen("mqtt://127.0.0.1:0", &why).error() == errc::url_invalid);
    CHECK(why.starts_with("mqtt://: "));
}
