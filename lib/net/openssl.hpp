// OpenSSL's objects with an owner, and its error queue as text. For the files of lib/net that use OpenSSL only.
#pragma once

#include <martlet/error.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace martlet::net {

template <auto Free>
struct openssl_deleter {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};

using bio_ptr = std::unique_ptr<BIO, openssl_deleter<BIO_free_all>>;
using certificate_ptr = std::unique_ptr<X509, openssl_deleter<X509_free>>;
using crl_ptr = std::unique_ptr<X509_CRL, openssl_deleter<X509_CRL_free>>;
using key_ptr = std::unique_ptr<EVP_PKEY, openssl_deleter<EVP_PKEY_free>>;
using ssl_ptr = std::unique_ptr<SSL, openssl_deleter<SSL_free>>;
using ssl_session_ptr = std::unique_ptr<SSL_SESSION, openssl_deleter<SSL_SESSION_free>>;
using ssl_context_ptr = std::unique_ptr<SSL_CTX, openssl_deleter<SSL_CTX_free>>;

/// A BIO that reads \p text, which must outlive it.
[[nodiscard]] inline bio_ptr reader_of(std::string_view text) {
    return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// What the last entry of the error queue says, and an empty queue.
[[nodiscard]] inline std::string take_openssl_error() {
    const unsigned long last = ERR_peek_last_error();
    ERR_clear_error();
    const char* const text = ERR_reason_error_string(last);
    return text != nullptr ? text : "unknown reason";
}

}  // namespace martlet::net
