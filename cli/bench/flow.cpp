#include "flow.hpp"

#include <algorithm>
#include <limits>

namespace martlet::cli::bench {

std::uint64_t flow::settled() const noexcept {
    std::uint64_t sum = 0;
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (const counter& one : received_) {
        const std::uint64_t value = one.value.load(std::memory_order_relaxed);
        sum += value;
        least = std::min(least, value);
    }
    const std::uint64_t got = is_shared_ ? sum : received_.empty() ? 0 : least;
    // Duplicates and messages of a written-off stretch that come after all must not count more than was sent.
    return std::min(got + written_off_.load(std::memory_order_relaxed), sent_.load(std::memory_order_relaxed));
}

}  // namespace martlet::cli::bench
