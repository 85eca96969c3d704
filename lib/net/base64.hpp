// Base64 as HTTP's headers want it, RFC 4648 §4: encoding only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace martlet::net {

[[nodiscard]] inline std::string base64(std::string_view bytes) {
    static constexpr std::string_view signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::string_view group = bytes.substr(i, 3);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k != 3; ++k)
            bits = bits << 8 | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0U);
        for (std::size_t k = 0; k != 4; ++k)
            out += k <= group.size() ? signs[bits >> (18 - 6 * k) & 63] : '=';
    }
    return out;
}

}  // namespace martlet::net
