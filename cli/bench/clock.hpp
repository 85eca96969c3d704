// The run's clock: CLOCK_MONOTONIC, which every process of a machine shares and no correction sets back.
#pragma once

#include "quantities.hpp"

#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_gettime is POSIX

namespace martlet::cli::bench {

[[nodiscard]] inline nanoseconds clock_of(clockid_t which) noexcept {
    timespec t{};
    ::clock_gettime(which, &t);
    return static_cast<nanoseconds>(t.tv_sec) * second + t.tv_nsec;
}

[[nodiscard]] inline nanoseconds monotonic_now() noexcept { return clock_of(CLOCK_MONOTONIC); }

}  // namespace martlet::cli::bench
