// The bodies of the packets, what follows the fixed header, one pair of functions per packet; codec.cpp calls them.
// `write` fails the writer if the packet does not exist in this version. MQTT 5 §3.
#pragma once

#include "core/wire.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>

namespace martlet::core::bodies {

void write(writer& out, const packets::connect& p, protocol_version) noexcept;
void write(writer& out, const packets::connack& p, protocol_version version) noexcept;
void write(writer& out, const packets::publish& p, protocol_version version) noexcept;
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

}  // namespace martlet::core::bodies
