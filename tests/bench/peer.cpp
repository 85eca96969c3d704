// A peer for `martlet bench` that is no broker: what it does to messages is known.
//
//   martlet_bench_peer sink                      accepts and discards: the generator's own ceiling
//   martlet_bench_peer relay                     copies the bytes of every publisher to every subscriber, in the sizes
//                                                they come in, without looking at them: what the loopback can carry
//   martlet_bench_peer faulty [--delay MS] [--drop PERCENT] [--seed N]
//                                                the same packet by packet, with faults; QoS 0
//
// Options: --port-file FILE. Prints "listening on PORT", and at SIGTERM "forwarded N dropped M".
// One thread, epoll, raw sockets; loopback only.
#include "bench/mqtt_bytes.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace {

using namespace martlet::test;

enum class behaviour { sink, relay, faulty };

constexpr std::size_t slab_size = 256 * 1024;
constexpr std::size_t output_max = 4 * 1024 * 1024;  // unsent for one subscriber; then nobody is read

struct settings {
    behaviour what = behaviour::sink;
    std::int64_t delay = 0;  // nanoseconds
    double drop = 0;         // 0..1
    std::uint64_t seed = 1;
    std::string port_file;
};

struct connection {
    int fd = -1;
    bool is_v5 = false;
    bool is_subscriber = false;
    std::size_t publish_size = 0;  // relay: of its first PUBLISH; all are taken to be the same
    std::string in;
    std::string out;
    std::size_t written = 0;
    bool wants_write = false;
    bool is_paused = false;
};

volatile std::sig_atomic_t is_over = 0;
void end(int) { is_over = 1; }

std::int64_t now() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

class peer {
public:
    explicit peer(const settings& s) : settings_(s), slab_(slab_size, '\0'), random_(s.seed) {}

    int run() {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const int on = 1;
        ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 1024) != 0 ||
            ::getsockname(listener_, generic, &size) != 0) {
            std::perror("listening");
            return 1;
        }
        epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
        timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
        watch(timer_, EPOLLIN, EPOLL_CTL_ADD);
        std::printf("listening on %u\n", ntohs(address.sin_port));
        std::fflush(stdout);
        if (!settings_.port_file.empty()) write_port(ntohs(address.sin_port));
        while (is_over == 0)
            turn();
        std::printf("forwarded %llu dropped %llu\n", static_cast<unsigned long long>(forwarded_),
                    static_cast<unsigned long long>(dropped_));
        return 0;
    }

private:
    void write_port(unsigned port) const {
        const std::string unfinished = settings_.port_file + ".new";
        if (std::FILE* const file = std::fopen(unfinished.c_str(), "w")) {
            std::fprintf(file, "%u\n", port);
            std::fclose(file);
            std::rename(unfinished.c_str(), settings_.port_file.c_str());
        }
    }

    void watch(int fd, std::uint32_t events, int how) const {
        epoll_event e{};
        e.events = events;
        e.data.fd = fd;
        ::epoll_ctl(epoll_, how, fd, &e);
    }

    static std::uint32_t events_of(const connection& c) {
        std::uint32_t events = 0;
        if (!c.is_paused) events |= EPOLLIN;
        if (c.wants_write) events |= EPOLLOUT;
        return events;
    }

    void turn() {
        epoll_event events[64];
        const int n = ::epoll_wait(epoll_, events, 64, 1'000);
        for (int i = 0; i < n; ++i) {
            const int fd = events[i].data.fd;
            if (fd == listener_) {
                accept_all();
            } else if (fd == timer_) {
                std::uint64_t ticks = 0;
                (void)!::read(timer_, &ticks, sizeof ticks);
            } else if (const auto found = connections_.find(fd); found != connections_.end()) {
                connection& c = *found->second;
                if ((events[i].events & EPOLLOUT) != 0) flush(c);
                if ((events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some(c);
            }
        }
        release_delayed();
        for (connection* const c : dirty_)
            flush(*c);
        dirty_.clear();
        resume();
        for (const int fd : closed_)
            drop_connection(fd);
        closed_.clear();
    }

    void accept_all() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            const int on = 1;
            ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            auto made = std::make_unique<connection>();
            made->fd = fd;
            connections_.emplace(fd, std::move(made));
            watch(fd, EPOLLIN, EPOLL_CTL_ADD);
        }
    }

    void drop_connection(int fd) {
        const auto found = connections_.find(fd);
        if (found == connections_.end()) return;
        std::erase(subscribers_, found->second.get());
        connections_.erase(found);
        ::close(fd);
    }

    void read_some(connection& c) {
        const ssize_t got = ::read(c.fd, slab_.data(), slab_.size());
        if (got == 0 || (got < 0 && errno != EAGAIN)) closed_.push_back(c.fd);
        if (got <= 0) return;
        std::string_view bytes(slab_.data(), static_cast<std::size_t>(got));
        if (c.publish_size != 0 && settings_.what != behaviour::faulty) return pass_on(c, bytes);
        c.in += bytes;
        std::string_view rest = c.in;
        while (const std::size_t size = packet_size(rest)) {
            if (size > rest.size()) break;
            handle(c, rest.substr(0, size));
            rest.remove_prefix(size);
            if (c.publish_size != 0 && settings_.what != behaviour::faulty) {
                const std::string after(rest);
                c.in.clear();
                return pass_on(c, after);
            }
        }
        c.in.erase(0, c.in.size() - rest.size());
    }

    void handle(connection& c, std::string_view packet) {
        const auto type = static_cast<unsigned char>(packet[0]) >> 4;
        if (type == 1) {
            const std::size_t level = packet.find("MQTT");
            c.is_v5 = level != std::string_view::npos && packet[level + 4] == '\5';
            send(c, c.is_v5 ? std::string_view("\x20\x03\x00\x00\x00", 5) : std::string_view("\x20\x02\x00\x00", 4));
        } else if (type == 8) {
            const std::size_t header = packet.size() > 129 ? 3 : 2;
            std::string answer = c.is_v5 ? std::string("\x90\x04", 2) : std::string("\x90\x03", 2);
            answer += packet.substr(header, 2);
            if (c.is_v5) answer.push_back('\0');
            answer.push_back('\0');
            send(c, answer);
            c.is_subscriber = true;
            subscribers_.push_back(&c);
        } else if (type == 12) {
            send(c, std::string_view("\xD0\x00", 2));
        } else if (type == 3) {
            if (settings_.what == behaviour::faulty) return forward_with_faults(packet);
            c.publish_size = packet.size();
            ++forwarded_;
            for (connection* const s : subscribers_)
                send(*s, packet);
        }
    }

    // Whole messages only: several publishers' bytes must not mix inside of one.
    void pass_on(connection& c, std::string_view bytes) {
        if (settings_.what == behaviour::sink) return;
        if (!c.in.empty()) {
            const std::size_t missing = std::min(c.publish_size - c.in.size(), bytes.size());
            c.in += bytes.substr(0, missing);
            bytes.remove_prefix(missing);
            if (c.in.size() < c.publish_size) return;
            for (connection* const s : subscribers_)
                send(*s, c.in);
            ++forwarded_;
            c.in.clear();
        }
        const std::size_t whole = bytes.size() - bytes.size() % c.publish_size;
        for (connection* const s : subscribers_)
            send(*s, bytes.substr(0, whole));
        forwarded_ += whole / c.publish_size;
        c.in = bytes.substr(whole);
    }

    void forward_with_faults(std::string_view packet) {
        random_ = random_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
        if (static_cast<double>(random_ >> 11) * 0x1.0p-53 < settings_.drop) {
            ++dropped_;
            return;
        }
        ++forwarded_;
        if (settings_.delay == 0) {
            for (connection* const s : subscribers_)
                send(*s, packet);
            return;
        }
        delayed_.push_back({now() + settings_.delay, std::string(packet)});
        if (delayed_.size() == 1) arm();
    }

    void arm() const {
        itimerspec when{};
        when.it_value.tv_sec = delayed_.front().due / 1'000'000'000;
        when.it_value.tv_nsec = delayed_.front().due % 1'000'000'000;
        ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
    }

    void release_delayed() {
        if (delayed_.empty()) return;
        for (const std::int64_t present = now(); !delayed_.empty() && delayed_.front().due <= present;
             delayed_.pop_front()) {
            for (connection* const s : subscribers_)
                send(*s, delayed_.front().bytes);
        }
        if (!delayed_.empty()) arm();
    }

    void send(connection& c, std::string_view bytes) {
        if (c.out.empty()) dirty_.push_back(&c);
        c.out += bytes;
    }

    void flush(connection& c) {
        while (c.written < c.out.size()) {
            const ssize_t n = ::write(c.fd, c.out.data() + c.written, c.out.size() - c.written);
            if (n < 0) {
                if (errno != EAGAIN) closed_.push_back(c.fd);
                break;
            }
            c.written += static_cast<std::size_t>(n);
        }
        const bool is_all = c.written == c.out.size();
        if (is_all) {
            c.out.clear();
            c.written = 0;
        } else if (c.out.size() - c.written > output_max && !is_full_) {
            is_full_ = true;
            for (const auto& [fd, other] : connections_) {
                other->is_paused = true;
                watch(fd, events_of(*other), EPOLL_CTL_MOD);
            }
        }
        if (is_all == c.wants_write) {
            c.wants_write = !is_all;
            watch(c.fd, events_of(c), EPOLL_CTL_MOD);
        }
    }

    void resume() {
        if (!is_full_) return;
        for (const connection* const s : subscribers_) {
            if (s->out.size() - s->written > output_max / 2) return;
        }
        is_full_ = false;
        for (const auto& [fd, c] : connections_) {
            c->is_paused = false;
            watch(fd, events_of(*c), EPOLL_CTL_MOD);
        }
    }

    struct late {
        std::int64_t due;
        std::string bytes;
    };

    const settings& settings_;
    int listener_ = -1;
    int epoll_ = -1;
    int timer_ = -1;
    std::string slab_;
    std::unordered_map<int, std::unique_ptr<connection>> connections_;
    std::vector<connection*> subscribers_;
    std::vector<connection*> dirty_;
    std::vector<int> closed_;
    std::deque<late> delayed_;
    std::uint64_t random_;
    std::uint64_t forwarded_ = 0;
    std::uint64_t dropped_ = 0;
    bool is_full_ = false;
};

}  // namespace

int main(int argc, char* argv[]) {
    settings s;
    const std::string_view what = argc > 1 ? argv[1] : "";
    if (what == "relay") {
        s.what = behaviour::relay;
    } else if (what == "faulty") {
        s.what = behaviour::faulty;
    } else if (what != "sink") {
        std::fputs(
            "usage: martlet_bench_peer sink|relay|faulty [--delay MS] [--drop PERCENT] [--seed N] [--port-file FILE]\n",
            stderr);
        return 1;
    }
    for (int i = 2; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--delay") s.delay = static_cast<std::int64_t>(std::atof(argv[i + 1]) * 1e6);
        if (name == "--drop") s.drop = std::atof(argv[i + 1]) / 100;
        if (name == "--seed") s.seed = std::strtoull(argv[i + 1], nullptr, 10);
        if (name == "--port-file") s.port_file = argv[i + 1];
    }
    struct sigaction action {};
    action.sa_handler = end;
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return peer(s).run();
}
