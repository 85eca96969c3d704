// What TLS is told: by a client about the server that it expects, by a listener about itself and its clients.
// Certificates and keys are PEM, from files or in memory. No header of OpenSSL is needed to use this.
//
// A build without TLS (CMake option MARTLET_WITH_TLS) has the types; what needs TLS then ends with protocol_not_supported.
#pragma once

#include <martlet/error.hpp>

#include <boost/system/result.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet {

enum class tls_version : std::uint8_t { v1_2, v1_3 };

/// What a client checks of the server's certificate.
enum class tls_verification : std::uint8_t {
    full,                    ///< a chain to a trusted root, the dates, and that it names the host (or address) dialed
    insecure_any_host_name,  ///< the chain and the dates only: every owner of a trusted certificate can be in the middle
    insecure_none,           ///< nothing: anybody can be in the middle
};

/// TLS of a client. The defaults are right for a server with a certificate of a public authority.
struct tls_options {
    tls_verification verify = tls_verification::full;

    /// Trusted roots. If all three are empty: those of the system.
    std::string ca_file = {};  ///< PEM, one or many
    std::string ca_path = {};  ///< a folder prepared by `openssl rehash`
    std::string ca_pem = {};   ///< PEM in memory
    /// PEM; then every certificate of the chain is looked up in a list of its issuer, and a missing list is a failure.
    std::string crl_file = {};

    /// What the client shows of itself, with the certificates between it and the root after it.
    std::string certificate_file = {};
    std::string certificate_pem = {};  ///< instead of the file
    std::string key_file = {};         ///< empty: in certificate_file
    std::string key_pem = {};          ///< instead of the file
    std::string key_passphrase = {};   ///< of an encrypted key. It is never asked for on a terminal

    /// The name for SNI and for the check of the certificate; empty: the host of the URL.
    std::string server_name = {};
    std::vector<std::string> alpn = {};  ///< protocols offered, each of 1 to 255 bytes

    tls_version version_min = tls_version::v1_2;
    std::optional<tls_version> version_max = {};
    std::string ciphers = {};        ///< of TLS 1.2, in OpenSSL's syntax; empty: OpenSSL's choice at security level 2
    std::string cipher_suites = {};  ///< of TLS 1.3, likewise

    /// Pre-shared key; both or none. The server has to choose it: its certificate, if it shows one, is verified as above.
    std::string psk_identity = {};
    std::string psk = {};  ///< bytes

    /// Resumes the TLS session of an earlier connection of this client to the same name, if the server keeps sessions:
    /// that saves sending and checking certificates. What was verified then counts, as long as the server's certificate
    /// has not run out and these options and their files are the same. Off with crl_file, which counts for every
    /// connection, and with psk. connection_info::tls_session_resumed tells. RFC 8446 §2.2, RFC 5077.
    bool resume_sessions = false;

    /// Appends the secrets of every connection to this file, in the NSS key log format that Wireshark reads: whoever has it
    /// can read the traffic. For debugging only. A new file is made for its owner alone (0600).
    std::string key_log_file = {};

    [[nodiscard]] bool operator==(const tls_options&) const = default;
};

enum class client_certificates : std::uint8_t {
    none,     ///< not asked for
    request,  ///< verified if there is one
    require,  ///< without a valid one the handshake fails
};

/// TLS of a listener.
struct tls_server_options {
    std::string certificate_file = {};  ///< with the certificates between it and the root after it
    std::string certificate_pem = {};   ///< instead of the file
    std::string key_file = {};          ///< empty: in certificate_file
    std::string key_pem = {};           ///< instead of the file
    std::string key_passphrase = {};

    martlet::client_certificates client_certificates = martlet::client_certificates::none;
    /// Trusted roots of client certificates; never those of the system.
    std::string ca_file = {};
    std::string ca_path = {};
    std::string ca_pem = {};
    std::string crl_file = {};  ///< as in tls_options

    std::vector<std::string> alpn = {};  ///< protocols accepted; empty: the extension is ignored
    tls_version version_min = tls_version::v1_2;
    std::optional<tls_version> version_max = {};
    std::string ciphers = {};
    std::string cipher_suites = {};

    /// The key of an identity; empty: unknown. Called on the broker's executor, during the handshake.
    std::function<std::string(std::string_view identity)> psk = {};
    std::string psk_hint = {};  ///< of TLS 1.2

    std::string key_log_file = {};  ///< as in tls_options

    /// True if there is something to show: a certificate or pre-shared keys.
    [[nodiscard]] bool is_set() const noexcept { return !certificate_file.empty() || !certificate_pem.empty() || psk; }
};

/// A certificate authority, a server and a client that it vouches for, made on the spot for tests. All is PEM; the keys are
/// not encrypted.
struct test_certificates {
    std::string ca_certificate;
    std::string server_certificate;
    std::string server_key;
    std::string client_certificate;  ///< Common Name "client"
    std::string client_key;
};

/// Makes them: valid from an hour ago for 30 days, the server's for `hosts`, names or addresses. The authority's own key
/// is thrown away, so that nobody can add to it. Takes about a millisecond.
/// Errors: errc::option_invalid (no host), protocol_not_supported (a build without TLS), or what OpenSSL failed with.
[[nodiscard]] boost::system::result<test_certificates> make_test_certificates(const std::vector<std::string>& hosts = {
                                                                                  "localhost", "127.0.0.1", "::1"});

/// Certificates that were kept in files, say: no error if authority, server and client are still valid, belong together and
/// fit their keys, and the server's is for all of `hosts`. \p why, if given, gets one line.
/// Errors: errc::tls_options_invalid (what is no PEM, a key that does not fit), certificate_expired and the like.
[[nodiscard]] error_code check_test_certificates(const test_certificates& kept,
                                                 const std::vector<std::string>& hosts = {"localhost", "127.0.0.1",
                                                                                          "::1"},
                                                 std::string* why = nullptr);

/// True if this build has TLS.
[[nodiscard]] bool has_tls() noexcept;

}  // namespace martlet
