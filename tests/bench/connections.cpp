// What connections cost a broker: memory of idle ones, CPU of coming and going, and whether it holds very many while
// each of them gets messages. Bare sockets.
//
//   martlet_bench_connections idle --port N --broker-pid N [--connections 10000] [--rounds 0]
//       connects all, then sends `rounds` messages to each of them, each under its own topic
//   martlet_bench_connections cycles --port N --broker-pid N [--cycles 20000] [--concurrent 64]
//       connect, CONNECT, CONNACK, DISCONNECT, close
//
// Prints one line of JSON; memory is anonymous resident memory, without what the kernel holds for the sockets.
#include "bench/mqtt_bytes.hpp"
#include "bench/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace martlet::test;

struct settings {
    std::uint16_t port = 0;
    int broker_pid = 0;
    unsigned connections = 10'000;
    unsigned rounds = 0;
    unsigned cycles = 20'000;
    unsigned concurrent = 64;
};

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) die("writing");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void read_all(int fd, std::size_t size) {
    char answer[256];
    for (std::size_t done = 0; done < size;) {
        const ssize_t n = ::recv(fd, answer, std::min(size - done, sizeof answer), 0);
        if (n <= 0) die("waiting for an answer");
        done += static_cast<std::size_t>(n);
    }
}

std::string subscribe_bytes(std::string_view filter) {
    const std::string body = std::string("\0\1", 2) + with_length(filter) + '\0';
    return '\x82' + remaining_length(body.size()) + body;
}

std::string topic_of_connection(unsigned number) { return "bench/" + std::to_string(number); }

// ---- idle

int hold(const settings& s) {
    const std::int64_t memory_before = memory_of(s.broker_pid);
    const std::int64_t begin = now_ns();
    std::vector<int> fds;
    fds.reserve(s.connections);
    for (unsigned i = 0; i < s.connections; ++i) {
        fds.push_back(connect_to(s.port));
        write_all(fds.back(), connect_bytes("idle" + std::to_string(i), false));
        read_all(fds.back(), 4);
    }
    const double connecting = static_cast<double>(now_ns() - begin) / 1e9;
    const std::int64_t memory_after = memory_of(s.broker_pid);
    const std::int64_t cpu_before = cpu_ns_of(s.broker_pid);
    ::sleep(2);  // the CPU of doing nothing is measured over this time
    const std::int64_t idle_cpu = cpu_ns_of(s.broker_pid) - cpu_before;
    std::printf("{\"connections\": %u, \"per_second\": %.0f, \"bytes_each\": %.0f, \"idle_cpu_percent\": %.3f",
                s.connections, s.connections / connecting,
                static_cast<double>(memory_after - memory_before) / s.connections,
                static_cast<double>(idle_cpu) / 2e9 * 100);
    if (s.rounds != 0) {
        for (unsigned i = 0; i < s.connections; ++i) {
            write_all(fds[i], subscribe_bytes(topic_of_connection(i)));
            read_all(fds[i], 5);
        }
        const std::int64_t subscribed = memory_of(s.broker_pid);
        const std::int64_t traffic_begin = now_ns();
        const std::int64_t traffic_cpu = cpu_ns_of(s.broker_pid);
        std::uint64_t received = 0;
        const std::string payload(64, 'x');
        for (unsigned round = 0; round < s.rounds; ++round) {
            // everybody publishes to the next one, so that all connections carry messages both ways
            for (unsigned i = 0; i < s.connections; ++i)
                write_all(fds[i], publish_bytes(topic_of_connection((i + 1) % s.connections), payload, false));
            for (unsigned i = 0; i < s.connections; ++i, ++received)
                read_all(fds[i], publish_bytes(topic_of_connection(i), payload, false).size());
        }
        std::printf(
            ", \"bytes_each_subscribed\": %.0f, \"bytes_each_after_traffic\": %.0f, \"messages\": %llu, "
            "\"messages_per_second\": %.0f, \"cpu\": %.2f",
            static_cast<double>(subscribed - memory_before) / s.connections,
            static_cast<double>(memory_of(s.broker_pid) - memory_before) / s.connections,
            static_cast<unsigned long long>(received),
            static_cast<double>(received) / (static_cast<double>(now_ns() - traffic_begin) / 1e9),
            static_cast<double>(cpu_ns_of(s.broker_pid) - traffic_cpu) / static_cast<double>(received) / 1e3);
    }
    std::puts("}");
    for (const int fd : fds)
        ::close(fd);
    return 0;
}

// ---- cycles

class cycles {
public:
    explicit cycles(const settings& s) : settings_(s), slots_(s.concurrent), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

    int run() {
        const std::int64_t cpu = cpu_ns_of(settings_.broker_pid);
        const std::int64_t begin = now_ns();
        for (std::uint32_t i = 0; i < settings_.concurrent; ++i)
            open(i);
        while (done_ < settings_.cycles) {
            epoll_event events[64];
            const int n = ::epoll_wait(epoll_, events, 64, -1);
            for (int i = 0; i < n; ++i)
                proceed(events[i].data.u32);
        }
        const double seconds = static_cast<double>(now_ns() - begin) / 1e9;
        std::sort(times_.begin(), times_.end());
        const auto at = [&](double share) {
            return static_cast<double>(
                times_[static_cast<std::size_t>(static_cast<double>(times_.size() - 1) * share)]);
        };
        std::printf(
            "{\"cycles\": %u, \"per_second\": %.0f, \"cpu_us_each\": %.2f, \"p50_us\": %.0f, \"p99_us\": %.0f}\n",
            done_, done_ / seconds, static_cast<double>(cpu_ns_of(settings_.broker_pid) - cpu) / 1e3 / done_,
            at(0.5) / 1e3, at(0.99) / 1e3);
        return 0;
    }

private:
    struct slot {
        int fd = -1;
        bool is_connecting = true;
        std::int64_t begun = 0;
        unsigned cycle = 0;  // in its client id: nobody takes over a session
    };

    void open(std::uint32_t number) {
        if (begun_ == settings_.cycles) return;
        ++begun_;
        slot& s = slots_[number];
        s = {::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), true, now_ns(), begun_};
        set_no_delay(s.fd);
        const sockaddr_in address = loopback(settings_.port);
        if (::connect(s.fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
            die("connecting");
        }
        watch(epoll_, s.fd, EPOLLOUT, number, EPOLL_CTL_ADD);
    }

    void proceed(std::uint32_t number) {
        slot& s = slots_[number];
        if (s.is_connecting) {
            s.is_connecting = false;
            write_all(s.fd, connect_bytes("cycle" + std::to_string(s.cycle), false));
            watch(epoll_, s.fd, EPOLLIN, number, EPOLL_CTL_MOD);
            return;
        }
        char answer[16];
        if (::recv(s.fd, answer, sizeof answer, 0) != 4) die("waiting for CONNACK");
        write_all(s.fd, std::string_view("\xE0\0", 2));
        ::close(s.fd);
        times_.push_back(now_ns() - s.begun);
        ++done_;
        open(number);
    }

    const settings& settings_;
    std::vector<slot> slots_;
    int epoll_;
    unsigned begun_ = 0;
    unsigned done_ = 0;
    std::vector<std::int64_t> times_;
};

}  // namespace

int main(int argc, char* argv[]) {
    settings s;
    const std::string_view what = argc > 1 ? argv[1] : "";
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const auto number = static_cast<unsigned>(std::strtoul(argv[i + 1], nullptr, 10));
        if (name == "--port") s.port = static_cast<std::uint16_t>(number);
        if (name == "--broker-pid") s.broker_pid = static_cast<int>(number);
        if (name == "--connections") s.connections = number;
        if (name == "--rounds") s.rounds = number;
        if (name == "--cycles") s.cycles = number;
        if (name == "--concurrent") s.concurrent = number;
    }
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    if (what == "idle") return hold(s);
    if (what == "cycles") return cycles(s).run();
    std::fputs("usage: martlet_bench_connections idle|cycles --port N --broker-pid N [option]...\n", stderr);
    return 1;
}
