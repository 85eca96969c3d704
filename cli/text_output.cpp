#include "text_output.hpp"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace martlet::cli {

text_output::text_output(int descriptor) : descriptor_(descriptor) {
    struct stat about {};
    if (::fstat(descriptor, &about) != 0) return;
    if (S_ISSOCK(about.st_mode)) {
        kind_ = kind::socket;
    } else if (S_ISFIFO(about.st_mode) || ::isatty(descriptor) == 1) {
        const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
        const int second = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (second < 0) return;  // no /proc, or a terminal of another user: then it blocks
        descriptor_ = second;
        kind_ = kind::reopened;
    }
}

text_output::~text_output() {
    if (kind_ == kind::reopened) ::close(descriptor_);
}

void text_output::wait_writable() const {
    pollfd one{descriptor_, POLLOUT, 0};
    ::poll(&one, 1, -1);
}

text_output::result text_output::flush() {
    while (written_ < text_.size()) {
        const char* const from = text_.data() + written_;
        const std::size_t size = text_.size() - written_;
        const ssize_t n = kind_ == kind::socket ? ::send(descriptor_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                                : ::write(descriptor_, from, size);
        if (n >= 0) {
            written_ += static_cast<std::size_t>(n);
        } else if (errno == EAGAIN) {
            return result::would_block;
        } else if (errno != EINTR) {
            error_ = errno;
            text_.clear();
            written_ = 0;
            return result::failed;
        }
    }
    text_.clear();
    written_ = 0;
    return result::done;
}

}  // namespace martlet::cli
