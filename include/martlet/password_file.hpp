// Password files in mosquitto_passwd's form: a line "user:hash" for each user. Hashes that are read:
//   $6$salt$digest                    SHA-512 of password and salt (mosquitto 1.6 and older)
//   $7$iterations$salt$digest         PBKDF2-HMAC-SHA-512 (mosquitto 2.0)
//   $argon2id$v=19$m=…,t=…,p=…$…$…    argon2id as a PHC string; what is written unless told otherwise
//   SCRAM-SHA-256$iterations:salt$stored-key:server-key   for enhanced authentication, and for passwords, too;
//   SCRAM-SHA-512$…                                       likewise
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace martlet {

enum class password_scheme : std::uint8_t { argon2id, pbkdf2_sha512, sha512, scram_sha_256, scram_sha_512 };

/// The hash of a password as it stands in a file, with a random salt. \p iterations: of pbkdf2_sha512 and the SCRAM ones;
/// 0: the default. Takes tens of milliseconds. Empty if the system has no random bytes or no memory.
[[nodiscard]] std::string make_password_hash(std::string_view password, password_scheme scheme,
                                             std::uint32_t iterations = 0);

/// The users of a password file and their hashes, in memory. Copyable; not thread-safe.
class password_file {
public:
    /// Replaces the contents by those of \p path. False, and nothing has changed: the file cannot be read, others than
    /// its owner and group may read it, its group may write it, or a line is no "user:hash"; \p why gets one line with
    /// file, line and rule.
    [[nodiscard]] bool read(const std::string& path, std::string& why);
    /// The same for a file of "user:password": the passwords are hashed.
    [[nodiscard]] bool read_plain(const std::string& path, password_scheme scheme, std::string& why);
    /// Writes a new file with mode 0600 beside \p path and renames it: a reader finds the old or the new one.
    [[nodiscard]] bool write(const std::string& path, std::string& why) const;

    /// Adds or changes a user. False if the name is not valid: 1 to 65,535 bytes of UTF-8 without ':' and control
    /// characters; or hashing failed.
    [[nodiscard]] bool set(std::string_view user, std::string_view password,
                           password_scheme scheme = password_scheme::argon2id, std::uint32_t iterations = 0);
    /// False if there is no such user.
    bool erase(std::string_view user);

    [[nodiscard]] std::size_t size() const noexcept { return users_.size(); }
    /// Hashes by user name.
    [[nodiscard]] const std::map<std::string, std::string, std::less<>>& users() const noexcept { return users_; }

    [[nodiscard]] static bool is_valid_user_name(std::string_view user) noexcept;

private:
    std::map<std::string, std::string, std::less<>> users_;
};

}  // namespace martlet
