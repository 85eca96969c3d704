#include "net/websocket_frames.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace martlet::net {

namespace {

// Masks on the way from `from` to `to`, which is the same place or before it.
void mask_down(char* to, const char* from, std::size_t size, const mask_key& key, std::uint64_t position) noexcept {
    mask_key turned;
    for (std::size_t i = 0; i != turned.size(); ++i)
        turned[i] = key[(position + i) % 4];
    // 64 bytes at a time, all read before any is written: `to` may be close to `from`. An array of words would go through
    // memory; this stays in registers, of whatever width there is.
    using block = std::uint64_t __attribute__((vector_size(64)));
    std::uint64_t eight = 0;
    std::memcpy(&eight, turned.data(), 4);
    eight |= eight << 32;
    std::size_t at = 0;
    for (; size - at >= sizeof(block); at += sizeof(block)) {
        block bytes;
        std::memcpy(&bytes, from + at, sizeof bytes);
        bytes ^= eight;
        std::memcpy(to + at, &bytes, sizeof bytes);
    }
    for (; size - at >= 8; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, from + at, 8);
        word ^= eight;
        std::memcpy(to + at, &word, 8);
    }
    for (; at != size; ++at)
        to[at] = static_cast<char>(static_cast<unsigned char>(from[at]) ^ turned[at % 4]);
}

}  // namespace

void apply_mask(std::span<char> bytes, const mask_key& key, std::uint64_t position) noexcept {
    mask_down(bytes.data(), bytes.data(), bytes.size(), key, position);
}

std::size_t write_frame_head(std::span<char, frame_head_max> out, opcode what, std::uint64_t size,
                             const mask_key* key) noexcept {
    std::size_t at = 0;
    const auto put = [&](std::uint64_t byte) { out[at++] = static_cast<char>(byte & 0xFF); };
    const unsigned mask_bit = key != nullptr ? 0x80 : 0;
    put(0x80U | static_cast<unsigned>(what));  // always final
    const int octets = size < 126 ? 0 : size <= 0xFFFF ? 2 : 8;
    put(mask_bit | (octets == 0 ? size : octets == 2 ? 126 : 127));
    for (int i = octets; i != 0; --i)
        put(size >> (8 * (i - 1)));
    if (key != nullptr) {
        for (const unsigned char byte : *key)
            put(byte);
    }
    return at;
}

std::string make_control_frame(opcode what, std::string_view payload, const mask_key* key) {
    std::array<char, frame_head_max> head;
    std::string frame(head.data(), write_frame_head(head, what, payload.size(), key));
    const std::size_t at = frame.size();
    frame += payload;
    if (key != nullptr) apply_mask(std::span(frame).subspan(at), *key, 0);
    return frame;
}

std::string make_close_frame(close_code code, std::string_view text, const mask_key* key) {
    const auto number = static_cast<unsigned>(code);
    std::string payload{static_cast<char>(number >> 8), static_cast<char>(number & 0xFF)};
    payload += text.substr(0, 123);
    return make_control_frame(opcode::close, payload, key);
}

frame_reader::result frame_reader::unwrap(std::span<char> bytes) {
    std::size_t in = 0;
    std::size_t out = 0;
    while (in != bytes.size() && !closed_) {
        if (!fault_.empty()) return {out, true};
        if (!in_payload_) {
            if (!take_usual_head(bytes, in) && !take_head(bytes, in)) return {out, true};
            continue;
        }
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(size_ - position_, bytes.size() - in));
        const std::span<char> part = bytes.subspan(in, count);
        if (is_control()) {
            if (masked_) apply_mask(part, key_, position_);
            control_.append(part.data(), part.size());
        } else {
            if (masked_) {
                mask_down(bytes.data() + out, part.data(), count, key_, position_);
            } else if (out != in) {
                std::memmove(bytes.data() + out, part.data(), count);
            }
            out += count;
        }
        in += count;
        position_ += count;
        if (position_ == size_ && !end()) return {out, true};
    }
    return {out, !fault_.empty()};
}

// Nearly all frames: binary, a message of its own, its head not in pieces. False: take_head() knows what it is.
bool frame_reader::take_usual_head(std::span<const char> bytes, std::size_t& in) noexcept {
    constexpr std::size_t longest = 8;
    const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[in + i])}; };
    if (head_size_ != 0 || in_message_ || bytes.size() - in < longest || byte(0) != 0x82) return false;
    if (((byte(1) & 0x80) != 0) != masked_) return false;
    std::size_t size = byte(1) & 0x7F;
    std::size_t head = 2;
    if (size == 126) {
        size = byte(2) << 8 | byte(3);
        head = 4;
        if (size < 126) return false;
    } else if (size == 127) {
        return false;
    }
    if (size == 0 || size > size_max_) return false;
    if (masked_) {
        std::memcpy(key_.data(), bytes.data() + in + head, key_.size());
        head += key_.size();
    }
    in += head;
    size_ = size;
    position_ = 0;
    final_ = true;
    opcode_ = opcode::binary;
    in_payload_ = true;
    return true;
}

bool frame_reader::take_head(std::span<const char> bytes, std::size_t& in) {
    const std::size_t count = std::min(head_needed_ - head_size_, bytes.size() - in);
    std::memcpy(head_.data() + head_size_, bytes.data() + in, count);
    head_size_ += count;
    in += count;
    if (head_size_ == 2 && head_needed_ == 2) {
        const unsigned size = head_[1] & 0x7FU;
        const bool is_masked = (head_[1] & 0x80U) != 0;
        head_needed_ = 2 + (size == 126 ? 2U : size == 127 ? 8U : 0U) + (is_masked ? 4U : 0U);
    }
    if (head_size_ != head_needed_) return true;
    if (!begin()) return false;
    head_size_ = 0;
    head_needed_ = 2;
    in_payload_ = size_ != 0;
    return in_payload_ || end();
}

// The head is complete: what is this, and may it be?
bool frame_reader::begin() {
    final_ = (head_[0] & 0x80U) != 0;
    opcode_ = static_cast<opcode>(head_[0] & 0x0FU);
    size_ = head_[1] & 0x7FU;
    position_ = 0;
    const std::size_t octets = size_ == 126 ? 2 : size_ == 127 ? 8 : 0;
    if (octets != 0) {
        size_ = 0;
        for (std::size_t i = 0; i != octets; ++i)
            size_ = size_ << 8 | head_[2 + i];
    }
    const bool is_masked = (head_[1] & 0x80U) != 0;
    if (is_masked) std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(2 + octets), 4, key_.begin());

    if ((head_[0] & 0x70U) != 0) return fail(close_code::protocol_error, "a frame with reserved bits");
    if (is_masked != masked_) {
        return fail(close_code::protocol_error,
                    masked_ ? "a client's frame without mask" : "a server's frame with mask");
    }
    if ((octets == 2 && size_ < 126) || (octets == 8 && (size_ <= 0xFFFF || size_ >> 63 != 0))) {
        return fail(close_code::protocol_error, "a length in more bytes than it needs");
    }
    switch (opcode_) {
        case opcode::continuation:
            if (!in_message_) return fail(close_code::protocol_error, "a continuation of nothing");
            break;
        case opcode::binary:
            if (in_message_) return fail(close_code::protocol_error, "a new message inside of another");
            break;
        case opcode::text:  // [MQTT-6.0.0-1]
            return fail(close_code::unsupported_data, "a text frame; MQTT is sent in binary ones");
        case opcode::close:
        case opcode::ping:
        case opcode::pong:
            if (!final_ || size_ > control_size_max) {
                return fail(close_code::protocol_error, "a control frame that is long or in pieces");
            }
            control_.clear();
            return true;
        default: return fail(close_code::protocol_error, "a frame of unknown kind");
    }
    if (size_ > size_max_) return fail(close_code::too_big, "a frame over the limit");
    in_message_ = !final_;
    return true;
}

bool frame_reader::end() {
    in_payload_ = false;
    if (opcode_ == opcode::ping) {
        ping_ = std::move(control_);
        has_ping_ = true;
        control_.clear();
    } else if (opcode_ == opcode::close) {
        if (control_.size() == 1) return fail(close_code::protocol_error, "a close frame with half a code");
        if (control_.size() >= 2) {
            received_code_ = static_cast<close_code>(static_cast<unsigned char>(control_[0]) << 8 |
                                                     static_cast<unsigned char>(control_[1]));
        }
        closed_ = true;
    }
    return true;
}

bool frame_reader::take_ping(std::string& payload) {
    if (!has_ping_) return false;
    payload = std::move(ping_);
    ping_ = {};
    has_ping_ = false;
    return true;
}

bool frame_reader::fail(close_code code, std::string_view why) noexcept {
    fault_code_ = code;
    fault_ = why;
    return false;
}

}  // namespace martlet::net
