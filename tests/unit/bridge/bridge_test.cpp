// Two brokers, a bridge and clients on one loop, over loopback sockets.
#include <martlet/bridge.hpp>
#include <martlet/broker.hpp>
#include <martlet/client.hpp>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace martlet;

namespace {

namespace asio = boost::asio;

struct pair_of_brokers {
    pair_of_brokers() {
        for (auto* b : {&local, &remote})
            b->emplace(io.get_executor());
        local_url = url_of(*local);
        remote_url = url_of(*remote);
    }

    static std::string url_of(broker& b) {
        const auto where = b.listen("mqtt://127.0.0.1:0");
        REQUIRE(where.has_value());
        return to_string(*where);
    }
    bridge_options options(std::vector<bridge_rule> rules) const {
        bridge_options o;
        o.local.urls = {local_url};
        o.remote.urls = {remote_url};
        o.local.reconnect.delay_min = o.remote.reconnect.delay_min = std::chrono::milliseconds(1);
        o.local.reconnect.delay_max = o.remote.reconnect.delay_max = std::chrono::milliseconds(20);
        o.rules = std::move(rules);
        return o;
    }
    /// Runs the loop until something is the case.
    template <class F>
    void until(F&& is_so) {
        io.restart();
        while (!is_so())
            REQUIRE(io.run_one_for(std::chrono::seconds(20)) != 0);
    }

    asio::io_context io;
    std::optional<broker> local, remote;
    std::string local_url, remote_url;
};

/// A client that is subscribed to everything, and remembers "topic payload qos".
struct listener {
    listener(pair_of_brokers& in, const std::string& url) : on(in.io, {.urls = {url}}) {
        on.async_run([](error_code) {});
        bool ready = false;
        on.async_subscribe("#", qos::exactly_once, [&](error_code error, subscription s) {
            REQUIRE_FALSE(error);
            messages = std::move(s);
            receive();
            ready = true;
        });
        in.until([&] { return ready; });
    }
    void receive() {
        messages.async_receive([this](error_code error, const message& m) {
            if (error) return;
            got.push_back(std::string(m.topic()) + ' ' + std::string(m.text()) + ' ' +
                          std::to_string(to_number(m.qos())));
            receive();
        });
    }
    void publish(std::string_view topic, std::string_view text, qos q) {
        on.async_publish(topic, text, publish_options{.qos = q}, [this](error_code error, publish_result) {
            CHECK_FALSE(error);
            ++published;
        });
    }

    client on;
    subscription messages;
    std::vector<std::string> got;
    std::size_t published = 0;
};

}  // namespace

TEST_CASE("bridge: topics are mapped in both directions, at each QoS, and nothing goes round") {
    pair_of_brokers w;
    bridge b(w.io.get_executor(), w.options({{"a/#", bridge_direction::both, qos::exactly_once, "", "site/"}}));
    REQUIRE_FALSE(b.start());
    w.until([&] { return w.local->statistics().subscriptions == 1 && w.remote->statistics().subscriptions == 1; });
    listener here(w, w.local_url), there(w, w.remote_url);

    for (const qos q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        here.publish("a/x", "out", q);
        there.publish("site/a/y", "in", q);
    }
    here.publish("b", "stays", qos::at_least_once);
    w.until([&] { return here.got.size() >= 7 && there.got.size() >= 6; });
    // A message of QoS 2 that comes last shows that nothing else was on its way.
    here.publish("a/end", "end", qos::exactly_once);
    w.until([&] { return there.got.size() >= 7 && here.got.size() >= 8; });

    CHECK(std::count(there.got.begin(), there.got.end(), "site/a/x out 2") == 1);
    CHECK(std::count(there.got.begin(), there.got.end(), "site/a/x out 1") == 1);
    CHECK(std::count(there.got.begin(), there.got.end(), "site/a/x out 0") == 1);
    CHECK(std::count(here.got.begin(), here.got.end(), "a/y in 2") == 1);
    CHECK(there.got.size() == 7);
    CHECK(here.got.size() == 8);
    w.until([&] { return b.statistics().forwarded_out + b.statistics().forwarded_in == 7; });
    CHECK(b.statistics().forwarded_out == 4);
    CHECK(b.statistics().forwarded_in == 3);
}

TEST_CASE("bridge: a ring of bridges of one name ends after one round") {
    pair_of_brokers w;
    // Two bridges that undo what No Local does for each of them: what one brings out, the other brings in.
    auto one = w.options({{"#", bridge_direction::out}});
    auto two = w.options({{"#", bridge_direction::in}});
    one.local.client_id = one.remote.client_id = "one";
    two.local.client_id = two.remote.client_id = "two";
    bridge out(w.io.get_executor(), one), in(w.io.get_executor(), two);
    REQUIRE_FALSE(out.start());
    REQUIRE_FALSE(in.start());
    w.until([&] { return w.local->statistics().subscriptions == 1 && w.remote->statistics().subscriptions == 1; });
    listener here(w, w.local_url), there(w, w.remote_url);

    here.publish("t", "x", qos::at_least_once);
    w.until([&] { return in.statistics().dropped_loops == 1 && !there.got.empty() && !here.got.empty(); });
    CHECK(there.got == std::vector<std::string>{"t x 1"});
    CHECK(here.got == std::vector<std::string>{"t x 1"});
}

TEST_CASE("bridge: what is published while the other broker is away arrives when it is back") {
    pair_of_brokers w;
    bridge b(w.io.get_executor(), w.options({{"#", bridge_direction::out, qos::exactly_once}}));
    REQUIRE_FALSE(b.start());
    w.until([&] { return w.local->statistics().subscriptions == 1 && b.statistics().remote_connected; });
    const std::string url = w.remote_url;
    w.remote.reset();
    w.until([&] { return !b.statistics().remote_connected; });

    listener here(w, w.local_url);
    for (int i = 0; i < 10; ++i)
        here.publish("t", std::to_string(i), qos::exactly_once);
    w.until([&] { return here.published == 10; });

    w.remote.emplace(w.io.get_executor());
    REQUIRE(w.remote->listen(url).has_value());
    listener there(w, url);
    w.until([&] { return there.got.size() >= 10; });
    for (int i = 0; i < 10; ++i)
        CHECK(there.got[static_cast<std::size_t>(i)] == "t " + std::to_string(i) + " 2");
}

TEST_CASE("bridge: rules are checked before anything begins") {
    pair_of_brokers w;
    CHECK(bridge(w.io.get_executor(), w.options({})).start() == errc::option_invalid);
    CHECK(bridge(w.io.get_executor(), w.options({{"a/#/b"}})).start() == errc::topic_filter_invalid);
    auto rule = bridge_rule{"a"};
    rule.remote_prefix = "+/";
    CHECK(bridge(w.io.get_executor(), w.options({rule})).start() == errc::topic_filter_invalid);
}
