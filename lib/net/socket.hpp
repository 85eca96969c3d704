// What the transports over sockets share: an owned descriptor, addresses, and the transport itself. TCP's and Unix
// sockets' own parts are in tcp.cpp and unix.cpp. Private to lib/net.
#pragma once

#include "net/network.hpp"
#include "net/transport.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/system/result.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace martlet::net {

/// What Asio waits on. Asio's socket classes would add nothing: reading, writing, connecting and accepting are our own.
using descriptor = boost::asio::posix::basic_stream_descriptor<boost::asio::any_io_executor>;

class unique_fd {
public:
    unique_fd() = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        unique_fd(std::move(other)).swap(*this);
        return *this;
    }
    ~unique_fd();

    [[nodiscard]] int number() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void swap(unique_fd& other) noexcept { std::swap(fd_, other.fd_); }

private:
    int fd_ = -1;
};

/// An IPv4, IPv6 or Unix address as the system takes it.
struct socket_address {
    sockaddr_storage bytes{};
    socklen_t size = sizeof(sockaddr_storage);

    [[nodiscard]] sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&bytes); }
    [[nodiscard]] const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&bytes); }
    [[nodiscard]] int family() const noexcept { return bytes.ss_family; }
};

/// "192.0.2.1:4711", "[2001:db8::1]:4711", "unix:/path".
[[nodiscard]] std::string to_string(const socket_address& address);
[[nodiscard]] error_code last_error() noexcept;  // errno
[[nodiscard]] socket_address local_address_of(int fd) noexcept;
[[nodiscard]] socket_address peer_address_of(int fd) noexcept;
/// A non-blocking stream socket of the address's family, with TCP_NODELAY where there is TCP.
[[nodiscard]] boost::system::result<unique_fd> open_socket(const socket_address& address) noexcept;
/// Moves a socket into \p to, or closes it.
[[nodiscard]] error_code assign(descriptor& to, unique_fd fd) noexcept;
/// A transport on a connected, non-blocking socket.
[[nodiscard]] boost::system::result<std::unique_ptr<transport>> make_socket_transport(
    const boost::asio::any_io_executor& executor, unique_fd fd, std::string peer);

// tcp.cpp

/// The address if \p host is a literal: "127.0.0.1", "::1", "fe80::1%eth0"; false otherwise.
[[nodiscard]] bool literal_address(std::string_view host, std::uint16_t port, socket_address& out) noexcept;
[[nodiscard]] std::string ip_to_string(const socket_address& address);
[[nodiscard]] std::uint16_t port_of(const socket_address& address) noexcept;
void set_no_delay(int fd) noexcept;
/// True if a socket was connected to itself, which TCP allows when a free port of this host is dialed.
[[nodiscard]] bool is_connected_to_itself(int fd) noexcept;
/// Opens, binds and listens; writes what it tried into \p detail.
[[nodiscard]] boost::system::result<unique_fd> listen_tcp(const endpoint& at, const listen_options& options,
                                                          std::string& detail);

// unix.cpp

/// Error: name_too_long.
[[nodiscard]] boost::system::result<socket_address> unix_address(std::string_view path) noexcept;
[[nodiscard]] std::string unix_to_string(const socket_address& address);
/// Opens, binds and listens. A socket file that nobody serves any more is replaced; any other file is left alone.
[[nodiscard]] boost::system::result<unique_fd> listen_unix(const endpoint& at, const listen_options& options,
                                                           std::string& detail);

}  // namespace martlet::net
