// The reason codes of MQTT 5 in one table: value, name, the packets that may carry them. MQTT 5 §2.4.
#pragma once

#include "core/packet_set.hpp"

#include <martlet/error.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace martlet::core {

struct reason_row {
    reason_code code;
    std::string_view name;
    packet_set packets;
};

// Where the standard contradicts itself the wider reading holds, for what is refused here was a refusal anyway: 8C stands
// in the general table for DISCONNECT, but not in DISCONNECT's own; 9B is named for a client's in §3.3.4.
inline constexpr auto reason_table = [] {
    using enum reason_code;
    using namespace sets;
    return std::array{
        reason_row{success, "Success",
                   connack | puback | pubrec | pubrel | pubcomp | suback | unsuback | disconnect | auth_by_server},
        reason_row{granted_qos_1, "Granted QoS 1", suback},
        reason_row{granted_qos_2, "Granted QoS 2", suback},
        reason_row{disconnect_with_will, "Disconnect with Will Message", disconnect_by_client},
        reason_row{no_matching_subscribers, "No matching subscribers", puback_by_server | pubrec_by_server},
        reason_row{no_subscription_existed, "No subscription existed", unsuback},
        reason_row{continue_authentication, "Continue authentication", auth},
        reason_row{reauthenticate, "Re-authenticate", auth_by_client},
        reason_row{unspecified_error, "Unspecified error", connack | puback | pubrec | suback | unsuback | disconnect},
        reason_row{malformed_packet, "Malformed Packet", connack | disconnect},
        reason_row{protocol_error, "Protocol Error", connack | disconnect},
        reason_row{implementation_specific_error, "Implementation specific error",
                   connack | puback | pubrec | suback | unsuback | disconnect},
        reason_row{unsupported_protocol_version, "Unsupported Protocol Version", connack},
        reason_row{client_identifier_not_valid, "Client Identifier not valid", connack},
        reason_row{bad_user_name_or_password, "Bad User Name or Password", connack},
        reason_row{not_authorized, "Not authorized",
                   connack | puback | pubrec | suback | unsuback | disconnect_by_server},
        reason_row{server_unavailable, "Server unavailable", connack},
        reason_row{server_busy, "Server busy", connack | disconnect_by_server},
        reason_row{banned, "Banned", connack},
        reason_row{server_shutting_down, "Server shutting down", disconnect_by_server},
        reason_row{bad_authentication_method, "Bad authentication method", connack | disconnect_by_server},
        reason_row{keep_alive_timeout, "Keep Alive timeout", disconnect_by_server},
        reason_row{session_taken_over, "Session taken over", disconnect_by_server},
        reason_row{topic_filter_invalid, "Topic Filter invalid", suback | unsuback | disconnect_by_server},
        reason_row{topic_name_invalid, "Topic Name invalid", connack | puback | pubrec | disconnect},
        reason_row{packet_identifier_in_use, "Packet Identifier in use", puback | pubrec | suback | unsuback},
        reason_row{packet_identifier_not_found, "Packet Identifier not found", pubrel | pubcomp},
        reason_row{receive_maximum_exceeded, "Receive Maximum exceeded", disconnect},
        reason_row{topic_alias_invalid, "Topic Alias invalid", disconnect},
        reason_row{packet_too_large, "Packet too large", connack | disconnect},
        reason_row{message_rate_too_high, "Message rate too high", disconnect},
        reason_row{quota_exceeded, "Quota exceeded", connack | puback | pubrec | suback | disconnect},
        reason_row{administrative_action, "Administrative action", disconnect},
        reason_row{payload_format_invalid, "Payload format invalid", connack | puback | pubrec | disconnect},
        reason_row{retain_not_supported, "Retain not supported", connack | disconnect_by_server},
        reason_row{qos_not_supported, "QoS not supported", connack | disconnect},
        reason_row{use_another_server, "Use another server", connack | disconnect_by_server},
        reason_row{server_moved, "Server moved", connack | disconnect_by_server},
        reason_row{shared_subscriptions_not_supported, "Shared Subscriptions not supported",
                   suback | disconnect_by_server},
        reason_row{connection_rate_exceeded, "Connection rate exceeded", connack | disconnect_by_server},
        reason_row{maximum_connect_time, "Maximum connect time", disconnect_by_server},
        reason_row{subscription_identifiers_not_supported, "Subscription Identifiers not supported",
                   suback | disconnect_by_server},
        reason_row{wildcard_subscriptions_not_supported, "Wildcard Subscriptions not supported",
                   suback | disconnect_by_server},
    };
}();

/// The row of a reason code, or null for a byte that is none.
[[nodiscard]] constexpr const reason_row* find_reason(reason_code code) noexcept {
    for (const reason_row& row : reason_table) {
        if (row.code == code) {
            return &row;
        }
    }
    return nullptr;
}

/// True if `packet` may carry the reason code `value`.
[[nodiscard]] constexpr bool is_reason_of(packet_set packet, std::uint8_t value) noexcept {
    constexpr auto packets_by_value = [] {
        std::array<packet_set, 256> packets{};
        for (const reason_row& row : reason_table) {
            packets[static_cast<std::uint8_t>(row.code)] = row.packets;
        }
        return packets;
    }();
    return (packets_by_value[value] & packet) != 0;
}

/// What `packet` may carry instead of a reason that an owner or a fault names: the reason itself, or the one that says
/// no more than that it failed. [MQTT-3.2.2-8], [MQTT-3.4.2-1], [MQTT-3.9.3-2], [MQTT-3.14.2-1].
[[nodiscard]] constexpr reason_code reason_for(packet_set packet, reason_code reason) noexcept {
    if (is_reason_of(packet, static_cast<std::uint8_t>(reason))) return reason;
    return is_failure(reason) ? reason_code::unspecified_error : reason_code::success;
}

}  // namespace martlet::core
