// From options to a context of OpenSSL: certificates, keys, trust, versions, ciphers, ALPN, pre-shared keys.
#include "net/tls_context.hpp"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace martlet::net {

namespace {

constexpr std::size_t file_size_max = 16 * 1024 * 1024;
// 112 bits: no RSA below 2,048, no SHA-1 in signatures. A cipher list may say @SECLEVEL=n.
constexpr int security_level = 2;

// What went wrong, in one line: option, then reason.
class complaint {
public:
    explicit complaint(std::string& detail) : detail_(detail) {}
    error_code operator()(std::string_view what, std::string_view why) const {
        detail_ = std::string(what) + ": " + std::string(why);
        return errc::tls_options_invalid;
    }
    error_code openssl(std::string_view what) const { return (*this)(what, take_openssl_error()); }

private:
    std::string& detail_;
};

// The text of an option that is a file or PEM in memory, and what to call it.
struct source {
    std::string name;
    std::string pem;
    [[nodiscard]] explicit operator bool() const noexcept { return !pem.empty(); }
};

error_code read_source(std::string_view option, const std::string& file, const std::string& pem, source& out,
                       const complaint& fail) {
    if (!pem.empty() || file.empty()) {
        out = {std::string(option) + "_pem", pem};
        return {};
    }
    out.name = std::string(option) + "_file " + file;
    const std::unique_ptr<std::FILE, openssl_deleter<std::fclose>> opened(std::fopen(file.c_str(), "rbe"));
    if (!opened) return fail(out.name, std::strerror(errno));
    std::string text(64 * 1024, '\0');
    while (const std::size_t n = std::fread(text.data(), 1, text.size(), opened.get())) {
        out.pem.append(text, 0, n);
        if (out.pem.size() > file_size_max) return fail(out.name, "is larger than 16 MiB");
    }
    if (std::ferror(opened.get()) != 0) return fail(out.name, std::strerror(errno));
    if (out.pem.empty()) return fail(out.name, "is empty");
    return {};
}

// Never OpenSSL's own callback, which would ask on the terminal.
int give_passphrase(char* into, int size, int, void* data) {
    const auto& passphrase = *static_cast<const std::string*>(data);
    if (passphrase.empty() || passphrase.size() > static_cast<std::size_t>(size)) return -1;
    std::memcpy(into, passphrase.data(), passphrase.size());
    return static_cast<int>(passphrase.size());
}

// True if the reader stopped because the text is over, not because it is damaged.
bool reached_end() {
    const unsigned long last = ERR_peek_last_error();
    const bool end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    if (end) ERR_clear_error();
    return end;
}

error_code load_certificate(SSL_CTX& ssl, const source& from, const complaint& fail) {
    const bio_ptr in = reader_of(from.pem);
    const certificate_ptr own(PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr));
    if (!own) return reached_end() ? fail(from.name, "holds no certificate") : fail.openssl(from.name);
    if (SSL_CTX_use_certificate(&ssl, own.get()) != 1) return fail.openssl(from.name);
    for (;;) {
        certificate_ptr next(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
        if (!next) return reached_end() ? error_code() : fail.openssl(from.name);
        if (SSL_CTX_add0_chain_cert(&ssl, next.get()) != 1) return fail.openssl(from.name);
        (void)next.release();  // the context's now
    }
}

error_code load_key(SSL_CTX& ssl, const source& from, const std::string& passphrase, const complaint& fail) {
    const bio_ptr in = reader_of(from.pem);
    std::string copy = passphrase;
    const key_ptr key(PEM_read_bio_PrivateKey(in.get(), nullptr, give_passphrase, &copy));
    if (!key) {
        const std::string why = take_openssl_error();
        if (from.pem.find("PRIVATE KEY-----") == std::string::npos) return fail(from.name, "holds no private key");
        if (from.pem.find("ENCRYPTED") == std::string::npos) return fail(from.name, why);
        if (passphrase.empty()) return fail(from.name, "the key is encrypted, and there is no key_passphrase");
        return fail(from.name, "wrong key_passphrase, or a damaged key (" + why + ")");
    }
    if (SSL_CTX_use_PrivateKey(&ssl, key.get()) != 1) return fail(from.name, "the key does not fit the certificate");
    if (SSL_CTX_check_private_key(&ssl) != 1) return fail(from.name, "the key does not fit the certificate");
    return {};
}

template <class Options>
error_code load_own(SSL_CTX& ssl, const Options& options, const complaint& fail) {
    source certificate;
    source key;
    if (const auto error =
            read_source("certificate", options.certificate_file, options.certificate_pem, certificate, fail)) {
        return error;
    }
    if (const auto error = read_source("key", options.key_file, options.key_pem, key, fail)) return error;
    if (!certificate) return key ? fail(key.name, "a key without a certificate") : error_code();
    if (!key) key = certificate;
    if (const auto error = load_certificate(ssl, certificate, fail)) return error;
    return load_key(ssl, key, options.key_passphrase, fail);
}

error_code load_roots(SSL_CTX& ssl, const source& from, bool tell_clients, const complaint& fail) {
    X509_STORE* const store = SSL_CTX_get_cert_store(&ssl);
    const bio_ptr in = reader_of(from.pem);
    for (bool any = false;; any = true) {
        const certificate_ptr root(PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr));
        if (!root) {
            if (!reached_end()) return fail.openssl(from.name);
            return any ? error_code() : fail(from.name, "holds no certificate");
        }
        if (X509_STORE_add_cert(store, root.get()) != 1) return fail.openssl(from.name);
        if (tell_clients && SSL_CTX_add_client_CA(&ssl, root.get()) != 1) return fail.openssl(from.name);
    }
}

error_code load_crls(SSL_CTX& ssl, const std::string& file, const complaint& fail) {
    if (file.empty()) return {};
    source from;
    if (const auto error = read_source("crl", file, {}, from, fail)) return error;
    X509_STORE* const store = SSL_CTX_get_cert_store(&ssl);
    const bio_ptr in = reader_of(from.pem);
    for (bool any = false;; any = true) {
        const crl_ptr list(PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr));
        if (!list) {
            if (!reached_end()) return fail.openssl(from.name);
            if (!any) return fail(from.name, "holds no revocation list");
            X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
            return {};
        }
        if (X509_STORE_add_crl(store, list.get()) != 1) return fail.openssl(from.name);
    }
}

// True in `any` if the options name roots.
template <class Options>
error_code load_trust(SSL_CTX& ssl, const Options& options, bool tell_clients, bool& any, const complaint& fail) {
    source roots;
    if (!options.ca_file.empty()) {
        if (const auto error = read_source("ca", options.ca_file, {}, roots, fail)) return error;
        if (const auto error = load_roots(ssl, roots, tell_clients, fail)) return error;
    }
    if (!options.ca_pem.empty()) {
        if (const auto error = load_roots(ssl, {"ca_pem", options.ca_pem}, tell_clients, fail)) return error;
    }
    if (!options.ca_path.empty() && SSL_CTX_load_verify_dir(&ssl, options.ca_path.c_str()) != 1) {
        return fail.openssl("ca_path " + options.ca_path);
    }
    any = !options.ca_file.empty() || !options.ca_pem.empty() || !options.ca_path.empty();
    // whoever names an intermediate authority, or a server's own certificate, means just that
    if (any) X509_STORE_set_flags(SSL_CTX_get_cert_store(&ssl), X509_V_FLAG_PARTIAL_CHAIN);
    return load_crls(ssl, options.crl_file, fail);
}

int number_of(tls_version version) { return version == tls_version::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION; }

tls_callbacks& callbacks_of(const SSL* ssl) { return *static_cast<tls_callbacks*>(SSL_get_app_data(ssl)); }
openssl_context& context_of(const SSL* ssl) {
    return *static_cast<openssl_context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

// One write for a line, so that the lines of several processes stay whole in one file.
void log_key(const SSL* ssl, const char* line) {
    std::FILE* const file = context_of(ssl).key_log.get();
    std::fprintf(file, "%s\n", line);
    std::fflush(file);
}

error_code open_key_log(openssl_context& context, const std::string& path, const complaint& fail) {
    if (path.empty()) return {};
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail("key_log_file " + path, std::strerror(errno));
    context.key_log.reset(::fdopen(fd, "a"));
    if (!context.key_log) {
        const int number = errno;
        ::close(fd);
        return fail("key_log_file " + path, std::strerror(number));
    }
    SSL_CTX_set_keylog_callback(context.ssl.get(), log_key);
    return {};
}

template <class Options>
error_code set_rules(SSL_CTX& ssl, const Options& options, std::string& alpn, const complaint& fail) {
    SSL_CTX_set_security_level(&ssl, security_level);
    SSL_CTX_set_min_proto_version(&ssl, number_of(options.version_min));
    if (options.version_max) {
        if (*options.version_max < options.version_min) return fail("version_max", "is below version_min");
        SSL_CTX_set_max_proto_version(&ssl, number_of(*options.version_max));
    }
    if (!options.ciphers.empty() && SSL_CTX_set_cipher_list(&ssl, options.ciphers.c_str()) != 1) {
        return fail.openssl("ciphers " + options.ciphers);
    }
    if (!options.cipher_suites.empty() && SSL_CTX_set_ciphersuites(&ssl, options.cipher_suites.c_str()) != 1) {
        return fail.openssl("cipher_suites " + options.cipher_suites);
    }
    for (const std::string& name : options.alpn) {
        if (name.empty() || name.size() > 255) return fail("alpn", "a protocol's name has 1 to 255 bytes");
        alpn += static_cast<char>(name.size());
        alpn += name;
    }
    if (alpn.size() > 65'535) return fail("alpn", "too many protocols");
    // a write may be tried again from another buffer, and takes what it can; an idle connection holds no buffer
    SSL_CTX_set_mode(&ssl,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(&ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_read_ahead(&ssl, 1);  // a record's header and body in one system call
    return {};
}

int on_verified(int good, X509_STORE_CTX* store) {
    if (good == 1) return 1;
    const auto* const ssl =
        static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    callbacks_of(ssl).on_certificate_rejected(X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store));
    return 0;
}

unsigned give_psk(SSL* ssl, const char*, char* identity, unsigned identity_max, unsigned char* psk, unsigned psk_max) {
    const openssl_context& context = context_of(ssl);
    if (context.psk_identity.size() >= identity_max || context.psk.size() > psk_max) return 0;
    std::memcpy(identity, context.psk_identity.c_str(), context.psk_identity.size() + 1);
    std::memcpy(psk, context.psk.data(), context.psk.size());
    return static_cast<unsigned>(context.psk.size());
}

unsigned find_psk(SSL* ssl, const char* identity, unsigned char* psk, unsigned psk_max) {
    if (identity == nullptr) return 0;
    const std::string key = context_of(ssl).psk_of(identity);
    if (key.empty() || key.size() > psk_max) return 0;
    callbacks_of(ssl).on_psk_identity(identity);
    std::memcpy(psk, key.data(), key.size());
    return static_cast<unsigned>(key.size());
}

int choose_alpn(SSL* ssl, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                unsigned offered_size, void*) {
    const std::string& ours = context_of(ssl).alpn;
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(ours.data()),
                                            static_cast<unsigned>(ours.size()), offered, offered_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// Of a client: the server has sent what it takes to resume. 0: we have not kept the reference.
int on_new_session(SSL* ssl, SSL_SESSION* session) {
    if (auto* const who = static_cast<tls_callbacks*>(SSL_get_app_data(ssl))) who->on_session(*session);
    return 0;
}

std::shared_ptr<openssl_context> make_context(const SSL_METHOD* method, const complaint& fail, error_code& error) {
    ERR_clear_error();
    auto made = std::make_shared<openssl_context>();
    made->ssl.reset(SSL_CTX_new(method));
    if (!made->ssl) {
        error = fail.openssl("TLS");
        return nullptr;
    }
    SSL_CTX_set_app_data(made->ssl.get(), made.get());
    return made;
}

}  // namespace

tls_context_result make_tls_client_context(const tls_options& options, std::string& detail) {
    const complaint fail(detail);
    error_code error;
    auto made = make_context(TLS_client_method(), fail, error);
    if (!made) return error;
    SSL_CTX& ssl = *made->ssl;
    made->verify = options.verify;
    made->server_name = options.server_name;
    if ((error = set_rules(ssl, options, made->alpn, fail))) return error;
    if ((error = open_key_log(*made, options.key_log_file, fail))) return error;
    if ((error = load_own(ssl, options, fail))) return error;
    bool has_roots = false;
    if ((error = load_trust(ssl, options, false, has_roots, fail))) return error;
    if (!has_roots && SSL_CTX_set_default_verify_paths(&ssl) != 1) return fail.openssl("trusted roots of the system");
    SSL_CTX_set_verify(&ssl, options.verify == tls_verification::insecure_none ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       on_verified);
    if (!made->alpn.empty() && SSL_CTX_set_alpn_protos(&ssl, reinterpret_cast<const unsigned char*>(made->alpn.data()),
                                                       static_cast<unsigned>(made->alpn.size())) != 0) {
        return fail.openssl("alpn");
    }
    if (options.psk.empty() != options.psk_identity.empty()) return fail("psk", "key and identity go together");
    if (!options.psk.empty()) {
        if (options.psk_identity.size() > PSK_MAX_IDENTITY_LEN ||
            options.psk_identity.find('\0') != std::string::npos) {
            return fail("psk_identity", "has 1 to 128 bytes, none of them zero");
        }
        if (options.psk.size() > PSK_MAX_PSK_LEN) return fail("psk", "has at most 256 bytes");
        made->psk_identity = options.psk_identity;
        made->psk = options.psk;
        SSL_CTX_set_psk_client_callback(&ssl, give_psk);
    }
    if (options.resume_sessions && options.crl_file.empty() && options.psk.empty()) {
        made->keeps_sessions = true;
        SSL_CTX_set_session_cache_mode(&ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(&ssl, on_new_session);
    }
    return std::shared_ptr<tls_context>(std::move(made));
}

tls_context_result make_tls_server_context(const tls_server_options& options, std::string& detail) {
    const complaint fail(detail);
    error_code error;
    auto made = make_context(TLS_server_method(), fail, error);
    if (!made) return error;
    SSL_CTX& ssl = *made->ssl;
    made->is_server = true;
    if (!options.is_set()) return fail("certificate_file", "a TLS listener needs a certificate");
    if ((error = set_rules(ssl, options, made->alpn, fail))) return error;
    if ((error = open_key_log(*made, options.key_log_file, fail))) return error;
    SSL_CTX_set_options(&ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if ((error = load_own(ssl, options, fail))) return error;

    const bool asks = options.client_certificates != client_certificates::none;
    bool has_roots = false;
    if ((error = load_trust(ssl, options, asks, has_roots, fail))) return error;
    if (asks && !has_roots) return fail("client_certificates", "needs the roots to trust: ca_file, ca_path or ca_pem");
    int mode = SSL_VERIFY_NONE;
    if (asks) mode = SSL_VERIFY_PEER;
    if (options.client_certificates == client_certificates::require) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(&ssl, mode, on_verified);
    // sessions that are resumed keep to the context that verified their client
    constexpr std::string_view id = "martlet";
    SSL_CTX_set_session_id_context(&ssl, reinterpret_cast<const unsigned char*>(id.data()),
                                   static_cast<unsigned>(id.size()));
    SSL_CTX_set_session_cache_mode(&ssl, SSL_SESS_CACHE_OFF);
    if (asks) SSL_CTX_set_options(&ssl, SSL_OP_NO_TICKET);  // revocation counts for every connection

    if (!made->alpn.empty()) SSL_CTX_set_alpn_select_cb(&ssl, choose_alpn, nullptr);
    if (options.psk) {
        made->psk_of = options.psk;
        SSL_CTX_set_psk_server_callback(&ssl, find_psk);
        if (!options.psk_hint.empty() && SSL_CTX_use_psk_identity_hint(&ssl, options.psk_hint.c_str()) != 1) {
            return fail.openssl("psk_hint");
        }
    }
    return std::shared_ptr<tls_context>(std::move(made));
}

}  // namespace martlet::net
