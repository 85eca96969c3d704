// What a run found out.
#pragma once

#include "resources.hpp"
#include "settings.hpp"
#include "tally.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace martlet::cli::bench {

/// One interval of the run.
struct series_row {
    double at = 0;  ///< its end, seconds since the start (warm-up included)
    double length = 0;
    double sent = 0;  ///< per second, like the following
    double acked = 0;
    double received = 0;
    nanoseconds e2e_p50 = 0;
    nanoseconds e2e_p90 = 0;
    nanoseconds e2e_p99 = 0;
    nanoseconds e2e_max = 0;
    nanoseconds lag_p99 = 0;
    double generator_cores = 0;
    double broker_cores = 0;
    std::uint64_t broker_memory = 0;
    std::uint64_t errors = 0;
    bool is_measured = false;  ///< lies in the window
};

/// Another machine that took part, and how its clock stands to the run's.
struct agent_info {
    std::string name;
    std::string host;
    std::string cpu;
    std::size_t cores = 0;
    nanoseconds clock_offset = 0;  ///< the run's clock minus its own, as it was taken for the run
    nanoseconds clock_error = 0;   ///< the offset was right to within this, from the first message to the last
    nanoseconds clock_drift = 0;   ///< by how much the offset moved during the run
    nanoseconds round_trip = 0;    ///< the quickest exchange
};

enum class verdict : std::uint8_t {
    good,
    generator_bound,  ///< the generator, not the broker, was the limit
};

struct assertion_result {
    std::string expression;
    std::string actual;
    bool is_met = false;
};

struct run_result {
    run_settings settings;
    machine_info machine;
    std::string broker_name;  ///< of $SYS/broker/version, or "martlet (embedded)"; empty: it did not say
    std::string broker_url;
    std::string protocol;  ///< "5.0"
    double started = 0;    ///< Unix time in seconds
    double window = 0;     ///< seconds that were measured
    double offered = 0;    ///< messages due in the window; 0: closed loop
    bool is_interrupted = false;
    tally total;
    std::vector<series_row> series;
    std::string hlog;
    nanoseconds generator_cpu = 0;          ///< in the window, its threads
    double busiest_thread = 0;              ///< share of a core, 0..1
    std::optional<nanoseconds> broker_cpu;  ///< in the window
    std::optional<std::uint64_t> broker_memory_before;
    std::optional<std::uint64_t> broker_memory_after;
    verdict judgement = verdict::good;
    std::string judgement_text;
    std::vector<assertion_result> assertions;
    std::vector<agent_info> agents;  ///< empty: this process alone
    std::string trouble;             ///< why it ended too early; the report is of what there was so far

    /// What times between two agents may be wrong by, their clocks being two; 0: all times are of one clock.
    [[nodiscard]] nanoseconds clock_error() const noexcept;
    [[nodiscard]] bool is_open_loop() const noexcept { return offered > 0; }
    /// Per second of the window.
    [[nodiscard]] double rate(std::uint64_t count) const noexcept {
        return window > 0 ? static_cast<double>(count) / window : 0;
    }
    /// Messages received, or else sent, in the window: what CPU time is divided by.
    [[nodiscard]] std::uint64_t handled() const noexcept {
        return total.received_in_time != 0 ? total.received_in_time
               : total.sent_in_time != 0   ? total.sent_in_time
                                           : total.operations;
    }
    /// CPU seconds of `cpu` for a million messages; 0 if there are none.
    [[nodiscard]] double seconds_per_million(nanoseconds cpu) const noexcept {
        return handled() == 0 ? 0 : static_cast<double>(cpu) / 1e9 / static_cast<double>(handled()) * 1e6;
    }
};

/// A number of a result by its name: "e2e.p99" (nanoseconds), "received" (per second), "lost", "loss" (share), ...
/// Nothing if there is no such name.
[[nodiscard]] std::optional<double> metric(const run_result& result, std::string_view name);
/// All names that metric() knows, and what each one is.
struct metric_row {
    std::string name;
    std::string unit;
    std::string definition;
};
[[nodiscard]] const std::vector<metric_row>& metrics();

/// Judges the generator: sets judgement and judgement_text.
void judge(run_result& result);

/// An expression like "e2e.p99<10ms", "received>=0.99*offered", "lost=0". Nothing, and `why`, if it cannot be read.
[[nodiscard]] std::optional<assertion_result> check_assertion(const run_result& result, std::string_view expression,
                                                              std::string& why);

}  // namespace martlet::cli::bench
