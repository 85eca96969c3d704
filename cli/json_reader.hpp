// JSON into values: for lines that pub, replay and retained restore read. RFC 8259.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace martlet::cli {

/// A value; objects keep their order, and a key may stand twice.
struct json_value {
    using array = std::vector<json_value>;
    using object = std::vector<std::pair<std::string, json_value>>;
    std::variant<std::nullptr_t, bool, double, std::string, array, object> is;

    json_value() noexcept {}  // not defaulted: clang 14 would look for it before the class is complete

    /// The member of an object, or null.
    [[nodiscard]] const json_value* find(std::string_view key) const noexcept;
    [[nodiscard]] const std::string* text() const noexcept { return std::get_if<std::string>(&is); }
    [[nodiscard]] const double* number() const noexcept { return std::get_if<double>(&is); }
    [[nodiscard]] const bool* boolean() const noexcept { return std::get_if<bool>(&is); }
    [[nodiscard]] const object* members() const noexcept { return std::get_if<object>(&is); }
    [[nodiscard]] const array* items() const noexcept { return std::get_if<array>(&is); }
};

/// One value and nothing else but white space; nothing if it is not JSON or more than 64 levels deep.
[[nodiscard]] std::optional<json_value> parse_json(std::string_view text);

}  // namespace martlet::cli
