// The system's clock is put forward and back by an hour, under a broker with a store and its clients: keep-alive and
// delays go by a clock that nobody puts, and what expires does so after its time, not at that of the new clock.
#include "e2e/run.hpp"
#include "support/temporary_folder.hpp"

#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/sqlite_store.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

static std::time_t jump = 0;  // seconds by which the system's clock has been put

// In place of the C library's: the program's own comes first.
extern "C" int clock_gettime(clockid_t which, timespec* now) noexcept {
    const auto result = static_cast<int>(::syscall(SYS_clock_gettime, which, now));
    if (which == CLOCK_REALTIME) now->tv_sec += jump;
    return result;
}

using namespace martlet;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t lifetime = 60;  // seconds, of messages and of the session that stays away

class world {
public:
    world() { start(); }

    void run(asio::awaitable<void> what) { test::run(io, std::move(what)); }
    void start() {
        broker_options options;
        options.store = sqlite_store(folder.path("broker.db"), {durability::normal});
        broker = std::make_unique<martlet::broker>(io.get_executor(), options);
    }
    void restart() {
        broker.reset();
        io.restart();
        io.poll();
        start();
    }
    [[nodiscard]] std::unique_ptr<client> make(const std::string& id, std::chrono::seconds expiry = 0s) {
        client_options options{.urls = {broker->in_process()}, .client_id = id, .session = session_mode::resume};
        options.session_expiry = expiry;
        auto made = std::make_unique<client>(io, options);
        made->async_run(asio::detached);
        return made;
    }

    test::temporary_folder folder;
    asio::io_context io;
    std::unique_ptr<martlet::broker> broker;
};

asio::awaitable<void> leave_something(world& w, std::unique_ptr<client>& stays) {
    auto away = w.make("away", std::chrono::seconds(lifetime));
    static_cast<void>(co_await away->async_subscribe("queued", qos::at_least_once, asio::use_awaitable));
    co_await away->async_disconnect(asio::use_awaitable);
    stays = w.make("stays");
    message_properties properties;
    properties.message_expiry_interval = lifetime;
    publish_options options{.qos = qos::at_least_once, .properties = properties};
    co_await stays->async_publish("queued", "x", options, asio::use_awaitable);
    options.retain = true;
    co_await stays->async_publish("kept", "x", options, asio::use_awaitable);
}

// The remaining time of a message: less than all, and not gone by an hour.
void check_remaining(const message& m) {
    REQUIRE(m.properties().message_expiry_interval);
    CHECK(*m.properties().message_expiry_interval <= lifetime);
    CHECK(*m.properties().message_expiry_interval > lifetime / 2);
}

asio::awaitable<void> find_it(world& w) {
    auto late = w.make("late");
    auto kept = co_await late->async_subscribe("kept", qos::at_least_once, asio::use_awaitable);
    check_remaining(co_await kept.async_receive(asio::use_awaitable));
    auto away = w.make("away");
    check_remaining(co_await away->async_receive(asio::use_awaitable));
    co_await away->async_disconnect(asio::use_awaitable);
}

}  // namespace

TEST_CASE("a system clock that is put forward or back by an hour: nothing expires early or late, no link is given up") {
    for (const std::time_t by : {3'600, -3'600}) {
        for (const bool restarts : {false, true}) {
            CAPTURE(by);
            CAPTURE(restarts);
            world w;
            std::unique_ptr<client> stays;
            w.run(leave_something(w, stays));
            const auto before = std::chrono::system_clock::now();
            jump += by;
            // The hour is there.
            REQUIRE(std::chrono::abs(std::chrono::system_clock::now() - before) > 59min);
            if (restarts) w.restart();
            w.run(find_it(w));
            if (!restarts) {
                CHECK(stays->statistics().connected);
                CHECK(stays->statistics().connects == 1);
            }
        }
    }
}
