// The messages of SCRAM-SHA-256 and SCRAM-SHA-512 for both ends, as values: RFC 5802 §5, §7; RFC 7677.
//
//   client                                        server
//   n,,n=user,r=c            ── client-first ──►
//                            ◄── server-first ──  r=cs,s=salt,i=iterations
//   c=biws,r=cs,p=proof      ── client-final ──►
//                            ◄── server-final ──  v=signature
#pragma once

#include "auth/password_hash.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace martlet::auth_impl {

/// "SCRAM-SHA-256", "SCRAM-SHA-512".
[[nodiscard]] std::string_view scram_method(hash_function f) noexcept;
/// Of a method; nothing if it is none of the two.
[[nodiscard]] std::optional<hash_function> scram_function(std::string_view method) noexcept;

class scram_client {
public:
    /// \p nonce: printable ASCII without ','.
    scram_client(hash_function f, std::string user, std::string password, std::string nonce);

    [[nodiscard]] std::string first() const;
    /// The client-final message; nothing if the server's message is wrong.
    [[nodiscard]] std::optional<std::string> final(std::string_view server_first);
    /// True if the server has proved that it knows the stored keys. Once, after final().
    [[nodiscard]] bool verify(std::string_view server_final);

private:
    hash_function function_;
    std::string user_;
    std::string password_;
    std::string nonce_;
    std::string server_signature_;  // expected; empty before final() and after verify()
};

class scram_server {
public:
    /// Reads client-first. False: it is malformed, or wants channel binding or an extension.
    [[nodiscard]] bool start(std::string_view client_first);
    /// Whom the client says it is.
    [[nodiscard]] const std::string& user() const noexcept { return user_; }
    /// server-first for the user's verifier, of either function. \p nonce is appended to the client's.
    [[nodiscard]] std::string challenge(const password_hash& verifier, std::string_view nonce);
    /// server-final if the client's proof is right.
    [[nodiscard]] std::optional<std::string> finish(std::string_view client_final) const;

private:
    std::string user_;
    std::string gs2_header_;  // "n,," or "y,,"
    std::string first_bare_;
    std::string nonce_;  // the client's, then both
    std::string server_first_;
    password_hash verifier_;
};

/// A verifier that no password fits, always the same for a user and a secret: a client cannot find out who has an
/// account.
[[nodiscard]] password_hash made_up_verifier(hash_function f, std::string_view user, std::string_view secret);

}  // namespace martlet::auth_impl
