// What a client sends, a server receives, and the other way round, is the same code with another role: scenarios of the
// exchanges at QoS 1 and 2 for both ends.
#pragma once

#include "conformance/broker_world.hpp"
#include "support/script.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace martlet::test {

// Runs a scenario for each version and each role under test, on an open connection.
inline void for_each_end(const std::function<void(core_script&)>& scenario) {
    for (const protocol_version version : every_version) {
        for (const role subject : both_roles) {
            CAPTURE(name(version));
            CAPTURE(name(subject));
            core_script peer(subject, version);
            REQUIRE(peer.open_resuming(false));
            scenario(peer);
        }
    }
}

inline packets::publish arriving(qos q, std::uint16_t id, std::string_view payload = "x", bool dup = false) {
    return {.topic = "t", .payload = payload, .qos = q, .dup = dup, .id = packet_id{id}};
}

// An acknowledgement of MQTT 5 with a reason, or a plain one before.
inline std::string ack(packet_type type, std::uint16_t id, unsigned reason = 0) {
    char buffer[core::short_ack_size_max];
    char* const end = core::encode_short_ack(type, packet_id{id}, reason_code{static_cast<std::uint8_t>(reason)},
                                             protocol_version::v5, buffer);
    return {buffer, end};
}

}  // namespace martlet::test
