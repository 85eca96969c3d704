// A checksum of rows: SQLite guards the pages of its log, but not those of the database. Against bit flips, not against
// forgery; the value is stored, so the function must not change.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace martlet::store_impl {

class checksum {
public:
    checksum& add(std::uint64_t value) noexcept {
        state_ = (state_ ^ value) * 0x9E37'79B9'7F4A'7C15u;
        state_ ^= state_ >> 32;
        return *this;
    }
    /// Bytes with their number, in words of 8, little-endian.
    checksum& add(std::string_view bytes) noexcept {
        add(std::uint64_t{bytes.size()});
        while (bytes.size() >= 8) {
            add(word(bytes.data(), 8));
            bytes.remove_prefix(8);
        }
        return bytes.empty() ? *this : add(word(bytes.data(), bytes.size()));
    }
    /// As a column has it.
    [[nodiscard]] std::int64_t value() const noexcept { return static_cast<std::int64_t>(state_); }

private:
    static std::uint64_t word(const char* at, std::size_t size) noexcept {
        unsigned char bytes[8] = {};
        std::memcpy(bytes, at, size);
        std::uint64_t value = 0;
        for (int i = 7; i >= 0; --i)
            value = value << 8 | bytes[i];
        return value;
    }

    std::uint64_t state_ = 0x6D61'7274'6C65'7401u;
};

}  // namespace martlet::store_impl
