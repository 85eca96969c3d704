#include "auth/password_hash.hpp"
#include "auth/text_file.hpp"

#include <martlet/password_file.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace martlet {

namespace {

using namespace auth_impl;

/// Calls `f(user, rest, problem)` for each line; false and a problem with file and line at the first one that is wrong.
template <class F>
bool for_each_user(const std::string& path, std::string& why, F&& f) {
    const auto text = read_text_file(path, secrecy::secrets, why);
    if (!text) return false;
    std::string_view rest = *text;
    std::size_t number = 0;
    for (std::string_view line; take_line(rest, line);) {
        ++number;
        if (line.empty() || line.front() == '#') continue;
        const std::size_t colon = line.find(':');
        std::string wrong;
        if (colon == std::string_view::npos) {
            wrong = "a line is \"user:hash\"";
        } else if (!password_file::is_valid_user_name(line.substr(0, colon))) {
            wrong = "the user name is empty or holds a control character";
        } else {
            f(line.substr(0, colon), line.substr(colon + 1), wrong);
        }
        if (wrong.empty()) continue;
        why = path + ':' + std::to_string(number) + ": " + wrong;
        return false;
    }
    return true;
}

}  // namespace

bool password_file::is_valid_user_name(std::string_view user) noexcept {
    const auto is_bad = [](char c) { return c == ':' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    return !user.empty() && is_valid_utf8_string(user) && std::none_of(user.begin(), user.end(), is_bad);
}

bool password_file::read(const std::string& path, std::string& why) {
    password_file fresh;
    const bool read = for_each_user(path, why, [&](std::string_view user, std::string_view hash, std::string& wrong) {
        if (!parse_password_hash(hash)) {
            wrong = "the hash of user '" + std::string(user) +
                    "' is of no known form ($6$, $7$, $argon2id$, SCRAM-SHA-256$)";
        } else if (!fresh.users_.emplace(user, hash).second) {
            wrong = "user '" + std::string(user) + "' is there twice";
        }
    });
    if (read) users_ = std::move(fresh.users_);
    return read;
}

bool password_file::read_plain(const std::string& path, password_scheme scheme, std::string& why) {
    password_file fresh;
    const bool read =
        for_each_user(path, why, [&](std::string_view user, std::string_view password, std::string& wrong) {
            // A file that is converted twice by mistake would lock everybody out.
            if (parse_password_hash(password)) {
                wrong = "the password of user '" + std::string(user) + "' is hashed already";
            } else if (fresh.users_.contains(user)) {
                wrong = "user '" + std::string(user) + "' is there twice";
            } else if (!fresh.set(user, password, scheme)) {
                wrong = "hashing failed";
            }
        });
    if (read) users_ = std::move(fresh.users_);
    return read;
}

bool password_file::write(const std::string& path, std::string& why) const {
    std::string text;
    for (const auto& [user, hash] : users_)
        text.append(user).append(1, ':').append(hash).append(1, '\n');

    std::string name = path + ".XXXXXX";  // mkostemp makes it 0600
    const int fd = ::mkostemp(name.data(), O_CLOEXEC);
    const auto fail = [&] {
        why = path + ": " + std::strerror(errno);
        if (fd >= 0) {
            ::close(fd);
            ::unlink(name.c_str());
        }
        return false;
    };
    if (fd < 0) return fail();
    for (std::string_view rest = text; !rest.empty();) {
        const ssize_t count = ::write(fd, rest.data(), rest.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return fail();
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
    if (::fsync(fd) != 0) return fail();
    struct stat old {};
    if (::stat(path.c_str(), &old) == 0) {
        // As root for a service: the file stays the service's.
        static_cast<void>(::fchown(fd, old.st_uid, old.st_gid) == 0);
    }
    if (::rename(name.c_str(), path.c_str()) != 0) return fail();
    ::close(fd);
    return true;
}

bool password_file::set(std::string_view user, std::string_view password, password_scheme scheme,
                        std::uint32_t iterations) {
    if (!is_valid_user_name(user)) return false;
    std::string hash = make_password_hash(password, scheme, iterations);
    if (hash.empty()) return false;
    users_.insert_or_assign(std::string(user), std::move(hash));
    return true;
}

bool password_file::erase(std::string_view user) {
    const auto found = users_.find(user);
    if (found == users_.end()) return false;
    users_.erase(found);
    return true;
}

}  // namespace martlet
