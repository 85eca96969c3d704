// `bench compare A.json B.json …` and --ab: medians, their intervals, and whether a difference is more than chance.
#pragma once

#include "histogram.hpp"
#include "result.hpp"

#include <map>
#include <span>
#include <string>
#include <vector>

namespace martlet::cli::bench {

/// Runs of one configuration against one broker, as read from a JSON report.
struct run_set {
    std::string name;
    std::string config;  ///< its canonical text: sets with different ones are not compared
    std::string description;
    std::string machine;
    std::vector<std::map<std::string, double>> runs;  ///< numbers by name: "received", "e2e.p99" …
    histogram e2e;                                    ///< of all runs
};

/// Reads a report (or several in one file). `wrong` says why there is none.
[[nodiscard]] std::optional<run_set> read_run_set(const std::string& text, const std::string& name, std::string& wrong);
[[nodiscard]] run_set make_run_set(std::string name, std::span<const run_result> results);

/// Why the sets cannot be compared; empty if they can.
[[nodiscard]] std::string unlike(std::span<const run_set> sets);

/// The table: the first set is what the others are compared with. `~` marks differences that chance explains.
[[nodiscard]] std::string comparison_text(std::span<const run_set> sets);
/// The same as a page, with the percentile curves over each other.
[[nodiscard]] std::string comparison_html(std::span<const run_set> sets);

/// `bench compare`; returns the exit code.
int run_compare(std::span<char* const> arguments);
/// `bench run --ab`: one run of each in turn.
int run_ab(const run_settings& settings);

}  // namespace martlet::cli::bench
