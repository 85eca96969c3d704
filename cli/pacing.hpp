// --rate: when a message is due. The first one fixes the times of all others, so that one that took long delays none of
// those behind it, and no error adds up.
#pragma once

#include <chrono>
#include <cstdint>

namespace martlet::cli {

class pacing {
public:
    using clock = std::chrono::steady_clock;

    /// `rate` in messages a second, above 0.
    explicit pacing(double rate) noexcept : rate_(rate) {}

    /// When the next message is due; the first one at once.
    [[nodiscard]] clock::time_point due(clock::time_point now) const noexcept {
        if (count_ == 0) return now;
        const std::chrono::duration<double> since(static_cast<double>(count_) / rate_);
        return first_ + std::chrono::duration_cast<clock::duration>(since);
    }
    /// It is sent now.
    void sent(clock::time_point now) noexcept {
        if (count_++ == 0) first_ = now;
    }

private:
    double rate_;
    clock::time_point first_{};
    std::uint64_t count_ = 0;
};

}  // namespace martlet::cli
