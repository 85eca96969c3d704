// The codec: complete packets to structs and back, for every protocol version and both directions. No I/O, no
// allocation for PUBLISH and its acknowledgements. Experimental until 1.0. MQTT 5 §2 and §3.
#pragma once

#include <martlet/error.hpp>
#include <martlet/packets.hpp>
#include <martlet/types.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet::core {

/// The largest Remaining Length. MQTT 5 §2.1.4.
inline constexpr std::size_t remaining_length_max = 268'435'455;

/// One complete packet, cut out of the byte stream and not yet decoded. A view.
struct frame {
    packet_type type{};
    std::uint8_t flags = 0;   ///< bits 3-0 of the first byte
    std::string_view body;    ///< what follows the Remaining Length
    std::string_view packet;  ///< all of it, fixed header included
};

/// What cut_frame found.
enum class frame_status : std::uint8_t {
    complete,    ///< `out` is a whole packet
    incomplete,  ///< more bytes are needed
    faulty,      ///< not MQTT: `why` says so
};

/// Cuts the first packet off `bytes`. Faulty are: type 0, a Remaining Length of more than four bytes (any version) or,
/// for MQTT 5, not in its shortest form, a packet of more than `packet_size_max` bytes (0x95; found as soon as its
/// length is known, before its body has arrived), and reserved flags other than the prescribed ones (not checked for
/// 3.1, where they were not reserved, and where DUP with QoS 0 is ignored; PUBLISH with QoS 3 is faulty in every
/// version). Of a packet too large it does not say the rule, which depends on who sent it: MQTT-3.1.2-24, 3.2.2-15.
/// `size_hint` gets the size of the whole packet once it is known, else 0.
[[nodiscard]] frame_status cut_frame(std::string_view bytes, protocol_version version, std::size_t packet_size_max,
                                     frame& out, fault& why, std::size_t& size_hint) noexcept;

/// Decodes any packet. `version` is the connection's; a CONNECT brings its own. `receiver` is the role of the one who
/// decodes: a packet that must not flow towards it is a Protocol Error (e.g. SUBACK to a broker).
/// Views in `out` point into the frame. After a fault `out` is not to be used, but for the version of a CONNECT: the one
/// to answer in (the nearest one if its level is unknown: reason 0x84, rule MQTT-3.1.2-2; an unknown name is 3.1.2-1).
[[nodiscard]] fault decode(const frame& in, protocol_version version, role receiver, packet& out);

/// Decodes a PUBLISH without a variant: the hot path. `known_topic` is a topic name that has been validated before (the
/// previous packet's); if the topic is equal to it, its validation is skipped. An empty topic without alias is a fault.
[[nodiscard]] fault decode_publish(const frame& in, protocol_version version, role receiver,
                                   std::string_view known_topic, packets::publish& out) noexcept;

/// Decodes one of PUBACK, PUBREC, PUBREL and PUBCOMP; `in.type` tells which. Hot path.
[[nodiscard]] fault decode_ack(const frame& in, protocol_version version, role receiver, packets::puback& out) noexcept;

/// Size in bytes of the whole encoded packet, or 0 if it cannot be encoded: a string or binary over 65,535 bytes, a
/// Subscription Identifier or a Remaining Length over 268,435,455, and before MQTT 5 an AUTH or a CONNECT with a password
/// but no user name. Strings and ranges are not validated here.
[[nodiscard]] std::size_t encoded_size(const packet& p, protocol_version version) noexcept;

/// Writes the packet to `out`, which must have room for encoded_size() bytes (not 0); returns the end. A CONNECT is
/// written for its own version. Properties are left out before MQTT 5, reasons are mapped to return codes.
char* encode(const packet& p, protocol_version version, char* out) noexcept;

/// The same for single packets, without a variant.
[[nodiscard]] std::size_t encoded_size(const packets::publish& p, protocol_version version) noexcept;
char* encode(const packets::publish& p, protocol_version version, char* out) noexcept;

/// Acknowledgement without properties: `type` is puback, pubrec, pubrel or pubcomp. 4 or, with a reason other than
/// success in MQTT 5, 5 bytes; the flags of PUBREL are set.
inline constexpr std::size_t short_ack_size_max = 5;
char* encode_short_ack(packet_type type, packet_id id, reason_code reason, protocol_version version,
                       char* out) noexcept;

/// Size and bytes of the encoded properties of a message, without their length field, without Message Expiry Interval
/// (which is rewritten for each receiver); used by what keeps messages in encoded form. MQTT 5 §3.3.2.3.
[[nodiscard]] std::size_t encoded_size(const message_properties& p, bool with_expiry) noexcept;
char* encode(const message_properties& p, bool with_expiry, char* out) noexcept;

/// Decodes a property section made by encode(message_properties); for sections that we wrote ourselves.
[[nodiscard]] message_properties decode_message_properties(std::string_view section) noexcept;

/// Bytes that `value` takes as a Variable Byte Integer: 1..4. MQTT 5 §1.5.5.
[[nodiscard]] constexpr std::size_t variable_byte_integer_size(std::size_t value) noexcept {
    return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

/// Writes `value` (≤ 268,435,455) as a Variable Byte Integer; returns the end.
inline char* encode_variable_byte_integer(std::size_t value, char* out) noexcept {
    while (value >= 0x80) {
        *out++ = static_cast<char>((value & 0x7F) | 0x80);
        value >>= 7;
    }
    *out++ = static_cast<char>(value);
    return out;
}

}  // namespace martlet::core
