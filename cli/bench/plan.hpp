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

struct run_plan {
    std::uint16_t run = 0;
    std::string prefix;                         ///< of all topics, ends with '/'
    std::vector<std::string> urls;              ///< clients are dealt out over them
    std::vector<std::string> source_addresses;  ///< likewise; empty: the system chooses
    std::vector<std::shared_ptr<flow>> flows;   ///< filled by build_actors()
    std::shared_ptr<const std::string> pattern;
    std::size_t clients = 0;      ///< that were made
    double offered_messages = 0;  ///< due within the window; 0 in closed loops
};

/// Makes all actors, dealt out over the workers. Before the workers start.
void build_actors(const run_settings& settings, run_plan& plan, std::vector<std::unique_ptr<worker>>& workers);

/// Clients that the settings will open.
[[nodiscard]] std::size_t count_clients(const run_settings& settings);

}  // namespace martlet::cli::bench
