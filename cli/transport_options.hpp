// How bytes get to the broker: TLS, WebSocket, a proxy. The flags are mosquitto's where it has them. A part of the
// connection options.
#pragma once

#include "command_line.hpp"

#include <martlet/client_options.hpp>
#include <martlet/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace martlet::cli {

struct transport_settings {
    tls_options tls;
    bool wants_tls = false;  ///< by a flag or a URL
    bool no_tls = false;
    bool websocket = false;
    std::string path;  ///< of the WebSocket; empty: /mqtt
    std::vector<std::pair<std::string, std::string>> headers;
    std::string proxy;
    std::vector<std::string> failover;  ///< URLs of further brokers, in order
};

/// Takes `row`, which `in` just returned, if it is one of these options. True if so, also after a failure.
bool read_transport_option(const option& row, command_line& in, transport_settings& out);

/// What only shows when all options are known. False after a failure.
bool finish_transport_options(command_line& in, transport_settings& settings, std::optional<std::uint16_t> port);

[[nodiscard]] scheme scheme_of(const transport_settings& settings) noexcept;
/// 1883 or 8883, or what a URL means.
[[nodiscard]] std::uint16_t default_port_of(const transport_settings& settings) noexcept;
void add_transport(const transport_settings& settings, client_options& to);

}  // namespace martlet::cli
