// DISCONNECT and AUTH. PINGREQ and PINGRESP have no body. MQTT 5 §3.14, §3.15.
#include "core/codec/bodies.hpp"
#include "core/fault.hpp"
#include "core/properties.hpp"
#include "core/reasons.hpp"

namespace martlet::core::bodies {

fault read(const frame& frame, protocol_version version, role receiver, packets::disconnect& out) noexcept {
    reader in(frame.body);
    if (version != protocol_version::v5 || in.empty()) return check_end(in);  // without more it means success

    std::uint8_t reason = 0;
    const packet_set packet = packet_towards(receiver, packet_type::disconnect);
    if (!in.read_u8(reason) || !is_reason_of(packet, reason)) {
        return protocol_error("MQTT-3.14.2-1", "DISCONNECT has a reason code that is not its sender's");
    }
    out.reason = reason_code{reason};
    if (in.empty()) return {};
    if (fault why = read_properties(in, packet, out.properties)) return why;
    return check_end(in);
}

void write(writer& out, const packets::disconnect& p, protocol_version version) noexcept {
    if (version != protocol_version::v5) return;
    const bool has_no_more = has_no_properties(p.properties);
    if (p.reason == reason_code::success && has_no_more) return;
    out.write_u8(static_cast<unsigned>(p.reason));
    if (!has_no_more) write_properties(out, p.properties);
}

fault read(const frame& frame, role receiver, packets::auth& out) noexcept {
    reader in(frame.body);
    std::uint8_t reason = 0;
    const packet_set packet = packet_towards(receiver, packet_type::auth);
    if (in.empty()) return protocol_error("MQTT-4.12.0-5", "AUTH has no Authentication Method");
    if (!in.read_u8(reason) || !is_reason_of(packet, reason)) {
        return protocol_error("MQTT-3.15.2-1", "AUTH has a reason code that is not its sender's");
    }
    out.reason = reason_code{reason};
    if (fault why = read_properties(in, packet, out.properties)) return why;
    if (!out.properties.authentication_method) {
        return protocol_error("MQTT-4.12.0-5", "AUTH has no Authentication Method");
    }
    return check_end(in);
}

void write(writer& out, const packets::auth& p, protocol_version version) noexcept {
    if (version != protocol_version::v5) return out.fail();
    out.write_u8(static_cast<unsigned>(p.reason));
    write_properties(out, p.properties);
}

}  // namespace martlet::core::bodies
