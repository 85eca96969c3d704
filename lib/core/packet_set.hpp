// Sets of packets, told apart by type and by who sends them: the column "packets" of the tables of properties and reason
// codes. MQTT 5 §2.2.2.2, §2.4.
#pragma once

#include <martlet/packets.hpp>
#include <martlet/types.hpp>

#include <cstdint>

namespace martlet::core {

/// Bit 2t: type t from a client; bit 2t + 1: type t from a server. The unused type 0 stands for Will Properties.
using packet_set = std::uint32_t;

/// One packet, by type and sender.
[[nodiscard]] constexpr packet_set packet_from(role sender, packet_type type) noexcept {
    return packet_set{1} << (2 * static_cast<unsigned>(type) + (sender == role::broker ? 1 : 0));
}

/// One packet that has come to `receiver`.
[[nodiscard]] constexpr packet_set packet_towards(role receiver, packet_type type) noexcept {
    return packet_from(receiver == role::broker ? role::client : role::broker, type);
}

/// A packet's type, whoever sends it.
[[nodiscard]] constexpr packet_set packet_from_any(packet_type type) noexcept {
    return packet_from(role::client, type) | packet_from(role::broker, type);
}

// The words of the tables. Packets that only one side sends have only its bit.
namespace sets {

inline constexpr packet_set none = 0;
inline constexpr packet_set will = packet_from(role::client, packet_type{0});
inline constexpr packet_set connect = packet_from(role::client, packet_type::connect);
inline constexpr packet_set connack = packet_from(role::broker, packet_type::connack);
inline constexpr packet_set publish = packet_from_any(packet_type::publish);
inline constexpr packet_set publish_by_server = packet_from(role::broker, packet_type::publish);
inline constexpr packet_set puback = packet_from_any(packet_type::puback);
inline constexpr packet_set puback_by_server = packet_from(role::broker, packet_type::puback);
inline constexpr packet_set pubrec = packet_from_any(packet_type::pubrec);
inline constexpr packet_set pubrec_by_server = packet_from(role::broker, packet_type::pubrec);
inline constexpr packet_set pubrel = packet_from_any(packet_type::pubrel);
inline constexpr packet_set pubcomp = packet_from_any(packet_type::pubcomp);
inline constexpr packet_set subscribe = packet_from(role::client, packet_type::subscribe);
inline constexpr packet_set suback = packet_from(role::broker, packet_type::suback);
inline constexpr packet_set unsubscribe = packet_from(role::client, packet_type::unsubscribe);
inline constexpr packet_set unsuback = packet_from(role::broker, packet_type::unsuback);
inline constexpr packet_set disconnect = packet_from_any(packet_type::disconnect);
inline constexpr packet_set disconnect_by_client = packet_from(role::client, packet_type::disconnect);
inline constexpr packet_set disconnect_by_server = packet_from(role::broker, packet_type::disconnect);
inline constexpr packet_set auth = packet_from_any(packet_type::auth);
inline constexpr packet_set auth_by_client = packet_from(role::client, packet_type::auth);
inline constexpr packet_set auth_by_server = packet_from(role::broker, packet_type::auth);

}  // namespace sets

}  // namespace martlet::core
