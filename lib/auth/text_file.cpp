#include "auth/text_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace martlet::auth_impl {

namespace {

constexpr std::size_t file_size_max = 64u * 1024 * 1024;

std::string error_text(const std::string& path) { return path + ": " + std::strerror(errno); }

}  // namespace

std::optional<std::string> read_text_file(const std::string& path, secrecy wanted, std::string& why) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        why = error_text(path);
        return std::nullopt;
    }
    struct stat about {};
    std::optional<std::string> contents;
    if (::fstat(fd, &about) != 0) {
        why = error_text(path);
    } else if (!S_ISREG(about.st_mode)) {
        why = path + ": is not a file";
    } else if ((about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        why = path + ": others than its owner may write it (chmod go-w)";
    } else if (wanted == secrecy::secrets && (about.st_mode & S_IROTH) != 0) {
        why = path + ": everybody may read it (chmod o-r)";
    } else if (static_cast<std::size_t>(about.st_size) > file_size_max) {
        why = path + ": is larger than 64 MiB";
    } else {
        contents.emplace();
        std::array<char, 65'536> piece;
        ssize_t count = 0;
        while ((count = ::read(fd, piece.data(), piece.size())) > 0 && contents->size() <= file_size_max)
            contents->append(piece.data(), static_cast<std::size_t>(count));
        if (count < 0) {
            why = error_text(path);
            contents.reset();
        }
    }
    ::close(fd);
    return contents;
}

bool take_line(std::string_view& rest, std::string_view& line) noexcept {
    if (rest.empty()) return false;
    const std::size_t end = rest.find('\n');
    line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return true;
}

}  // namespace martlet::auth_impl
