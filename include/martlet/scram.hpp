// SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677) without channel binding: neither end learns the password from the
// other, the server stores no password, and the client finds out whether the server knows it.
//
// The broker's end is <martlet/accounts.hpp> with SCRAM lines in its password file.
#pragma once

#include <martlet/enhanced_authentication.hpp>

#include <memory>
#include <string>

namespace martlet {

/// For client_options::authentication. \p user and \p password: UTF-8, taken as they are (SASLprep is not applied;
/// ASCII is the same with and without it). Servers that ask for more than 1,000,000 or less than 4,096 iterations are
/// not trusted.
[[nodiscard]] std::shared_ptr<enhanced_authentication> scram_sha_256(std::string user, std::string password);
/// The same with SHA-512.
[[nodiscard]] std::shared_ptr<enhanced_authentication> scram_sha_512(std::string user, std::string password);

}  // namespace martlet
