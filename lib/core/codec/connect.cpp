// CONNECT and CONNACK. MQTT 5 §3.1, §3.2.
#include "core/codec/bodies.hpp"
#include "core/fault.hpp"
#include "core/properties.hpp"
#include "core/reasons.hpp"

#include <array>

namespace martlet::core::bodies {
namespace {

constexpr std::string_view name_of_v3_1 = "MQIsdp";
constexpr std::string_view name_since_v3_1_1 = "MQTT";
constexpr unsigned bridge_bit = 0x80;  // of the level: not in the standard, but known to Mosquitto and others

struct connect_flags {
    static constexpr unsigned reserved = 0x01;
    static constexpr unsigned clean_start = 0x02;
    static constexpr unsigned will = 0x04;
    static constexpr unsigned will_qos_shift = 3;
    static constexpr unsigned will_retain = 0x20;
    static constexpr unsigned password = 0x40;
    static constexpr unsigned user_name = 0x80;
};

// §3.1.2.1, §3.1.2.2. Whoever refuses an unknown level still has to answer in some version: the nearest one.
fault read_version(reader& in, packets::connect& out) noexcept {
    std::string_view name;
    if (!in.read_binary(name)) return malformed("MQTT-3.1.4-1", "Protocol Name is cut short");
    if (name != name_since_v3_1_1 && name != name_of_v3_1) {
        return {reason_code::unsupported_protocol_version, "MQTT-3.1.2-1", "Protocol Name is neither MQTT nor MQIsdp"};
    }
    std::uint8_t level = 0;
    if (!in.read_u8(level)) return malformed("MQTT-3.1.4-1", "Protocol Version is cut short");

    const unsigned plain_level = level & ~bridge_bit;
    out.bridge = level != plain_level;
    if (name == name_of_v3_1 && plain_level == 3) {
        out.version = protocol_version::v3_1;
    } else if (name == name_since_v3_1_1 && plain_level == 4) {
        out.version = protocol_version::v3_1_1;
    } else if (name == name_since_v3_1_1 && level == 5) {
        out.version = protocol_version::v5;
    } else {
        out.version = name == name_since_v3_1_1 && plain_level >= 5 ? protocol_version::v5 : protocol_version::v3_1_1;
        return {reason_code::unsupported_protocol_version, "MQTT-3.1.2-2", "Protocol Version is not supported"};
    }
    return {};
}

// §3.1.2.3. MQTT 3.1 reserves nothing and ignores what belongs to a will that there is not.
fault check_flags(unsigned flags, protocol_version version) noexcept {
    const bool has_will = (flags & connect_flags::will) != 0;
    const unsigned will_qos = flags >> connect_flags::will_qos_shift & 3;
    if (version != protocol_version::v3_1) {
        if ((flags & connect_flags::reserved) != 0) {
            return malformed("MQTT-3.1.2-3", "The reserved bit of Connect Flags is 1");
        }
        if (!has_will && will_qos != 0) {
            return malformed(rule_id("MQTT-3.1.2-11", "MQTT-3.1.2-13").of(version), "Will QoS is set without a will");
        }
        if (!has_will && (flags & connect_flags::will_retain) != 0) {
            return malformed(rule_id("MQTT-3.1.2-13", "MQTT-3.1.2-15").of(version),
                             "Will Retain is set without a will");
        }
    }
    if (has_will && will_qos == 3) {
        return malformed(rule_id("MQTT-3.1.2-12", "MQTT-3.1.2-14").of(version), "Will QoS is 3");
    }
    if (version != protocol_version::v5 && (flags & connect_flags::password) != 0 &&
        (flags & connect_flags::user_name) == 0) {
        return malformed("MQTT-3.1.2-22", "There is a password without a user name");
    }
    return {};
}

// §3.1.3.2 to §3.1.3.4.
fault read_will(reader& in, unsigned flags, protocol_version version, will& out) noexcept {
    constexpr string_field topic = MARTLET_STRING_FIELD("Will Topic", "MQTT-3.1.3-11", "MQTT-3.1.3-10");
    out.qos = static_cast<qos>(flags >> connect_flags::will_qos_shift & 3);
    out.retain = (flags & connect_flags::will_retain) != 0;
    if (version == protocol_version::v5) {
        if (fault why = read_properties(in, sets::will, out)) return why;
    }
    if (!in.read_binary(out.topic)) {
        return malformed("MQTT-3.1.2-9", topic.cut_short);
    }
    if (out.topic.empty()) return protocol_error("MQTT-4.7.3-1", "Will Topic is empty");
    const text_check found = check_topic_name(out.topic);
    if (found == text_check::wildcard) {
        return protocol_error(rule_id("MQTT-4.7.0-1", "MQTT-4.7.1-1").of(version), "Will Topic has a wildcard");
    }
    if (fault why = string_fault(found, topic, version)) return why;
    if (!in.read_binary(out.payload)) return malformed("MQTT-3.1.2-9", "Will Payload is cut short");
    return {};
}

// §3.1.3.5, §3.1.3.6.
fault read_credentials(reader& in, unsigned flags, packets::connect& out) noexcept {
    constexpr string_field user_name = MARTLET_STRING_FIELD("User Name", "MQTT-3.1.3-12", "MQTT-3.1.3-11");
    // Clients of 3.1 may announce fields that do not come; they count as absent.
    const auto is_left_out = [&] { return out.version == protocol_version::v3_1 && in.empty(); };
    if ((flags & connect_flags::user_name) != 0 && !is_left_out()) {
        if (!in.read_binary(out.user_name.emplace())) {
            return malformed(rule_id("MQTT-3.1.2-17", "MQTT-3.1.2-19").of(out.version), user_name.cut_short);
        }
        if (fault why = string_fault(check_text(*out.user_name), user_name, out.version)) return why;
    }
    if ((flags & connect_flags::password) != 0 && !is_left_out()) {
        if (!in.read_binary(out.password.emplace())) {
            return malformed(rule_id("MQTT-3.1.2-19", "MQTT-3.1.2-21").of(out.version), "Password is cut short");
        }
    }
    return {};
}

fault check_authentication(bool has_method, bool has_data) noexcept {
    return has_data && !has_method ? protocol_error({}, "There is Authentication Data without a method") : fault{};
}

unsigned flags_of(const packets::connect& p) noexcept {
    unsigned flags = p.clean_start ? connect_flags::clean_start : 0;
    if (p.will) {
        flags |= connect_flags::will | static_cast<unsigned>(to_number(p.will->qos)) << connect_flags::will_qos_shift;
        flags |= p.will->retain ? connect_flags::will_retain : 0;
    }
    flags |= p.user_name ? connect_flags::user_name : 0;
    flags |= p.password ? connect_flags::password : 0;
    return flags;
}

// Return codes of 3.1 and 3.1.1 §3.2.2.3 by number.
constexpr std::array return_codes{
    reason_code::success,
    reason_code::unsupported_protocol_version,
    reason_code::client_identifier_not_valid,
    reason_code::server_unavailable,
    reason_code::bad_user_name_or_password,
    reason_code::not_authorized,
};

// The nearest of the few refusals that there are.
unsigned return_code_of(reason_code reason) noexcept {
    switch (reason) {
        case reason_code::unsupported_protocol_version: return 1;
        case reason_code::client_identifier_not_valid: return 2;
        case reason_code::bad_user_name_or_password: return 4;
        case reason_code::not_authorized:
        case reason_code::bad_authentication_method:
        case reason_code::banned: return 5;
        default: return is_failure(reason) ? 3 : 0;
    }
}

fault read_connack_v3(reader& in, std::uint8_t flags, std::uint8_t code, protocol_version version,
                      packets::connack& out) noexcept {
    if (code >= return_codes.size()) return protocol_error({}, "The return code of CONNACK is reserved");
    out.session_present = version == protocol_version::v3_1_1 && flags != 0;  // 3.1 has no such flag
    out.reason = return_codes[code];
    return check_end(in);
}

}  // namespace

fault read(const frame& frame, packets::connect& out) noexcept {
    constexpr string_field client_id = MARTLET_STRING_FIELD("Client Identifier", "MQTT-3.1.3-4");
    reader in(frame.body);
    if (fault why = read_version(in, out)) return why;
    std::uint8_t flags = 0;
    if (!in.read_u8(flags)) return malformed("MQTT-3.1.4-1", "Connect Flags are cut short");
    if (fault why = check_flags(flags, out.version)) return why;
    out.clean_start = (flags & connect_flags::clean_start) != 0;
    if (!in.read_u16(out.keep_alive)) return malformed("MQTT-3.1.4-1", "Keep Alive is cut short");
    if (out.version == protocol_version::v5) {
        const connect_properties& p = out.properties;
        if (fault why = read_properties(in, sets::connect, out.properties)) return why;
        if (fault why = check_authentication(p.authentication_method.has_value(), p.authentication_data.has_value())) {
            return why;
        }
    }
    if (!in.read_binary(out.client_id)) return malformed("MQTT-3.1.3-3", client_id.cut_short);
    if (fault why = string_fault(check_text(out.client_id), client_id, out.version)) return why;
    if ((flags & connect_flags::will) != 0) {
        if (fault why = read_will(in, flags, out.version, out.will.emplace())) return why;
    }
    if (fault why = read_credentials(in, flags, out)) return why;
    return check_end(in);
}

void write(writer& out, const packets::connect& p, protocol_version) noexcept {
    if (p.version != protocol_version::v5 && p.password && !p.user_name) return out.fail();  // [MQTT-3.1.2-22]

    const bool is_bridge = p.bridge && p.version != protocol_version::v5;
    out.write_binary(p.version == protocol_version::v3_1 ? name_of_v3_1 : name_since_v3_1_1);
    out.write_u8(static_cast<unsigned>(p.version) | (is_bridge ? bridge_bit : 0));
    out.write_u8(flags_of(p));
    out.write_u16(p.keep_alive);
    if (p.version == protocol_version::v5) write_properties(out, p.properties);
    out.write_binary(p.client_id);
    if (p.will) {
        if (p.version == protocol_version::v5) write_properties(out, *p.will);
        out.write_binary(p.will->topic);
        out.write_binary(p.will->payload);
    }
    if (p.user_name) out.write_binary(*p.user_name);
    if (p.password) out.write_binary(*p.password);
}

fault read(const frame& frame, protocol_version version, packets::connack& out) noexcept {
    reader in(frame.body);
    std::uint8_t flags = 0;
    std::uint8_t code = 0;
    if (!in.read_u8(flags)) return malformed({}, "Connect Acknowledge Flags are cut short");
    if (!in.read_u8(code)) return malformed({}, "The reason code of CONNACK is cut short");
    if (flags > 1 && version != protocol_version::v3_1) {
        return malformed(rule_id("MQTT-3.2.2-1", "").of(version), "Reserved bits of Connect Acknowledge Flags are set");
    }
    if (version != protocol_version::v5) return read_connack_v3(in, flags, code, version, out);

    if (!is_reason_of(sets::connack, code)) return protocol_error("MQTT-3.2.2-8", "CONNACK has another's reason code");
    out.session_present = flags != 0;
    out.reason = reason_code{code};
    if (fault why = read_properties(in, sets::connack, out.properties)) return why;
    const connack_properties& p = out.properties;
    if (fault why = check_authentication(p.authentication_method.has_value(), p.authentication_data.has_value())) {
        return why;
    }
    return check_end(in);
}

void write(writer& out, const packets::connack& p, protocol_version version) noexcept {
    out.write_u8(p.session_present && version != protocol_version::v3_1 ? 1 : 0);
    if (version != protocol_version::v5) return out.write_u8(return_code_of(p.reason));
    out.write_u8(static_cast<unsigned>(p.reason));
    write_properties(out, p.properties);
}

}  // namespace martlet::core::bodies
