// A publisher or a subscriber without a store, which outlives its connections:
//
//   martlet_crash_party publish   URL CLIENT-ID QOS VERSION KEEP-ALIVE INFLIGHT FIRST LAST RATE
//   martlet_crash_party subscribe URL CLIENT-ID QOS VERSION KEEP-ALIVE INFLIGHT
//
// The publisher sends the numbers FIRST to LAST, RATE a second (0: as they go), says "delivered" when all are acknowledged,
// and leaves. The subscriber says "subscribed" and then each number that it gets. Both say "noticed MS" when they give up a
// connection on which nothing has come for MS milliseconds. VERSION is 4 or 5. paho_party.py is the same on Paho Python.
#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>

namespace asio = boost::asio;
using namespace martlet;
using steady = std::chrono::steady_clock;

namespace {

constexpr const char* topic = "crash/n";
constexpr std::size_t payload_size = 64;  // the number, and blanks
constexpr std::size_t queued_max = 200;

void say(const std::string& line) {
    const std::string text = line + '\n';
    if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::_Exit(0);  // the driver is gone
}

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "party: %s\n", why.c_str());
    std::_Exit(3);
}

/// When something came last.
class last_sign final : public packet_observer {
public:
    void on_sent(const packet&, protocol_version, std::size_t) override {}
    void on_received(const packet&, protocol_version, std::size_t) override { at_ = steady::now(); }
    [[nodiscard]] auto age() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - at_).count();
    }

private:
    steady::time_point at_ = steady::now();
};

struct numbers {
    std::int64_t first = 0;
    std::int64_t last = 0;
    int rate = 0;  // a second
};

asio::awaitable<void> publish(client& c, martlet::qos level, numbers which) {
    asio::steady_timer pause(co_await asio::this_coro::executor);
    const auto begin = steady::now();
    std::int64_t left = which.last - which.first + 1;
    for (std::int64_t n = which.first; n <= which.last; ++n) {
        if (which.rate != 0) {
            pause.expires_at(begin + std::chrono::microseconds((n - which.first) * 1'000'000 / which.rate));
            co_await pause.async_wait(asio::use_awaitable);
        }
        while (which.rate == 0 && c.statistics().queued >= queued_max) {
            pause.expires_after(std::chrono::milliseconds(1));
            co_await pause.async_wait(asio::use_awaitable);
        }
        std::string text = std::to_string(n);
        text.resize(payload_size, ' ');
        c.async_publish(topic, payload(std::move(text)), publish_options{.qos = level},
                        [&left](error_code error, const publish_result&) {
                            if (error) fail("publish: " + error.message());
                            if (--left != 0) return;
                            say("delivered");
                            std::_Exit(0);
                        });
    }
    pause.expires_at(steady::time_point::max());
    co_await pause.async_wait(asio::use_awaitable);
}

asio::awaitable<void> subscribe(client& c, martlet::qos level) {
    auto stream = co_await c.async_subscribe(topic, subscribe_options{.qos = level}, asio::use_awaitable);
    say("subscribed");
    std::array<message, 64> batch;
    for (;;) {
        const auto count = co_await stream.async_receive_some(batch, asio::use_awaitable);
        for (std::size_t i = 0; i != count; ++i)
            say(std::string(batch[i].text().substr(0, batch[i].text().find(' '))));
    }
}

asio::awaitable<void> watch(client& c, const last_sign& sign) {
    for (;;) {
        const auto event = co_await c.async_next_event(asio::use_awaitable);
        if (event.kind != client_event::kind_type::lost) continue;
        if (event.cause == errc::keep_alive_timeout) say("noticed " + std::to_string(sign.age()));
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 8) return 2;
    const bool publishes = std::string_view(arguments[1]) == "publish";
    if (publishes != (count == 11)) return 2;

    asio::io_context io{1};
    const auto sign = std::make_shared<last_sign>();
    client_options options;
    options.urls = {arguments[2]};
    options.client_id = arguments[3];
    const auto level = static_cast<qos>(std::atoi(arguments[4]));
    options.version = static_cast<protocol_version>(std::atoi(arguments[5]));
    options.session = session_mode::resume;
    options.keep_alive = std::chrono::seconds(std::atoi(arguments[6]));
    // A link that falls silent before CONNACK is given up as soon as one that does so later.
    if (options.keep_alive.count() != 0) {
        options.connect_timeout =
            std::min(options.connect_timeout, std::chrono::milliseconds(options.keep_alive * 3 / 2));
    }
    options.inflight_max = static_cast<std::uint16_t>(std::atoi(arguments[7]));
    options.receive_maximum = options.inflight_max;
    options.reconnect.delay_min = std::chrono::milliseconds(5);
    options.reconnect.delay_max = std::chrono::milliseconds(10);
    options.observer = sign;
    client c(io, options);
    c.async_run([](error_code error) { fail("the client has ended: " + error.message()); });

    const auto report = [](const std::exception_ptr& e) {
        try {
            if (e) std::rethrow_exception(e);
        } catch (const std::exception& error) {
            fail(error.what());
        }
    };
    asio::co_spawn(io, watch(c, *sign), report);
    if (publishes) {
        const numbers which{std::atoll(arguments[8]), std::atoll(arguments[9]), std::atoi(arguments[10])};
        asio::co_spawn(io, publish(c, level, which), report);
    } else {
        asio::co_spawn(io, subscribe(c, level), report);
    }
    io.run();
}
