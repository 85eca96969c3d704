// A loaded TLS context: OpenSSL's SSL_CTX with what our callbacks need. Private to tls.cpp and tls_context.cpp.
#pragma once

#include "net/openssl.hpp"
#include "net/tls.hpp"

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace martlet::net {

class openssl_context final : public tls_context, public std::enable_shared_from_this<openssl_context> {
public:
    [[nodiscard]] std::unique_ptr<transport> wrap(std::unique_ptr<transport> inner, std::string_view host) override;

    ssl_context_ptr ssl;
    bool is_server = false;
    tls_verification verify = tls_verification::full;
    std::string server_name;  // of a client: instead of the host
    std::string alpn;         // length, name, length, name …
    std::string psk_identity;
    std::string psk;
    std::function<std::string(std::string_view)> psk_of;
    std::unique_ptr<std::FILE, openssl_deleter<std::fclose>> key_log;

    // -- sessions of a client that may be resumed, by the name that was verified; tls_sessions.cpp

    bool keeps_sessions = false;
    /// A session for a connection to \p host, or null.
    [[nodiscard]] ssl_session_ptr session_for(const std::string& host);
    void keep_session(const std::string& host, const SSL_SESSION& session);
    void forget_session(const std::string& host) { sessions_.erase(host); }

private:
    std::map<std::string, ssl_session_ptr> sessions_;
};

/// Makes \p who known to the callbacks of a connection.
class tls_callbacks {
public:
    virtual void on_certificate_rejected(int failure, const X509* at) = 0;
    virtual void on_psk_identity(std::string_view identity) = 0;
    virtual void on_session(const SSL_SESSION& session) = 0;

protected:
    ~tls_callbacks() = default;
};

}  // namespace martlet::net
