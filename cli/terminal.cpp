#include "terminal.hpp"

#include "json_text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace martlet::cli {
namespace {

constexpr std::chrono::milliseconds redraw_interval{100};

/// Bytes of the UTF-8 character that begins with `c`.
std::size_t length_of(char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0xF0) return 4;
    if (byte >= 0xE0) return 3;
    return byte >= 0xC0 ? 2 : 1;
}

}  // namespace

bool is_terminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }

terminal_size size_of_terminal(int descriptor) noexcept {
    winsize size{};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    return {size.ws_col, size.ws_row};
}

bool wants_colour(int descriptor) noexcept {
    const char* const refusal = std::getenv("NO_COLOR");
    const char* const kind = std::getenv("TERM");
    if (refusal != nullptr && *refusal != '\0') return false;
    if (kind != nullptr && std::string_view(kind) == "dumb") return false;
    return is_terminal(descriptor);
}

std::string fitted(std::string_view text, std::size_t columns, bool fill) {
    std::string out;
    std::size_t used = 0;
    for (std::size_t at = 0; at < text.size() && used < columns; ++used) {
        const std::size_t length = std::min(length_of(text[at]), text.size() - at);
        const std::string_view sign = text.substr(at, length);
        const bool plain = length > 1 ? is_utf8(sign) : sign[0] >= 0x20 && sign[0] < 0x7F;
        // C1 controls are two bytes of UTF-8
        const bool control = length == 2 && sign[0] == '\xC2' && static_cast<unsigned char>(sign[1]) < 0xA0;
        if (plain && !control) {
            out += sign;
            at += length;
        } else {
            out += '.';
            at += control ? 2 : 1;
        }
    }
    if (fill) out.append(columns - used, ' ');
    return out;
}

std::string age_text(std::chrono::milliseconds age) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
    char text[32] = {};
    if (seconds < 60) {
        std::snprintf(text, sizeof(text), "%llds", static_cast<long long>(std::max<std::int64_t>(seconds, 0)));
    } else if (seconds < 3'600) {
        std::snprintf(text, sizeof(text), "%lldm%02llds", static_cast<long long>(seconds / 60),
                      static_cast<long long>(seconds % 60));
    } else if (seconds < 86'400) {
        std::snprintf(text, sizeof(text), "%lldh%02lldm", static_cast<long long>(seconds / 3'600),
                      static_cast<long long>(seconds % 3'600 / 60));
    } else {
        std::snprintf(text, sizeof(text), "%lldd", static_cast<long long>(seconds / 86'400));
    }
    return text;
}

std::string screen::frame(std::string_view lines, terminal_size size) {
    std::string out;
    if (size.columns != last_.columns || size.rows != last_.rows) out += "\x1b[2J";
    last_ = size;
    out += "\x1b[H";
    std::size_t row = 0;
    while (!lines.empty() && row < size.rows) {
        const std::size_t end = std::min(lines.find('\n'), lines.size());
        if (row++ > 0) out += "\r\n";
        out.append(lines.substr(0, end)).append("\x1b[K");
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    return out += "\x1b[J";
}

progress_bar::progress_bar(std::string_view what, std::uint64_t total, bool quiet)
    : what_(what), total_(total), is_shown_(!quiet && is_terminal(STDERR_FILENO)) {}

progress_bar::~progress_bar() { clear(); }

void progress_bar::clear() {
    if (is_drawn_) std::fputs("\r\x1b[K", stderr);
    is_drawn_ = false;
}

void progress_bar::set(std::uint64_t done) {
    if (!is_shown_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_ && done < total_) return;
    next_ = now + redraw_interval;
    is_drawn_ = true;
    const std::string line = '\r' + text(done, size_of_terminal(STDERR_FILENO).columns - 1) + "\x1b[K";
    std::fwrite(line.data(), 1, line.size(), stderr);
}

std::string progress_bar::text(std::uint64_t done, std::size_t columns) const {
    const std::uint64_t shown = std::min(done, total_);
    const double share = total_ == 0 ? 1 : static_cast<double>(shown) / static_cast<double>(total_);
    char numbers[64] = {};
    std::snprintf(numbers, sizeof(numbers), "] %3d %%  %llu/%llu", static_cast<int>(share * 100),
                  static_cast<unsigned long long>(shown), static_cast<unsigned long long>(total_));
    std::string line = what_ + " [";
    const std::size_t taken = line.size() + std::strlen(numbers);
    const std::size_t width = columns > taken + 10 ? std::min<std::size_t>(columns - taken, 40) : 0;
    const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
    line.append(full, '#').append(width - full, '-').append(numbers);
    return fitted(line, columns);
}

std::optional<std::string> ask_password(std::string_view prompt, std::string& why) {
    why.clear();
    const int terminal = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal < 0) {
        why = std::string("there is no terminal: ") + std::strerror(errno);
        return std::nullopt;
    }
    termios before{};
    ::tcgetattr(terminal, &before);
    // Ctrl-C comes as a character, too: whom a signal ends here, leaves a terminal without an echo behind.
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    ::tcsetattr(terminal, TCSAFLUSH, &silent);
    [[maybe_unused]] ssize_t written = ::write(terminal, prompt.data(), prompt.size());
    std::string password;
    char c = 0;
    while (why.empty() && c != '\n') {
        const ssize_t n = ::read(terminal, &c, 1);
        if (n < 0 && errno == EINTR) continue;
        if (n != 1 || c == before.c_cc[VEOF]) {
            why = "the terminal was closed";
        } else if (c == before.c_cc[VINTR]) {
            why = "interrupted";
        } else if (c == before.c_cc[VERASE]) {
            while (!password.empty() && (password.back() & 0xC0) == 0x80)
                password.pop_back();  // of one character
            if (!password.empty()) password.pop_back();
        } else if (c == before.c_cc[VKILL]) {
            password.clear();
        } else if (c != '\n' && password.size() < 65'535) {
            password += c;
        }
    }
    ::tcsetattr(terminal, TCSAFLUSH, &before);
    written = ::write(terminal, "\n", 1);
    ::close(terminal);
    if (!why.empty()) return std::nullopt;
    return password;
}

}  // namespace martlet::cli
