#include "hlog.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>

namespace martlet::cli::bench {
namespace {

constexpr std::uint32_t cookie_v2 = 0x1C849303u | 0x10u;
constexpr std::uint32_t cookie_v2_compressed = 0x1C849304u | 0x10u;
constexpr std::size_t header_size = 40;
constexpr std::size_t stored_block_max = 65'535;

void put_big_endian(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        out.push_back(static_cast<char>(value >> shift & 0xFF));
}

// ZigZag, then 7 bits a byte from the lowest up; the ninth byte has 8 bits.
void put_zigzag(std::string& out, std::int64_t value) {
    std::uint64_t rest = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
    for (int i = 0; i < 8 && rest >= 0x80; ++i) {
        out.push_back(static_cast<char>(rest | 0x80));
        rest >>= 7;
    }
    out.push_back(static_cast<char>(rest));
}

std::string counters_as_zigzag(const histogram& of) {
    std::string out;
    const auto counters = of.counters();
    for (std::size_t i = 0; i < counters.size();) {
        if (counters[i] != 0) {
            put_zigzag(out, static_cast<std::int64_t>(counters[i++]));
            continue;
        }
        std::int64_t zeros = 0;
        for (; i < counters.size() && counters[i] == 0; ++i)
            ++zeros;
        put_zigzag(out, zeros == 1 ? 0 : -zeros);
    }
    return out;
}

std::string encode_v2(const histogram& of) {
    const std::string counters = counters_as_zigzag(of);
    std::string out;
    put_big_endian(out, cookie_v2, 4);
    put_big_endian(out, counters.size(), 4);
    put_big_endian(out, 0, 4);  // normalizing index offset
    put_big_endian(out, histogram::significant_digits, 4);
    put_big_endian(out, histogram::value_min, 8);
    put_big_endian(out, histogram::value_max, 8);
    put_big_endian(out, std::bit_cast<std::uint64_t>(1.0), 8);  // integer-to-double ratio
    return out + counters;
}

std::uint32_t adler32(std::string_view bytes) {
    std::uint32_t a = 1;
    std::uint32_t b = 0;
    for (const char c : bytes) {
        a = (a + static_cast<unsigned char>(c)) % 65'521;
        b = (b + a) % 65'521;
    }
    return b << 16 | a;
}

// RFC 1950 around RFC 1951's stored blocks.
std::string zlib_stored(std::string_view bytes) {
    std::string out = "\x78\x01";
    std::string_view rest = bytes;
    do {
        const std::size_t size = std::min(rest.size(), stored_block_max);
        out.push_back(size == rest.size() ? '\1' : '\0');
        for (const std::size_t field : {size, ~size}) {
            out.push_back(static_cast<char>(field & 0xFF));
            out.push_back(static_cast<char>(field >> 8 & 0xFF));
        }
        out += rest.substr(0, size);
        rest.remove_prefix(size);
    } while (!rest.empty());
    put_big_endian(out, adler32(bytes), 4);
    return out;
}

std::optional<std::string> zlib_unstored(std::string_view in) {
    if (in.size() < 6 || in.substr(0, 2) != std::string_view("\x78\x01", 2)) return std::nullopt;
    const std::string_view checksum = in.substr(in.size() - 4);
    in = in.substr(2, in.size() - 6);
    std::string out;
    for (bool is_last = false; !is_last;) {
        if (in.size() < 5 || static_cast<unsigned char>(in[0]) > 1) return std::nullopt;
        is_last = in[0] == '\1';
        const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(in[i])); };
        const std::size_t size = byte(1) | byte(2) << 8;
        if ((byte(3) | byte(4) << 8) != (~size & 0xFFFF) || in.size() < 5 + size) return std::nullopt;
        out += in.substr(5, size);
        in.remove_prefix(5 + size);
    }
    std::string expected;
    put_big_endian(expected, adler32(out), 4);
    if (!in.empty() || expected != checksum) return std::nullopt;
    return out;
}

constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k)
            out.push_back(k <= n ? base64_alphabet[group >> (18 - 6 * k) & 63] : '=');
    }
    return out;
}

std::optional<std::string> unbase64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::string out;
    std::uint32_t group = 0;
    std::size_t padding = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::size_t value = text[i] == '=' ? 0 : base64_alphabet.find(text[i]);
        if (value == std::string_view::npos || (padding != 0 && text[i] != '=')) return std::nullopt;
        padding += text[i] == '=';
        group = group << 6 | static_cast<std::uint32_t>(value);
        if (i % 4 == 3) {
            for (const int shift : {16, 8, 0})
                out.push_back(static_cast<char>(group >> shift & 0xFF));
            group = 0;
        }
    }
    if (padding > 2) return std::nullopt;
    out.resize(out.size() - padding);
    return out;
}

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char c : bytes)
        value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

std::optional<std::int64_t> take_zigzag(std::string_view& in) {
    std::uint64_t value = 0;
    for (int i = 0; i < 9; ++i) {
        if (in.empty()) return std::nullopt;
        const auto byte = static_cast<unsigned char>(in.front());
        in.remove_prefix(1);
        value |= static_cast<std::uint64_t>(i < 8 ? byte & 0x7F : byte) << (7 * i);
        if (i == 8 || (byte & 0x80) == 0) break;
    }
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

}  // namespace

std::string encode_histogram(const histogram& of) {
    const std::string packed = zlib_stored(encode_v2(of));
    std::string out;
    put_big_endian(out, cookie_v2_compressed, 4);
    put_big_endian(out, packed.size(), 4);
    return base64(out + packed);
}

std::optional<histogram> decode_histogram(std::string_view text) {
    const auto packed = unbase64(text);
    if (!packed || packed->size() < 8) return std::nullopt;
    const std::string_view all = *packed;
    if (big_endian(all.substr(0, 4)) != cookie_v2_compressed) return std::nullopt;
    if (big_endian(all.substr(4, 4)) != all.size() - 8) return std::nullopt;
    const auto plain = zlib_unstored(all.substr(8));
    if (!plain || plain->size() < header_size) return std::nullopt;

    std::string_view in = *plain;
    const bool is_ours = big_endian(in.substr(0, 4)) == cookie_v2 &&
                         big_endian(in.substr(4, 4)) == in.size() - header_size &&
                         big_endian(in.substr(12, 4)) == histogram::significant_digits &&
                         big_endian(in.substr(16, 8)) == histogram::value_min;
    if (!is_ours) return std::nullopt;
    in.remove_prefix(header_size);
    histogram out;
    std::size_t index = 0;
    while (!in.empty()) {
        const auto value = take_zigzag(in);
        if (!value) return std::nullopt;
        if (*value > 0) {
            if (!out.add_at(index++, static_cast<std::uint64_t>(*value))) return std::nullopt;
        } else {
            const auto zeros = *value == 0 ? 1 : 0 - static_cast<std::uint64_t>(*value);
            if (zeros > 1'000'000) return std::nullopt;
            index += zeros;
        }
    }
    return out;
}

std::string hlog_header(double unix_seconds) {
    const std::string start = decimal_text(unix_seconds, 3);
    return "#[Histogram log format version 1.3]\n#[StartTime: " + start +
           " (seconds since epoch)]\n#[Values: nanoseconds; Interval_Max: milliseconds]\n"
           "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";
}

std::string hlog_line(std::string_view tag, double start, double length, const histogram& of) {
    return "Tag=" + std::string(tag) + ',' + decimal_text(start, 3) + ',' + decimal_text(length, 3) + ',' +
           decimal_text(static_cast<double>(of.maximum()) / static_cast<double>(millisecond), 3) + ',' +
           encode_histogram(of) + '\n';
}

}  // namespace martlet::cli::bench
