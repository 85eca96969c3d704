// What a client costs, against a peer that does nothing, in one run with libmosquitto, Paho C and Boost.MQTT5 where they are
// found.
//   martlet_bench_client [messages [load]]     `load`: part of the name of the loads to run, e.g. "awaited"
// One line per load: messages a second, CPU seconds per million messages of the whole process.
#include "client_peers.hpp"
#include "null_peer.hpp"

#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <arpa/inet.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace asio = boost::asio;
using namespace martlet;
using martlet::bench::null_peer;

namespace {

const std::string payload_64(64, 'x');
constexpr std::size_t window = 1'000;

double cpu_seconds() {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::string_view only;  // loads to run

// `load` returns when the last message is through. 0 if it is not to run.
double measure(const char* who, const char* what, std::size_t messages, const std::function<void()>& load) {
    if (std::string_view(what).find(only) == std::string_view::npos) return 0;
    const auto began = std::chrono::steady_clock::now();
    const auto cpu = cpu_seconds();
    load();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const double rate = static_cast<double>(messages) / took.count();
    std::printf("%-12s %-22s %12.0f /s  %8.3f CPU s per million\n", who, what, rate,
                (cpu_seconds() - cpu) * 1e6 / static_cast<double>(messages));
    std::fflush(stdout);
    return rate;
}

// -- Martlet

// Runs `work` on a connected client.
void with_client(const null_peer& peer, const std::function<asio::awaitable<void>(client&)>& work) {
    asio::io_context io{1};
    client c(io, {.urls = {peer.url()}, .client_id = "bench", .inflight_max = window});
    c.async_run(asio::detached);
    asio::co_spawn(io, work(c), [&](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
        io.stop();
    });
    io.run();
}

asio::awaitable<void> connected(client& c) { co_await c.async_publish("bench", "", {.qos = qos::at_least_once}); }

void publish_fast(std::size_t messages) {
    null_peer peer;
    with_client(peer, [&](client& c) -> asio::awaitable<void> {
        co_await connected(c);
        for (std::size_t i = 0; i < messages; ++i) {
            while (c.publish("bench", payload_64))
                co_await c.async_publish("bench", payload_64);  // the output is full: waits for room
        }
        co_await c.async_publish("bench", "", {.qos = qos::at_least_once});
    });
}

void publish_awaited(std::size_t messages) {
    null_peer peer;
    with_client(peer, [&](client& c) -> asio::awaitable<void> {
        co_await connected(c);
        for (std::size_t i = 0; i < messages; ++i)
            co_await c.async_publish("bench", payload_64);
    });
}

struct in_window {
    client& c;
    std::size_t left;
    std::size_t open = 0;

    void next() {
        while (left != 0 && open < window) {
            --left;
            ++open;
            c.async_publish("bench", payload_64, {.qos = qos::at_least_once}, [this](error_code, publish_result) {
                --open;
                next();
            });
        }
    }
};

void publish_qos_1(std::size_t messages) {
    null_peer peer;
    with_client(peer, [&](client& c) -> asio::awaitable<void> {
        co_await connected(c);
        in_window loop{c, messages};
        loop.next();
        while (loop.left != 0 || loop.open != 0)
            co_await c.async_publish("bench", "", {.qos = qos::at_least_once});
    });
}

void receive(std::size_t messages) {
    null_peer peer(messages);
    with_client(peer, [&](client& c) -> asio::awaitable<void> {
        auto stream = co_await c.async_subscribe("bench", qos::at_most_once);
        std::vector<message> room(1'000);
        for (std::size_t got = 0; got < messages;)
            got += co_await stream.async_receive_some(room);
    });
}

void receive_each(std::size_t messages) {
    null_peer peer(messages);
    with_client(peer, [&](client& c) -> asio::awaitable<void> {
        auto stream = co_await c.async_subscribe("bench", qos::at_most_once);
        for (std::size_t got = 0; got < messages; ++got)
            (void)co_await stream.async_receive();
    });
}

// -- a socket

// The bytes that the client writes for one message.
std::string bare_packet() { return std::string("\x30\x48\0\x05", 4) + "bench" + std::string(1, '\0') + payload_64; }

// What Asio's own coroutine costs around the same write.
void write_awaited(std::size_t messages) {
    null_peer peer;
    asio::io_context io{1};
    asio::ip::tcp::socket socket(io);
    socket.connect({asio::ip::address_v4::loopback(), peer.port()});
    socket.set_option(asio::ip::tcp::no_delay(true));
    const auto packet = bare_packet();
    const auto work = [&]() -> asio::awaitable<void> {
        for (std::size_t i = 0; i < messages; ++i)
            co_await asio::async_write(socket, asio::buffer(packet), asio::deferred);
    };
    asio::co_spawn(io, work(), [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
    });
    io.run();
}

void write_bare(std::size_t messages) {
    null_peer peer;
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(peer.port());
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) std::abort();
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto packet = bare_packet();
    for (std::size_t i = 0; i < messages; ++i) {
        if (::write(fd, packet.data(), packet.size()) != static_cast<ssize_t>(packet.size())) std::abort();
    }
    ::close(fd);
}

}  // namespace

int main(int argc, char** argv) {
    const std::size_t messages = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 200'000;
    const std::size_t many = messages * 10;
    if (argc > 2) only = argv[2];

    const auto bare = measure("socket", "one write each", messages, [&] { write_bare(messages); });
    measure("asio", "async_write() awaited", messages, [&] { write_awaited(messages); });
    const auto awaited = measure("martlet", "QoS 0 awaited", messages, [&] { publish_awaited(messages); });
    if (bare > 0 && awaited > 0) std::printf("%-12s %-22s %12.2f times a bare write\n", "", "", bare / awaited);

    measure("martlet", "QoS 0 publish()", many, [&] { publish_fast(many); });
    measure("martlet", "receive QoS 0", many, [&] { receive(many); });
    measure("martlet", "receive one by one", many, [&] { receive_each(many); });
    measure("martlet", "QoS 1, window 1,000", many, [&] { publish_qos_1(many); });

    for (const auto& peer : bench::other_clients()) {
        {
            null_peer null;
            measure(peer.name, "QoS 0 publish", messages, [&] { peer.publish(null.port(), messages, 0, window); });
        }
        {
            null_peer null(messages);
            measure(peer.name, "receive QoS 0", messages, [&] { peer.receive(null.port(), messages); });
        }
        {
            null_peer null;
            measure(peer.name, "QoS 1, window 1,000", messages,
                    [&] { peer.publish(null.port(), messages, 1, window); });
        }
    }
}
