// PUBLISH and its acknowledgements PUBACK, PUBREC, PUBREL and PUBCOMP. MQTT 5 §3.3 to §3.7.
#include "core/codec/bodies.hpp"
#include "core/fault.hpp"
#include "core/properties.hpp"
#include "core/reasons.hpp"

#include <cassert>

namespace martlet::core {
namespace {

constexpr unsigned retain_flag = 0x1;
constexpr unsigned qos_shift = 1;
constexpr unsigned dup_flag = 0x8;

fault topic_fault(text_check found, protocol_version version) noexcept {
    constexpr string_field field = MARTLET_STRING_FIELD("Topic Name", "MQTT-3.3.2-1");
    if (found == text_check::wildcard) return protocol_error("MQTT-3.3.2-2", "Topic Name has a wildcard");
    return string_fault(found, field, version);
}

fault read_publish_properties(reader& in, role receiver, packets::publish& out) noexcept {
    if (fault why = read_property_section(in, out.property_section)) return why;
    return decode_properties(out.property_section, packet_towards(receiver, packet_type::publish), out);
}

// The statement that lists the reason codes of an acknowledgement.
std::string_view reason_rule(packet_type type) noexcept {
    switch (type) {
        case packet_type::puback: return "MQTT-3.4.2-1";
        case packet_type::pubrec: return "MQTT-3.5.2-1";
        case packet_type::pubrel: return "MQTT-3.6.2-1";
        default: return "MQTT-3.7.2-1";
    }
}

[[maybe_unused]] bool is_publish_ack(packet_type type) noexcept {
    return type >= packet_type::puback && type <= packet_type::pubcomp;
}

bool has_id(const packets::publish& p) noexcept { return p.qos != qos::at_most_once; }

// DUP is never set at QoS 0 [MQTT-3.3.1-2].
std::uint8_t first_byte(const packets::publish& p) noexcept {
    const bool dup = p.dup && has_id(p);
    return static_cast<std::uint8_t>(static_cast<unsigned>(packet_type::publish) << 4U | (dup ? dup_flag : 0U) |
                                     static_cast<unsigned>(to_number(p.qos)) << qos_shift |
                                     (p.retain ? retain_flag : 0U));
}

// Topic, id and payload.
std::size_t plain_body(const packets::publish& p) noexcept {
    return 2 + p.topic.size() + (has_id(p) ? 2 : 0) + p.payload.size();
}

// What encoding has to know before. By hand and not through a writer, as for the other packets: this is the hot path.
struct publish_size {
    std::size_t properties = 0;  // without their length
    std::size_t body;

    publish_size(const packets::publish& p, protocol_version version) noexcept : body(plain_body(p)) {
        if (version == protocol_version::v5) {
            writer section;
            write_property_section(section, p);
            properties = section.failed() ? remaining_length_max : section.size();
            body += variable_byte_integer_size(properties) + properties;
        }
        if (p.topic.size() > string_size_max) body = remaining_length_max + 1;
    }

    [[nodiscard]] bool is_possible() const noexcept { return body <= remaining_length_max; }
};

// Nearly all packets: no properties, a topic that is copied without a call, and not close to any limit.
[[gnu::always_inline]] inline bool is_plain(const packets::publish& p, protocol_version version) noexcept {
    return p.topic.size() <= short_size_max && p.payload.size() <= remaining_length_max / 2 &&
           (version != protocol_version::v5 || has_no_properties(p));
}

}  // namespace

fault decode_publish(const frame& frame, protocol_version version, role receiver, std::string_view known_topic,
                     packets::publish& out) noexcept {
    assert(frame.type == packet_type::publish && (frame.flags >> qos_shift & 3) != 3);
    reader in(frame.body);
    clear_properties(out);  // member by member: for `out = {}` g++ 12 takes twice as long as for all the rest
    out.id = packet_id::none;
    out.property_section = {};
    out.qos = static_cast<qos>(frame.flags >> qos_shift & 3);
    out.retain = (frame.flags & retain_flag) != 0;
    out.dup = (frame.flags & dup_flag) != 0 && out.qos != qos::at_most_once;

    if (!in.read_binary(out.topic)) return malformed("MQTT-3.3.2-1", "Topic Name is cut short");
    if (!is_equal(out.topic, known_topic)) {
        const text_check found = check_topic_name(out.topic);
        if (found != text_check::valid) return topic_fault(found, version);
    }
    if (out.qos != qos::at_most_once) {
        const rule_id rule(receiver == role::broker ? "MQTT-2.2.1-3" : "MQTT-2.2.1-4",
                           receiver == role::broker ? "MQTT-2.3.1-1" : "MQTT-2.3.1-4");
        if (fault why = read_packet_id(in, rule, version, out.id)) return why;
    }
    if (version == protocol_version::v5 && !in.skip_zero()) {
        if (fault why = read_publish_properties(in, receiver, out)) return why;
    }
    if (out.topic.empty() && !out.topic_alias) {
        return protocol_error("MQTT-4.7.3-1", "Topic Name is empty and there is no Topic Alias");
    }
    out.payload = in.rest();
    return {};
}

fault decode_ack(const frame& frame, protocol_version version, role receiver, packets::puback& out) noexcept {
    assert(is_publish_ack(frame.type));
    reader in(frame.body);
    out = {};
    if (fault why = read_packet_id(in, {"MQTT-2.2.1-5", "MQTT-2.3.1-6"}, version, out.id)) return why;
    if (version != protocol_version::v5 || in.empty()) return check_end(in);  // without more it means success

    std::uint8_t reason = 0;
    const packet_set packet = packet_towards(receiver, frame.type);
    if (!in.read_u8(reason) || !is_reason_of(packet, reason)) {
        return protocol_error(reason_rule(frame.type), "The acknowledgement has another packet's reason code");
    }
    out.reason = reason_code{reason};
    if (in.empty()) return {};
    if (fault why = read_properties(in, packet, out.properties)) return why;
    return check_end(in);
}

// The plain packet has its own path in both. With all in one function each packet would pay for the stack frame of the
// writer: in MQTT 5 that is 4.1 instead of 2.7 times a copy of 76 bytes.
namespace {

[[gnu::noinline]] std::size_t encoded_size_of_any(const packets::publish& p, protocol_version version) noexcept {
    const publish_size size(p, version);
    return size.is_possible() ? 1 + variable_byte_integer_size(size.body) + size.body : 0;
}

[[gnu::noinline]] char* encode_any(const packets::publish& p, protocol_version version, char* out) noexcept {
    const publish_size size(p, version);
    assert(size.is_possible());
    *out = static_cast<char>(first_byte(p));
    out = encode_variable_byte_integer(size.body, out + 1);
    out = put_u16(p.topic.size(), out);
    out = put_bytes(p.topic, out);
    if (has_id(p)) out = put_u16(to_number(p.id), out);
    if (version == protocol_version::v5) {
        writer section(encode_variable_byte_integer(size.properties, out));
        write_property_section(section, p);
        out = section.end();
    }
    return put_bytes(p.payload, out);
}

}  // namespace

std::size_t encoded_size(const packets::publish& p, protocol_version version) noexcept {
    if (!is_plain(p, version)) [[unlikely]]
        return encoded_size_of_any(p, version);
    const std::size_t body = plain_body(p) + (version == protocol_version::v5 ? 1 : 0);
    return 1 + variable_byte_integer_size(body) + body;
}

char* encode(const packets::publish& p, protocol_version version, char* out) noexcept {
    if (!is_plain(p, version)) [[unlikely]]
        return encode_any(p, version, out);
    const bool v5 = version == protocol_version::v5;
    const std::size_t body = plain_body(p) + (v5 ? 1 : 0);
    const std::string_view topic = p.topic;  // read once: for all the compiler knows, `out` may overlap `p`
    const std::string_view payload = p.payload;
    const packet_id id = p.id;
    const bool with_id = has_id(p);

    *out = static_cast<char>(first_byte(p));
    out = encode_variable_byte_integer(body, out + 1);
    out = put_u16(topic.size(), out);
    out = put_short(topic, out);
    if (with_id) out = put_u16(to_number(id), out);
    if (v5) *out++ = 0;  // Property Length
    return put_bytes(payload, out);
}

void bodies::write_ack(writer& out, packet_id id, reason_code reason, const ack_properties& properties,
                       protocol_version version) noexcept {
    out.write_u16(to_number(id));
    if (version != protocol_version::v5) return;
    const bool has_no_more = has_no_properties(properties);
    if (reason == reason_code::success && has_no_more) return;
    out.write_u8(static_cast<unsigned>(reason));
    if (!has_no_more) write_properties(out, properties);
}

}  // namespace martlet::core
