#include "payload_source.hpp"

#include "payload_text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace martlet::cli {
namespace {

bool set_mode(command_line& in, payload_settings& out, payload_mode mode) {
    if (out.mode != payload_mode::none) return in.fail("Only one type of message can be sent at once.\n");
    out.mode = mode;
    return true;
}

/// All that `descriptor` has; nothing after an error (errno), or if it is larger than a payload may be (EFBIG).
std::optional<std::string> read_all(int descriptor) {
    std::string contents;
    struct stat about {};
    if (::fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
        contents.reserve(std::min(static_cast<std::size_t>(about.st_size), payload_size_max) + 1);
    }
    std::size_t size = 0;
    for (;;) {
        if (contents.size() - size < 4'096) contents.resize(std::max(contents.capacity(), size + 64 * 1024));
        const ssize_t n = ::read(descriptor, contents.data() + size, contents.size() - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::nullopt;
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
        if (size > payload_size_max) {
            errno = EFBIG;
            return std::nullopt;
        }
    }
    contents.resize(size);
    return contents;
}

}  // namespace

bool read_payload_option(const option& row, command_line& in, payload_settings& out) {
    switch (row.id) {
        case option_id::message:
            if (!set_mode(in, out, payload_mode::message)) return true;
            if (const auto text = in.value()) out.text = *text;
            return true;
        case option_id::file:
            if (!set_mode(in, out, payload_mode::file)) return true;
            if (const auto name = in.value()) out.file = *name;
            return true;
        case option_id::stdin_line: set_mode(in, out, payload_mode::stdin_line); return true;
        case option_id::stdin_file: set_mode(in, out, payload_mode::stdin_file); return true;
        case option_id::hex_payload: out.encoding = payload_encoding::hex; return true;
        case option_id::base64_payload: out.encoding = payload_encoding::base64; return true;
        case option_id::null_message: set_mode(in, out, payload_mode::null_message); return true;
        default: return false;
    }
}

std::optional<std::string> read_file(const std::string& name) {
    const int descriptor = name == "-" ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return std::nullopt;
    auto contents = read_all(descriptor);
    const int error = errno;
    if (descriptor != STDIN_FILENO) ::close(descriptor);
    errno = error;
    return contents;
}

std::optional<std::string> load_payload(payload_settings& settings) {
    if (settings.mode == payload_mode::stdin_file) {
        auto contents = read_all(STDIN_FILENO);
        if (!contents) return std::string("Error: Unable to read standard input: ") + std::strerror(errno) + '.';
        if (contents->empty()) return "Error: Zero length input.\nError loading input from stdin.";
        settings.text = std::move(*contents);
    }
    if (settings.mode == payload_mode::file) {
        auto contents = read_file(settings.file);
        if (!contents) {
            return "Error: Unable to read file \"" + settings.file + "\": " + std::strerror(errno) +
                   ".\nError loading input file \"" + settings.file + "\".";
        }
        settings.text = std::move(*contents);
    }
    if (settings.encoding != payload_encoding::none && settings.mode != payload_mode::stdin_line) {
        auto bytes = decode_payload(settings.text, settings.encoding);
        if (!bytes) {
            return settings.encoding == payload_encoding::hex ? "Error: The payload is not hex."
                                                              : "Error: The payload is not base64.";
        }
        settings.text = std::move(*bytes);
    }
    return std::nullopt;
}

std::optional<std::string> decode_payload(std::string_view text, payload_encoding encoding) {
    switch (encoding) {
        case payload_encoding::hex: return decode_hex(text);
        case payload_encoding::base64: return decode_base64(text);
        case payload_encoding::none: break;
    }
    return std::string(text);
}

}  // namespace martlet::cli
