// Bytes as the specification shows them: "10 0D 00 04 'MQTT' 04" and back.
#pragma once

#include <string>
#include <string_view>

namespace martlet::test {

/// The bytes of a text of hexadecimal pairs; what stands in single quotes stands for itself. Spaces mean nothing.
[[nodiscard]] inline std::string bytes(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    bool is_quoted = false;
    std::string_view::size_type high = std::string_view::npos;
    for (const char c : text) {
        if (c == '\'') {
            is_quoted = !is_quoted;
        } else if (is_quoted) {
            out += c;
        } else if (c != ' ') {
            const auto digit = digits.find(c);
            if (digit == std::string_view::npos) throw "not a hexadecimal digit";
            if (high == std::string_view::npos) {
                high = digit;
            } else {
                out += static_cast<char>(high << 4 | digit);
                high = std::string_view::npos;
            }
        }
    }
    if (is_quoted || high != std::string_view::npos) throw "a quote or a digit is missing";
    return out;
}

/// "10 0D 00 04".
[[nodiscard]] inline std::string hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (!out.empty()) out += ' ';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

}  // namespace martlet::test
