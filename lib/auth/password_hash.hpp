// Hashes of passwords as values: parsing, making, verifying. Everything here takes the time that it takes; the caller
// keeps it off the loop.
#pragma once

#include <martlet/password_file.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::auth_impl {

struct password_hash {
    password_scheme scheme = password_scheme::argon2id;
    std::uint32_t iterations = 0;  ///< argon2id: passes
    std::uint32_t memory_kib = 0;  ///< argon2id
    std::uint32_t lanes = 0;       ///< argon2id
    std::string salt;
    std::string digest;      ///< SCRAM: the stored key
    std::string server_key;  ///< SCRAM
};

/// Nothing if it is no hash of a known form, or its costs are beyond all reason (1 GiB, 10,000,000 iterations).
[[nodiscard]] std::optional<password_hash> parse_password_hash(std::string_view text);
[[nodiscard]] std::string to_string(const password_hash& hash);
/// Nothing if the system failed us: random bytes, memory.
[[nodiscard]] std::optional<password_hash> hash_password(std::string_view password, password_scheme scheme,
                                                         std::uint32_t iterations = 0);
/// In constant time for the same hash, whatever the password is.
[[nodiscard]] bool verify(const password_hash& hash, std::string_view password);

/// A hash of the same costs that no password fits: who is not there takes as long to refuse as who is.
[[nodiscard]] password_hash unmatchable(const password_hash& like);

// -- shared with SCRAM

enum class hash_function : std::uint8_t { sha_256, sha_512 };

/// Bytes of its digests.
[[nodiscard]] constexpr std::size_t digest_size(hash_function f) noexcept {
    return f == hash_function::sha_256 ? 32 : 64;
}
/// Of a SCRAM scheme.
[[nodiscard]] std::optional<hash_function> scram_function(password_scheme scheme) noexcept;
[[nodiscard]] std::string hmac(hash_function f, std::string_view key, std::string_view data);
[[nodiscard]] std::string digest(hash_function f, std::string_view data);
/// PBKDF2 with HMAC, digest_size() bytes: RFC 5802's Hi().
[[nodiscard]] std::string salted_password(hash_function f, std::string_view password, std::string_view salt,
                                          std::uint32_t iterations);
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;
/// Empty if the system has none.
[[nodiscard]] std::string random_bytes(std::size_t count);
/// Overwrites a secret before its memory goes.
void wipe(std::string& secret) noexcept;

}  // namespace martlet::auth_impl
