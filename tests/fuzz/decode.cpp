// Bytes into the decoder, as every version and to both roles: what decodes can be encoded, in the size that was said,
// and means the same afterwards.
#include "fuzz/input.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/core/outgoing_message.hpp>

#include <string>

using namespace martlet;
using fuzz::require;

static std::string encoded(const packet& p, protocol_version version) {
    std::string out(core::encoded_size(p, version), '\0');
    require(!out.empty(), "what decodes can be encoded");
    require(core::encode(p, version, out.data()) == out.data() + out.size(), "the size is known before");
    return out;
}

static void check(const core::frame& in, protocol_version version, role receiver, const packet& p) {
    const std::string bytes = encoded(p, version);
    require(bytes.size() <= in.packet.size(), "encoding is as short as can be");
    packet again;
    core::frame frame;
    fault why;
    std::size_t size = 0;
    const auto status = core::cut_frame(bytes, version, bytes.size(), frame, why, size);
    require(status == core::frame_status::complete && size == bytes.size(), "an encoded packet is one packet");
    require(!core::decode(frame, version, receiver, again), "what was encoded decodes");
    const bool is_old_refusal = version == protocol_version::v3_1 && in.type == packet_type::suback;  // becomes QoS 0
    require(is_old_refusal || again == p, "and means the same");
    require(encoded(again, version) == bytes, "one packet, one encoding");

    if (const auto* publish = std::get_if<packets::publish>(&p)) {
        packets::publish known;
        require(!core::decode_publish(in, version, receiver, publish->topic, known), "a known topic is no fault");
        require(known == *publish, "a known topic changes nothing");
        const auto message = core::outgoing_message::create(*publish, {});
        auto properties = message->properties();
        properties.message_expiry_interval = publish->properties.message_expiry_interval;
        require(properties == publish->properties, "a message keeps its properties");
    }
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    for (const auto version : {protocol_version::v3_1, protocol_version::v3_1_1, protocol_version::v5}) {
        for (const role receiver : {role::client, role::broker}) {
            std::string_view rest = fuzz::input(data, size).rest();
            core::frame in;
            fault why;
            packet p;
            for (std::size_t hint = 0;
                 core::cut_frame(rest, version, 1 << 20, in, why, hint) == core::frame_status::complete;
                 rest.remove_prefix(in.packet.size())) {
                if (!core::decode(in, version, receiver, p)) check(in, version, receiver, p);
            }
        }
    }
    return 0;
}
