// Bytes to a packet and back in one step, for tests of what the codec says of them.
#pragma once

#include "support/bytes.hpp"

#include <martlet/core/codec.hpp>

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace martlet::test {

/// What became of the bytes of exactly one packet. Views in `packet` point into those bytes.
struct decoded {
    core::frame_status status = core::frame_status::incomplete;
    fault why;
    martlet::packet packet;
};

/// Cuts and decodes.
[[nodiscard]] inline decoded decode(std::string_view bytes, protocol_version version, role receiver) {
    decoded out;
    core::frame frame;
    std::size_t size = 0;
    out.status = core::cut_frame(bytes, version, std::numeric_limits<std::size_t>::max(), frame, out.why, size);
    if (out.status == core::frame_status::complete) {
        if (frame.packet.size() != bytes.size()) throw "more than one packet";
        out.why = core::decode(frame, version, receiver, out.packet);
    }
    return out;
}

/// "ok", "incomplete" or the reason code in hexadecimal with the rule: "82 MQTT-3.3.2-2".
[[nodiscard]] inline std::string verdict(const decoded& result) {
    if (result.status == core::frame_status::incomplete) return "incomplete";
    if (!result.why) return "ok";
    const char reason = static_cast<char>(result.why.reason);
    std::string out = hex({&reason, 1});
    if (!result.why.rule.empty()) out.append(" ").append(result.why.rule);
    return out;
}

/// Size and encode.
[[nodiscard]] inline std::string encode(const martlet::packet& packet, protocol_version version) {
    std::string out(core::encoded_size(packet, version), '\0');
    if (!out.empty()) {
        const char* const end = core::encode(packet, version, out.data());
        if (end != out.data() + out.size()) throw "encode() and encoded_size() disagree";
    }
    return out;
}

}  // namespace martlet::test
