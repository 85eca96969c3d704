// WebSocket over any transport, for both roles. Absent in builds without it (websocket_absent.cpp).
#pragma once

#include "net/transport.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/error.hpp>
#include <martlet/websocket.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace martlet::net {

/// True if the options can be used; else one line in \p detail. Errors: errc::option_invalid; protocol_not_supported.
[[nodiscard]] error_code check_websocket(const websocket_options& options, std::string& detail);
[[nodiscard]] error_code check_websocket(const websocket_server_options& options, std::string& detail);

/// \p to: a ws or wss URL; its path is the request's.
[[nodiscard]] std::unique_ptr<transport> make_websocket_client(std::unique_ptr<transport> inner, const endpoint& to,
                                                               const websocket_options& options);
/// \p path: the only one that is served; empty: all.
[[nodiscard]] std::unique_ptr<transport> make_websocket_server(std::unique_ptr<transport> inner, std::string_view path,
                                                               std::shared_ptr<const websocket_server_options> options);

}  // namespace martlet::net
