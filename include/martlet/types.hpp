// The small vocabulary of MQTT that every layer shares: QoS, protocol version, retain handling, role, packet id.
#pragma once

#include <cstdint>
#include <string_view>

namespace martlet {

/// Quality of Service of a message. MQTT 5 §4.3.
enum class qos : std::uint8_t {
    at_most_once = 0,   ///< fire and forget
    at_least_once = 1,  ///< acknowledged; may arrive more than once
    exactly_once = 2,   ///< two-phase; arrives once
};

/// Protocol level as it stands in CONNECT. MQTT 5 §3.1.2.2.
enum class protocol_version : std::uint8_t {
    v3_1 = 3,    ///< MQTT 3.1 ("MQIsdp")
    v3_1_1 = 4,  ///< MQTT 3.1.1
    v5 = 5,      ///< MQTT 5.0
};

/// What a server does with retained messages when a subscription is made. MQTT 5 §3.8.3.1.
enum class retain_handling : std::uint8_t {
    send = 0,         ///< send them
    send_if_new = 1,  ///< send them only if the subscription did not exist before
    do_not_send = 2,  ///< never send them
};

/// Which end of a connection this is.
enum class role : std::uint8_t { client, broker };

/// Packet identifier, 1..65535; 0 means "none". MQTT 5 §2.2.1.
enum class packet_id : std::uint16_t { none = 0 };

/// Numeric value of a packet identifier, for printing and encoding.
[[nodiscard]] constexpr std::uint16_t to_number(packet_id id) noexcept { return static_cast<std::uint16_t>(id); }

/// Numeric value 0..2 of a QoS.
[[nodiscard]] constexpr std::uint8_t to_number(qos q) noexcept { return static_cast<std::uint8_t>(q); }

/// The lower of two QoS: what a delivery gets from the published and the granted one. MQTT 5 §3.8.4.
[[nodiscard]] constexpr qos min(qos a, qos b) noexcept { return a < b ? a : b; }

/// "3.1", "3.1.1" or "5.0".
[[nodiscard]] constexpr std::string_view to_string(protocol_version version) noexcept {
    switch (version) {
        case protocol_version::v3_1: return "3.1";
        case protocol_version::v3_1_1: return "3.1.1";
        case protocol_version::v5: return "5.0";
    }
    return "?";
}

}  // namespace martlet
