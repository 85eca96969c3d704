// The few bytes of MQTT that the peers of the load generator need, without the library that is measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace martlet::test {

/// Size of the packet that `bytes` begin with; 0 while its header is incomplete.
inline std::size_t packet_size(std::string_view bytes) {
    std::size_t length = 0;
    for (std::size_t i = 1; i < 5 && i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        length |= static_cast<std::size_t>(byte & 0x7F) << (7 * (i - 1));
        if ((byte & 0x80) == 0) return 1 + i + length;
    }
    return 0;
}

inline std::string remaining_length(std::size_t value) {
    std::string out;
    do {
        out.push_back(static_cast<char>((value & 0x7F) | (value > 0x7F ? 0x80 : 0)));
        value >>= 7;
    } while (value != 0);
    return out;
}

inline std::string with_length(std::string_view text) {
    std::string out;
    out.push_back(static_cast<char>(text.size() >> 8));
    out.push_back(static_cast<char>(text.size() & 0xFF));
    return out.append(text);
}

/// QoS 0.
inline std::string publish_bytes(std::string_view topic, std::string_view payload, bool is_v5) {
    std::string body = with_length(topic);
    if (is_v5) body.push_back('\0');
    body += payload;
    return '\x30' + remaining_length(body.size()) + body;
}

inline std::string connect_bytes(std::string_view client_id, bool is_v5) {
    std::string body = with_length("MQTT");
    body += is_v5 ? '\5' : '\4';
    body += std::string("\x02\x00\x3C", 3);
    if (is_v5) body.push_back('\0');
    body += with_length(client_id);
    return '\x10' + remaining_length(body.size()) + body;
}

}  // namespace martlet::test
