#include "net/certificate_maker.hpp"

#include "net/openssl.hpp"

#include <martlet/tls.hpp>

#include <boost/asio/ip/address.hpp>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <utility>

namespace martlet::net {

namespace {

using extension_ptr = std::unique_ptr<X509_EXTENSION, openssl_deleter<X509_EXTENSION_free>>;
using time_ptr = std::unique_ptr<ASN1_TIME, openssl_deleter<ASN1_TIME_free>>;
using revoked_ptr = std::unique_ptr<X509_REVOKED, openssl_deleter<X509_REVOKED_free>>;

error_code failed() {
    ERR_clear_error();
    return errc::tls_failed;
}

std::string text_of(const bio_ptr& memory) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &text);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

key_ptr new_key(unsigned rsa_bits) {
    // Not EVP_EC_gen, a macro whose cast clang refuses.
    return key_ptr(rsa_bits != 0 ? EVP_RSA_gen(rsa_bits) : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
}

key_ptr read_key(const std::string& pem) {
    return key_ptr(PEM_read_bio_PrivateKey(reader_of(pem).get(), nullptr, nullptr, nullptr));
}

certificate_ptr read_certificate(const std::string& pem) {
    return certificate_ptr(PEM_read_bio_X509(reader_of(pem).get(), nullptr, nullptr, nullptr));
}

std::string write_key(EVP_PKEY* key, const std::string& passphrase = {}) {
    const bio_ptr out(BIO_new(BIO_s_mem()));
    const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_256_cbc();
    const auto* const secret = passphrase.empty() ? nullptr : reinterpret_cast<const unsigned char*>(passphrase.data());
    PEM_write_bio_PKCS8PrivateKey(out.get(), key, cipher, reinterpret_cast<const char*>(secret),
                                  static_cast<int>(passphrase.size()), nullptr, nullptr);
    return text_of(out);
}

// "DNS:a.example,IP:192.0.2.1"; empty if a host can be neither. A host enters OpenSSL's syntax here: no ',' or ':'.
std::string alternative_names(const std::vector<std::string>& hosts) {
    std::string all;
    for (const std::string& host : hosts) {
        error_code not_literal;
        (void)boost::asio::ip::make_address(host, not_literal);
        const bool is_name = !host.empty() && host.find_first_of(",:;\n\\@") == std::string::npos;
        if (not_literal && !is_name) return {};
        all += (all.empty() ? "" : ",") + std::string(not_literal ? "DNS:" : "IP:") + host;
    }
    return all;
}

bool add_extension(X509& to, X509& issuer, int what, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, &issuer, &to, nullptr, nullptr, 0);
    const extension_ptr made(X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()));
    return made && X509_add_ext(&to, made.get(), -1) == 1;
}

bool set_serial(X509& certificate) {
    unsigned char bytes[8];
    if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
    std::uint64_t serial = 0;
    for (const unsigned char byte : bytes)
        serial = serial << 8 | byte;
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(&certificate), serial >> 1 | 1) == 1;
}

}  // namespace

boost::system::result<certificate_and_key> make_certificate(const certificate_request& request,
                                                            const certificate_and_key* issuer) {
    const std::string names = alternative_names(request.hosts);
    const EVP_MD* const digest = EVP_get_digestbyname(request.digest);
    if (digest == nullptr || (names.empty() && !request.hosts.empty())) return errc::option_invalid;

    const certificate_ptr made(X509_new());
    const key_ptr key = new_key(request.rsa_bits);
    const certificate_ptr authority = issuer != nullptr ? read_certificate(issuer->certificate) : nullptr;
    const key_ptr signing = issuer != nullptr ? read_key(issuer->key) : nullptr;
    if (!made || !key || (issuer != nullptr && (!authority || !signing))) return failed();

    X509& certificate = *made;
    X509& signer = authority ? *authority : certificate;
    X509_NAME* const subject = X509_get_subject_name(&certificate);
    const auto* const common_name = reinterpret_cast<const unsigned char*>(request.common_name.data());
    bool ok = X509_set_version(&certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
              X509_set_pubkey(&certificate, key.get()) == 1;
    if (!request.common_name.empty()) {
        ok = ok && X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, common_name,
                                              static_cast<int>(request.common_name.size()), -1, 0) == 1;
    }
    ok = ok && X509_set_issuer_name(&certificate, X509_get_subject_name(&signer)) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(&certificate), static_cast<long>(request.from.count())) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(&certificate), static_cast<long>(request.to.count())) != nullptr &&
         add_extension(certificate, signer, NID_subject_key_identifier, "hash");
    if (request.is_authority) {
        ok = ok && add_extension(certificate, signer, NID_basic_constraints, "critical,CA:TRUE") &&
             add_extension(certificate, signer, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        ok = ok && add_extension(certificate, signer, NID_basic_constraints, "critical,CA:FALSE") &&
             add_extension(certificate, signer, NID_ext_key_usage, request.for_clients ? "clientAuth" : "serverAuth");
    }
    if (authority) ok = ok && add_extension(certificate, signer, NID_authority_key_identifier, "keyid:always");
    if (!names.empty()) ok = ok && add_extension(certificate, signer, NID_subject_alt_name, names);
    ok = ok && X509_sign(&certificate, signing ? signing.get() : key.get(), digest) != 0;
    if (!ok) return failed();

    const bio_ptr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), &certificate);
    return certificate_and_key{text_of(out), write_key(key.get())};
}

boost::system::result<std::string> encrypt_key(const std::string& key, const std::string& passphrase) {
    const key_ptr read = read_key(key);
    if (!read) return failed();
    return write_key(read.get(), passphrase);
}

boost::system::result<std::string> make_revocation_list(const certificate_and_key& issuer,
                                                        std::span<const std::string> revoked,
                                                        std::chrono::seconds next_update) {
    const certificate_ptr authority = read_certificate(issuer.certificate);
    const key_ptr signing = read_key(issuer.key);
    const crl_ptr list(X509_CRL_new());
    const time_ptr last(X509_gmtime_adj(nullptr, -7200));
    const time_ptr next(X509_gmtime_adj(nullptr, static_cast<long>(next_update.count())));
    if (!authority || !signing || !list || !last || !next) return failed();
    X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(authority.get()));
    X509_CRL_set1_lastUpdate(list.get(), last.get());
    X509_CRL_set1_nextUpdate(list.get(), next.get());
    for (const std::string& pem : revoked) {
        const certificate_ptr one = read_certificate(pem);
        revoked_ptr entry(X509_REVOKED_new());
        if (!one || !entry || X509_REVOKED_set_serialNumber(entry.get(), X509_get_serialNumber(one.get())) != 1 ||
            X509_REVOKED_set_revocationDate(entry.get(), last.get()) != 1 ||
            X509_CRL_add0_revoked(list.get(), entry.get()) != 1) {
            return failed();
        }
        (void)entry.release();  // the list's now
    }
    if (X509_CRL_sort(list.get()) != 1 || X509_CRL_sign(list.get(), signing.get(), EVP_sha256()) == 0) return failed();
    const bio_ptr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509_CRL(out.get(), list.get());
    return text_of(out);
}

}  // namespace martlet::net

namespace martlet {

boost::system::result<test_certificates> make_test_certificates(const std::vector<std::string>& hosts) {
    if (hosts.empty()) return errc::option_invalid;
    const auto authority =
        net::make_certificate({.common_name = "Martlet test authority", .is_authority = true}, nullptr);
    if (!authority) return authority.error();
    const auto server = net::make_certificate({.common_name = hosts.front(), .hosts = hosts}, &*authority);
    if (!server) return server.error();
    const auto client = net::make_certificate({.common_name = "client", .for_clients = true}, &*authority);
    if (!client) return client.error();
    return test_certificates{authority->certificate, server->certificate, server->key, client->certificate,
                             client->key};
}

}  // namespace martlet
