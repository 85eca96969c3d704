// Where MQTT packets end in bytes that stand in several buffers.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace martlet::net {

// A place in what write_some() was given.
struct packet_cursor {
    std::span<const std::string_view> from;
    std::size_t part = 0;
    std::size_t offset = 0;

    void skip(std::size_t count) noexcept {
        for (offset += count; part != from.size() && offset >= from[part].size(); ++part)
            offset -= from[part].size();
    }
    void copy(std::string& to, std::size_t count) {
        while (count != 0) {
            const std::string_view piece = from[part].substr(offset, count);
            to += piece;
            count -= piece.size();
            skip(piece.size());
        }
    }
};

// How large the MQTT packet is that begins there, MQTT 5 §2.1.4; 0 if its head is not whole or none.
inline std::size_t packet_size(packet_cursor at) noexcept {
    std::size_t length = 0;
    for (unsigned i = 0; i != 5; ++i) {
        at.skip(i == 0 ? 0 : 1);  // to the first byte, or the next one
        if (at.part == at.from.size()) return 0;
        const auto byte = static_cast<unsigned char>(at.from[at.part][at.offset]);
        if (i == 0) continue;
        length |= std::size_t{byte & 127u} << (7 * (i - 1));
        if (byte < 128) return 1 + i + length;
    }
    return 0;
}

}  // namespace martlet::net
