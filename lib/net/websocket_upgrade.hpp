// The HTTP request that turns a connection into a WebSocket, RFC 6455 §4, at both ends; without I/O. Beast parses HTTP.
#pragma once

#include <martlet/error.hpp>
#include <martlet/websocket.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::net {

/// Where the head of an HTTP message ends: after its blank line; nothing if it has not ended yet.
[[nodiscard]] std::optional<std::size_t> end_of_head(std::string_view bytes) noexcept;

/// A client's request. \p key: 16 random bytes. Empty if a header of the options may not be sent.
[[nodiscard]] std::string make_upgrade_request(std::string_view host, std::string_view target, std::string_view key,
                                               const websocket_options& options);
/// Empty if the server has switched, else why not: "the server answered 404 Not Found".
[[nodiscard]] std::string check_upgrade_response(std::string_view head, std::string_view key);

/// What a server answers to a request.
struct upgrade_answer {
    std::string response;  ///< to be sent in any case
    std::string refusal;   ///< why not; empty: the connection is a WebSocket now
};
/// \p path: the only one that is served; empty: all.
[[nodiscard]] upgrade_answer answer_upgrade(std::string_view head, std::string_view path,
                                            const websocket_server_options& options);
[[nodiscard]] upgrade_answer refuse_long_head();

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key, RFC 6455 §4.2.2.
[[nodiscard]] std::string accept_for(std::string_view encoded_key);

}  // namespace martlet::net
