// The clocks: CLOCK_MONOTONIC, which every process of a machine shares and no correction sets back; and the run's clock,
// which is the same, or, in an agent, the coordinator's CLOCK_MONOTONIC as far as it is known.
#pragma once

#include "quantities.hpp"

#include <atomic>
#include <chrono>
#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_gettime is POSIX

namespace martlet::cli::bench {

[[nodiscard]] inline nanoseconds clock_of(clockid_t which) noexcept {
    timespec t{};
    ::clock_gettime(which, &t);
    return static_cast<nanoseconds>(t.tv_sec) * second + t.tv_nsec;
}

[[nodiscard]] inline nanoseconds monotonic_now() noexcept { return clock_of(CLOCK_MONOTONIC); }

/// The run's clock minus this machine's. An agent sets it before its actors go; nobody else does.
inline std::atomic<nanoseconds> run_clock_offset{0};

/// What stamps, windows and schedules are on.
[[nodiscard]] inline nanoseconds run_now() noexcept {
    return monotonic_now() + run_clock_offset.load(std::memory_order_relaxed);
}
/// A time of the run's clock for a timer.
[[nodiscard]] inline std::chrono::steady_clock::time_point steady_time(nanoseconds of_run) noexcept {
    return std::chrono::steady_clock::time_point(
        std::chrono::nanoseconds(of_run - run_clock_offset.load(std::memory_order_relaxed)));
}

}  // namespace martlet::cli::bench
