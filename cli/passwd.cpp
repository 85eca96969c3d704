#include "passwd.hpp"

#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"

#if MARTLET_AUTH

#    include <martlet/password_file.hpp>

#    include <cstdio>
#    include <cstring>
#    include <iostream>
#    include <optional>
#    include <string>
#    include <sys/stat.h>
#    include <termios.h>
#    include <unistd.h>

namespace martlet::cli {
namespace {

struct passwd_settings {
    password_scheme scheme = password_scheme::argon2id;
    bool create = false;
    bool batch = false;
    bool erase = false;
    bool upgrade = false;
};

std::optional<password_scheme> scheme_of(std::string_view name) {
    if (name == "argon2id") return password_scheme::argon2id;
    if (name == "sha512-pbkdf2") return password_scheme::pbkdf2_sha512;
    if (name == "sha512") return password_scheme::sha512;
    if (name == "scram-sha-256") return password_scheme::scram_sha_256;
    if (name == "scram-sha-512") return password_scheme::scram_sha_512;
    return std::nullopt;
}

bool read_passwd_option(const option& row, command_line& in, passwd_settings& out) {
    switch (row.id) {
        case option_id::create_file: out.create = true; return true;
        case option_id::batch: out.batch = true; return true;
        case option_id::delete_user: out.erase = true; return true;
        case option_id::upgrade_file: out.upgrade = true; return true;
        case option_id::hash_scheme:
            if (const auto name = in.value()) {
                const auto scheme = scheme_of(*name);
                if (!scheme) {
                    in.fail("Unknown scheme '" + std::string(*name) +
                            "' for -H; there are argon2id, sha512-pbkdf2, sha512, scram-sha-256 and scram-sha-512.");
                } else {
                    out.scheme = *scheme;
                }
            }
            return true;
        default: return false;
    }
}

/// Terminal input without echo, for as long as it lives.
class hidden_input {
public:
    hidden_input() {
        if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        is_changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
    }
    hidden_input(const hidden_input&) = delete;
    hidden_input& operator=(const hidden_input&) = delete;
    ~hidden_input() {
        if (is_changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    }

private:
    termios before_{};
    bool is_changed_ = false;
};

std::optional<std::string> ask(const char* prompt) {
    std::fputs(prompt, stderr);
    std::string line;
    const hidden_input hidden;
    const bool got = static_cast<bool>(std::getline(std::cin, line));
    std::fputc('\n', stderr);
    return got ? std::optional(line) : std::nullopt;
}

/// From a terminal twice, otherwise the first line of standard input.
std::optional<std::string> read_password() {
    if (::isatty(STDIN_FILENO) == 0) {
        std::string line;
        if (!std::getline(std::cin, line)) {
            complain("Error: Unable to read the password.");
            return std::nullopt;
        }
        return line;
    }
    const auto first = ask("Password: ");
    const auto second = first ? ask("Reenter password: ") : std::nullopt;
    if (!second) {
        complain("Error: Unable to read the password.");
        return std::nullopt;
    }
    if (*first != *second) {
        complain("Error: The passwords do not match.");
        return std::nullopt;
    }
    return first;
}

int fail(const std::string& why) {
    complain("Error: " + why + '.');
    return exit_failure;
}

int change(const passwd_settings& settings, const std::vector<std::string_view>& words) {
    const std::string path(words[0]);
    password_file file;
    std::string why;
    if (settings.upgrade) {
        if (!file.read_plain(path, settings.scheme, why)) return fail(why);
        return file.write(path, why) ? exit_ok : fail(why);
    }

    const std::string_view user = words[1];
    if (!password_file::is_valid_user_name(user)) {
        return fail("A user name is UTF-8 without ':' and control characters, and not empty");
    }
    if (!settings.create) {
        struct stat about {};
        if (::stat(path.c_str(), &about) != 0)
            return fail(path + ": " + std::strerror(errno) + "; -c makes a new file");
        if (!file.read(path, why)) return fail(why);
    }
    if (settings.erase) {
        if (!file.erase(user)) return fail("User '" + std::string(user) + "' is not in " + path);
    } else {
        std::optional<std::string> password;
        if (settings.batch) {
            password = words[2];
            std::memset(const_cast<char*>(words[2].data()), 'x', password->size());
        } else {
            password = read_password();
        }
        if (!password) return exit_failure;
        if (password->empty()) return fail("The password is empty");
        if (!file.set(user, *password, settings.scheme)) return fail("Hashing failed");
    }
    return file.write(path, why) ? exit_ok : fail(why);
}

}  // namespace

int run_passwd(std::span<char* const> arguments, profile p, std::string_view program) {
    passwd_settings settings;
    command_line in(arguments, command::passwd, p);
    in.allow_operands();
    const auto done =
        read_options(in, program, [&](const option& row) { return read_passwd_option(row, in, settings); });
    if (done) return *done;

    const std::size_t wanted = settings.upgrade ? 1 : settings.batch && !settings.erase ? 3 : 2;
    if (settings.create && (settings.erase || settings.upgrade)) {
        in.fail("-c makes a new file, in which there is nothing to change.");
    } else if (settings.erase && settings.upgrade) {
        in.fail("-D and -U do not go together.");
    } else if (in.operands().size() < wanted) {
        in.fail(in.operands().empty()       ? "The password file is missing."
                : in.operands().size() == 1 ? "The user name is missing."
                                            : "The password is missing.");
    } else if (in.operands().size() > wanted) {
        in.fail("Unexpected argument '" + std::string(in.operands()[wanted]) + "'.");
    }
    if (in.failed()) return report_usage_error(in, program);
    return change(settings, in.operands());
}

}  // namespace martlet::cli

#else

namespace martlet::cli {

int run_passwd(std::span<char* const>, profile, std::string_view) {
    complain("Error: This martlet was built without password files (MARTLET_AUTH).");
    return exit_failure;
}

}  // namespace martlet::cli

#endif
