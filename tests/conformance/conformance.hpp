// What the conformance tests share. Each case is named by the statements that it shows, "5.0/MQTT-3.3.1-2
// 3.1.1/MQTT-3.3.1-2: DUP is 0 at QoS 0"; scripts/conformance makes docs/conformance.md of the names.
#pragma once

#include "support/bytes.hpp"
#include "support/decoded.hpp"
#include "support/script.hpp"

#include <martlet/topic.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace martlet::test {

inline constexpr protocol_version every_version[] = {protocol_version::v3_1, protocol_version::v3_1_1,
                                                     protocol_version::v5};
/// Those that have statements.
inline constexpr protocol_version since_v3_1_1[] = {protocol_version::v3_1_1, protocol_version::v5};
inline constexpr protocol_version only_v5[] = {protocol_version::v5};
inline constexpr role both_roles[] = {role::client, role::broker};
inline constexpr qos every_qos[] = {qos::at_most_once, qos::at_least_once, qos::exactly_once};
inline constexpr qos acknowledged_qos[] = {qos::at_least_once, qos::exactly_once};

[[nodiscard]] inline std::string name(role r) { return r == role::client ? "client" : "broker"; }
[[nodiscard]] inline std::string name(protocol_version v) { return std::string(to_string(v)); }
[[nodiscard]] inline std::string name(qos q) { return std::to_string(to_number(q)); }

/// Payloads of the messages that an end has handed over, in order.
[[nodiscard]] inline std::vector<std::string> payloads(const end& e) {
    std::vector<std::string> found;
    for (const auto& m : e.messages)
        found.push_back(m.payload);
    return found;
}

/// How an end answers what it must not accept once the connection is open: with MQTT 5 a DISCONNECT with the reason goes
/// first, then, and before MQTT 5 at once, the link closes.
inline void check_refused(core_script& peer, reason_code reason) {
    CHECK(peer.is_closed());
    REQUIRE(peer.subject.faults.size() == 1);
    CHECK(peer.subject.faults[0].reason == reason);
    if (peer.is_v5()) CHECK(peer.take<packets::disconnect>().reason == reason);
    CHECK(peer.is_silent());
}

}  // namespace martlet::test
