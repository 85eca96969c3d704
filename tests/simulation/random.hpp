// The one source of chance in the simulation: splitmix64, the same numbers on every machine.
#pragma once

#include <cstdint>

namespace martlet::simulation {

class random {
public:
    explicit random(std::uint64_t seed) noexcept : state_(seed) {}

    std::uint64_t next() noexcept {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    /// 0 … n-1. Requires n > 0.
    std::uint64_t below(std::uint64_t n) noexcept { return next() % n; }
    /// low … high.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept { return low + below(high - low + 1); }
    /// True in `percent` of 100 cases.
    bool chance(unsigned percent) noexcept { return below(100) < percent; }

private:
    std::uint64_t state_;
};

}  // namespace martlet::simulation
