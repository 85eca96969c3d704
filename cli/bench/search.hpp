// --find-max: the greatest rate at which the broker keeps what --slo says.
#pragma once

#include "settings.hpp"

#include <functional>

namespace martlet::cli::bench {

struct search_result {
    double greatest_kept = 0;  ///< 0: not even the first rate was kept
    double least_broken = 0;   ///< 0: none was broken
    int runs = 0;
};

/// Doubles from `first` on until `keeps` says no, then halves the interval until it is within `precision` of its lower
/// end. Halves downwards if the first is not kept. At most `runs_max` calls.
[[nodiscard]] search_result bisect(double first, double precision, int runs_max,
                                   const std::function<bool(double)>& keeps);

/// The whole command; returns the exit code.
int find_max(const run_settings& settings);

}  // namespace martlet::cli::bench
