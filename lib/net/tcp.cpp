// TCP's part of sockets: addresses, options, listening.
#include "net/socket.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>

#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <vector>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

void set_flag(int fd, int level, int option, bool on) noexcept {
    const int value = on ? 1 : 0;
    ::setsockopt(fd, level, option, &value, sizeof value);
}

socket_address make_address(const asio::ip::address& host, std::uint16_t port) noexcept {
    socket_address address;
    if (host.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        v4.sin_addr.s_addr = htonl(host.to_v4().to_uint());
        std::memcpy(&address.bytes, &v4, sizeof v4);
        address.size = sizeof v4;
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        const auto octets = host.to_v6().to_bytes();
        std::memcpy(&v6.sin6_addr, octets.data(), octets.size());
        v6.sin6_scope_id = static_cast<std::uint32_t>(host.to_v6().scope_id());
        std::memcpy(&address.bytes, &v6, sizeof v6);
        address.size = sizeof v6;
    }
    return address;
}

asio::ip::address ip_of(const socket_address& address) noexcept {
    if (address.family() == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, &address.bytes, sizeof v4);
        return asio::ip::address_v4(ntohl(v4.sin_addr.s_addr));
    }
    sockaddr_in6 v6;
    std::memcpy(&v6, &address.bytes, sizeof v6);
    asio::ip::address_v6::bytes_type octets;
    std::memcpy(octets.data(), &v6.sin6_addr, octets.size());
    return asio::ip::address_v6(octets, v6.sin6_scope_id);
}

// The addresses to try to listen at. Looking a name up may block; servers listen when they start.
boost::system::result<std::vector<socket_address>> addresses_to_listen_at(const endpoint& at) {
    socket_address literal;
    if (at.host == "*") {
        return std::vector{make_address(asio::ip::address_v6::any(), at.port),
                           make_address(asio::ip::address_v4::any(), at.port)};
    }
    if (literal_address(at.host, at.port, literal)) return std::vector{literal};

    std::vector<socket_address> found;
    for (const int family : {AF_INET, AF_INET6}) {
        addrinfo hints{};
        hints.ai_family = family;
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        if (::getaddrinfo(at.host.c_str(), nullptr, &hints, &list) != 0) continue;
        for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
            socket_address address;
            std::memcpy(&address.bytes, entry->ai_addr, entry->ai_addrlen);
            found.push_back(make_address(ip_of(address), at.port));
        }
        ::freeaddrinfo(list);
    }
    if (found.empty()) return error_code(asio::error::host_not_found);
    return found;
}

boost::system::result<unique_fd> listen_at(const socket_address& address, int backlog, bool v6_only) noexcept {
    auto fd = open_socket(address);
    if (!fd) return fd;
    // without it, connections of a previous run that linger in TIME_WAIT would keep us from binding
    set_flag(fd->number(), SOL_SOCKET, SO_REUSEADDR, true);
    if (address.family() == AF_INET6) set_flag(fd->number(), IPPROTO_IPV6, IPV6_V6ONLY, v6_only);
    set_no_delay(fd->number());  // what is accepted inherits it, which saves a system call each
    if (::bind(fd->number(), address.data(), address.size) != 0) return last_error();
    if (::listen(fd->number(), backlog) != 0) return last_error();
    return fd;
}

}  // namespace

bool literal_address(std::string_view host, std::uint16_t port, socket_address& out) noexcept {
    error_code error;
    const auto ip = asio::ip::make_address(host, error);
    if (error) return false;
    out = make_address(ip, port);
    return true;
}

std::string ip_to_string(const socket_address& address) {
    const auto ip = ip_of(address);
    const std::string port = ":" + std::to_string(port_of(address));
    return ip.is_v6() ? "[" + ip.to_string() + "]" + port : ip.to_string() + port;
}

std::uint16_t port_of(const socket_address& address) noexcept {
    std::uint16_t port = 0;  // at the same place in both
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    std::memcpy(&port, reinterpret_cast<const char*>(&address.bytes) + offsetof(sockaddr_in, sin_port), sizeof port);
    return ntohs(port);
}

void set_no_delay(int fd) noexcept { set_flag(fd, IPPROTO_TCP, TCP_NODELAY, true); }

bool is_connected_to_itself(int fd) noexcept {
    const socket_address local = local_address_of(fd);
    const socket_address peer = peer_address_of(fd);
    return local.size != 0 && local.size == peer.size && port_of(local) == port_of(peer) && ip_of(local) == ip_of(peer);
}

boost::system::result<unique_fd> listen_tcp(const endpoint& at, const listen_options& options, std::string& detail) {
    detail = "listening at " + at.host + ":" + std::to_string(at.port);
    const auto addresses = addresses_to_listen_at(at);
    if (!addresses) return addresses.error();

    error_code error;
    for (const socket_address& address : *addresses) {
        detail = "listening at " + to_string(address);
        auto fd = listen_at(address, options.backlog, options.v6_only && at.host != "*");
        if (fd) return fd;
        if (!error) error = fd.error();  // of the address that was preferred
    }
    return error;
}

}  // namespace martlet::net
