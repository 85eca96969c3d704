// Where a broker is, as a URL says it:
//   mqtt://[user[:password]@]host[:port]   mqtts://…   ws://…[/path]   wss://…[/path]   unix:/path   memory:name
#pragma once

#include <martlet/error.hpp>

#include <boost/system/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet {

/// How bytes travel. (`unix` alone is a predefined macro of some compilers.)
/// `memory` is a listener of this process, reached without a socket.
enum class scheme : std::uint8_t { mqtt, mqtts, ws, wss, unix_socket, memory };

/// "mqtt", "mqtts", "ws", "wss", "unix" or "memory".
[[nodiscard]] std::string_view to_string(scheme s) noexcept;

/// 1883, 8883, 80 or 443; 0 for unix and memory.
[[nodiscard]] constexpr std::uint16_t default_port(scheme s) noexcept {
    switch (s) {
        case scheme::mqtt: return 1883;
        case scheme::mqtts: return 8883;
        case scheme::ws: return 80;
        case scheme::wss: return 443;
        case scheme::unix_socket:
        case scheme::memory: break;
    }
    return 0;
}

/// False for unix and memory, which have a path (or a name) instead of a host and a port.
[[nodiscard]] constexpr bool has_host(scheme s) noexcept { return s != scheme::unix_socket && s != scheme::memory; }

/// Where to connect to, or where to listen.
struct endpoint {
    martlet::scheme scheme = martlet::scheme::mqtt;
    std::string host;  ///< name or literal address, IPv6 without brackets; empty for unix and memory
    std::uint16_t port = default_port(martlet::scheme::mqtt);  ///< 0 to listen: any free one
    std::string
        path;  ///< unix: the socket's path; memory: the name; others: what follows the port, from its '/' on, as written
    std::optional<std::string> user_name;  ///< percent-decoded
    std::optional<std::string> password;   ///< percent-decoded

    [[nodiscard]] bool operator==(const endpoint&) const = default;
};

/// Understands a URL; nothing is looked up. For mqtt and mqtts a path may follow; it is kept, and means
/// nothing to a connection. User name, password, host and a unix path are percent-decoded.
/// Errors: errc::url_invalid; then \p why, if given, says which part breaks which rule (static storage).
[[nodiscard]] boost::system::result<endpoint> parse_endpoint(std::string_view url, std::string_view* why = nullptr);

/// The URL, for logs: without user name, password, query and a default port.
[[nodiscard]] std::string to_string(const endpoint& where);

}  // namespace martlet
