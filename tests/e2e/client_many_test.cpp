// Many clients in one process: what each costs in heap, and that all connect, receive and reconnect. The broker is
// another process, so that the heap counted is the clients' alone. MARTLET_CLIENTS=10000 asks for more than the usual.
#include <martlet/broker.hpp>
#include <martlet/client.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <malloc.h>
#include <memory>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;

namespace {

// The goal. Measured: 8,122 bytes, half of it the client itself, a tenth the events that nobody has asked for.
constexpr std::size_t heap_per_client_max = 8 * 1024;

const std::size_t clients = [] {
    const char* const asked = std::getenv("MARTLET_CLIENTS");
    return std::max<std::size_t>(asked != nullptr ? std::strtoul(asked, nullptr, 10) : 1'000, 200);
}();
constexpr std::size_t other_descriptors = 100;

// A process with nothing but a broker, on `port` or any; it ends with its parent.
class broker_process {
public:
    explicit broker_process(std::uint16_t port = 0) {
        int pipe_ends[2];
        REQUIRE(::pipe(pipe_ends) == 0);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            asio::io_context io{1};
            broker b(io.get_executor());
            const auto where = b.listen("mqtt://127.0.0.1:" + std::to_string(port));
            const std::uint16_t got = where ? where->port : std::uint16_t{0};
            if (::write(pipe_ends[1], &got, sizeof got) == sizeof got && got != 0) io.run();
            ::_exit(0);
        }
        REQUIRE(::read(pipe_ends[0], &port_, sizeof port_) == sizeof port_);
        ::close(pipe_ends[0]);
        ::close(pipe_ends[1]);
        REQUIRE(port_ != 0);
    }
    broker_process(const broker_process&) = delete;
    broker_process& operator=(const broker_process&) = delete;
    ~broker_process() { kill(); }

    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
    pid_t pid_ = 0;
    std::uint16_t port_ = 0;
};

bool may_open(std::size_t descriptors) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur >= descriptors;
}

std::size_t heap_in_use() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

template <class Condition>
void run_until(asio::io_context& io, Condition condition) {
    const auto patience = std::chrono::steady_clock::now() + 200s;
    while (!condition() && std::chrono::steady_clock::now() < patience) {
        io.run_one_for(1s);
        io.poll();  // the condition asks all clients
    }
    REQUIRE(condition());
}

}  // namespace

TEST_CASE("client_many: all connect, receive and reconnect, and each costs little heap") {
    if (!may_open(clients + other_descriptors)) {
        MESSAGE("skipped: the limit of descriptors is below ", clients + other_descriptors, " (ulimit -Hn)");
        return;
    }
    broker_process first;
    const auto port = first.port();
    asio::io_context io{1};
    std::vector<std::unique_ptr<client>> all;
    all.reserve(clients + 1);
    const auto add = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            client_options o;
            o.urls = {"mqtt://127.0.0.1:" + std::to_string(port)};
            o.client_id = "many-" + std::to_string(all.size());
            o.reconnect.delay_min = 100ms;
            all.push_back(std::make_unique<client>(io, std::move(o)));
            all.back()->async_run(asio::detached);
            const auto target = all.size();
            if (target % 500 == 0 || i + 1 == count) {
                run_until(io, [&] { return all.back()->statistics().connected; });
            }
        }
        run_until(io, [&] {
            return std::all_of(all.begin(), all.end(), [](const auto& c) { return c->statistics().connected; });
        });
    };
    add(100);  // what is shared is there
    const auto before = heap_in_use();
    add(clients - 100);
    const auto each = (heap_in_use() - before) / (clients - 100);
    MESSAGE("heap of a further idle connected client: ", each, " bytes");
    CHECK(each <= heap_per_client_max);

    std::vector<subscription> streams(clients);
    std::size_t subscribed = 0;
    std::size_t received = 0;
    for (std::size_t i = 0; i < clients; ++i) {
        all[i]->async_subscribe("all", qos::at_least_once, [&, i](error_code error, subscription s) {
            REQUIRE_FALSE(error);
            streams[i] = std::move(s);
            ++subscribed;
        });
    }
    run_until(io, [&] { return subscribed == clients; });
    const auto hear = [&] {
        received = 0;
        for (auto& one : streams) {
            one.async_receive([&](error_code error, const message& m) {
                if (!error && m.text() == "x") ++received;
            });
        }
        all[0]->async_publish("all", "x", {.qos = qos::at_least_once}, asio::detached);
        run_until(io, [&] { return received == clients; });
        CHECK(received == clients);
    };
    hear();

    first.kill();
    run_until(io, [&] {
        return std::none_of(all.begin(), all.end(), [](const auto& c) { return c->statistics().connected; });
    });
    broker_process second(port);
    run_until(io, [&] {
        return std::all_of(all.begin(), all.end(), [](const auto& c) { return c->statistics().connected; });
    });
    // The new broker has no sessions: every subscription is made again.
    std::size_t pinged = 0;
    for (const auto& one : all)
        one->async_ping([&](error_code error, std::chrono::microseconds) {
            if (!error) ++pinged;
        });
    run_until(io, [&] { return pinged == clients; });
    hear();
}
