// The 15 control packets as plain structs: one per packet, for every protocol version and both directions. Strings,
// binaries and payloads are views (of the caller's data when encoding, of the received bytes when decoded). MQTT 5 §3.
#pragma once

#include <martlet/error.hpp>
#include <martlet/properties.hpp>
#include <martlet/types.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace martlet {

/// The packet type as it stands in bits 7-4 of the first byte. MQTT 5 §2.1.2.
enum class packet_type : std::uint8_t {
    connect = 1,
    connack = 2,
    publish = 3,
    puback = 4,
    pubrec = 5,
    pubrel = 6,
    pubcomp = 7,
    subscribe = 8,
    suback = 9,
    unsubscribe = 10,
    unsuback = 11,
    pingreq = 12,
    pingresp = 13,
    disconnect = 14,
    auth = 15,
};

/// "CONNECT", "PUBLISH" …
[[nodiscard]] std::string_view to_string(packet_type type) noexcept;

/// The message that a server publishes for a client that goes away without a word. MQTT 5 §3.1.2.5.
struct will {
    std::string_view topic = {};
    std::string_view payload = {};
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain = false;
    std::optional<std::uint32_t> will_delay_interval = {};  ///< seconds; MQTT 5 only
    message_properties properties = {};                     ///< MQTT 5 only

    friend bool operator==(const will&, const will&) = default;
};

/// One topic filter with its options. MQTT 5 §3.8.3.1. Before MQTT 5 only the QoS is sent.
struct subscription_request {
    std::string_view filter = {};
    martlet::qos qos = martlet::qos::at_most_once;
    bool no_local = false;
    bool retain_as_published = false;
    martlet::retain_handling retain_handling = martlet::retain_handling::send;

    friend bool operator==(const subscription_request&, const subscription_request&) = default;
};

namespace packets {

/// MQTT 5 §3.1.
struct connect {
    protocol_version version = protocol_version::v5;
    bool bridge = false;            ///< level bit 7: the de facto mark of a bridge in 3.1 and 3.1.1
    bool clean_start = true;        ///< "clean session" before MQTT 5
    std::uint16_t keep_alive = 60;  ///< seconds; 0: off
    std::string_view client_id = {};
    std::optional<martlet::will> will = {};
    std::optional<std::string_view> user_name = {};
    std::optional<std::string_view> password = {};  ///< binary
    connect_properties properties = {};

    friend bool operator==(const connect&, const connect&) = default;
};

/// MQTT 5 §3.2. Return codes 1..5 of 3.1 and 3.1.1 are 0x84, 0x85, 0x88, 0x86 and 0x87 here.
struct connack {
    bool session_present = false;
    reason_code reason = reason_code::success;
    connack_properties properties = {};

    friend bool operator==(const connack&, const connack&) = default;
};

/// MQTT 5 §3.3.
struct publish {
    std::string_view topic = {};  ///< empty only together with a topic alias
    std::string_view payload = {};
    martlet::qos qos = martlet::qos::at_most_once;
    bool dup = false;
    bool retain = false;
    packet_id id = packet_id::none;  ///< none at QoS 0
    std::optional<std::uint16_t> topic_alias = {};
    subscription_identifier_list subscription_identifiers = {};
    message_properties properties = {};
    std::string_view property_section = {};  ///< if decoded: the encoded properties without their length

    friend bool operator==(const publish& a, const publish& b) {
        return a.topic == b.topic && a.payload == b.payload && a.qos == b.qos && a.dup == b.dup &&
               a.retain == b.retain && a.id == b.id && a.topic_alias == b.topic_alias &&
               a.subscription_identifiers == b.subscription_identifiers && a.properties == b.properties;
    }
};

/// The four acknowledgements of PUBLISH share one shape; Type tells them apart. MQTT 5 §3.4 to §3.7.
template <packet_type Type>
struct publish_ack {
    packet_id id = packet_id::none;
    reason_code reason = reason_code::success;
    ack_properties properties = {};

    friend bool operator==(const publish_ack&, const publish_ack&) = default;
};
using puback = publish_ack<packet_type::puback>;
using pubrec = publish_ack<packet_type::pubrec>;
using pubrel = publish_ack<packet_type::pubrel>;
using pubcomp = publish_ack<packet_type::pubcomp>;

/// MQTT 5 §3.8.
struct subscribe {
    packet_id id = packet_id::none;
    std::vector<subscription_request> subscriptions = {};
    subscribe_properties properties = {};

    friend bool operator==(const subscribe&, const subscribe&) = default;
};

/// MQTT 5 §3.9. One reason per filter: the granted QoS, or a failure (0x80 before MQTT 5).
struct suback {
    packet_id id = packet_id::none;
    std::vector<reason_code> reasons = {};
    ack_properties properties = {};

    friend bool operator==(const suback&, const suback&) = default;
};

/// MQTT 5 §3.10.
struct unsubscribe {
    packet_id id = packet_id::none;
    std::vector<std::string_view> filters = {};
    unsubscribe_properties properties = {};

    friend bool operator==(const unsubscribe&, const unsubscribe&) = default;
};

/// MQTT 5 §3.11. Before MQTT 5 there are no reasons.
struct unsuback {
    packet_id id = packet_id::none;
    std::vector<reason_code> reasons = {};
    ack_properties properties = {};

    friend bool operator==(const unsuback&, const unsuback&) = default;
};

/// MQTT 5 §3.12.
struct pingreq {
    friend bool operator==(const pingreq&, const pingreq&) = default;
};

/// MQTT 5 §3.13.
struct pingresp {
    friend bool operator==(const pingresp&, const pingresp&) = default;
};

/// MQTT 5 §3.14. Before MQTT 5 it has neither reason nor properties and is sent by clients only.
struct disconnect {
    reason_code reason = reason_code::success;
    disconnect_properties properties = {};

    friend bool operator==(const disconnect&, const disconnect&) = default;
};

/// MQTT 5 §3.15.
struct auth {
    reason_code reason = reason_code::success;
    auth_properties properties = {};

    friend bool operator==(const auth&, const auth&) = default;
};

}  // namespace packets

/// Any control packet. The alternatives stand in the order of their type numbers.
using packet =
    std::variant<packets::connect, packets::connack, packets::publish, packets::puback, packets::pubrec,
                 packets::pubrel, packets::pubcomp, packets::subscribe, packets::suback, packets::unsubscribe,
                 packets::unsuback, packets::pingreq, packets::pingresp, packets::disconnect, packets::auth>;

/// The type of the packet that `p` holds.
[[nodiscard]] inline packet_type type_of(const packet& p) noexcept { return static_cast<packet_type>(p.index() + 1); }

}  // namespace martlet
