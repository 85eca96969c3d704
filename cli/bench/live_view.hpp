// The run as it goes, on standard error: a panel on a terminal, else one line per interval.
#pragma once

#include "run.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace martlet::cli::bench {

class live_view {
public:
    enum class style : std::uint8_t { panel, lines, off };

    live_view(style how, std::size_t columns) : style_(how), columns_(columns) {}

    /// What to write for this; may be empty. A panel begins by moving up over the one before.
    [[nodiscard]] std::string update(const progress& p);

private:
    [[nodiscard]] std::string line(const progress& p);
    [[nodiscard]] std::string panel(const progress& p);

    style style_;
    std::size_t columns_;
    std::string phase_;
    std::size_t lines_up_ = 0;
    bool has_header_ = false;
    std::deque<double> rates_;
    std::deque<double> latencies_;
};

/// "▁▂▃▄▅▆▇█", of 0 to the greatest value.
[[nodiscard]] std::string sparkline(const std::deque<double>& values);

/// execute(), with the live view that suits the settings and standard error, and Ctrl-C.
[[nodiscard]] std::optional<run_result> execute_watched(const run_settings& settings, run_failure& failure);

}  // namespace martlet::cli::bench
