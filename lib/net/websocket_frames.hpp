// WebSocket's framing without I/O, RFC 6455 §5, as MQTT uses it: binary messages whose bounds mean nothing, control frames
// between them. By hand, because there is little of it, and wslay, the library for it, copies all input through a buffer of
// 4 KiB per connection and masks byte by byte: here payload is unmasked where it was read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace martlet::net {

enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Status codes of close frames, RFC 6455 §7.4.1.
enum class close_code : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    no_status = 1005,  ///< never on the wire: the frame had none
    too_big = 1009,
};

using mask_key = std::array<unsigned char, 4>;

/// XORs `bytes`, which begin at `position` of the masked payload.
void apply_mask(std::span<char> bytes, const mask_key& key, std::uint64_t position) noexcept;

/// Writes a frame's head into `out`; returns its size. `key` null: not masked.
inline constexpr std::size_t frame_head_max = 14;
[[nodiscard]] std::size_t write_frame_head(std::span<char, frame_head_max> out, opcode what, std::uint64_t size,
                                           const mask_key* key) noexcept;

/// A whole control frame; `payload` has at most 125 bytes.
[[nodiscard]] std::string make_control_frame(opcode what, std::string_view payload, const mask_key* key);
[[nodiscard]] std::string make_close_frame(close_code code, std::string_view text, const mask_key* key);

/// Cuts a stream into frames and keeps their payload.
class frame_reader {
public:
    struct result {
        std::size_t payload = 0;  ///< application data, now at the front of the bytes
        bool failed = false;      ///< then fault() and fault_code() say why, and nothing more is taken
    };

    /// `masked`: the peer is a client, whose frames must be masked; a server's must not. RFC 6455 §5.1.
    frame_reader(bool masked, std::uint64_t size_max) noexcept : size_max_(size_max), masked_(masked) {}

    /// Takes bytes of the wire and moves the application data among them to their front.
    [[nodiscard]] result unwrap(std::span<char> bytes);

    /// The payload of the last ping since the last call; false if there was none. One answer to many is allowed.
    [[nodiscard]] bool take_ping(std::string& payload);
    /// True from a close frame on; what follows it is ignored.
    [[nodiscard]] bool is_closed() const noexcept { return closed_; }
    [[nodiscard]] close_code received_code() const noexcept { return received_code_; }

    [[nodiscard]] close_code fault_code() const noexcept { return fault_code_; }
    [[nodiscard]] std::string_view fault() const noexcept { return fault_; }  ///< static storage

private:
    static constexpr std::size_t control_size_max = 125;

    [[nodiscard]] bool take_usual_head(std::span<const char> bytes, std::size_t& in) noexcept;
    [[nodiscard]] bool take_head(std::span<const char> bytes, std::size_t& in);
    [[nodiscard]] bool begin();
    [[nodiscard]] bool end();
    [[nodiscard]] bool fail(close_code code, std::string_view why) noexcept;
    [[nodiscard]] bool is_control() const noexcept { return static_cast<std::uint8_t>(opcode_) >= 8; }

    std::uint64_t size_max_;
    std::uint64_t size_ = 0;      // of the frame's payload
    std::uint64_t position_ = 0;  // in it
    std::array<unsigned char, frame_head_max> head_{};
    std::size_t head_size_ = 0;
    std::size_t head_needed_ = 2;
    mask_key key_{};
    std::string control_;  // payload of a control frame
    std::string ping_;
    std::string_view fault_;
    close_code fault_code_ = close_code::normal;
    close_code received_code_ = close_code::no_status;
    opcode opcode_ = opcode::continuation;
    bool masked_;
    bool final_ = false;
    bool in_payload_ = false;
    bool in_message_ = false;  // a message has begun and is not final yet
    bool has_ping_ = false;
    bool closed_ = false;
};

}  // namespace martlet::net
