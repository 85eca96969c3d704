// Connecting through a proxy: SOCKS5 (RFC 1928, RFC 1929), which also looks up the name, and HTTP CONNECT (RFC 9110
// §9.3.6) with Basic authentication. The talk with the proxy is a layer that lets everything pass once it is over.
#pragma once

#include "net/transport.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/error.hpp>

#include <boost/system/result.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace martlet::net {

struct proxy_address {
    enum class kind_type : std::uint8_t { socks5, http_connect };
    kind_type kind = kind_type::socks5;
    endpoint hop;  ///< where it is, as an mqtt URL: a TCP connection; user name and password are for the proxy
};

/// "socks5h://[user:password@]host[:1080]" or "http://[user:password@]host[:8080]".
/// Errors: errc::url_invalid with one line in \p why.
[[nodiscard]] boost::system::result<proxy_address> parse_proxy(std::string_view url, std::string& why);

/// A transport to \p to through the proxy at the other end of \p inner. Errors of its handshake: errc::proxy_failed,
/// errc::proxy_refused_credentials; failure() tells more.
[[nodiscard]] std::unique_ptr<transport> make_proxied(std::unique_ptr<transport> inner, const proxy_address& proxy,
                                                      const endpoint& to);

}  // namespace martlet::net
