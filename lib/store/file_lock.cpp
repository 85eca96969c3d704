#include "store/file_lock.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace martlet::store_impl {

namespace {

constexpr std::string_view mark_text = "martlet store, process ";

}  // namespace

file_lock::~file_lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

bool file_lock::take(const std::string& path, std::string& why) {
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (descriptor_ < 0) {
        why = "cannot open " + path + ": " + std::strerror(errno);
        return false;
    }
    char text[64] = {};
    const auto size = ::pread(descriptor_, text, sizeof text - 1, 0);
    const std::string_view found(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    is_marked_ = found.starts_with(mark_text);
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) {
        why = "cannot lock " + path + ": " + std::strerror(errno);
        return false;
    }
    is_taken_ = true;
    why = "in use by another store";
    if (is_marked_) {
        const auto number = found.substr(mark_text.size());
        why.append(" (process ").append(number.substr(0, number.find('\n'))).append(")");
    }
    return false;
}

void file_lock::mark() noexcept {
    char text[64] = {};
    std::size_t size = mark_text.copy(text, mark_text.size());
    size += std::to_string(::getpid()).copy(text + size, 20);
    text[size++] = '\n';
    if (::pwrite(descriptor_, text, size, 0) != static_cast<ssize_t>(size)) return;  // for messages only
    static_cast<void>(::ftruncate(descriptor_, static_cast<off_t>(size)));
    is_marked_ = true;
}

}  // namespace martlet::store_impl
