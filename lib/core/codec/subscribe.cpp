// SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK. MQTT 5 §3.8 to §3.11.
#include "core/codec/bodies.hpp"
#include "core/fault.hpp"
#include "core/properties.hpp"
#include "core/reasons.hpp"

namespace martlet::core::bodies {
namespace {

struct subscription_options {
    static constexpr unsigned qos = 0x03;
    static constexpr unsigned no_local = 0x04;
    static constexpr unsigned retain_as_published = 0x08;
    static constexpr unsigned retain_handling_shift = 4;
    static constexpr unsigned reserved_v5 = 0xC0;
    static constexpr unsigned reserved_v3_1_1 = 0xFC;
};

// A filter that is no filter (as "a#") is left to the owner, who refuses it in the acknowledgement.
fault read_filter(reader& in, rule_id rule, protocol_version version, std::string_view& out) noexcept {
    string_field field = MARTLET_STRING_FIELD("Topic Filter");
    field.rule = rule;
    if (fault why = read_string(in, field, version, out)) return why;
    if (out.empty()) return malformed("MQTT-4.7.3-1", "Topic Filter is empty");
    return {};
}

// §3.8.3.1.
fault set_options_v5(unsigned options, subscription_request& out) noexcept {
    const unsigned retain_handling = options >> subscription_options::retain_handling_shift & 3;
    if ((options & subscription_options::reserved_v5) != 0) {
        return malformed("MQTT-3.8.3-5", "Reserved bits of Subscription Options are set");
    }
    if ((options & subscription_options::qos) == 3) return protocol_error({}, "The Maximum QoS of a subscription is 3");
    if (retain_handling == 3) return protocol_error({}, "Retain Handling is 3");
    out.qos = static_cast<qos>(options & subscription_options::qos);
    out.no_local = (options & subscription_options::no_local) != 0;
    out.retain_as_published = (options & subscription_options::retain_as_published) != 0;
    out.retain_handling = static_cast<martlet::retain_handling>(retain_handling);
    if (out.no_local && out.filter.starts_with("$share/")) {
        return protocol_error("MQTT-3.8.3-4", "No Local is set for a shared subscription");
    }
    return {};
}

// 3.1.1 §3.8.3. MQTT 3.1 does not look at the other bits.
fault set_requested_qos(unsigned byte, protocol_version version, subscription_request& out) noexcept {
    if (version == protocol_version::v3_1_1 && (byte & subscription_options::reserved_v3_1_1) != 0) {
        return malformed("MQTT-3.8.3-4", "Reserved bits of Requested QoS are set");
    }
    if ((byte & subscription_options::qos) == 3) return malformed("MQTT-3.8.3-4", "Requested QoS is 3");
    out.qos = static_cast<qos>(byte & subscription_options::qos);
    return {};
}

fault read_subscription(reader& in, protocol_version version, subscription_request& out) noexcept {
    std::uint8_t options = 0;
    if (fault why = read_filter(in, "MQTT-3.8.3-1", version, out.filter)) return why;
    if (!in.read_u8(options)) return malformed({}, "Subscription Options are cut short");
    return version == protocol_version::v5 ? set_options_v5(options, out) : set_requested_qos(options, version, out);
}

unsigned options_of(const subscription_request& s, protocol_version version) noexcept {
    unsigned options = to_number(s.qos);
    if (version == protocol_version::v5) {
        options |= s.no_local ? subscription_options::no_local : 0;
        options |= s.retain_as_published ? subscription_options::retain_as_published : 0;
        options |= static_cast<unsigned>(s.retain_handling) << subscription_options::retain_handling_shift;
    }
    return options;
}

// 3.1.1 §3.9.3. MQTT 3.1 has no failure, but servers send 0x80 all the same, and it can only mean one thing.
bool is_return_code(std::uint8_t code) noexcept { return code <= 2 || code == 0x80; }

// MQTT 3.1 acknowledges also what is refused, as QoS 0.
unsigned return_code_of(reason_code reason, protocol_version version) noexcept {
    if (!is_failure(reason)) return static_cast<unsigned>(reason);
    return version == protocol_version::v3_1 ? 0x00 : 0x80;
}

// What SUBACK and UNSUBACK have in common.
template <class Ack>
fault read_ack_head(reader& in, packet_set packet, protocol_version version, Ack& out) noexcept {
    if (fault why = read_packet_id(in, {"MQTT-2.2.1-6", "MQTT-2.3.1-7"}, version, out.id)) return why;
    return version == protocol_version::v5 ? read_properties(in, packet, out.properties) : fault{};
}

}  // namespace

fault read(const frame& frame, protocol_version version, packets::subscribe& out) {
    reader in(frame.body);
    if (fault why = read_packet_id(in, {"MQTT-2.2.1-3", "MQTT-2.3.1-1"}, version, out.id)) return why;
    if (version == protocol_version::v5) {
        if (fault why = read_properties(in, sets::subscribe, out.properties)) return why;
    }
    if (in.empty()) {
        return protocol_error(rule_id("MQTT-3.8.3-2", "MQTT-3.8.3-3").of(version), "SUBSCRIBE has no Topic Filter");
    }
    while (!in.empty()) {
        if (fault why = read_subscription(in, version, out.subscriptions.emplace_back())) return why;
    }
    return {};
}

void write(writer& out, const packets::subscribe& p, protocol_version version) noexcept {
    out.write_u16(to_number(p.id));
    if (version == protocol_version::v5) write_properties(out, p.properties);
    for (const subscription_request& subscription : p.subscriptions) {
        out.write_binary(subscription.filter);
        out.write_u8(options_of(subscription, version));
    }
}

fault read(const frame& frame, protocol_version version, packets::suback& out) {
    reader in(frame.body);
    if (fault why = read_ack_head(in, sets::suback, version, out)) return why;
    if (in.empty()) {
        return protocol_error(rule_id("MQTT-3.8.4-6", "MQTT-3.8.4-5").of(version), "SUBACK has no reason code");
    }
    std::uint8_t code = 0;
    while (in.read_u8(code)) {
        if (version == protocol_version::v5 ? !is_reason_of(sets::suback, code) : !is_return_code(code)) {
            return protocol_error("MQTT-3.9.3-2", "SUBACK has another packet's reason code");
        }
        out.reasons.push_back(reason_code{code});
    }
    return {};
}

void write(writer& out, const packets::suback& p, protocol_version version) noexcept {
    out.write_u16(to_number(p.id));
    if (version == protocol_version::v5) write_properties(out, p.properties);
    for (const reason_code reason : p.reasons) {
        out.write_u8(version == protocol_version::v5 ? static_cast<unsigned>(reason) : return_code_of(reason, version));
    }
}

fault read(const frame& frame, protocol_version version, packets::unsubscribe& out) {
    reader in(frame.body);
    if (fault why = read_packet_id(in, {"MQTT-2.2.1-3", "MQTT-2.3.1-1"}, version, out.id)) return why;
    if (version == protocol_version::v5) {
        if (fault why = read_properties(in, sets::unsubscribe, out.properties)) return why;
    }
    if (in.empty()) return protocol_error("MQTT-3.10.3-2", "UNSUBSCRIBE has no Topic Filter");
    while (!in.empty()) {
        if (fault why = read_filter(in, "MQTT-3.10.3-1", version, out.filters.emplace_back())) return why;
    }
    return {};
}

void write(writer& out, const packets::unsubscribe& p, protocol_version version) noexcept {
    out.write_u16(to_number(p.id));
    if (version == protocol_version::v5) write_properties(out, p.properties);
    for (const std::string_view filter : p.filters)
        out.write_binary(filter);
}

fault read(const frame& frame, protocol_version version, packets::unsuback& out) {
    reader in(frame.body);
    if (fault why = read_ack_head(in, sets::unsuback, version, out)) return why;
    if (version != protocol_version::v5) return check_end(in);
    if (in.empty()) return protocol_error("MQTT-3.11.3-2", "UNSUBACK has no reason code");
    std::uint8_t code = 0;
    while (in.read_u8(code)) {
        if (!is_reason_of(sets::unsuback, code)) {
            return protocol_error("MQTT-3.11.3-2", "UNSUBACK has another packet's reason code");
        }
        out.reasons.push_back(reason_code{code});
    }
    return {};
}

void write(writer& out, const packets::unsuback& p, protocol_version version) noexcept {
    out.write_u16(to_number(p.id));
    if (version != protocol_version::v5) return;
    write_properties(out, p.properties);
    for (const reason_code reason : p.reasons)
        out.write_u8(static_cast<unsigned>(reason));
}

}  // namespace martlet::core::bodies
