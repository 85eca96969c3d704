// Reading and writing MQTT's data types: integers, strings, binaries; the rules for UTF-8. MQTT 5 §1.5.
#pragma once

#include <martlet/core/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace martlet::core {

/// The longest string or binary: its length field has 16 bits.
inline constexpr std::size_t string_size_max = 65'535;

/// The bytes of any integer type as they lie in memory, in the machine's order.
template <class Word>
[[nodiscard]] inline Word load_word(const char* at) noexcept {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

/// Compares short texts without the call of memcmp, which costs more than they do.
[[nodiscard]] inline bool is_equal(std::string_view a, std::string_view b) noexcept {
    const std::size_t size = a.size();
    if (size != b.size()) return false;
    if (size < 4 || size > 64) return a == b;
    const auto differs = [&]<class Word>(Word, std::size_t at) {
        return load_word<Word>(a.data() + at) != load_word<Word>(b.data() + at);
    };
    if (size < 8) return !differs(std::uint32_t(), 0) && !differs(std::uint32_t(), size - 4);
    for (std::size_t at = 0; at < size - 8; at += 8)
        if (differs(std::uint64_t(), at)) return false;
    return !differs(std::uint64_t(), size - 8);  // overlaps what has been compared
}

/// The most that put_short() takes.
inline constexpr std::size_t short_size_max = 64;

/// Copies at most short_size_max bytes without a call; returns the end.
[[gnu::always_inline]] inline char* put_short(std::string_view bytes, char* out) noexcept {
    const char* const from = bytes.data();
    const std::size_t size = bytes.size();
    const auto copy = [&]<class Block>(Block) {  // the last block overlaps what has been copied
        for (std::size_t at = 0; at < size - sizeof(Block); at += sizeof(Block))
            std::memcpy(out + at, from + at, sizeof(Block));
        std::memcpy(out + size - sizeof(Block), from + size - sizeof(Block), sizeof(Block));
    };
    if (size >= sizeof(std::uint64_t)) {
        copy(std::uint64_t());
    } else if (size >= sizeof(std::uint32_t)) {
        copy(std::uint32_t());
    } else if (size >= sizeof(std::uint16_t)) {
        copy(std::uint16_t());
    } else if (size != 0) {
        *out = *from;
    }
    return out + size;
}

/// Of Binary Data and of strings. §1.5.4, §1.5.6.
inline constexpr std::size_t binary_size_max = 65'535;

/// The lower 16 bits, high byte first; returns the end.
inline char* put_u16(std::size_t value, char* out) noexcept {
    *out++ = static_cast<char>(value >> 8U);
    *out++ = static_cast<char>(value);
    return out;
}

/// Copies any number of bytes; returns the end. Up to 128 bytes without a call, of two halves that overlap.
[[gnu::always_inline]] inline char* put_bytes(std::string_view bytes, char* out) noexcept {
    const char* const from = bytes.data();
    const std::size_t size = bytes.size();
    const auto copy_halves = [&]<std::size_t Half>(std::integral_constant<std::size_t, Half>) {
        std::memcpy(out, from, Half);
        std::memcpy(out + size - Half, from + size - Half, Half);
    };
    if (size < 16) return put_short(bytes, out);
    if (size <= 32) {
        copy_halves(std::integral_constant<std::size_t, 16>());
    } else if (size <= 64) {
        copy_halves(std::integral_constant<std::size_t, 32>());
    } else if (size <= 128) {
        copy_halves(std::integral_constant<std::size_t, 64>());
    } else {
        std::memcpy(out, from, size);
    }
    return out + size;
}

/// What is wrong with a text.
enum class text_check : std::uint8_t {
    valid,
    ill_formed,      ///< not UTF-8 as RFC 3629 defines it: truncated, overlong, a surrogate, above U+10FFFF
    null_character,  ///< holds U+0000
    wildcard,        ///< holds + or #, and must not
};

/// Checks the rules for every string, but for its length. A byte order mark is a character as any other [MQTT-1.5.4-3].
[[nodiscard]] text_check check_text(std::string_view text) noexcept;

/// The same, and no wildcards. Emptiness is the caller's business: a topic alias may stand in for the name.
[[nodiscard]] text_check check_topic_name(std::string_view text) noexcept;

/// Reads field by field from the bytes of one packet and never beyond them: a read that finds too little returns false
/// and changes nothing.
class reader {
public:
    explicit reader(std::string_view bytes) noexcept : at_(bytes.data()), left_(bytes.size()) {}

    [[nodiscard]] std::size_t left() const noexcept { return left_; }
    [[nodiscard]] bool empty() const noexcept { return left_ == 0; }

    /// All that has not been read.
    [[nodiscard]] std::string_view rest() const noexcept { return {at_, left_}; }

    [[nodiscard]] bool read_u8(std::uint8_t& out) noexcept {
        if (left_ < 1) {
            return false;
        }
        out = byte(0);
        skip(1);
        return true;
    }

    /// Goes past a byte that is 0; else false.
    [[nodiscard]] bool skip_zero() noexcept {
        if (left_ < 1 || byte(0) != 0) {
            return false;
        }
        skip(1);
        return true;
    }

    [[nodiscard]] bool read_u16(std::uint16_t& out) noexcept {
        if (left_ < 2) {
            return false;
        }
        out = static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
        skip(2);
        return true;
    }

    [[nodiscard]] bool read_u32(std::uint32_t& out) noexcept {
        if (left_ < 4) {
            return false;
        }
        out = std::uint32_t{byte(0)} << 24 | std::uint32_t{byte(1)} << 16 | std::uint32_t{byte(2)} << 8 | byte(3);
        skip(4);
        return true;
    }

    /// False also if it takes more than four bytes or is not in its shortest form [MQTT-1.5.5-1].
    [[nodiscard]] bool read_variable_byte_integer(std::uint32_t& out) noexcept {
        std::uint32_t value = 0;
        for (std::size_t i = 0; i < 4 && i < left_; ++i) {
            value |= (byte(i) & 0x7FU) << (7 * i);
            if (byte(i) < 0x80) {
                if (byte(i) == 0 && i > 0) {
                    return false;
                }
                out = value;
                skip(i + 1);
                return true;
            }
        }
        return false;
    }

    /// Bytes after a 16-bit length. A string is read in this way too and then checked by check_text().
    [[nodiscard]] bool read_binary(std::string_view& out) noexcept {
        if (left_ < 2) {
            return false;
        }
        const std::size_t size = static_cast<std::size_t>(byte(0) << 8 | byte(1));
        if (left_ - 2 < size) {
            return false;
        }
        out = {at_ + 2, size};
        skip(2 + size);
        return true;
    }

    /// The next `size` bytes.
    [[nodiscard]] bool read_bytes(std::size_t size, std::string_view& out) noexcept {
        if (left_ < size) {
            return false;
        }
        out = {at_, size};
        skip(size);
        return true;
    }

private:
    [[nodiscard]] std::uint8_t byte(std::size_t i) const noexcept { return static_cast<std::uint8_t>(at_[i]); }

    void skip(std::size_t size) noexcept {
        at_ += size;
        left_ -= size;
    }

    const char* at_;
    std::size_t left_;
};

/// Writes field by field, or only measures: the size of a packet comes from the very code that encodes it. Whoever gives
/// the room has measured before.
class writer {
public:
    /// Measures.
    writer() noexcept = default;

    /// Writes to `out`.
    explicit writer(char* out) noexcept : out_(out) {}

    [[nodiscard]] bool is_measuring() const noexcept { return out_ == nullptr; }

    /// Bytes so far.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// The end of what was written.
    [[nodiscard]] char* end() const noexcept { return out_ + size_; }

    /// True once a value did not fit its field.
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    void fail() noexcept { failed_ = true; }

    void write_u8(std::uint32_t value) noexcept {
        if (out_ != nullptr) {
            put(0, value);
        }
        size_ += 1;
    }

    void write_u16(std::uint32_t value) noexcept {
        if (out_ != nullptr) {
            put(0, value >> 8);
            put(1, value);
        }
        size_ += 2;
    }

    void write_u32(std::uint32_t value) noexcept {
        if (out_ != nullptr) {
            put(0, value >> 24);
            put(1, value >> 16);
            put(2, value >> 8);
            put(3, value);
        }
        size_ += 4;
    }

    void write_variable_byte_integer(std::size_t value) noexcept {
        if (value > remaining_length_max) {
            failed_ = true;
        } else if (out_ != nullptr) {
            encode_variable_byte_integer(value, out_ + size_);
        }
        size_ += variable_byte_integer_size(value);
    }

    /// Bytes as they are.
    void write_bytes(std::string_view bytes) noexcept {
        if (out_ != nullptr && !bytes.empty()) {
            std::memcpy(out_ + size_, bytes.data(), bytes.size());
        }
        size_ += bytes.size();
    }

    /// A string or a binary: a 16-bit length, then the bytes.
    void write_binary(std::string_view bytes) noexcept {
        if (bytes.size() > string_size_max) {
            failed_ = true;
            return;
        }
        write_u16(static_cast<std::uint32_t>(bytes.size()));
        write_bytes(bytes);
    }

    /// Appends what another writer has measured.
    void add_measured(const writer& part) noexcept {
        size_ += part.size_;
        failed_ |= part.failed_;
    }

private:
    void put(std::size_t offset, std::uint32_t value) noexcept {
        out_[size_ + offset] = static_cast<char>(static_cast<std::uint8_t>(value));
    }

    char* out_ = nullptr;
    std::size_t size_ = 0;
    bool failed_ = false;
};

}  // namespace martlet::core
