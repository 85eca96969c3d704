#include "core/wire.hpp"

#include "support/bytes.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace martlet;
using namespace martlet::core;
using martlet::test::bytes;
using martlet::test::hex;

namespace {

// The rules of RFC 3629 by another road than the code under test: decode first, then look at the code point.
bool is_well_formed(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
        const unsigned lead = byte(i);
        const std::size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
        if (size == 0 || i + size > text.size()) return false;
        unsigned code_point = size == 1 ? lead : lead & (0xFFU >> (size + 1));
        for (std::size_t k = 1; k < size; ++k) {
            if (byte(i + k) >> 6 != 2) return false;
            code_point = code_point << 6 | (byte(i + k) & 0x3F);
        }
        constexpr std::array least{0U, 0U, 0x80U, 0x800U, 0x1'0000U};
        if (code_point < least[size] || code_point > 0x10'FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF)) {
            return false;
        }
        i += size;
    }
    return true;
}

}  // namespace

TEST_CASE("reader: integers are big-endian") {
    const std::string in = bytes("01 02 03 04 05 06 07");
    reader r(in);
    std::uint8_t u8 = 0;
    std::uint16_t u16 = 0;
    std::uint32_t u32 = 0;

    CHECK(r.read_u8(u8));
    CHECK(r.read_u16(u16));
    CHECK(r.read_u32(u32));

    CHECK(u8 == 0x01);
    CHECK(u16 == 0x0203);
    CHECK(u32 == 0x04050607);
    CHECK(r.empty());
}

TEST_CASE("reader: a read beyond the end is refused and takes nothing") {
    const std::string in = bytes("00 03 61");
    reader r(in);
    std::uint32_t u32 = 7;
    std::string_view text = "before";

    CHECK_FALSE(r.read_u32(u32));
    CHECK_FALSE(r.read_binary(text));
    CHECK_FALSE(r.read_bytes(4, text));

    CHECK(u32 == 7);
    CHECK(text == "before");
    CHECK(r.left() == 3);

    reader empty({});
    std::uint8_t u8 = 7;
    std::uint16_t u16 = 7;
    CHECK_FALSE(empty.read_u8(u8));
    CHECK_FALSE(empty.read_u16(u16));
    CHECK_FALSE(empty.read_variable_byte_integer(u32));
    CHECK(empty.read_bytes(0, text));
}

TEST_CASE("reader: a string is its 16-bit length and its bytes") {
    const std::string in = bytes("00 00  00 03 'a/b'  FF");
    reader r(in);
    std::string_view text = "before";

    CHECK(r.read_binary(text));
    CHECK(text.empty());
    CHECK(r.read_binary(text));
    CHECK(text == "a/b");
    CHECK(r.rest() == "\xFF");
}

TEST_CASE("variable byte integer: the edges of each size, both ways") {
    struct row {
        std::uint32_t value;
        const char* encoded;
    };
    constexpr std::array rows{
        row{0, "00"},
        row{1, "01"},
        row{127, "7F"},
        row{128, "80 01"},
        row{16'383, "FF 7F"},
        row{16'384, "80 80 01"},
        row{2'097'151, "FF FF 7F"},
        row{2'097'152, "80 80 80 01"},
        row{268'435'455, "FF FF FF 7F"},
    };
    for (const row& row : rows) {
        CAPTURE(row.value);
        std::array<char, 4> buffer{};
        writer measured;
        writer w(buffer.data());
        measured.write_variable_byte_integer(row.value);
        w.write_variable_byte_integer(row.value);
        CHECK(hex({buffer.data(), w.size()}) == row.encoded);
        CHECK(measured.size() == w.size());
        CHECK(variable_byte_integer_size(row.value) == w.size());

        reader r({buffer.data(), w.size()});
        std::uint32_t value = 0;
        CHECK(r.read_variable_byte_integer(value));
        CHECK(value == row.value);
        CHECK(r.empty());
    }
}

TEST_CASE("MQTT-1.5.5-1: a variable byte integer of more bytes than needed, or of five, is refused") {
    for (const char* const text : {"80 00", "81 00", "FF 80 00", "80 80 80 00", "80 80 80 80 01", "FF FF FF FF 7F",
                                   "FF FF FF 80", "80", "FF FF FF"}) {
        CAPTURE(text);
        const std::string in = bytes(text);
        reader r(in);
        std::uint32_t value = 7;
        CHECK_FALSE(r.read_variable_byte_integer(value));
        CHECK(value == 7);
        CHECK(r.left() == in.size());
    }
}

TEST_CASE("writer: measures as much as it writes") {
    std::array<char, 64> buffer{};
    writer w(buffer.data());
    writer measured;
    for (writer* const out : {&w, &measured}) {
        out->write_u8(0x01);
        out->write_u16(0x0203);
        out->write_u32(0x04050607);
        out->write_binary("a/b");
        out->write_bytes("hi");
    }

    CHECK(hex({buffer.data(), w.size()}) == "01 02 03 04 05 06 07 00 03 61 2F 62 68 69");
    CHECK(measured.size() == w.size());
    CHECK(w.end() == buffer.data() + w.size());
    CHECK(measured.is_measuring());
    CHECK_FALSE(w.is_measuring());
}

TEST_CASE("writer: what does not fit its field fails it, also as a part") {
    const std::string longest(65'535, 'x');
    const std::string too_long(65'536, 'x');
    writer fits;
    fits.write_binary(longest);
    fits.write_variable_byte_integer(268'435'455);
    CHECK_FALSE(fits.failed());
    CHECK(fits.size() == 2 + 65'535 + 4);

    writer string;
    string.write_binary(too_long);
    CHECK(string.failed());

    writer integer;
    integer.write_variable_byte_integer(268'435'456);
    CHECK(integer.failed());

    writer whole;
    whole.add_measured(integer);
    CHECK(whole.failed());
}

TEST_CASE("UTF-8: well-formed text is valid whatever it says") {
    for (const char* const text : {
             "", "'a'", "'the quick brown fox'",
             "01 1F 7F",                                                                       // control characters
             "C2 80", "C2 9F",                                                                 // the upper ones
             "DF BF", "E0 A0 80", "ED 9F BF", "EE 80 80", "EF BF BF", "EF BF BE", "EF B7 90",  // non-characters
             "F0 90 80 80", "F4 8F BF BF", "EF BB BF 'a'", "'a' EF BB BF 'b'",  // a byte order mark, MQTT-1.5.4-3
         }) {
        CAPTURE(text);
        CHECK(check_text(bytes(text)) == text_check::valid);
        CHECK(check_topic_name(bytes(text)) == text_check::valid);
    }
}

TEST_CASE("MQTT-1.5.4-1: ill-formed UTF-8 is found") {
    for (const char* const text : {
             "80",
             "BF",
             "'a' 80",
             "C3 A4 A4",  // continuation without a lead
             "C3",
             "E2 82",
             "F0 9F 98",
             "C3 'a'",
             "E2 82 'a'",  // cut short
             "E2 'a' 82",
             "F0 'a' 98 80",
             "F0 9F 'a' 80",  // broken in the middle
             "C0 80",
             "C1 BF",
             "C0 AF",  // overlong: 2 bytes
             "E0 80 80",
             "E0 80 AF",
             "E0 9F BF",  // 3 bytes
             "F0 80 80 80",
             "F0 80 80 AF",
             "F0 8F BF BF",  // 4 bytes
             "ED A0 80",
             "ED AD BF",
             "ED AE 80",
             "ED BF BF",  // surrogates
             "ED A0 80 ED B0 80",
             "ED AF BF ED BF BF",  // in pairs
             "F4 90 80 80",
             "F5 80 80 80",
             "F7 BF BF BF",  // above U+10FFFF
             "F8 88 80 80 80",
             "FC 84 80 80 80 80",
             "FE",
             "FF",
             "FE FE FF FF",
         }) {
        CAPTURE(text);
        CHECK(check_text(bytes(text)) == text_check::ill_formed);
        CHECK(check_topic_name(bytes(text)) == text_check::ill_formed);
    }
}

TEST_CASE("UTF-8: a bad byte is found at every place of texts of every length around the word sizes") {
    struct row {
        char byte;
        text_check as_text;
        text_check as_name;
    };
    constexpr std::array rows{
        row{'\0', text_check::null_character, text_check::null_character},
        row{'\x80', text_check::ill_formed, text_check::ill_formed},
        row{'\xFF', text_check::ill_formed, text_check::ill_formed},
        row{'+', text_check::valid, text_check::wildcard},
        row{'#', text_check::valid, text_check::wildcard},
        row{'\x01', text_check::valid, text_check::valid},
        row{'\x7F', text_check::valid, text_check::valid},
        row{'"', text_check::valid, text_check::valid},  // the neighbours of + and #
        row{'$', text_check::valid, text_check::valid},
        row{'*', text_check::valid, text_check::valid},
        row{',', text_check::valid, text_check::valid},
    };
    for (std::size_t size = 1; size <= 50; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (const char filler : {'a', '\x01', '\x7F'}) {
                for (const row& row : rows) {
                    std::string text(size, filler);
                    text[at] = row.byte;
                    if (check_text(text) != row.as_text || check_topic_name(text) != row.as_name) {
                        FAIL_CHECK("wrong for " << hex(text));
                    }
                }
            }
        }
    }
}

TEST_CASE("UTF-8: a character of several bytes is valid at every place, and is not looked beyond the end for") {
    for (const char* const character : {"C3 A4", "E2 82 AC", "F0 9F 98 80"}) {
        const std::string sequence = bytes(character);
        for (std::size_t size = 0; size <= 24; ++size) {
            for (std::size_t at = 0; at <= size; ++at) {
                std::string text(size, 'a');
                text.insert(at, sequence);
                if (check_text(text) != text_check::valid) FAIL_CHECK("refused: " << hex(text));
                text.resize(at + sequence.size() - 1);
                if (check_text(text) != text_check::ill_formed) FAIL_CHECK("taken: " << hex(text));
            }
        }
    }
}

TEST_CASE("UTF-8: agrees with the definition on all sequences of two and three bytes and the edges of four") {
    std::array<char, 4> text{};
    const auto check = [&](std::size_t size) {
        const std::string_view view(text.data(), size);
        const bool is_legal = is_well_formed(view) && view.find('\0') == std::string_view::npos;
        if ((check_text(view) == text_check::valid) != is_legal) FAIL_CHECK("wrong for " << hex(view));
    };
    const auto set = [&](std::size_t at, unsigned byte) { text[at] = static_cast<char>(byte); };
    constexpr std::array edges{0x00U, 0x01U, 0x7FU, 0x80U, 0x8FU, 0x90U, 0x9FU, 0xA0U, 0xBFU, 0xC0U, 0xFFU};

    for (unsigned first = 0; first < 0x100; ++first) {
        set(0, first);
        for (unsigned second = 0; second < 0x100; ++second) {
            set(1, second);
            check(2);
            for (unsigned third = 0; third < 0x100; ++third) {
                set(2, third);
                check(3);
                if (first < 0xF0) continue;
                for (const unsigned fourth : edges) {
                    set(3, fourth);
                    check(4);
                }
            }
        }
    }
}

TEST_CASE("put_bytes: every size as it is, and not a byte beyond") {
    std::string from(300, '\0');
    for (std::size_t i = 0; i < from.size(); ++i)
        from[i] = static_cast<char>(i * 7 + 1);
    for (std::size_t size = 0; size <= from.size(); ++size) {
        CAPTURE(size);
        std::string out(size + 2, '.');

        char* const end = put_bytes(std::string_view(from).substr(0, size), out.data() + 1);

        CHECK(end == out.data() + 1 + size);
        CHECK(out == "." + from.substr(0, size) + ".");
    }
    char untouched = '.';
    CHECK(put_bytes({}, &untouched) == &untouched);
    CHECK(untouched == '.');
}
