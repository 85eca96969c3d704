// The bodies of the packets, what follows the fixed header, one pair of functions per packet; codec.cpp calls them.
// `write` fails the writer if the packet does not exist in this version. MQTT 5 §3.
#pragma once

#include "core/wire.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>

namespace martlet::core::bodies {

void write(writer& out, const packets::connect& p, protocol_version) noexcept;
void write(writer& out, const packets::connack& p, protocol_version version) noexcept;
void write(writer& out, const packets::subscribe& p, protocol_version version) noexcept;
void write(writer& out, const packets::suback& p, protocol_version version) noexcept;
void write(writer& out, const packets::unsubscribe& p, protocol_version version) noexcept;
void write(writer& out, const packets::unsuback& p, protocol_version version) noexcept;
void write(writer& out, const packets::disconnect& p, protocol_version version) noexcept;
void write(writer& out, const packets::auth& p, protocol_version version) noexcept;
inline void write(writer&, const packets::pingreq&, protocol_version) noexcept {}
inline void write(writer&, const packets::pingresp&, protocol_version) noexcept {}

[[nodiscard]] fault read(const frame& in, packets::connect& out) noexcept;
[[nodiscard]] fault read(const frame& in, protocol_version version, packets::connack& out) noexcept;
[[nodiscard]] fault read(const frame& in, protocol_version version, packets::subscribe& out);
[[nodiscard]] fault read(const frame& in, protocol_version version, packets::suback& out);
[[nodiscard]] fault read(const frame& in, protocol_version version, packets::unsubscribe& out);
[[nodiscard]] fault read(const frame& in, protocol_version version, packets::unsuback& out);
[[nodiscard]] fault read(const frame& in, protocol_version version, role receiver, packets::disconnect& out) noexcept;
[[nodiscard]] fault read(const frame& in, role receiver, packets::auth& out) noexcept;

/// PUBACK, PUBREC, PUBREL and PUBCOMP: id, and in MQTT 5 as much of reason and properties as is needed.
void write_ack(writer& out, packet_id id, reason_code reason, const ack_properties& properties,
               protocol_version version) noexcept;

template <packet_type Type>
void write(writer& out, const packets::publish_ack<Type>& p, protocol_version version) noexcept {
    write_ack(out, p.id, p.reason, p.properties, version);
}

/// Size of the whole packet, or 0 if it cannot be encoded.
template <class Packet>
[[nodiscard]] std::size_t packet_size(const Packet& p, protocol_version version) noexcept {
    writer body;
    write(body, p, version);
    if (body.failed() || body.size() > remaining_length_max) return 0;
    return 1 + variable_byte_integer_size(body.size()) + body.size();
}

/// Writes the whole packet, of packet_size() bytes (not 0).
template <class Packet>
char* write_packet(std::uint8_t first, const Packet& p, protocol_version version, char* out) noexcept {
    writer measured;
    write(measured, p, version);
    assert(!measured.failed() && measured.size() <= remaining_length_max);

    *out = static_cast<char>(first);
    writer body(encode_variable_byte_integer(measured.size(), out + 1));
    write(body, p, version);
    assert(body.size() == measured.size());
    return body.end();
}

// PUBLISH has its own, faster way.

[[nodiscard]] inline std::size_t packet_size(const packets::publish& p, protocol_version version) noexcept {
    return encoded_size(p, version);
}

inline char* write_packet(std::uint8_t, const packets::publish& p, protocol_version version, char* out) noexcept {
    return encode(p, version, out);
}

}  // namespace martlet::core::bodies
