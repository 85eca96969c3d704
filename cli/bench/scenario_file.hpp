// A scenario file: several flows that run together, as JSON.
//
//   {"duration": "30s", "warmup": "2s", "flows": [
//     {"scenario": "fan-in", "pubs": 100, "rate": "5k", "qos": 1, "size": "200..400"},
//     {"scenario": "fan-out", "subs": 50, "rate": 100}]}
//
// Keys of a flow are the long names of the options; values are strings or numbers. Options of the command line come
// after the file's and win.
#pragma once

#include "settings.hpp"

#include <string>

namespace martlet::cli::bench {

/// Adds the file's flows to `settings`. Returns what is wrong with it, or an empty string.
[[nodiscard]] std::string read_scenario_file(const std::string& path, run_settings& settings);
/// The same, from its text.
[[nodiscard]] std::string read_scenario_text(const std::string& text, const std::string& name, run_settings& settings);

}  // namespace martlet::cli::bench
