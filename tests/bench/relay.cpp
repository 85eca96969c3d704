// The physical limit that brokers are measured against: copies what publishers send to all subscribers, in the pieces
// it comes in, and parses nothing but handshakes and the first PUBLISH of a connection, whose size all others must have.
// At QoS 1 it answers each PUBLISH with a PUBACK, and throws away the subscribers'.
//
//   martlet_bench_relay [--port-file FILE] [--certificate FILE --key FILE]     TLS 1.3 with the latter two
//
// One thread, epoll, bare sockets (or OpenSSL); loopback only. Prints "listening on PORT"; ends at SIGTERM.
#include "bench/mqtt_bytes.hpp"
#include "bench/stream.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace martlet::test;

constexpr std::size_t slab_size = 64 * 1024;
constexpr std::size_t turn_max = 256 * 1024;         // read from one connection, then others get their turn
constexpr std::size_t output_max = 4 * 1024 * 1024;  // unsent for one subscriber; then nobody is read

volatile std::sig_atomic_t is_over = 0;
void end(int) { is_over = 1; }

struct connection {
    stream link;
    std::string in;  // begin of a packet that has not come as a whole
    std::string out;
    std::size_t written = 0;
    std::size_t publish_size = 0;  // 0: no PUBLISH has come yet
    std::size_t id_at = 0;         // place of the packet id in it; 0: QoS 0
    bool is_v5 = false;
    bool discards = false;  // it acknowledges: nothing it sends is looked at
    bool wants_write = false;
    bool is_gone = false;
};

class relay {
public:
    explicit relay(std::optional<std::pair<std::string, std::string>> tls) : slab_(slab_size) {
        if (tls) tls_ = std::make_unique<tls_maker>(tls->first, tls->second);
    }

    void run(const std::string& port_file) {
        std::uint16_t port = 0;
        listener_ = listen_anywhere(port);
        epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
        watch(epoll_, listener_, EPOLLIN, 0, EPOLL_CTL_ADD);
        std::printf("listening on %u\n", port);
        std::fflush(stdout);
        if (!port_file.empty()) write_port_file(port_file, port);
        while (is_over == 0)
            turn();
    }

private:
    void turn() {
        epoll_event events[256];
        const int n = ::epoll_wait(epoll_, events, 256, -1);
        for (int i = 0; i < n; ++i) {
            if (events[i].data.u32 == 0) {
                accept_all();
                continue;
            }
            connection& c = *connections_[events[i].data.u32 - 1];
            if (c.is_gone) continue;
            if ((events[i].events & EPOLLOUT) != 0) flush(c);
            if ((events[i].events & ~EPOLLOUT) != 0) read(c);
        }
        if (is_full_) resume();
    }

    void accept_all() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            set_no_delay(fd);
            auto made = std::make_unique<connection>();
            made->link = stream(fd, tls_ ? tls_->make(fd, true) : nullptr);
            connections_.push_back(std::move(made));
            watch(epoll_, fd, EPOLLIN, static_cast<std::uint32_t>(connections_.size()), EPOLL_CTL_ADD);
        }
    }

    void rewatch(const connection& c) const {
        const auto found =
            std::find_if(connections_.begin(), connections_.end(), [&](auto& p) { return p.get() == &c; });
        const auto number = static_cast<std::uint32_t>(found - connections_.begin()) + 1;
        const std::uint32_t events =
            (is_full_ ? 0U : std::uint32_t{EPOLLIN}) | (c.wants_write ? std::uint32_t{EPOLLOUT} : 0);
        watch(epoll_, c.link.fd(), events, number, EPOLL_CTL_MOD);
    }

    void read(connection& c) {
        for (std::size_t total = 0; total < turn_max;) {
            const std::ptrdiff_t got = c.link.read(slab_);
            if (got < 0) return drop(c);
            if (got == 0) return;
            const std::string_view bytes(slab_.data(), static_cast<std::size_t>(got));
            if (c.publish_size != 0) {
                pass_on(c, bytes);
            } else if (!c.discards) {
                begin(c, bytes);
            }
            if (is_full_) return;
            if (c.link.is_tls()) continue;  // epoll does not know of what OpenSSL has read ahead
            total += bytes.size();
            if (bytes.size() < slab_.size()) return;  // emptied
        }
    }

    void begin(connection& c, std::string_view bytes) {
        c.in += bytes;
        std::string_view rest = c.in;
        for (std::size_t size = 0; (size = packet_size(rest)) != 0 && size <= rest.size();) {
            const std::string_view packet = rest.substr(0, size);
            if (!handle(c, packet)) {
                const std::string first(rest);
                c.in.clear();
                if (c.publish_size != 0) pass_on(c, first);
                return;
            }
            rest.remove_prefix(size);
        }
        c.in.erase(0, c.in.size() - rest.size());
    }

    // False: from here on nothing is parsed.
    bool handle(connection& c, std::string_view packet) {
        const auto type = static_cast<unsigned char>(packet[0]) >> 4;
        const std::size_t header = packet.size() > 129 ? 3 : 2;
        if (type == 1) {
            const std::size_t level = packet.find("MQTT");
            c.is_v5 = level != std::string_view::npos && packet[level + 4] == '\5';
            send(c, c.is_v5 ? std::string_view("\x20\x03\x00\x00\x00", 5) : std::string_view("\x20\x02\x00\x00", 4));
        } else if (type == 8) {
            std::string answer = c.is_v5 ? std::string("\x90\x04", 2) : std::string("\x90\x03", 2);
            answer += packet.substr(header, 2);
            if (c.is_v5) answer.push_back('\0');
            answer.push_back(static_cast<char>(packet.back() & 3));
            send(c, answer);
            subscribers_.push_back(&c);
        } else if (type == 3) {
            c.publish_size = packet.size();
            const auto topic =
                static_cast<unsigned char>(packet[header]) * 256U + static_cast<unsigned char>(packet[header + 1]);
            if ((packet[0] & 6) != 0) c.id_at = header + 2 + topic;
            return false;
        } else if (type == 4) {
            c.discards = true;
            return false;
        }
        return true;
    }

    // Whole messages only: several publishers' bytes must not mix inside of one.
    void pass_on(connection& c, std::string_view bytes) {
        if (!c.in.empty()) {
            const std::size_t missing = std::min(c.publish_size - c.in.size(), bytes.size());
            c.in += bytes.substr(0, missing);
            bytes.remove_prefix(missing);
            if (c.in.size() < c.publish_size) return;
            to_all(c, c.in);
            c.in.clear();
        }
        const std::size_t whole = bytes.size() - bytes.size() % c.publish_size;
        to_all(c, bytes.substr(0, whole));
        c.in = bytes.substr(whole);
    }

    void to_all(connection& from, std::string_view packets) {
        if (packets.empty()) return;
        for (connection* const s : subscribers_)
            send(*s, packets);
        if (from.id_at == 0) return;
        acks_.clear();
        for (std::size_t at = 0; at < packets.size(); at += from.publish_size) {
            acks_ += std::string_view("\x40\x02", 2);
            acks_ += packets.substr(at + from.id_at, 2);
        }
        send(from, acks_);
    }

    void send(connection& c, std::string_view bytes) {
        if (c.out.empty()) {
            while (!bytes.empty()) {
                const std::ptrdiff_t n = c.link.write(bytes);
                if (n <= 0) break;
                bytes.remove_prefix(static_cast<std::size_t>(n));
            }
            if (bytes.empty()) return;
        }
        c.out += bytes;
        if (!c.wants_write) {
            c.wants_write = true;
            rewatch(c);
        }
        if (c.out.size() - c.written > output_max && !is_full_) set_full(true);
    }

    void flush(connection& c) {
        while (c.written < c.out.size()) {
            const std::ptrdiff_t n = c.link.write(std::string_view(c.out).substr(c.written));
            if (n < 0) return drop(c);
            c.written += static_cast<std::size_t>(n);
            if (n != 0) continue;
            if (c.written > output_max / 4) c.out.erase(0, std::exchange(c.written, 0));
            return;
        }
        c.out.clear();
        c.written = 0;
        if (c.wants_write) {
            c.wants_write = false;
            rewatch(c);
        }
    }

    void set_full(bool full) {
        is_full_ = full;
        for (const auto& c : connections_) {
            if (!c->is_gone) rewatch(*c);
        }
    }

    void resume() {
        for (const connection* const s : subscribers_) {
            if (s->out.size() - s->written > output_max / 2) return;
        }
        set_full(false);
        for (const auto& c : connections_) {
            if (c->link.is_tls() && !c->is_gone) read(*c);
        }
    }

    void drop(connection& c) {
        std::erase(subscribers_, &c);
        c.link = stream();
        c.is_gone = true;
    }

    std::unique_ptr<tls_maker> tls_;
    std::vector<char> slab_;
    std::vector<std::unique_ptr<connection>> connections_;
    std::vector<connection*> subscribers_;
    std::string acks_;
    int listener_ = -1;
    int epoll_ = -1;
    bool is_full_ = false;
};

}  // namespace

int main(int argc, char* argv[]) {
    std::string port_file;
    std::string certificate;
    std::string key;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--port-file") port_file = argv[i + 1];
        if (name == "--certificate") certificate = argv[i + 1];
        if (name == "--key") key = argv[i + 1];
    }
    struct sigaction action {};
    action.sa_handler = end;
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    relay it(certificate.empty() ? std::nullopt : std::optional(std::pair(certificate, key)));
    it.run(port_file);
    return 0;
}
