#include "net/socket.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include <array>
#include <cerrno>
#include <sys/un.h>
#include <unistd.h>

namespace martlet::net {

namespace asio = boost::asio;

unique_fd::~unique_fd() {
    if (fd_ >= 0) ::close(fd_);
}

std::string to_string(const socket_address& address) {
    if (address.size == 0) return "?";  // of a socket that is closed
    return address.family() == AF_UNIX ? unix_to_string(address) : ip_to_string(address);
}

error_code last_error() noexcept { return {errno, boost::system::system_category()}; }

socket_address local_address_of(int fd) noexcept {
    socket_address address;
    if (::getsockname(fd, address.data(), &address.size) != 0) address.size = 0;
    return address;
}

socket_address peer_address_of(int fd) noexcept {
    socket_address address;
    if (::getpeername(fd, address.data(), &address.size) != 0) address.size = 0;
    return address;
}

boost::system::result<unique_fd> open_socket(const socket_address& address) noexcept {
    unique_fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return last_error();
    if (address.family() != AF_UNIX) set_no_delay(fd.number());
    return fd;
}

error_code assign(descriptor& to, unique_fd fd) noexcept {
    error_code error;
    to.assign(fd.number(), error);
    if (error) return error;
    (void)fd.release();
    return error;
}

namespace {

struct wait_handler {
    std::shared_ptr<waiter> who;
    direction what;
    void operator()(error_code error) const { who->on_ready(what, error); }
};

class socket_transport final : public transport {
public:
    socket_transport(const asio::any_io_executor& executor, std::string peer)
        : descriptor_(executor), peer_(std::move(peer)) {}

    [[nodiscard]] error_code adopt(unique_fd fd) noexcept { return assign(descriptor_, std::move(fd)); }

    // A read that fills less than asked for has emptied the socket, a write that moves less has filled it: saying so
    // saves the system call that would find it out. What arrives in between ends the wait at once.

    io_result read_some(std::span<char> into) noexcept override {
        for (;;) {
            const ssize_t n = ::recv(descriptor_.native_handle(), into.data(), into.size(), 0);
            if (n > 0) {
                const auto bytes = static_cast<std::size_t>(n);
                return {bytes, bytes < into.size() ? would_block() : error_code(), direction::read};
            }
            if (n == 0) return {0, asio::error::eof, direction::read};
            if (errno == EINTR) continue;
            return {0, errno == EAGAIN ? would_block() : last_error(), direction::read};
        }
    }

    io_result write_some(std::span<const std::string_view> from) noexcept override {
        // One part is the rule, and the system takes a third longer to take it as a vector.
        if (from.size() == 1)
            return send([&](int fd) { return ::send(fd, from[0].data(), from[0].size(), MSG_NOSIGNAL); },
                        from[0].size());

        std::array<iovec, gather_max> parts;
        std::size_t count = 0;
        std::size_t size = 0;
        for (const std::string_view part : from.first(std::min(from.size(), gather_max))) {
            // sendmsg only reads; its iovec is shared with recvmsg
            parts[count++] = {const_cast<char*>(part.data()), part.size()};
            size += part.size();
        }
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = count;
        return send([&](int fd) { return ::sendmsg(fd, &message, MSG_NOSIGNAL); }, size);
    }

    void wait(direction what, std::shared_ptr<waiter> who) override {
        descriptor_.async_wait(what == direction::read ? descriptor::wait_read : descriptor::wait_write,
                               wait_handler{std::move(who), what});
    }

    io_result shutdown_send() noexcept override {
        if (::shutdown(descriptor_.native_handle(), SHUT_WR) != 0) return {0, last_error(), direction::write};
        return {};
    }

    [[nodiscard]] bool ends_by_close() const noexcept override { return true; }

    void close() noexcept override {
        error_code ignored;
        descriptor_.close(ignored);
    }

    [[nodiscard]] int native_handle() noexcept override { return descriptor_.native_handle(); }
    [[nodiscard]] std::string peer_address() const override { return peer_; }
    [[nodiscard]] std::string local_address() const override {
        // Asio's accessor of the handle is not const, and does not change anything either
        return to_string(local_address_of(const_cast<descriptor&>(descriptor_).native_handle()));
    }

private:
    static error_code would_block() noexcept { return asio::error::would_block; }

    // `call` is the system's, for `size` bytes.
    template <class Call>
    io_result send(const Call& call, std::size_t size) noexcept {
        for (;;) {
            const ssize_t n = call(descriptor_.native_handle());
            if (n >= 0) {
                const auto bytes = static_cast<std::size_t>(n);
                return {bytes, bytes < size ? would_block() : error_code(), direction::write};
            }
            if (errno == EINTR) continue;
            return {0, errno == EAGAIN ? would_block() : last_error(), direction::write};
        }
    }

    descriptor descriptor_;
    std::string peer_;  // kept: the system forgets it when the connection breaks, and that is when the log wants it
};

}  // namespace

boost::system::result<std::unique_ptr<transport>> make_socket_transport(const asio::any_io_executor& executor,
                                                                        unique_fd fd, std::string peer) {
    auto made = std::make_unique<socket_transport>(executor, std::move(peer));
    if (const error_code error = made->adopt(std::move(fd))) return error;
    return std::unique_ptr<transport>(std::move(made));
}

}  // namespace martlet::net
