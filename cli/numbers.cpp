// The numbers of command_line.hpp, apart from the command line: configuration files have numbers, too.
#include "command_line.hpp"

#include <charconv>
#include <cmath>
#include <system_error>

namespace martlet::cli {

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<double> parse_seconds(std::string_view text) noexcept {
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (!std::isfinite(seconds) || std::signbit(seconds)) return std::nullopt;
    return seconds;
}

}  // namespace martlet::cli
