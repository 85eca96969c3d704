// -S: which servers a domain has for MQTT, by its DNS SRV records. RFC 2782.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace martlet::cli {

struct srv_record {
    std::uint16_t priority = 0;  ///< lower ones are tried first
    std::uint16_t weight = 0;    ///< among equals: the share of the first attempts
    std::uint16_t port = 0;
    std::string host;  ///< without the dot at its end; empty: the domain says that there is no such service

    [[nodiscard]] bool operator==(const srv_record&) const = default;
};

/// The SRV records of a DNS answer (RFC 1035 §4), in its order. Nothing if it is malformed.
[[nodiscard]] std::optional<std::vector<srv_record>> parse_srv_answer(std::span<const unsigned char> answer);

/// Sorts by priority, and draws the order among equals by weight. `random(n)` gives a number from 0 to n.
void order_srv(std::vector<srv_record>& records, const std::function<std::uint32_t(std::uint32_t n)>& random);

/// Asks the resolver of the system for `_mqtt._tcp.DOMAIN` (with TLS `_secure-mqtt._tcp.DOMAIN`), in the order in which to
/// try. Empty, and why, if there are none. Blocks as long as the resolver's configuration says.
[[nodiscard]] std::vector<srv_record> lookup_srv(const std::string& domain, bool with_tls, std::string& why);

}  // namespace martlet::cli
