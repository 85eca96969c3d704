// A program with an event loop of its own: the protocol core does no I/O, and takes bytes and time. Here the loop is
// poll(2). It says on pump/7/state that it is on, and ends with the first message on pump/7/set.
//   08_own_loop [host [port]]
//
// There is no reconnecting, no queue of streams and no TLS here: that is what martlet::client adds.
#include <martlet/core/connection.hpp>
#include <martlet/core/session.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <netdb.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

using namespace martlet;

namespace {

constexpr core::token subscription_token = 1;

instant present() {
    timespec t{};
    ::clock_gettime(CLOCK_BOOTTIME, &t);  // counts suspend, too: after a night the keep-alive is overdue at once
    const auto since_boot = std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
    return {steady_time(std::chrono::duration_cast<steady_time::duration>(since_boot)),
            std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())};
}

int connect_to(const char* host, const char* port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host, port, &hints, &found) != 0) return -1;
    int fd = -1;
    for (const auto* one = found; one != nullptr && fd < 0; one = one->ai_next) {
        fd = ::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, one->ai_protocol);
        if (fd >= 0 && ::connect(fd, one->ai_addr, one->ai_addrlen) != 0) {
            ::close(fd);
            fd = -1;
        }
    }
    ::freeaddrinfo(found);
    return fd;
}

class application {
public:
    explicit application(int fd) : fd_(fd) {}

    int run() {
        packets::connect hello;
        hello.client_id = "own-loop";
        hello.keep_alive = 30;
        connection_.connect(hello, session_);
        while (!is_over_) {
            if (!write_all() || !wait_and_read()) break;
            while (connection_.next_event(event_))
                handle();
            connection_.keep_rest();  // what is incomplete; the buffer may be used again
            is_over_ = is_over_ || connection_.is_closing();
        }
        (void)write_all();  // DISCONNECT, or why we had to leave
        connection_.on_closed();
        return is_heard_ ? 0 : 1;
    }

private:
    void handle() {
        if (event_.kind == core::event_kind::connected) {
            packets::subscribe ask;
            ask.subscriptions.push_back({.filter = "pump/7/set", .qos = qos::at_least_once});
            if (const auto error = connection_.subscribe(ask, subscription_token)) std::cerr << error.message() << '\n';
            core::outgoing state;
            state.message = core::outgoing_message::create("pump/7/state", "on", qos::at_least_once, true);
            state.qos = qos::at_least_once;
            state.retain = true;
            (void)connection_.send(std::move(state));
        } else if (event_.kind == core::event_kind::message_received) {
            std::cout << event_.message.topic << ' ' << event_.message.payload << std::endl;
            connection_.acknowledge(event_.number);
            connection_.disconnect();
            is_heard_ = is_over_ = true;
        } else if (event_.kind == core::event_kind::failed || event_.kind == core::event_kind::refused) {
            std::cerr << "08_own_loop: " << event_.error.message() << '\n';
        }
    }

    bool write_all() {
        core::output& out = connection_.out();
        while (!out.empty()) {
            std::array<std::string_view, 16> views;
            std::array<iovec, 16> parts;
            const auto count = out.gather(views);
            for (std::size_t i = 0; i != count; ++i)
                parts[i] = {const_cast<char*>(views[i].data()), views[i].size()};  // writev only reads
            const auto written = ::writev(fd_, parts.data(), static_cast<int>(count));
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return false;
            out.consume(static_cast<std::size_t>(written));
        }
        return true;
    }

    bool wait_and_read() {
        const auto until = connection_.next_deadline();  // keep-alive, or the end of patience
        int timeout = -1;
        if (until != never) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now_.steady).count();
            timeout = left > 0 ? static_cast<int>(left) : 0;
        }
        pollfd ready{fd_, POLLIN, 0};
        const int count = ::poll(&ready, 1, timeout);
        now_ = present();
        if (count == 0) connection_.on_deadline();
        if (count <= 0) return count == 0 || errno == EINTR;
        const auto size = ::read(fd_, buffer_.data(), buffer_.size());
        if (size <= 0) return false;
        connection_.receive({buffer_.data(), static_cast<std::size_t>(size)});
        return true;
    }

    int fd_;
    instant now_ = present();       // the connection looks here
    core::changes journal_{false};  // no store
    core::session session_{journal_, core::session_key{1}};
    core::buffer_pool pool_;
    core::connection connection_{role::client, {}, pool_, now_};
    core::event event_;
    std::array<char, 16 * 1024> buffer_;
    bool is_over_ = false;
    bool is_heard_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    const int fd = connect_to(argc > 1 ? argv[1] : "localhost", argc > 2 ? argv[2] : "1883");
    if (fd < 0) {
        std::cerr << "08_own_loop: cannot connect\n";
        return 1;
    }
    const int code = application(fd).run();
    ::close(fd);
    return code;
}
