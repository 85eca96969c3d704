// Rules for topic names and topic filters: validity, matching, shared subscriptions. MQTT 5 §4.7 and §4.8.2.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace martlet {

/// True if `topic` may be published to: 1..65,535 bytes of well-formed UTF-8 without U+0000, `+` and `#`.
[[nodiscard]] bool is_valid_topic_name(std::string_view topic) noexcept;

/// True if `filter` may be subscribed to: well-formed UTF-8, `#` alone in the last level, `+` alone in its level.
/// A filter that begins with "$share/" must also be a valid shared filter. MQTT 5 §4.7.1, §4.8.2.
[[nodiscard]] bool is_valid_topic_filter(std::string_view filter) noexcept;

/// True if the filter has a wildcard level.
[[nodiscard]] bool has_wildcard(std::string_view filter) noexcept;

/// True if a topic name matches a (not shared) filter; both must be valid. A leading wildcard never matches a topic
/// that begins with `$` [MQTT-4.7.2-1]. Linear in the length, no allocation.
[[nodiscard]] bool topic_matches(std::string_view filter, std::string_view topic) noexcept;

/// The parts of "$share/{group}/{filter}". MQTT 5 §4.8.2.
struct shared_filter {
    std::string_view group;
    std::string_view filter;
};

/// The parts of a valid shared filter; nothing if `filter` is not shared or not valid.
[[nodiscard]] std::optional<shared_filter> split_shared_filter(std::string_view filter) noexcept;

/// Number of levels: separators plus one.
[[nodiscard]] std::size_t topic_levels(std::string_view topic) noexcept;

/// True for well-formed UTF-8 as MQTT wants it: no overlong forms, no surrogates, nothing above U+10FFFF, no U+0000;
/// at most 65,535 bytes. MQTT 5 §1.5.4.
[[nodiscard]] bool is_valid_utf8_string(std::string_view text) noexcept;

}  // namespace martlet
