// The sessions that a client may resume. A context has one per name, verified for that name by the rules of this context:
// other rules, or other files, are another context, which knows none.
#include "net/tls_context.hpp"

#include <utility>

namespace martlet::net {

namespace {

constexpr std::size_t sessions_max = 32;  // names; a client has few, redirections may bring more

// Resuming does not look at certificates again, and a session may outlive them.
bool has_run_out(const SSL_SESSION* session) noexcept {
    const X509* const shown = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));  // reads only
    return shown == nullptr || X509_cmp_current_time(X509_get0_notAfter(shown)) <= 0;
}

}  // namespace

ssl_session_ptr openssl_context::session_for(const std::string& host) {
    if (!keeps_sessions) return nullptr;
    const auto at = sessions_.find(host);
    if (at == sessions_.end()) return nullptr;
    if (SSL_SESSION_is_resumable(at->second.get()) != 1 || has_run_out(at->second.get())) {
        sessions_.erase(at);
        return nullptr;
    }
    // RFC 8446 §C.4: a ticket of TLS 1.3 is used once, so that connections cannot be linked; the next one brings more.
    if (SSL_SESSION_get_protocol_version(at->second.get()) >= TLS1_3_VERSION) {
        auto session = std::move(at->second);
        sessions_.erase(at);
        return session;
    }
    return ssl_session_ptr(SSL_SESSION_dup(at->second.get()));
}

// A copy: OpenSSL makes the session of a connection that ends without close_notify useless, and lost connections are what
// sessions are resumed after.
void openssl_context::keep_session(const std::string& host, const SSL_SESSION& session) {
    if (!keeps_sessions) return;
    if (sessions_.size() >= sessions_max && !sessions_.contains(host)) sessions_.clear();
    if (ssl_session_ptr copy{SSL_SESSION_dup(&session)}) sessions_[host] = std::move(copy);
}

}  // namespace martlet::net
