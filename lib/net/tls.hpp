// TLS over any transport, by OpenSSL's state machine; no OpenSSL in this header. Absent in builds without TLS (tls_absent.cpp).
//
// The handshake happens inside of reading and writing, so a listener has nothing to do before it hands a connection over,
// and one deadline covers everything from accepting to CONNECT.
#pragma once

#include "net/transport.hpp"

#include <martlet/error.hpp>
#include <martlet/tls.hpp>

#include <boost/system/result.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace martlet::net {

/// Certificates, keys and rules, loaded; shared by the connections that were made with it. Immutable.
class tls_context {
public:
    virtual ~tls_context() = default;
    /// A client's context: \p host is who is expected, a name or a literal address. A server's context ignores it.
    /// Null if there is no memory for it.
    [[nodiscard]] virtual std::unique_ptr<transport> wrap(std::unique_ptr<transport> inner, std::string_view host) = 0;
};

using tls_context_result = boost::system::result<std::shared_ptr<tls_context>>;

/// Errors: errc::tls_options_invalid with one line in \p detail that names option and reason; protocol_not_supported.
[[nodiscard]] tls_context_result make_tls_client_context(const tls_options& options, std::string& detail);
[[nodiscard]] tls_context_result make_tls_server_context(const tls_server_options& options, std::string& detail);

}  // namespace martlet::net
