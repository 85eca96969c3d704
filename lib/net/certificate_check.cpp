// Whether test certificates that were kept are still good: what OpenSSL would say of them in a handshake, beforehand.
#include "net/certificate_text.hpp"
#include "net/openssl.hpp"

#include <martlet/tls.hpp>

#include <boost/asio/ip/address.hpp>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>

namespace martlet {
namespace {

using store_ptr = std::unique_ptr<X509_STORE, net::openssl_deleter<X509_STORE_free>>;
using store_context_ptr = std::unique_ptr<X509_STORE_CTX, net::openssl_deleter<X509_STORE_CTX_free>>;

net::certificate_ptr read_certificate(const std::string& pem) {
    return net::certificate_ptr(PEM_read_bio_X509(net::reader_of(pem).get(), nullptr, nullptr, nullptr));
}

/// Without it OpenSSL asks on the terminal.
int no_passphrase(char*, int, int, void*) noexcept { return 0; }

net::certificate_verdict unusable(const std::string& what) {
    ERR_clear_error();
    return {errc::tls_options_invalid, what};
}

/// The chain, the dates and the purpose; \p host may be empty.
net::certificate_verdict verify(X509_STORE& trusted, X509& shown, int purpose, const std::string& host) {
    const store_context_ptr context(X509_STORE_CTX_new());
    if (!context || X509_STORE_CTX_init(context.get(), &trusted, &shown, nullptr) != 1 ||
        X509_STORE_CTX_set_purpose(context.get(), purpose) != 1) {
        return unusable(net::take_openssl_error());
    }
    if (!host.empty()) {
        X509_VERIFY_PARAM* const check = X509_STORE_CTX_get0_param(context.get());
        error_code not_literal;
        (void)boost::asio::ip::make_address(host, not_literal);
        const int is_set = not_literal ? X509_VERIFY_PARAM_set1_host(check, host.data(), host.size())
                                       : X509_VERIFY_PARAM_set1_ip_asc(check, host.c_str());
        if (is_set != 1) return unusable("'" + host + "' is no host");
    }
    if (X509_verify_cert(context.get()) == 1) return {};
    ERR_clear_error();
    return net::explain_verification(X509_STORE_CTX_get_error(context.get()),
                                     X509_STORE_CTX_get_current_cert(context.get()), host);
}

net::certificate_verdict check(const test_certificates& kept, const std::vector<std::string>& hosts) {
    const auto authority = read_certificate(kept.ca_certificate);
    const store_ptr trusted(X509_STORE_new());
    if (!authority || !trusted || X509_STORE_add_cert(trusted.get(), authority.get()) != 1) {
        return unusable("the authority's certificate cannot be read");
    }
    const auto end = [&](const std::string& name, const std::string& certificate, const std::string& key, int purpose,
                         const std::vector<std::string>& names) -> net::certificate_verdict {
        const auto shown = read_certificate(certificate);
        const net::key_ptr own(PEM_read_bio_PrivateKey(net::reader_of(key).get(), nullptr, no_passphrase, nullptr));
        if (!shown) return unusable("the " + name + "'s certificate cannot be read");
        if (!own) return unusable("the " + name + "'s key cannot be read");
        if (X509_check_private_key(shown.get(), own.get()) != 1) {
            return unusable("the " + name + "'s key does not fit its certificate");
        }
        for (const std::string& host : names) {
            if (auto verdict = verify(*trusted, *shown, purpose, host); verdict.error) return verdict;
        }
        return {};
    };
    if (auto verdict = end("server", kept.server_certificate, kept.server_key, X509_PURPOSE_SSL_SERVER, hosts);
        verdict.error) {
        return verdict;
    }
    return end("client", kept.client_certificate, kept.client_key, X509_PURPOSE_SSL_CLIENT, {""});
}

}  // namespace

error_code check_test_certificates(const test_certificates& kept, const std::vector<std::string>& hosts,
                                   std::string* why) {
    if (hosts.empty()) return errc::option_invalid;
    auto verdict = check(kept, hosts);
    if (why != nullptr) *why = std::move(verdict.text);
    return verdict.error;
}

}  // namespace martlet
