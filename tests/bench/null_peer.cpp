#include "null_peer.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace martlet::bench {

namespace {

constexpr std::size_t room_size = 1024 * 1024;

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::write(fd, bytes.data(), bytes.size());
        if (n <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

class conversation {
public:
    conversation(int fd, std::size_t flood) : fd_(fd), flood_(flood), room_(room_size) {}

    void run() {
        for (;;) {
            const auto n = ::read(fd_, room_.data() + kept_, room_.size() - kept_);
            if (n <= 0) return;
            kept_ += static_cast<std::size_t>(n);
            if (!take_packets()) return;
            write_all(fd_, answer_);
            answer_.clear();
            if (flood_now_) send_flood();
        }
    }

private:
    [[nodiscard]] unsigned byte(std::size_t at) const { return static_cast<unsigned char>(room_[at]); }

    // False after DISCONNECT.
    bool take_packets() {
        std::size_t at = 0;
        for (;;) {
            std::size_t length = 0;
            std::size_t head = 1;
            bool is_whole = false;
            for (unsigned shift = 0; at + head < kept_ && shift < 28; shift += 7) {
                const auto b = byte(at + head++);
                length |= static_cast<std::size_t>(b & 0x7F) << shift;
                if ((b & 0x80) == 0) {
                    is_whole = true;
                    break;
                }
            }
            if (!is_whole || at + head + length > kept_) break;
            if (!on_packet(at, at + head)) return false;
            at += head + length;
        }
        kept_ -= at;
        std::copy(room_.begin() + static_cast<std::ptrdiff_t>(at),
                  room_.begin() + static_cast<std::ptrdiff_t>(at + kept_), room_.begin());
        return true;
    }

    bool on_packet(std::size_t first, std::size_t body) {
        switch (byte(first) >> 4) {
            case 1:
                is_v5_ = byte(body + 6) == 5;
                answer_ += is_v5_ ? std::string("\x20\x03\0\0\0", 5) : std::string("\x20\x02\0\0", 4);
                break;
            case 3:
                if ((byte(first) & 6) == 2) {
                    const auto id = body + 2 + (byte(body) << 8 | byte(body + 1));
                    answer_ += {'\x40', '\x02', room_[id], room_[id + 1]};
                }
                break;
            case 8:
                answer_ += is_v5_ ? std::string{'\x90', '\x04', room_[body], room_[body + 1], '\0', '\0'}
                                  : std::string{'\x90', '\x03', room_[body], room_[body + 1], '\0'};
                flood_now_ = flood_ != 0;
                break;
            case 12: answer_ += std::string("\xD0\0", 2); break;
            case 14: return false;
            default: break;
        }
        return true;
    }

    void send_flood() {
        flood_now_ = false;
        std::string one = "\x30";
        one += static_cast<char>(2 + 5 + (is_v5_ ? 1 : 0) + 64);
        one +=
            std::string("\0\x05", 2) + "bench" + (is_v5_ ? std::string(1, '\0') : std::string()) + std::string(64, 'x');
        std::string many;
        constexpr std::size_t at_once = 1000;
        for (std::size_t i = 0; i < at_once; ++i)
            many += one;
        for (std::size_t left = flood_; left != 0;) {
            const auto n = std::min(left, at_once);
            write_all(fd_, std::string_view(many).substr(0, n * one.size()));
            left -= n;
        }
    }

    int fd_;
    std::size_t flood_;
    std::vector<char> room_;
    std::size_t kept_ = 0;
    std::string answer_;
    bool is_v5_ = false;
    bool flood_now_ = false;
};

}  // namespace

null_peer::null_peer(std::size_t flood) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener < 0 || ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener, 16) != 0 || ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        std::abort();
    }
    port_ = ntohs(address.sin_port);
    pid_ = ::fork();
    if (pid_ != 0) {
        ::close(listener);
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGPIPE, SIG_IGN);
    for (;;) {
        const int fd = ::accept(listener, nullptr, nullptr);
        if (fd < 0) ::_exit(1);
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        conversation(fd, flood).run();
        ::close(fd);
    }
}

null_peer::~null_peer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

}  // namespace martlet::bench
