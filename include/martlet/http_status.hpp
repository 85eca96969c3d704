// What a broker does, over HTTP on a loopback port: a page for people (/), a JSON object (/status.json) and Prometheus'
// text format (/metrics). Read only; the page needs nothing from elsewhere. It is also an MQTT client, of a WebSocket
// listener of the broker (/listeners.json), with the rights of whom one signs in as.
#pragma once

#include <martlet/broker.hpp>
#include <martlet/error.hpp>

#include <boost/system/result.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace martlet {

/// Serves GET and HEAD on 127.0.0.1 only, and only to requests whose Host is this machine: a page from elsewhere cannot
/// read it through the user's browser. At most 64 connections at a time, 8 KiB of header, 10 seconds each.
/// Everything on the broker's executor; must not outlive the broker.
class http_status {
public:
    explicit http_status(broker& of);
    http_status(http_status&&) noexcept;
    http_status& operator=(http_status&&) noexcept;
    /// Closes everything at once.
    ~http_status();

    /// Begins to serve; 0 takes a free port. Returns the port. Errors: what the system says (address in use).
    boost::system::result<std::uint16_t> listen(std::uint16_t port);

private:
    class impl;
    std::shared_ptr<impl> impl_;
};

/// The texts as they are served.
[[nodiscard]] std::string to_json(const broker_statistics& statistics);
[[nodiscard]] std::string to_prometheus(const broker_statistics& statistics);

}  // namespace martlet
