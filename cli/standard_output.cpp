#include "standard_output.hpp"

#include "exit_code.hpp"
#include "failure.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <poll.h>
#include <string>
#include <unistd.h>

namespace martlet::cli {
namespace {

int first_error = 0;

/// The stream keeps that it failed, not why.
bool note_error(bool good) {
    if (!good && first_error == 0) first_error = errno;
    return good;
}

bool has_reader_gone() {
    pollfd one{STDOUT_FILENO, 0, 0};
    return first_error == EPIPE || (::poll(&one, 1, 0) > 0 && (one.revents & POLLERR) != 0);
}

}  // namespace

bool print(std::string_view text) {
    return note_error(std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0);
}

int finish_standard_output(int code) {
    const bool good = note_error(std::fflush(stdout) == 0) && std::ferror(stdout) == 0;
    if (good || has_reader_gone()) return code;
    const std::string why = first_error != 0 ? std::string(": ") + std::strerror(first_error) : ".";
    complain("Error: Cannot write standard output" + why);
    return code == exit_ok ? static_cast<int>(exit_failure) : code;
}

}  // namespace martlet::cli
