// What stands between a socket and MQTT: a proxy's talk, TLS, WebSocket. Whoever dials or listens passes one of these
// along; the network knows sockets only.
#pragma once

#include "net/transport.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/error.hpp>

#include <memory>
#include <string>

namespace martlet::net {

/// For one dial.
class dial_layers {
public:
    virtual ~dial_layers() = default;
    /// Before anything is dialed: reads certificates and the like. Writes one line into \p detail if it fails.
    [[nodiscard]] virtual error_code prepare(std::string& detail) = 0;
    /// Whom to connect to by TCP, after prepare(): the server, or the proxy in front of it.
    [[nodiscard]] virtual const endpoint& first_hop() const noexcept = 0;
    /// Puts the layers onto a connected socket.
    [[nodiscard]] virtual std::unique_ptr<transport> wrap(std::unique_ptr<transport> socket) = 0;
};

/// For a listener.
class accept_layers {
public:
    virtual ~accept_layers() = default;
    /// Puts the layers onto an accepted socket; null if that is not possible, and then the socket is closed.
    [[nodiscard]] virtual std::unique_ptr<transport> wrap(std::unique_ptr<transport> socket) = 0;
};

/// True if a scheme needs layers: without them the network refuses it, because a plain socket in its place would be a lie.
[[nodiscard]] constexpr bool needs_layers(scheme s) noexcept { return s != scheme::mqtt && has_host(s); }

}  // namespace martlet::net
