#include "auth/password_hash.hpp"

#include "auth/base64.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <argon2.h>
#include <charconv>
#include <climits>
#include <cstddef>
#include <utility>
#include <vector>

namespace martlet::auth_impl {

namespace {

// OWASP's second choice: 19 MiB and two passes take about 20 ms of one core.
constexpr std::uint32_t argon2_memory_kib = 19'456;
constexpr std::uint32_t argon2_passes = 2;
constexpr std::size_t argon2_digest_size = 32;
constexpr std::uint32_t pbkdf2_iterations = 210'000;
constexpr std::uint32_t scram_iterations = 4'096 * 8;

constexpr std::uint32_t iterations_max = 10'000'000;
constexpr std::uint32_t memory_kib_max = 1024 * 1024;
constexpr std::size_t salt_size_max = 256;

constexpr std::string_view argon2_prefix = "$argon2id$v=19$m=";
constexpr std::string_view scram_256_prefix = "SCRAM-SHA-256$";
constexpr std::string_view scram_512_prefix = "SCRAM-SHA-512$";

const unsigned char* bytes_of(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) noexcept { return reinterpret_cast<unsigned char*>(text.data()); }

/// Takes a number from the front of `text`, and `end` behind it.
std::optional<std::uint32_t> take_number(std::string_view& text, std::string_view end, std::uint32_t max) {
    std::uint32_t number = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number == 0 || number > max) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(at - text.data()));
    if (!text.starts_with(end)) return std::nullopt;
    text.remove_prefix(end.size());
    return number;
}

/// What stands before `end`, and `text` goes on behind it; all of `text` for an empty `end`.
std::optional<std::string> take_base64(std::string_view& text, std::string_view end, padding pad) {
    const std::size_t at = end.empty() ? text.size() : text.find(end);
    if (at == std::string_view::npos) return std::nullopt;
    auto bytes = from_base64(text.substr(0, at), pad);
    text.remove_prefix(at + end.size());
    if (!bytes || bytes->empty() || bytes->size() > salt_size_max) return std::nullopt;
    return bytes;
}

bool take_salt_and_digest(std::string_view text, padding pad, password_hash& out) {
    auto salt = take_base64(text, "$", pad);
    auto digest = salt ? take_base64(text, "", pad) : std::nullopt;
    if (!digest) return false;
    out.salt = std::move(*salt);
    out.digest = std::move(*digest);
    return true;
}

std::string sha_512(std::string_view a, std::string_view b) {
    std::string digest(64, '\0');
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    const bool done = context != nullptr && EVP_DigestInit_ex(context, EVP_sha512(), nullptr) == 1 &&
                      EVP_DigestUpdate(context, a.data(), a.size()) == 1 &&
                      EVP_DigestUpdate(context, b.data(), b.size()) == 1 &&
                      EVP_DigestFinal_ex(context, bytes_of(digest), nullptr) == 1;
    EVP_MD_CTX_free(context);
    return done ? digest : std::string();
}

std::string pbkdf2(std::string_view password, std::string_view salt, std::uint32_t iterations, const EVP_MD* digest,
                   std::size_t size) {
    std::string out(size, '\0');
    const int done = password.size() > INT_MAX
                         ? 0
                         : PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                                             static_cast<int>(salt.size()), static_cast<int>(iterations), digest,
                                             static_cast<int>(size), bytes_of(out));
    return done == 1 ? out : std::string();
}

const EVP_MD* algorithm(hash_function f) { return f == hash_function::sha_256 ? EVP_sha256() : EVP_sha512(); }

bool parse_scram(std::string_view text, password_scheme scheme, password_hash& hash) {
    const auto size = digest_size(*scram_function(scheme));
    const auto iterations = take_number(text, ":", iterations_max);
    auto salt = iterations ? take_base64(text, "$", padding::with) : std::nullopt;
    auto stored = salt ? take_base64(text, ":", padding::with) : std::nullopt;
    auto server = stored ? take_base64(text, "", padding::with) : std::nullopt;
    if (!server || stored->size() != size || server->size() != size) return false;
    hash.scheme = scheme;
    hash.iterations = *iterations;
    hash.salt = std::move(*salt);
    hash.digest = std::move(*stored);
    hash.server_key = std::move(*server);
    return true;
}

/// Empty on failure, which never equals a digest.
std::string digest_of(const password_hash& hash, std::string_view password) {
    switch (hash.scheme) {
        case password_scheme::sha512: return sha_512(password, hash.salt);
        case password_scheme::pbkdf2_sha512:
            return pbkdf2(password, hash.salt, hash.iterations, EVP_sha512(), hash.digest.size());
        case password_scheme::scram_sha_256:
        case password_scheme::scram_sha_512: {
            const auto f = *scram_function(hash.scheme);
            std::string salted = salted_password(f, password, hash.salt, hash.iterations);
            std::string stored = digest(f, hmac(f, salted, "Client Key"));
            wipe(salted);
            return stored;
        }
        case password_scheme::argon2id: break;
    }
    std::string digest(hash.digest.size(), '\0');
    const int result = argon2id_hash_raw(hash.iterations, hash.memory_kib, hash.lanes, password.data(), password.size(),
                                         hash.salt.data(), hash.salt.size(), digest.data(), digest.size());
    return result == ARGON2_OK ? digest : std::string();
}

}  // namespace

std::optional<password_hash> parse_password_hash(std::string_view text) {
    password_hash hash;
    if (text.starts_with("$6$")) {
        hash.scheme = password_scheme::sha512;
        if (!take_salt_and_digest(text.substr(3), padding::with, hash) || hash.digest.size() != 64) return std::nullopt;
        return hash;
    }
    if (text.starts_with("$7$")) {
        hash.scheme = password_scheme::pbkdf2_sha512;
        text.remove_prefix(3);
        const auto iterations = take_number(text, "$", iterations_max);
        if (!iterations || !take_salt_and_digest(text, padding::with, hash)) return std::nullopt;
        hash.iterations = *iterations;
        return hash.digest.size() == 64 ? std::optional(hash) : std::nullopt;
    }
    if (text.starts_with(argon2_prefix)) {
        hash.scheme = password_scheme::argon2id;
        text.remove_prefix(argon2_prefix.size());
        const auto memory = take_number(text, ",t=", memory_kib_max);
        const auto passes = memory ? take_number(text, ",p=", 1'000) : std::nullopt;
        const auto lanes = passes ? take_number(text, "$", 64) : std::nullopt;
        if (!lanes || !take_salt_and_digest(text, padding::without, hash)) return std::nullopt;
        if (hash.salt.size() < ARGON2_MIN_SALT_LENGTH || hash.digest.size() < 16 || *memory < 8 * *lanes) {
            return std::nullopt;
        }
        hash.memory_kib = *memory;
        hash.iterations = *passes;
        hash.lanes = *lanes;
        return hash;
    }
    for (const auto& [prefix, scheme] : {std::pair(scram_256_prefix, password_scheme::scram_sha_256),
                                         std::pair(scram_512_prefix, password_scheme::scram_sha_512)}) {
        if (!text.starts_with(prefix)) continue;
        return parse_scram(text.substr(prefix.size()), scheme, hash) ? std::optional(hash) : std::nullopt;
    }
    return std::nullopt;
}

std::string to_string(const password_hash& hash) {
    const std::string count = std::to_string(hash.iterations);
    switch (hash.scheme) {
        case password_scheme::sha512: return "$6$" + to_base64(hash.salt) + '$' + to_base64(hash.digest);
        case password_scheme::pbkdf2_sha512:
            return "$7$" + count + '$' + to_base64(hash.salt) + '$' + to_base64(hash.digest);
        case password_scheme::scram_sha_256:
        case password_scheme::scram_sha_512:
            return std::string(hash.scheme == password_scheme::scram_sha_256 ? scram_256_prefix : scram_512_prefix) +
                   count + ':' + to_base64(hash.salt) + '$' + to_base64(hash.digest) + ':' + to_base64(hash.server_key);
        case password_scheme::argon2id: break;
    }
    return std::string(argon2_prefix) + std::to_string(hash.memory_kib) + ",t=" + count +
           ",p=" + std::to_string(hash.lanes) + '$' + to_base64(hash.salt, padding::without) + '$' +
           to_base64(hash.digest, padding::without);
}

std::optional<password_hash> hash_password(std::string_view password, password_scheme scheme,
                                           std::uint32_t iterations) {
    password_hash hash;
    hash.scheme = scheme;
    hash.salt = random_bytes(16);
    if (hash.salt.empty()) return std::nullopt;
    switch (scheme) {
        case password_scheme::sha512: break;
        case password_scheme::pbkdf2_sha512:
            hash.iterations = iterations != 0 ? iterations : pbkdf2_iterations;
            hash.digest.resize(64);
            break;
        case password_scheme::scram_sha_256:
        case password_scheme::scram_sha_512: {
            const auto f = *scram_function(scheme);
            hash.iterations = iterations != 0 ? iterations : scram_iterations;
            std::string salted = salted_password(f, password, hash.salt, hash.iterations);
            hash.server_key = hmac(f, salted, "Server Key");
            wipe(salted);
            break;
        }
        case password_scheme::argon2id:
            hash.iterations = argon2_passes;
            hash.memory_kib = argon2_memory_kib;
            hash.lanes = 1;
            hash.digest.resize(argon2_digest_size);
            break;
    }
    hash.digest = digest_of(hash, password);
    if (hash.digest.empty()) return std::nullopt;
    return hash;
}

bool verify(const password_hash& hash, std::string_view password) {
    const std::string digest = digest_of(hash, password);
    return !digest.empty() && equal_in_constant_time(digest, hash.digest);
}

password_hash unmatchable(const password_hash& like) {
    password_hash hash = like;
    // Random digests: finding a password for one is as hard as for any hash.
    if (std::string random = random_bytes(hash.digest.size()); !random.empty()) hash.digest = std::move(random);
    if (std::string random = random_bytes(hash.salt.size()); !random.empty()) hash.salt = std::move(random);
    return hash;
}

// ---- shared with SCRAM

std::optional<hash_function> scram_function(password_scheme scheme) noexcept {
    if (scheme == password_scheme::scram_sha_256) return hash_function::sha_256;
    if (scheme == password_scheme::scram_sha_512) return hash_function::sha_512;
    return std::nullopt;
}

std::string hmac(hash_function f, std::string_view key, std::string_view data) {
    std::string out(digest_size(f), '\0');
    unsigned size = 0;
    const bool done = HMAC(algorithm(f), key.data(), static_cast<int>(key.size()), bytes_of(data), data.size(),
                           bytes_of(out), &size) != nullptr;
    return done ? out : std::string();
}

std::string digest(hash_function f, std::string_view data) {
    std::string out(digest_size(f), '\0');
    const bool done = EVP_Digest(data.data(), data.size(), bytes_of(out), nullptr, algorithm(f), nullptr) == 1;
    return done ? out : std::string();
}

std::string salted_password(hash_function f, std::string_view password, std::string_view salt,
                            std::uint32_t iterations) {
    return pbkdf2(password, salt, iterations, algorithm(f), digest_size(f));
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t count) {
    std::string out(count, '\0');
    return RAND_bytes(bytes_of(out), static_cast<int>(count)) == 1 ? out : std::string();
}

void wipe(std::string& secret) noexcept {
    OPENSSL_cleanse(secret.data(), secret.size());
    secret.clear();
}

}  // namespace martlet::auth_impl

namespace martlet {

std::string make_password_hash(std::string_view password, password_scheme scheme, std::uint32_t iterations) {
    const auto hash = auth_impl::hash_password(password, scheme, iterations);
    return hash ? auth_impl::to_string(*hash) : std::string();
}

}  // namespace martlet
