// MQTT over WebSocket (MQTT 5 §6, RFC 6455): what the two ends are told beside their URLs. Messages are binary, the
// subprotocol is "mqtt". A build without WebSocket (CMake option MARTLET_WITH_WEBSOCKET) has the types; ws and wss then
// end with protocol_not_supported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace martlet {

/// Of a client. The path is that of the URL, "/mqtt" if it has none.
struct websocket_options {
    /// Sent with the request, for example {"Authorization", "Bearer …"}. Names are tokens, values have no line breaks;
    /// otherwise connecting ends with errc::option_invalid.
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::size_t header_bytes_max = 16 * 1024;                ///< of the server's answer
    std::uint64_t frame_bytes_max = 256u * 1024 * 1024 + 5;  ///< payload of one frame; above: closed with 1009
};

/// Of a listener. With a path in its URL only that path is served (404), else every one.
struct websocket_server_options {
    /// Web pages that may connect, as "https://a.example" or "*" for all. Empty: pages that come from the host that they
    /// connect to, and from this machine. Programs that are no browsers send no Origin and are not asked for one.
    std::vector<std::string> origins = {};
    std::size_t header_bytes_max = 8 * 1024;  ///< of a request; above: 431
    std::uint64_t frame_bytes_max = 256u * 1024 * 1024 + 5;
};

/// True if this build has WebSocket.
[[nodiscard]] bool has_websocket() noexcept;

}  // namespace martlet
