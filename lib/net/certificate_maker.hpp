// Makes certificates, keys and revocation lists on the spot: for make_test_certificates(), and for our own tests of what
// is wrong with a certificate.
#pragma once

#include <martlet/error.hpp>

#include <boost/system/result.hpp>

#include <chrono>
#include <span>
#include <string>
#include <vector>

namespace martlet::net {

struct certificate_request {
    std::string common_name = {};
    std::vector<std::string> hosts = {};  ///< names and literal addresses
    bool is_authority = false;
    bool for_clients = false;  ///< extended key usage: client instead of server
    std::chrono::seconds from{-3600};
    std::chrono::seconds to{std::chrono::hours(24 * 30)};  ///< both from now
    unsigned rsa_bits = 0;                                 ///< 0: a key on the curve P-256
    const char* digest = "SHA256";
};

struct certificate_and_key {
    std::string certificate;  ///< PEM
    std::string key;          ///< PEM, not encrypted
};

/// \p issuer null: self-signed. Errors: errc::option_invalid for a host or digest that cannot be, tls_failed.
[[nodiscard]] boost::system::result<certificate_and_key> make_certificate(const certificate_request& request,
                                                                          const certificate_and_key* issuer);

/// The key again, encrypted.
[[nodiscard]] boost::system::result<std::string> encrypt_key(const std::string& key, const std::string& passphrase);

/// A revocation list of \p issuer with \p revoked (PEM) in it.
[[nodiscard]] boost::system::result<std::string> make_revocation_list(
    const certificate_and_key& issuer, std::span<const std::string> revoked,
    std::chrono::seconds next_update = std::chrono::hours(24));

}  // namespace martlet::net
