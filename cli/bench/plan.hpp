// From settings to actors: who connects where, publishes what and listens to what.
#pragma once

#include "flow.hpp"
#include "settings.hpp"
#include "worker.hpp"

#include <martlet/client_options.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace martlet::cli::bench {

/// Which of the clients are ours: agent `index` of `count` has every count-th. One process alone is 0 of 1.
struct crew_share {
    std::size_t index = 0;
    std::size_t count = 1;
};

struct run_plan {
    crew_share share;
    std::uint16_t run = 0;
    std::string prefix;                         ///< of all topics, ends with '/'
    std::vector<std::string> urls;              ///< clients are dealt out over them
    std::vector<std::string> source_addresses;  ///< likewise; empty: the system chooses
    std::vector<std::shared_ptr<flow>> flows;   ///< filled by build_actors()
    std::shared_ptr<const std::string> pattern;
    std::size_t clients = 0;  ///< that were numbered, ours and the others'
};

/// Makes the actors of our share, dealt out over the workers. Before the workers start. Numbers, topics, client ids and
/// send times of the whole run are the same whoever has which share, so that the shares add up to the run of one process.
void build_actors(const run_settings& settings, run_plan& plan, std::vector<std::unique_ptr<worker>>& workers);

/// Clients that the settings will open, at most so many of them here.
[[nodiscard]] std::size_t count_clients(const run_settings& settings, const run_plan& plan);
/// All of them.
[[nodiscard]] std::size_t count_clients(const run_settings& settings);

/// Messages due within the window by the schedules; 0 in closed loops.
[[nodiscard]] double offered_messages(const run_settings& settings);

/// True if a message of this scenario may be sent by one agent and received by another.
[[nodiscard]] bool crosses_agents(scenario s) noexcept;

}  // namespace martlet::cli::bench
