// What happens in one seed.
#pragma once

#include "simulation/network.hpp"

#include <martlet/types.hpp>

#include <cstdint>
#include <string>

namespace martlet::simulation {

/// What happens in one seed. Drawn from it, or set by a test.
struct scenario {
    std::uint64_t seed = 1;
    std::size_t publishers = 3;
    std::size_t subscribers = 3;
    std::size_t messages = 50;  ///< in all
    protocol_version version = protocol_version::v5;
    bool mixed_versions = false;
    bool durable_clients = false;
    bool durable_broker = false;
    bool cuts = false;
    bool silence = false;  ///< half-open links
    bool slow_readers = false;
    bool client_restarts = false;  ///< of durable clients
    bool broker_restarts = false;  ///< of a durable broker
    bool take_overs = false;       ///< clients come back by a new link before the broker misses the old one
    bool session_expiry = false;   ///< subscribers (MQTT 5) stay away, some until their session is gone
    bool farewells = false;        ///< clients send DISCONNECT and come back
    bool tiny_windows = false;
    bool wills = false;
    bool retained = false;
    std::uint32_t piece_max = 1400;  ///< bytes that arrive together
    sim_time latency_max = 5'000;

    [[nodiscard]] static scenario from_seed(std::uint64_t seed);
    [[nodiscard]] std::string describe() const;
    [[nodiscard]] bool has_faults() const noexcept {
        return cuts || silence || client_restarts || broker_restarts || take_overs || session_expiry || farewells;
    }
};

}  // namespace martlet::simulation
