// Time as an argument: the core never reads a clock. An owner passes the present `instant` with each call.
#pragma once

#include <chrono>

namespace martlet {

/// A monotonic clock that also counts suspend (CLOCK_BOOTTIME). It has no now(): the driver, a test or the simulator
/// says what time it is.
struct boot_clock {
    using duration = std::chrono::microseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<boot_clock>;
    static constexpr bool is_steady = true;
};

/// For keep-alive, timeouts and delays of this process.
using steady_time = boot_clock::time_point;

/// For expiries that are stored and must survive a restart: milliseconds since the Unix epoch. Within a process it goes
/// with the boot clock from where the system's clock stood at first, so that nothing expires because that one is put.
using unix_time = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// The present, on both clocks.
struct instant {
    steady_time steady{};
    unix_time wall{};
};

/// "No deadline".
inline constexpr steady_time never = steady_time::max();

}  // namespace martlet
