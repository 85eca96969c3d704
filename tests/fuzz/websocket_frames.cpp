// Bytes as WebSocket frames, to a server's or a client's reader: in whatever pieces, the same payload and refusals.
#include "net/websocket_frames.hpp"

#include "fuzz/input.hpp"

#include <algorithm>
#include <string>

using namespace martlet;
using fuzz::require;

namespace {

constexpr std::uint64_t size_max = 300;
struct outcome {
    std::string payload;
    bool failed = false;
    bool closed = false;
    net::close_code code{};
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome read(bool masked, std::string bytes, std::size_t piece_max) {
    net::frame_reader reader(masked, size_max);
    outcome out;
    for (std::size_t at = 0; at < bytes.size() && !out.failed; at += piece_max) {
        const std::span<char> piece(bytes.data() + at, std::min(piece_max, bytes.size() - at));
        const auto got = reader.unwrap(piece);
        require(got.payload <= piece.size(), "no more payload than bytes");
        out.payload.append(piece.data(), got.payload);
        out.failed = got.failed;
        std::string ping;
        require(!reader.take_ping(ping) || ping.size() <= 125, "a ping is small");
        require(out.failed == !reader.fault().empty(), "a fault says why");
    }
    return {out.payload, out.failed, reader.is_closed(), out.failed ? reader.fault_code() : reader.received_code()};
}

// What we write we can read.
void check_written(bool masked, std::string_view payload) {
    const net::mask_key key{1, 2, 3, 4};
    std::array<char, net::frame_head_max> head;
    const auto size = net::write_frame_head(head, net::opcode::binary, payload.size(), masked ? &key : nullptr);
    std::string body(payload);
    if (masked) net::apply_mask(body, key, 0);
    const auto got = read(masked, std::string(head.data(), size) + body, 7);
    require(payload.size() > size_max ? got.failed : got.payload == payload, "what was written");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::input in(data, size);
    const bool masked = in.coin();
    const std::string bytes(in.rest());
    require(read(masked, bytes, 1) == read(masked, bytes, bytes.size() + 1), "pieces change nothing");
    require(read(masked, bytes, 5) == read(masked, bytes, bytes.size() + 1), "whatever their size");
    check_written(masked, bytes);
    return 0;
}
