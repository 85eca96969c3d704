#include "net/websocket_frames.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

namespace {

using namespace martlet::net;
using namespace std::string_view_literals;

constexpr std::uint64_t size_max = 100'000;
constexpr mask_key key{0x37, 0xFA, 0x21, 0x3D};

std::string frame(opcode what, std::string_view payload, bool masked, bool final = true) {
    std::array<char, frame_head_max> head;
    std::string out(head.data(), write_frame_head(head, what, payload.size(), masked ? &key : nullptr));
    if (!final) out[0] = static_cast<char>(out[0] & 0x7F);
    const std::size_t at = out.size();
    out += payload;
    if (masked) apply_mask(std::span(out).subspan(at), key, 0);
    return out;
}

// Everything that comes out of `wire` in pieces of `step` bytes.
struct read_all {
    read_all(std::string wire, bool masked, std::size_t step = 1'000'000) : reader(masked, size_max) {
        for (std::size_t at = 0; at < wire.size() && !failed; at += step) {
            const auto piece = std::span(wire).subspan(at, std::min(step, wire.size() - at));
            const auto got = reader.unwrap(piece);
            payload.append(piece.data(), got.payload);
            failed = got.failed;
        }
    }
    frame_reader reader;
    std::string payload;
    bool failed = false;
};

TEST_CASE("frames: the examples of RFC 6455 §5.7, with binary in the place of text") {
    CHECK(read_all("\x82\x05Hello", false).payload == "Hello");
    CHECK(read_all("\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", true).payload == "Hello");
    CHECK(read_all(std::string("\x02\x03Hel\x80\x02lo"sv), false).payload == "Hello");
    CHECK(frame(opcode::binary, std::string(256, 'x'), false).substr(0, 4) == std::string("\x82\x7E\x01\x00"sv));
    CHECK(frame(opcode::binary, std::string(65'536, 'x'), false).substr(0, 10) ==
          std::string("\x82\x7F\0\0\0\0\0\1\0\0"sv));
    CHECK(frame(opcode::binary, "Hello", true) == "\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

TEST_CASE("frames: sizes around the three forms of a length, whole and in every small step") {
    for (const bool masked : {false, true}) {
        for (const std::size_t size : {0U, 1U, 7U, 125U, 126U, 127U, 65'535U, 65'536U}) {
            std::string sent(size, '\0');
            for (std::size_t i = 0; i != size; ++i)
                sent[i] = static_cast<char>(i * 7 + i / 251);
            const std::string wire = frame(opcode::binary, sent, masked) + frame(opcode::binary, "next", masked);
            for (const std::size_t step : {1U, 2U, 3U, 5U, 13U, 1'000'000U}) {
                if (size > 1'000 && step < 5) continue;
                const read_all got(wire, masked, step);
                CHECK_MESSAGE((got.payload == sent + "next"), size << " in steps of " << step);
            }
        }
    }
}

TEST_CASE("frames: a message in pieces with control frames between them, cut at every place") {
    const std::string wire = frame(opcode::binary, "one ", true, false) + frame(opcode::ping, "p1", true) +
                             frame(opcode::continuation, "", true, false) + frame(opcode::pong, "unasked", true) +
                             frame(opcode::continuation, "two ", true, false) + frame(opcode::ping, "p2", true) +
                             frame(opcode::continuation, "three", true) + frame(opcode::binary, "!", true);
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
        frame_reader reader(true, size_max);
        std::string out;
        for (std::string piece : {wire.substr(0, cut), wire.substr(cut)}) {
            const auto got = reader.unwrap(piece);
            REQUIRE(!got.failed);
            out.append(piece.data(), got.payload);
        }
        CHECK(out == "one two three!");
        std::string ping;
        CHECK(reader.take_ping(ping));
        CHECK(ping == "p2");  // the last one is enough
        CHECK(!reader.take_ping(ping));
    }
}

TEST_CASE("frames: what is not allowed closes with the right code") {
    struct row {
        std::string wire;
        bool masked;
        close_code code;
    };
    const std::array rows{
        row{frame(opcode::binary, "x", false), true, close_code::protocol_error},  // a client must mask
        row{frame(opcode::binary, "x", true), false, close_code::protocol_error},  // a server must not
        row{frame(opcode::text, "x", true), true, close_code::unsupported_data},   // [MQTT-6.0.0-1]
        row{frame(opcode::continuation, "x", true), true, close_code::protocol_error},
        row{frame(opcode::binary, "x", true, false) + frame(opcode::binary, "y", true), true,
            close_code::protocol_error},
        row{frame(opcode::ping, "x", true, false), true, close_code::protocol_error},
        row{frame(opcode::ping, std::string(126, 'x'), true), true, close_code::protocol_error},
        row{frame(static_cast<opcode>(3), "x", true), true, close_code::protocol_error},
        row{frame(static_cast<opcode>(11), "x", true), true, close_code::protocol_error},
        row{"\xC2\x81"
            "1234x",
            true, close_code::protocol_error},  // a reserved bit
        row{std::string("\x82\xFE\0\x05"
                        "1234",
                        8),
            true, close_code::protocol_error},
        row{std::string("\x82\xFF\0\0\0\0\0\0\xFF\xFF"
                        "1234",
                        14),
            true, close_code::protocol_error},
        row{std::string("\x82\xFF\x80\0\0\0\0\0\0\0"
                        "1234",
                        14),
            true, close_code::protocol_error},
        row{std::string("\x82\xFF\0\0\0\0\0\1\x86\xA1"
                        "1234",
                        14),
            true, close_code::too_big},
        row{frame(opcode::close, "x", true), true, close_code::protocol_error},
    };
    for (const row& r : rows) {
        for (const std::size_t step : {1U, 1'000U}) {
            CAPTURE(&r - rows.data());
            read_all got(frame(opcode::binary, "before", r.masked) + r.wire, r.masked, step);
            // what was read before it is still good, unless the two differ in their masks
            CHECK(got.failed);
            CHECK(got.reader.fault_code() == r.code);
            CHECK(!got.reader.fault().empty());
            std::string more = frame(opcode::binary, "after", r.masked);
            CHECK(got.reader.unwrap(more).payload == 0);
        }
    }
}

TEST_CASE("frames: a close frame ends the stream, with and without a code") {
    read_all with(make_close_frame(close_code::going_away, "bye", &key) + frame(opcode::binary, "late", true), true);
    CHECK(!with.failed);
    CHECK(with.reader.is_closed());
    CHECK(with.reader.received_code() == close_code::going_away);
    CHECK(with.payload.empty());

    read_all without(make_control_frame(opcode::close, "", nullptr), false);
    CHECK(without.reader.is_closed());
    CHECK(without.reader.received_code() == close_code::no_status);
}

TEST_CASE("frames: a mask applied in pieces is the mask applied at once") {
    std::string all(37, 'a');
    apply_mask(all, key, 0);
    for (std::size_t cut = 0; cut <= all.size(); ++cut) {
        std::string pieces(37, 'a');
        apply_mask(std::span(pieces).first(cut), key, 0);
        apply_mask(std::span(pieces).subspan(cut), key, cut);
        CHECK(pieces == all);
    }
}

}  // namespace
