#include "quantities.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <span>
#include <utility>

namespace martlet::cli::bench {
namespace {

struct unit {
    std::string_view name;
    double factor;
};

std::optional<double> parse(std::string_view text, std::span<const unit> units) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(value) || std::signbit(value)) return std::nullopt;
    const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const unit& one : units) {
        if (one.name == name) return value * one.factor;
    }
    return std::nullopt;
}

std::string scaled(double value, const char* unit_name) {
    const double size = std::fabs(value);
    return decimal_text(value, size < 10 ? 2 : size < 100 ? 1 : 0) + ' ' + unit_name;
}

}  // namespace

std::optional<double> parse_amount(std::string_view text) {
    static constexpr unit units[] = {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}};
    return parse(text, units);
}

std::optional<nanoseconds> parse_duration(std::string_view text) {
    static constexpr unit units[] = {{"", 1e9},   {"ns", 1},  {"us", 1e3},     {"µs", 1e3},
                                     {"ms", 1e6}, {"s", 1e9}, {"m", 60 * 1e9}, {"h", 3600 * 1e9}};
    const auto value = parse(text, units);
    if (!value || *value > 1000 * 3600 * 1e9) return std::nullopt;
    return static_cast<nanoseconds>(std::llround(*value));
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    static constexpr unit units[] = {{"", 1},       {"B", 1},   {"k", 1e3},  {"kB", 1e3},           {"KB", 1e3},
                                     {"KiB", 1024}, {"M", 1e6}, {"MB", 1e6}, {"MiB", 1024 * 1024.0}};
    const auto value = parse(text, units);
    if (!value || *value > 1e12 || std::floor(*value) != *value) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
}

std::string duration_text(double value) {
    if (value < 1e3) return decimal_text(value, 0) + " ns";
    if (value < 1e6) return scaled(value / 1e3, "µs");
    if (value < 1e9) return scaled(value / 1e6, "ms");
    return scaled(value / 1e9, "s");
}

std::string count_text(double value) {
    std::string digits = decimal_text(value, std::fabs(value) < 100 && std::floor(value) != value ? 2 : 0);
    const std::size_t point = digits.find('.');
    const std::size_t first = digits.front() == '-' ? 1 : 0;
    for (std::size_t at = point == std::string::npos ? digits.size() : point; at > first + 3;) {
        at -= 3;
        digits.insert(at, 1, ' ');
    }
    return digits;
}

std::string bytes_text(double value) {
    if (value < 1e3) return decimal_text(value, 0) + " B";
    if (value < 1e6) return scaled(value / 1e3, "kB");
    if (value < 1e9) return scaled(value / 1e6, "MB");
    return scaled(value / 1e9, "GB");
}

std::string decimal_text(double value, int digits) {
    std::array<char, 64> buffer{};
    const int size = std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
    return {buffer.data(), static_cast<std::size_t>(size < 0 ? 0 : size)};
}

}  // namespace martlet::cli::bench
