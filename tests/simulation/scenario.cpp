#include "simulation/scenario.hpp"

#include "simulation/random.hpp"

#include <martlet/types.hpp>

namespace martlet::simulation {

scenario scenario::from_seed(std::uint64_t seed) {
    // Swarm testing: each seed has a subset of the features, since some faults hide others.
    random r(seed * 2 + 1);
    scenario s;
    s.seed = seed;
    constexpr protocol_version versions[] = {protocol_version::v3_1, protocol_version::v3_1_1, protocol_version::v5,
                                             protocol_version::v5};
    s.version = versions[r.below(4)];
    s.mixed_versions = r.chance(25);
    s.durable_clients = r.chance(50);
    s.durable_broker = r.chance(50);
    s.cuts = r.chance(70);
    s.silence = r.chance(30);
    s.slow_readers = r.chance(30);
    s.client_restarts = s.durable_clients && r.chance(50);
    s.broker_restarts = s.durable_broker && r.chance(50);
    s.take_overs = r.chance(30);
    s.session_expiry = s.version == protocol_version::v5 && r.chance(40);
    s.farewells = r.chance(30);
    s.wills = r.chance(50);
    s.retained = r.chance(50);
    s.tiny_windows = r.chance(40);
    constexpr std::uint32_t pieces[] = {1, 7, 100, 1'400, 60'000};
    s.piece_max = pieces[r.below(5)];
    s.latency_max = static_cast<sim_time>(r.between(10, 20'000));
    return s;
}

std::string scenario::describe() const {
    std::string text = "seed " + std::to_string(seed) + ": " + std::to_string(publishers) + " publishers, " +
                       std::to_string(subscribers) + " subscribers, " + std::to_string(messages) + " messages, MQTT " +
                       (mixed_versions ? std::string("mixed") : std::string(to_string(version)));
    const auto add = [&](bool on, const char* what) {
        if (on) text += std::string(", ") + what;
    };
    add(durable_clients, "durable clients");
    add(durable_broker, "durable broker");
    add(cuts, "cuts");
    add(silence, "half-open links");
    add(slow_readers, "slow readers");
    add(client_restarts, "client restarts");
    add(broker_restarts, "broker restarts");
    add(take_overs, "take-overs");
    add(session_expiry, "expiring sessions");
    add(farewells, "farewells");
    add(wills, "wills");
    add(retained, "retained messages");
    add(tiny_windows, "tiny windows");
    return text + ", pieces up to " + std::to_string(piece_max) + " bytes, latency up to " +
           std::to_string(latency_max) + " us";
}

}  // namespace martlet::simulation
