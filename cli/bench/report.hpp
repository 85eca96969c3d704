// Results as files: JSON with a versioned schema, CSV, .hlog and one HTML page.
#pragma once

#include "result.hpp"

#include <string>
#include <vector>

namespace martlet::cli::bench {

inline constexpr const char* json_schema = "martlet.bench/1";

[[nodiscard]] std::string json_text(const run_result& result);
/// Several results: {"schema": ..., "runs": [...]}.
[[nodiscard]] std::string json_text(const std::vector<run_result>& results);
[[nodiscard]] std::string csv_text(const run_result& result);

/// Writes what the settings ask for. Returns what went wrong, or an empty string.
[[nodiscard]] std::string write_files(const run_result& result);
/// The same for several results: JSON has all, HTML a section for each, CSV and .hlog are of the first.
[[nodiscard]] std::string write_preset_files(const run_settings& settings, const std::vector<run_result>& results);

}  // namespace martlet::cli::bench
