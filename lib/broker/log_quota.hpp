// How often something that strangers can cause is told in the log.
#pragma once

#include <martlet/time.hpp>

#include <chrono>
#include <cstdint>
#include <utility>

namespace martlet::broker_impl {

/// So many lines in a minute; the others are counted, and told with the first line of a later minute.
class log_quota {
public:
    static constexpr unsigned lines_max = 10;
    static constexpr std::chrono::minutes period{1};

    [[nodiscard]] bool admits(steady_time now) noexcept {
        if (now >= ends_) {
            ends_ = now + period;
            lines_ = 0;
        }
        if (lines_ == lines_max) {
            ++untold_;
            return false;
        }
        ++lines_;
        return true;
    }
    /// How many were not told since the last call.
    [[nodiscard]] std::uint64_t take_untold() noexcept { return std::exchange(untold_, 0); }

private:
    steady_time ends_ = steady_time::min();
    unsigned lines_ = 0;
    std::uint64_t untold_ = 0;
};

}  // namespace martlet::broker_impl
