// The properties of MQTT 5 in one table, and their encoding and decoding by it. MQTT 5 §2.2.2.
#pragma once

#include "core/fault.hpp"
#include "core/packet_set.hpp"
#include "core/wire.hpp"

#include <martlet/packets.hpp>
#include <martlet/properties.hpp>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace martlet::core {

enum class property_id : std::uint8_t {
    payload_format_indicator = 0x01,
    message_expiry_interval = 0x02,
    content_type = 0x03,
    response_topic = 0x08,
    correlation_data = 0x09,
    subscription_identifier = 0x0B,
    session_expiry_interval = 0x11,
    assigned_client_identifier = 0x12,
    server_keep_alive = 0x13,
    authentication_method = 0x15,
    authentication_data = 0x16,
    request_problem_information = 0x17,
    will_delay_interval = 0x18,
    request_response_information = 0x19,
    response_information = 0x1A,
    server_reference = 0x1C,
    reason_string = 0x1F,
    receive_maximum = 0x21,
    topic_alias_maximum = 0x22,
    topic_alias = 0x23,
    maximum_qos = 0x24,
    retain_available = 0x25,
    user_property = 0x26,
    maximum_packet_size = 0x27,
    wildcard_subscription_available = 0x28,
    subscription_identifier_available = 0x29,
    shared_subscription_available = 0x2A,
};

/// The type of a property's value. MQTT 5 §1.5.
enum class property_type : std::uint8_t { byte, u16, u32, variable, string, binary, string_pair };

/// What to say of a faulty property.
struct property_texts {
    std::string_view misplaced;
    std::string_view wrong_sender;
    std::string_view repeated;
    std::string_view out_of_range;
    string_field value;
};

/// A row of the table.
struct property_row {
    property_id id{};
    property_type type{};
    packet_set packets = 0;     ///< that may carry it
    packet_set repeatable = 0;  ///< those of them in which it may stand more than once
    std::uint32_t value_min = 0;
    std::uint32_t value_max = 0;
    reason_code out_of_range = reason_code::protocol_error;
    property_texts texts;
    std::string_view sender_rule{};  ///< that the other side must not send it
};

inline constexpr auto property_table = [] {
    using enum property_id;
    using enum property_type;
    using namespace sets;
    constexpr packet_set acks = puback | pubrec | pubrel | pubcomp | suback | unsuback;
    constexpr packet_set all = connect | will | connack | publish | acks | subscribe | unsubscribe | disconnect | auth;
    constexpr std::uint32_t u16_max = 0xFFFF;
    constexpr std::uint32_t u32_max = 0xFFFF'FFFF;
    constexpr std::uint32_t any = 0;  // strings and binaries have no range
    constexpr reason_code pe = reason_code::protocol_error;

#define MARTLET_TEXTS(name, ...)                                                                             \
    property_texts {                                                                                         \
        name " is not allowed in this packet", name " is not allowed from this side", name " appears twice", \
            name " has a value that is not allowed", MARTLET_STRING_FIELD(name, __VA_ARGS__)                 \
    }
    // clang-format off
    return std::array{
        property_row{payload_format_indicator, byte, publish | will, none, 0, 1, pe,
                     MARTLET_TEXTS("Payload Format Indicator")},
        property_row{message_expiry_interval, u32, publish | will, none, 0, u32_max, pe,
                     MARTLET_TEXTS("Message Expiry Interval")},
        property_row{content_type, string, publish | will, none, any, any, pe,
                     MARTLET_TEXTS("Content Type", "MQTT-3.3.2-19")},
        property_row{response_topic, string, publish | will, none, any, any, pe,
                     MARTLET_TEXTS("Response Topic", "MQTT-3.3.2-13")},
        property_row{correlation_data, binary, publish | will, none, any, any, pe,
                     MARTLET_TEXTS("Correlation Data")},
        property_row{subscription_identifier, variable, subscribe | publish_by_server, publish_by_server,
                     1, remaining_length_max, pe,
                     MARTLET_TEXTS("Subscription Identifier"), "MQTT-3.3.4-6"},
        property_row{session_expiry_interval, u32, connect | connack | disconnect_by_client, none, 0, u32_max, pe,
                     MARTLET_TEXTS("Session Expiry Interval"), "MQTT-3.14.2-2"},
        property_row{assigned_client_identifier, string, connack, none, any, any, pe,
                     MARTLET_TEXTS("Assigned Client Identifier", "MQTT-1.5.4-1")},
        property_row{server_keep_alive, u16, connack, none, 0, u16_max, pe,
                     MARTLET_TEXTS("Server Keep Alive")},
        property_row{authentication_method, string, connect | connack | auth, none, any, any, pe,
                     MARTLET_TEXTS("Authentication Method", "MQTT-1.5.4-1")},
        property_row{authentication_data, binary, connect | connack | auth, none, any, any, pe,
                     MARTLET_TEXTS("Authentication Data")},
        property_row{request_problem_information, byte, connect, none, 0, 1, pe,
                     MARTLET_TEXTS("Request Problem Information")},
        property_row{will_delay_interval, u32, will, none, 0, u32_max, pe,
                     MARTLET_TEXTS("Will Delay Interval")},
        property_row{request_response_information, byte, connect, none, 0, 1, pe,
                     MARTLET_TEXTS("Request Response Information")},
        property_row{response_information, string, connack, none, any, any, pe,
                     MARTLET_TEXTS("Response Information", "MQTT-1.5.4-1")},
        property_row{server_reference, string, connack | disconnect_by_server, none, any, any, pe,
                     MARTLET_TEXTS("Server Reference", "MQTT-1.5.4-1")},
        property_row{reason_string, string, connack | acks | disconnect | auth, none, any, any, pe,
                     MARTLET_TEXTS("Reason String", "MQTT-1.5.4-1")},
        property_row{receive_maximum, u16, connect | connack, none, 1, u16_max, pe,
                     MARTLET_TEXTS("Receive Maximum")},
        property_row{topic_alias_maximum, u16, connect | connack, none, 0, u16_max, pe,
                     MARTLET_TEXTS("Topic Alias Maximum")},
        property_row{topic_alias, u16, publish, none, 1, u16_max, reason_code::topic_alias_invalid,
                     MARTLET_TEXTS("Topic Alias", "MQTT-3.3.2-8")},
        property_row{maximum_qos, byte, connack, none, 0, 1, pe,
                     MARTLET_TEXTS("Maximum QoS")},
        property_row{retain_available, byte, connack, none, 0, 1, pe,
                     MARTLET_TEXTS("Retain Available")},
        property_row{user_property, string_pair, all, all, any, any, pe,
                     MARTLET_TEXTS("User Property", "MQTT-1.5.7-1")},
        property_row{maximum_packet_size, u32, connect | connack, none, 1, u32_max, pe,
                     MARTLET_TEXTS("Maximum Packet Size")},
        property_row{wildcard_subscription_available, byte, connack, none, 0, 1, pe,
                     MARTLET_TEXTS("Wildcard Subscription Available")},
        property_row{subscription_identifier_available, byte, connack, none, 0, 1, pe,
                     MARTLET_TEXTS("Subscription Identifier Available")},
        property_row{shared_subscription_available, byte, connack, none, 0, 1, pe,
                     MARTLET_TEXTS("Shared Subscription Available")},
    };
    // clang-format on
#undef MARTLET_TEXTS
}();

/// The row of an identifier, or null for one that is unknown.
[[nodiscard]] constexpr const property_row* find_property(std::uint8_t id) noexcept {
    constexpr std::size_t ids = static_cast<std::size_t>(property_table.back().id) + 1;
    constexpr auto row_by_id = [] {
        std::array<std::uint8_t, ids> rows{};  // row number + 1
        for (std::size_t row = 0; row < property_table.size(); ++row) {
            rows[static_cast<std::size_t>(property_table[row].id)] = static_cast<std::uint8_t>(row + 1);
        }
        return rows;
    }();
    return id < ids && row_by_id[id] != 0 ? &property_table[row_by_id[id] - 1U] : nullptr;
}

[[nodiscard]] constexpr const property_row& row_of(property_id id) noexcept {
    return *find_property(static_cast<std::uint8_t>(id));
}

/// One property as read. Its type says where the value is.
struct property {
    const property_row* row = nullptr;
    std::uint32_t number = 0;
    std::string_view text;    // string, binary, name of a pair
    std::string_view second;  // value of a pair
};

/// Reads a property section one by one and checks each against the table.
class property_reader {
public:
    property_reader(std::string_view section, packet_set packet) noexcept : in_(section), packet_(packet) {}

    /// The next property. False at the end, or with `why` set.
    [[nodiscard]] bool next(property& out, fault& why) noexcept;

private:
    reader in_;
    packet_set packet_;
    std::uint64_t seen_ = 0;  // bit per identifier
};

/// Reads the Property Length and the bytes that it announces.
[[nodiscard]] inline fault read_property_section(reader& in, std::string_view& out) noexcept {
    std::uint32_t size = 0;
    if (!in.read_variable_byte_integer(size)) {
        return malformed("MQTT-1.5.5-1", "Property Length is cut short or not in its shortest form");
    }
    if (!in.read_bytes(size, out)) return malformed({}, "Property Length goes beyond the end of the packet");
    return {};
}

// Which member of which struct holds which property: all that a packet has to say for itself.

template <class Member>
struct property_member {
    property_id id;
    Member member;
};
template <class Member>
property_member(property_id, Member) -> property_member<Member>;

/// A struct of properties inside of another one.
template <class Part>
struct property_part {
    Part part;
};
template <class Part>
property_part(Part) -> property_part<Part>;

template <class Struct>
struct property_members;

template <>
struct property_members<message_properties> {
    using p = message_properties;
    static constexpr std::tuple all{
        property_member{property_id::payload_format_indicator, &p::payload_format_indicator},
        property_member{property_id::message_expiry_interval, &p::message_expiry_interval},
        property_member{property_id::content_type, &p::content_type},
        property_member{property_id::response_topic, &p::response_topic},
        property_member{property_id::correlation_data, &p::correlation_data},
        property_member{property_id::user_property, &p::user_properties},
    };
};

template <>
struct property_members<will> {
    static constexpr std::tuple all{
        property_member{property_id::will_delay_interval, &will::will_delay_interval},
        property_part{&will::properties},
    };
};

template <>
struct property_members<packets::publish> {
    using p = packets::publish;
    static constexpr std::tuple all{
        property_member{property_id::topic_alias, &p::topic_alias},
        property_member{property_id::subscription_identifier, &p::subscription_identifiers},
        property_part{&p::properties},
    };
};

template <>
struct property_members<connect_properties> {
    using p = connect_properties;
    static constexpr std::tuple all{
        property_member{property_id::session_expiry_interval, &p::session_expiry_interval},
        property_member{property_id::receive_maximum, &p::receive_maximum},
        property_member{property_id::maximum_packet_size, &p::maximum_packet_size},
        property_member{property_id::topic_alias_maximum, &p::topic_alias_maximum},
        property_member{property_id::request_response_information, &p::request_response_information},
        property_member{property_id::request_problem_information, &p::request_problem_information},
        property_member{property_id::authentication_method, &p::authentication_method},
        property_member{property_id::authentication_data, &p::authentication_data},
        property_member{property_id::user_property, &p::user_properties},
    };
};

template <>
struct property_members<connack_properties> {
    using p = connack_properties;
    static constexpr std::tuple all{
        property_member{property_id::session_expiry_interval, &p::session_expiry_interval},
        property_member{property_id::receive_maximum, &p::receive_maximum},
        property_member{property_id::maximum_qos, &p::maximum_qos},
        property_member{property_id::retain_available, &p::retain_available},
        property_member{property_id::maximum_packet_size, &p::maximum_packet_size},
        property_member{property_id::assigned_client_identifier, &p::assigned_client_identifier},
        property_member{property_id::topic_alias_maximum, &p::topic_alias_maximum},
        property_member{property_id::reason_string, &p::reason_string},
        property_member{property_id::wildcard_subscription_available, &p::wildcard_subscription_available},
        property_member{property_id::subscription_identifier_available, &p::subscription_identifier_available},
        property_member{property_id::shared_subscription_available, &p::shared_subscription_available},
        property_member{property_id::server_keep_alive, &p::server_keep_alive},
        property_member{property_id::response_information, &p::response_information},
        property_member{property_id::server_reference, &p::server_reference},
        property_member{property_id::authentication_method, &p::authentication_method},
        property_member{property_id::authentication_data, &p::authentication_data},
        property_member{property_id::user_property, &p::user_properties},
    };
};

template <>
struct property_members<ack_properties> {
    using p = ack_properties;
    static constexpr std::tuple all{
        property_member{property_id::reason_string, &p::reason_string},
        property_member{property_id::user_property, &p::user_properties},
    };
};

template <>
struct property_members<subscribe_properties> {
    using p = subscribe_properties;
    static constexpr std::tuple all{
        property_member{property_id::subscription_identifier, &p::subscription_identifier},
        property_member{property_id::user_property, &p::user_properties},
    };
};

template <>
struct property_members<unsubscribe_properties> {
    static constexpr std::tuple all{
        property_member{property_id::user_property, &unsubscribe_properties::user_properties},
    };
};

template <>
struct property_members<disconnect_properties> {
    using p = disconnect_properties;
    static constexpr std::tuple all{
        property_member{property_id::session_expiry_interval, &p::session_expiry_interval},
        property_member{property_id::reason_string, &p::reason_string},
        property_member{property_id::server_reference, &p::server_reference},
        property_member{property_id::user_property, &p::user_properties},
    };
};

template <>
struct property_members<auth_properties> {
    using p = auth_properties;
    static constexpr std::tuple all{
        property_member{property_id::authentication_method, &p::authentication_method},
        property_member{property_id::authentication_data, &p::authentication_data},
        property_member{property_id::reason_string, &p::reason_string},
        property_member{property_id::user_property, &p::user_properties},
    };
};

/// Calls `visit(id, member)` for each property that `p` has room for, in the order in which they are encoded.
template <class Struct, class Visit>
constexpr void for_each_property(Struct& p, const Visit& visit) {
    const auto visit_one = [&]<class Entry>(const Entry& entry) {
        if constexpr (requires { entry.part; }) {
            for_each_property(p.*entry.part, visit);
        } else {
            visit(entry.id, p.*entry.member);
        }
    };
    std::apply([&](const auto&... entry) { (visit_one(entry), ...); },
               property_members<std::remove_const_t<Struct>>::all);
}

/// Makes all properties of `p` absent.
template <class Struct>
void clear_properties(Struct& p) noexcept {
    for_each_property(p, [](property_id, auto& member) { member = {}; });
}

template <class Value>
void set_property(std::optional<Value>& member, const property& found) noexcept {
    if constexpr (std::is_same_v<Value, std::string_view>) {
        member = found.text;
    } else {
        member = static_cast<Value>(found.number);
    }
}
inline void set_property(user_property_list&, const property&) noexcept {}  // lists are set at the end, as a whole
inline void set_property(subscription_identifier_list&, const property&) noexcept {}

/// Decodes a section that came in `packet` into `out`, whose properties must all be absent.
template <class Struct>
[[nodiscard]] fault decode_properties(std::string_view section, packet_set packet, Struct& out) noexcept {
    if (section.empty()) return {};
    property_reader in(section, packet);
    property found;
    fault why;
    std::size_t user_properties = 0;
    std::size_t subscription_identifiers = 0;
    while (in.next(found, why)) {
        user_properties += found.row->id == property_id::user_property ? 1 : 0;
        subscription_identifiers += found.row->id == property_id::subscription_identifier ? 1 : 0;
        for_each_property(out, [&](property_id id, auto& member) {
            if (id == found.row->id) set_property(member, found);
        });
    }
    for_each_property(out, [&](property_id, auto& member) {
        using member_type = std::remove_reference_t<decltype(member)>;
        if constexpr (std::is_same_v<member_type, user_property_list>) {
            member = user_property_list::encoded(section, user_properties);
        } else if constexpr (std::is_same_v<member_type, subscription_identifier_list>) {
            member = subscription_identifier_list::encoded(section, subscription_identifiers);
        }
    });
    return why;
}

/// Reads Property Length and properties into `out`, whose properties must all be absent.
template <class Struct>
[[nodiscard]] fault read_properties(reader& in, packet_set packet, Struct& out) noexcept {
    std::string_view section;
    if (fault why = read_property_section(in, section)) return why;
    return decode_properties(section, packet, out);
}

inline void write_property(writer& out, property_id id, std::uint32_t number) noexcept {
    out.write_u8(static_cast<std::uint8_t>(id));
    switch (row_of(id).type) {
        case property_type::byte: return out.write_u8(number);
        case property_type::u16: return out.write_u16(number);
        case property_type::u32: return out.write_u32(number);
        default: return out.write_variable_byte_integer(number);
    }
}

inline void write_property(writer& out, property_id id, std::string_view text) noexcept {
    out.write_u8(static_cast<std::uint8_t>(id));
    out.write_binary(text);
}

template <class Value>
void write_member(writer& out, property_id id, const std::optional<Value>& member) noexcept {
    if (!member) return;
    if constexpr (std::is_same_v<Value, std::string_view>) {
        write_property(out, id, *member);
    } else {
        write_property(out, id, static_cast<std::uint32_t>(*member));
    }
}

inline void write_member(writer& out, property_id id, const user_property_list& member) noexcept {
    for (const user_property& pair : member) {
        write_property(out, id, pair.name);
        out.write_binary(pair.value);
    }
}

inline void write_member(writer& out, property_id id, const subscription_identifier_list& member) noexcept {
    for (const std::uint32_t number : member)
        write_property(out, id, number);
}

/// Writes the properties of `p` without their length.
template <class Struct>
void write_property_section(writer& out, const Struct& p) noexcept {
    for_each_property(p, [&](property_id id, const auto& member) { write_member(out, id, member); });
}

/// Writes Property Length and properties.
template <class Struct>
void write_properties(writer& out, const Struct& p) noexcept {
    writer section;
    write_property_section(section, p);
    out.write_variable_byte_integer(section.size());
    if (out.is_measuring()) {
        out.add_measured(section);
    } else {
        write_property_section(out, p);
    }
}

/// True if `p` holds no property at all. Without a branch for each: nearly all packets have none.
template <class Struct>
[[nodiscard, gnu::always_inline]] inline bool has_no_properties(const Struct& p) noexcept {
    unsigned any = 0;
    for_each_property(p, [&](property_id, const auto& member) {
        if constexpr (requires { member.has_value(); }) {
            any |= static_cast<unsigned>(member.has_value());
        } else {
            any |= static_cast<unsigned>(!member.empty());
        }
    });
    return any == 0;
}

}  // namespace martlet::core
