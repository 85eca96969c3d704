// Fixed header, dispatch by packet type, size before encoding. MQTT 5 §2.1.
#include "core/codec/bodies.hpp"
#include "core/fault.hpp"
#include "core/packet_set.hpp"

#include <martlet/core/codec.hpp>

#include <array>
#include <cassert>
#include <variant>

namespace martlet::core {
namespace {

// --- the first byte, §2.1.2 and §2.1.3

constexpr std::array<std::uint8_t, 16> prescribed_flags{0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 2, 0, 0, 0, 0, 0};

// Bit f of row t: flags f are legal for packet type t.
using legal_flags = std::array<std::uint16_t, 16>;

constexpr legal_flags flags_since_v3_1_1 = [] {
    legal_flags legal{};
    for (std::size_t type = 1; type < legal.size(); ++type) {
        legal[type] = static_cast<std::uint16_t>(1U << prescribed_flags[type]);
    }
    legal[static_cast<std::size_t>(packet_type::publish)] = 0x3C3F;  // not QoS 3, nor DUP with QoS 0
    return legal;
}();

constexpr legal_flags flags_in_v3_1 = [] {
    legal_flags legal{};
    for (std::size_t type = 1; type < legal.size(); ++type)
        legal[type] = 0xFFFF;
    legal[static_cast<std::size_t>(packet_type::publish)] = 0x3F3F;  // not QoS 3
    return legal;
}();

bool is_legal(std::uint8_t first, protocol_version version) noexcept {
    const legal_flags& legal = version == protocol_version::v3_1 ? flags_in_v3_1 : flags_since_v3_1_1;
    return (unsigned{legal[first >> 4U]} >> (first & 0xFU) & 1U) != 0;
}

rule_id flags_rule(packet_type type) noexcept {
    switch (type) {
        case packet_type::pubrel: return "MQTT-3.6.1-1";
        case packet_type::subscribe: return "MQTT-3.8.1-1";
        case packet_type::unsubscribe: return "MQTT-3.10.1-1";
        case packet_type::disconnect: return "MQTT-3.14.1-1";
        case packet_type::auth: return {"MQTT-3.15.1-1", "MQTT-2.2.2-2"};
        default: return {"MQTT-2.1.3-1", "MQTT-2.2.2-2"};
    }
}

// Why the first byte is not legal. Not inlined, so that it costs the hot path nothing; nor are the others below.
[[gnu::noinline]] fault first_byte_fault(std::uint8_t first, protocol_version version) noexcept {
    const auto type = static_cast<packet_type>(first >> 4U);
    if (type == packet_type{0}) return malformed({}, "Packet type 0 is reserved");
    if (type != packet_type::publish) {
        return malformed(flags_rule(type).of(version), "Reserved flags of the fixed header have another value");
    }
    if ((first & 0x6U) == 0x6U) return malformed("MQTT-3.3.1-4", "PUBLISH with QoS 3");
    return malformed("MQTT-3.3.1-2", "PUBLISH with QoS 0 and DUP");
}

// --- Remaining Length, §2.1.4

// The Remaining Length and the size of the fixed header, `head`. For the rare lengths.
[[gnu::noinline]] frame_status read_long_remaining_length(std::string_view bytes, protocol_version version,
                                                          std::size_t& head, std::size_t& length) noexcept {
    length = 0;
    for (head = 1; head < 5;) {
        if (head == bytes.size()) return frame_status::incomplete;
        const auto byte = static_cast<std::uint8_t>(bytes[head]);
        length |= static_cast<std::size_t>(byte & 0x7FU) << (7 * (head - 1));
        ++head;
        if (byte < 0x80) {
            // Before MQTT 5 a receiver need not insist on the shortest form.
            const bool is_overlong = byte == 0 && head > 2 && version == protocol_version::v5;
            return is_overlong ? frame_status::faulty : frame_status::complete;
        }
    }
    return frame_status::faulty;
}

// One byte says all of most packets, and of nearly all others two.
frame_status read_remaining_length(std::string_view bytes, protocol_version version, std::size_t& head,
                                   std::size_t& length) noexcept {
    if (bytes.size() < 3) return read_long_remaining_length(bytes, version, head, length);
    const auto low = static_cast<std::uint8_t>(bytes[1]);
    const auto high = static_cast<std::uint8_t>(bytes[2]);
    if (low < 0x80) {
        head = 2;
        length = low;
        return frame_status::complete;
    }
    if (high < 0x80 && high > 0) {
        head = 3;
        length = static_cast<std::size_t>(high) << 7U | (low & 0x7FU);
        return frame_status::complete;
    }
    return read_long_remaining_length(bytes, version, head, length);
}

// --- packets and their directions, §2.1.2

constexpr packet_set packets_in_v3 = [] {
    using namespace sets;
    return connect | connack | publish | puback | pubrec | pubrel | pubcomp | subscribe | suback | unsubscribe |
           unsuback | packet_from(role::client, packet_type::pingreq) |
           packet_from(role::broker, packet_type::pingresp) | disconnect_by_client;
}();
constexpr packet_set packets_in_v5 = packets_in_v3 | sets::disconnect | sets::auth;

fault check_direction(packet_type type, protocol_version version, role receiver) noexcept {
    const packet_set legal = version == protocol_version::v5 ? packets_in_v5 : packets_in_v3;
    if ((legal & packet_towards(receiver, type)) != 0) return {};
    if (type == packet_type::auth) return protocol_error({}, "AUTH does not exist before MQTT 5");
    return protocol_error(
        {}, receiver == role::broker ? "A client must not send this packet" : "A server must not send this packet");
}

template <packet_type Type>
fault read_ack(const frame& in, protocol_version version, role receiver, packets::publish_ack<Type>& out) noexcept {
    packets::puback ack;
    fault why = decode_ack(in, version, receiver, ack);
    out = {ack.id, ack.reason, ack.properties};
    return why;
}

// The alternative of the variant that stands for a type.
template <packet_type Type>
auto& emplace(packet& out) {
    return out.emplace<static_cast<std::size_t>(Type) - 1>();
}

// --- encoding

std::uint8_t first_byte(packet_type type) noexcept {
    const auto number = static_cast<unsigned>(type);
    return static_cast<std::uint8_t>(number << 4U | prescribed_flags[number]);
}

}  // namespace

frame_status cut_frame(std::string_view bytes, protocol_version version, std::size_t packet_size_max, frame& out,
                       fault& why, std::size_t& size_hint) noexcept {
    size_hint = 0;
    if (bytes.empty()) return frame_status::incomplete;

    const auto first = static_cast<std::uint8_t>(bytes[0]);
    if (!is_legal(first, version)) {
        why = first_byte_fault(first, version);
        return frame_status::faulty;
    }
    std::size_t head = 0;
    std::size_t length = 0;
    const frame_status status = read_remaining_length(bytes, version, head, length);
    if (status != frame_status::complete) {
        if (status == frame_status::faulty) {
            why = malformed("MQTT-1.5.5-1", "Remaining Length is longer than four bytes or not in its shortest form");
        }
        return status;
    }

    size_hint = head + length;
    if (size_hint > packet_size_max) {
        why = {reason_code::packet_too_large, {}, "The packet is larger than the receiver allows"};
        return frame_status::faulty;
    }
    if (bytes.size() < size_hint) return frame_status::incomplete;

    out.type = static_cast<packet_type>(first >> 4U);
    out.flags = first & 0xFU;
    out.packet = {bytes.data(), size_hint};
    out.body = {bytes.data() + head, length};
    return frame_status::complete;
}

fault decode(const frame& in, protocol_version version, role receiver, packet& out) {
    using enum packet_type;
    if (fault why = check_direction(in.type, version, receiver)) return why;
    switch (in.type) {
        case connect: return bodies::read(in, emplace<connect>(out));
        case connack: return bodies::read(in, version, emplace<connack>(out));
        case publish: return decode_publish(in, version, receiver, {}, emplace<publish>(out));
        case puback: return read_ack(in, version, receiver, emplace<puback>(out));
        case pubrec: return read_ack(in, version, receiver, emplace<pubrec>(out));
        case pubrel: return read_ack(in, version, receiver, emplace<pubrel>(out));
        case pubcomp: return read_ack(in, version, receiver, emplace<pubcomp>(out));
        case subscribe: return bodies::read(in, version, emplace<subscribe>(out));
        case suback: return bodies::read(in, version, emplace<suback>(out));
        case unsubscribe: return bodies::read(in, version, emplace<unsubscribe>(out));
        case unsuback: return bodies::read(in, version, emplace<unsuback>(out));
        case pingreq: emplace<pingreq>(out); return check_end(reader(in.body));
        case pingresp: emplace<pingresp>(out); return check_end(reader(in.body));
        case disconnect: return bodies::read(in, version, receiver, emplace<disconnect>(out));
        case auth: return bodies::read(in, receiver, emplace<auth>(out));
    }
    return malformed({}, "Packet type 0 is reserved");
}

std::size_t encoded_size(const packet& p, protocol_version version) noexcept {
    return std::visit([&](const auto& held) { return bodies::packet_size(held, version); }, p);
}

char* encode(const packet& p, protocol_version version, char* out) noexcept {
    return std::visit(
        [&](const auto& held) { return bodies::write_packet(first_byte(type_of(p)), held, version, out); }, p);
}

char* encode_short_ack(packet_type type, packet_id id, reason_code reason, protocol_version version,
                       char* out) noexcept {
    assert(type >= packet_type::puback && type <= packet_type::pubcomp);
    const bool has_reason = version == protocol_version::v5 && reason != reason_code::success;
    writer packet(out);
    packet.write_u8(first_byte(type));
    packet.write_u8(has_reason ? 3 : 2);
    packet.write_u16(to_number(id));
    if (has_reason) packet.write_u8(static_cast<unsigned>(reason));
    return packet.end();
}

}  // namespace martlet::core
