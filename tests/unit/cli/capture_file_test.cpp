#include "capture_file.hpp"

#include "packet_fields.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::cli;
using namespace std::string_literals;

namespace {

std::string big(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = bytes - 1; i >= 0; --i)
        out += static_cast<char>(value >> (8 * i) & 0xFF);
    return out;
}

/// An IPv4 frame without checks sums, which nobody looks at, with a link of type "raw IP".
std::string frame(std::uint32_t sequence, std::string_view bytes, bool syn = false) {
    const std::string ip = "\x45\x00"s + big(static_cast<std::uint32_t>(40 + bytes.size()), 2) + big(0, 4) +
                           "\x40\x06"s + big(0, 2) + big(0x7F000001, 4) + big(0x7F000001, 4);
    const std::string tcp =
        big(50'000, 2) + big(1'883, 2) + big(sequence, 4) + big(0, 4) + "\x50"s + (syn ? "\x02"s : "\x18"s) + big(0, 6);
    const std::string whole = ip + tcp + std::string(bytes);
    return big(100, 4) + big(500'000, 4) + big(static_cast<std::uint32_t>(whole.size()), 4) +
           big(static_cast<std::uint32_t>(whole.size()), 4) + whole;
}

const std::string file_header = big(0xA1B2C3D4, 4) + big(0x00020004, 4) + big(0, 8) + big(65'535, 4) + big(101, 4);

std::string stream_of(const std::string& file, std::string* complaint = nullptr) {
    std::string out;
    const std::string why = read_capture(file, [&](const captured_bytes& piece) {
        if (piece.is_start) out += '^';
        if (piece.has_gap) out += '?';
        CHECK(piece.from == "127.0.0.1:50000");
        CHECK(piece.time == 100.5);
        out += piece.bytes;
    });
    if (complaint != nullptr) *complaint = why;
    return out;
}

}  // namespace

TEST_CASE("capture_file: bytes in the order of the stream, each once") {
    CHECK(is_capture(file_header));
    CHECK_FALSE(is_capture("10 20 30 40 and so on, much longer than a header is"));
    CHECK(stream_of(file_header + frame(9, "", true) + frame(10, "abc") + frame(13, "def")) == "^abcdef");
    CHECK(stream_of(file_header + frame(9, "", true) + frame(13, "def") + frame(10, "abc")) == "^abcdef");
    CHECK(stream_of(file_header + frame(9, "", true) + frame(10, "abc") + frame(10, "abc") + frame(12, "cde")) ==
          "^abcde");
    CHECK(stream_of(file_header + frame(0xFFFFFFFF, "ab") + frame(1, "cd")) == "abcd");
}

TEST_CASE("capture_file: a gap is left behind when too much waits for it") {
    const std::string file = file_header + frame(9, "", true) + frame(10, "a") + frame(20, "later");
    CHECK(stream_of(file) == "^a");
    std::string long_file = file;
    for (std::uint32_t i = 0; i < 30; ++i)
        long_file += frame(25 + i * 40'000, std::string(40'000, 'x'));
    CHECK(stream_of(long_file).starts_with("^a?laterxxx"));
}

TEST_CASE("capture_file: damaged files end with a complaint, never with more") {
    const std::string whole = file_header + frame(9, "", true) + frame(10, "abc");
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        std::string complaint;
        (void)stream_of(whole.substr(0, size), &complaint);
    }
    std::string complaint;
    (void)stream_of(whole.substr(0, whole.size() - 1), &complaint);
    CHECK(complaint == "it ends in the middle of a frame");
}

TEST_CASE("packet_fields: a packet as a line and as JSON") {
    packets::publish p;
    p.topic = "a b";
    p.qos = qos::at_least_once;
    p.id = packet_id{7};
    p.payload = "\xff";
    CHECK(packet_line(p, protocol_version::v5) ==
          "PUBLISH topic=\"a b\" qos=1 packet_id=7 dup=false retain=false payload_hex=ff");
    CHECK(packet_json(p, protocol_version::v5) ==
          R"({"type":"PUBLISH","topic":"a b","qos":1,"packet_id":7,"dup":false,"retain":false,"payload_hex":"ff"})");
    CHECK(packet_line(packets::pingreq{}, protocol_version::v5) == "PINGREQ");
}
