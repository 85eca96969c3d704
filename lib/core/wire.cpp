#include "core/wire.hpp"

namespace martlet::core {
namespace {

// Eight bytes at a time. `x - ones` borrows at the lowest zero byte and nowhere if there is none, so for words without
// high bits the tests below are exact.
constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080;

// True unless all eight are ASCII other than U+0000.
struct unusual_text {
    static constexpr std::uint64_t in(std::uint64_t word) noexcept { return (word | (word - ones)) & high_bits; }
};

// True unless all eight are ASCII other than U+0000, + and #.
struct unusual_name {
    static constexpr std::uint64_t in(std::uint64_t word) noexcept {
        return (word | (word - ones) | ((word ^ (ones * '+')) - ones) | ((word ^ (ones * '#')) - ones)) & high_bits;
    }
};

template <class Word>
Word load(const char* at) noexcept {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

// Fewer than eight bytes, filled up with copies of themselves; at least one.
std::uint64_t load_short(const char* at, std::size_t size) noexcept {
    if (size >= 4) {
        return std::uint64_t{load<std::uint32_t>(at)} << 32 | load<std::uint32_t>(at + size - 4);
    }
    const auto byte = [at](std::size_t i) { return std::uint64_t{static_cast<std::uint8_t>(at[i])}; };
    return byte(0) * (ones << 16) | byte(size / 2) << 8 | byte(size - 1);
}

template <class Unusual>
bool is_usual(std::string_view text) noexcept {
    const char* at = text.data();
    std::size_t left = text.size();
    if (left < 8) {
        return left == 0 || Unusual::in(load_short(at, left)) == 0;
    }
    for (; left > 16; left -= 16, at += 16) {
        if ((Unusual::in(load<std::uint64_t>(at)) | Unusual::in(load<std::uint64_t>(at + 8))) != 0) {
            return false;
        }
    }
    const char* const last = at + left - 8;  // 1 to 16 bytes are left; these words may overlap what has been seen
    return (Unusual::in(load<std::uint64_t>(left >= 8 ? at : last)) | Unusual::in(load<std::uint64_t>(last))) == 0;
}

// The bytes of the well-formed sequence of several bytes at `at`, or 0. RFC 3629 §4.
std::size_t sequence_size(const unsigned char* at, std::size_t left) noexcept {
    const unsigned lead = at[0];
    const std::size_t size = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (size == 0 || left < size) {
        return 0;
    }
    const unsigned second_min = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;  // below: overlong
    const unsigned second_max = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;  // above: surrogate, > U+10FFFF
    if (at[1] < second_min || at[1] > second_max) {
        return 0;
    }
    for (std::size_t i = 2; i < size; ++i) {
        if ((at[i] & 0xC0U) != 0x80) {
            return 0;
        }
    }
    return size;
}

text_check check_slowly(std::string_view text) noexcept {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const end = at + text.size();
    while (at != end) {
        const auto left = static_cast<std::size_t>(end - at);
        if (left >= 8 && unusual_text::in(load<std::uint64_t>(reinterpret_cast<const char*>(at))) == 0) {
            at += 8;
            continue;
        }
        if (*at == 0) {
            return text_check::null_character;
        }
        const std::size_t size = *at < 0x80 ? 1 : sequence_size(at, left);
        if (size == 0) {
            return text_check::ill_formed;
        }
        at += size;
    }
    return text_check::valid;
}

}  // namespace

text_check check_text(std::string_view text) noexcept {
    return is_usual<unusual_text>(text) ? text_check::valid : check_slowly(text);
}

text_check check_topic_name(std::string_view text) noexcept {
    if (is_usual<unusual_name>(text)) {
        return text_check::valid;
    }
    const text_check found = check_slowly(text);
    if (found == text_check::valid && text.find_first_of("+#") != std::string_view::npos) {
        return text_check::wildcard;
    }
    return found;
}

}  // namespace martlet::core
