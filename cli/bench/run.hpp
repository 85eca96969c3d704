// One run: connects everybody, waits until all are ready, measures, drains, takes leave.
#pragma once

#include "result.hpp"
#include "settings.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace martlet::cli::bench {

/// What those who watch a run are told, each interval and at each change of phase.
struct progress {
    std::string_view phase;  ///< "connecting", "warm-up", "measuring", "draining"
    std::size_t clients_ready = 0;
    std::size_t clients = 0;
    double share = 0;                    ///< of the whole run, 0..1
    const run_result* result = nullptr;  ///< so far
    const series_row* row = nullptr;     ///< the latest interval; null: none yet
    const tally* interval = nullptr;     ///< of that interval
};

struct run_hooks {
    std::function<void(const progress&)> watch = {};
    std::function<bool()> is_interrupted = {};
};

/// Why there is no result.
struct run_failure {
    std::string text;        ///< a sentence
    bool is_set_up = false;  ///< it never got as far as connecting: too few descriptors, ports …
    bool is_interrupted = false;
};

[[nodiscard]] std::optional<run_result> execute(const run_settings& settings, const run_hooks& hooks,
                                                run_failure& failure);

}  // namespace martlet::cli::bench
