// The report in words: every number with its definition beside it.
#pragma once

#include "result.hpp"

#include <string>
#include <vector>

namespace martlet::cli::bench {

/// "fan-in 20:1, QoS 1, 256 B, open loop 50 000/s constant"
[[nodiscard]] std::string describe(const flow_settings& flow);
[[nodiscard]] std::string describe(const run_settings& settings);

[[nodiscard]] std::string summary_text(const run_result& result);

/// The four runs of --preset seed beside the seed's figures.
[[nodiscard]] std::string preset_text(const std::vector<run_result>& results);

/// Flows of --preset seed, in its order, and what surgemq measured on 4 cores.
struct seed_row {
    flow_settings flow;
    const char* name;
    double seed_rate;
    double wanted;  ///< of our broker on 2 cores
};
[[nodiscard]] const std::vector<seed_row>& seed_rows();

}  // namespace martlet::cli::bench
