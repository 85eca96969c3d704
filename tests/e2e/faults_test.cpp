// Faults of the broker itself and of a proxy, as users' tests ask for them: what a client makes of them.
#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/fault_proxy.hpp>
#include <martlet/faults.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;

namespace {

constexpr auto tuple = asio::experimental::as_tuple(asio::use_awaitable);

class faulty_world {
public:
    explicit faulty_world(const std::vector<std::string>& rules, const std::string& listen = "mqtt://127.0.0.1:0")
        : faults(std::make_shared<martlet::faults>()), broker(io.get_executor(), with(faults)) {
        for (const auto& one : rules)
            faults->add(one).value();
        endpoint where = broker.listen(listen).value();
        url = to_string(where);
    }

    [[nodiscard]] client_options options(std::string id) const {
        client_options o;
        o.urls = {url};
        o.client_id = std::move(id);
        o.reconnect.delay_min = 1ms;
        o.reconnect.delay_max = 5ms;
        return o;
    }

    void run(asio::awaitable<void> what) {
        std::exception_ptr failure;
        bool has_ended = false;
        asio::co_spawn(io, std::move(what), [&](std::exception_ptr error) {
            failure = error;
            has_ended = true;
            io.stop();
        });
        io.run();
        CHECK(has_ended);
        if (failure) std::rethrow_exception(failure);
    }

    asio::io_context io{1};
    std::shared_ptr<martlet::faults> faults;
    martlet::broker broker;
    std::string url;

private:
    static broker_options with(const std::shared_ptr<martlet::faults>& faults) {
        broker_options o;
        o.faults = faults;
        return o;
    }
};

/// Publishes numbers, receives them, and says what came.
asio::awaitable<std::string> send_and_receive(client& c, qos level, int count) {
    auto incoming = co_await c.async_subscribe("n", level);
    std::string seen;
    for (int i = 0; i < count; ++i) {
        publish_options how;
        how.qos = level;
        co_await c.async_publish("n", std::to_string(i), how);
        const auto m = co_await incoming.async_receive();
        seen.append(m.text()) += ' ';
    }
    co_return seen;
}

}  // namespace

TEST_CASE("exactly once through lost acknowledgements and resets of the broker's own") {
    faulty_world w({"reset out>pubrec n=1 times=2", "reset in>pubrel n=1 times=2", "reset out>pubcomp n=1 times=2",
                    "reset out>publish n=1 times=2"});
    client c(w.io, w.options("c"));
    c.async_run(asio::detached);
    w.run([](client& me) -> asio::awaitable<void> {
        CHECK(co_await send_and_receive(me, qos::exactly_once, 5) == "0 1 2 3 4 ");
    }(c));
    CHECK(w.faults->total() == 8);
}

TEST_CASE("a refusal is what the broker's own would be") {
    faulty_world w({"connack rc=0x88 times=1", "puback rc=0x97 topic=full", "suback rc=0x87 topic=secret"});
    client c(w.io, w.options("c"));
    c.async_run(asio::detached);
    w.run([](client& me) -> asio::awaitable<void> {
        publish_options how;
        how.qos = qos::at_least_once;
        const auto [full, result] = co_await me.async_publish("full", "x", how, tuple);
        CHECK(full == reason_code::quota_exceeded);
        const auto [secret, stream] = co_await me.async_subscribe("secret", qos::at_least_once, tuple);
        CHECK(secret == reason_code::not_authorized);
        co_await me.async_publish("free", "x", how);
    }(c));
    CHECK(w.faults->counts()[0].times == 1);
    CHECK(w.faults->counts()[1].times == 1);
    CHECK(w.faults->counts()[2].times == 1);
}

TEST_CASE("a session that the broker has forgotten") {
    faulty_world w({"lose-session times=1 on=test/forget"});
    client_options o = w.options("c");
    o.session = session_mode::resume;
    client c(w.io, o);
    bool lost = false;
    c.async_run(asio::detached);
    w.run([](client& me, martlet::faults& faults, bool& told) -> asio::awaitable<void> {
        auto incoming = co_await me.async_subscribe("n", qos::at_least_once);
        publish_options how;
        how.qos = qos::at_least_once;
        co_await me.async_publish("test/forget", "", how);
        faults.add("reset after=0s times=1").value();
        while (!told)
            told = (co_await me.async_next_event()).kind == client_event::kind_type::session_lost;
        co_await me.async_publish("n", "after", how);  // it has subscribed again
        CHECK((co_await incoming.async_receive()).text() == "after");
    }(c, *w.faults, lost));
    CHECK(lost);
}

TEST_CASE("faults follow MQTT, not sockets: through WebSocket and Unix sockets, too") {
    std::vector<std::string> places = {"unix:/tmp/martlet-faults-" + std::to_string(::getpid())};
#if MARTLET_TEST_WEBSOCKET
    places.emplace_back("ws://127.0.0.1:0/mqtt");
#endif
    for (const auto& place : places) {
        faulty_world w({"split 1", "dup out>publish qos=2"}, place);
        client c(w.io, w.options("c"));
        c.async_run(asio::detached);
        w.run([](client& me) -> asio::awaitable<void> {
            CHECK(co_await send_and_receive(me, qos::exactly_once, 3) == "0 1 2 ");
        }(c));
        CHECK(w.faults->counts()[0].times > 10);
    }
}

TEST_CASE("a proxy in front of any broker: resets at random places, everything arrives once and in order") {
    faulty_world w({});
    const auto rules = std::make_shared<martlet::faults>(11);
    rules->add("reset after=100..2000B times=30").value();
    fault_proxy proxy(w.io.get_executor(), {.to = w.url, .faults = rules});
    client_options o = w.options("c");
    o.urls = {to_string(proxy.listen("mqtt://127.0.0.1:0").value())};
    client c(w.io, o);
    c.async_run(asio::detached);
    w.run([](client& me, martlet::faults& done) -> asio::awaitable<void> {
        auto incoming = co_await me.async_subscribe("n", qos::exactly_once);
        publish_options how;
        how.qos = qos::exactly_once;
        for (int i = 0; done.total() < 30; ++i) {
            co_await me.async_publish("n", std::to_string(i), how);
            CHECK((co_await incoming.async_receive()).text() == std::to_string(i));
        }
    }(c, *rules));
    CHECK(proxy.statistics().accepted > 30);
}
