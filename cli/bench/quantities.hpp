// Numbers as people write them on a command line: "50k", "30s", "1KiB"; and as a report prints them. Times are
// nanoseconds in a 64-bit integer everywhere in bench: from the start of a clock, or a difference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli::bench {

using nanoseconds = std::int64_t;

inline constexpr nanoseconds microsecond = 1'000;
inline constexpr nanoseconds millisecond = 1'000'000;
/// How often a wait looks about.
inline constexpr nanoseconds glance = 20 * millisecond;
inline constexpr nanoseconds second = 1'000'000'000;

/// "2500", "2.5k", "10M", "1G": thousands. Nothing if it is negative, not finite or anything else.
[[nodiscard]] std::optional<double> parse_amount(std::string_view text);
/// "300ns", "20us", "5ms", "1.5s", "2m", "1h"; a bare number is seconds. At most 1,000 hours.
[[nodiscard]] std::optional<nanoseconds> parse_duration(std::string_view text);
/// Bytes: "64", "1k" and "1kB" (1,000), "1KiB" (1,024), "2MB", "2MiB".
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// "118 µs", "1.70 ms", "3.20 s": three digits, for people.
[[nodiscard]] std::string duration_text(double value);
[[nodiscard]] inline std::string time_text(nanoseconds t) { return duration_text(static_cast<double>(t)); }
/// "1 234 567": groups of three.
[[nodiscard]] std::string count_text(double value);
/// "12.8 MB".
[[nodiscard]] std::string bytes_text(double value);
/// printf's %.*f, and integers without a fraction.
[[nodiscard]] std::string decimal_text(double value, int digits);

}  // namespace martlet::cli::bench
