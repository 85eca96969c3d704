// A High Dynamic Range histogram of times: every value is kept to three significant digits, from nanoseconds to an hour,
// in a fixed table of counters. The table is laid out as HdrHistogram's, so that its tools read what we write (hlog.hpp).
//
// Boost.Histogram is not used: its axes have another layout, from which the standard encoding would have to be computed
// again, and it has no percentiles.
#pragma once

#include "quantities.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace martlet::cli::bench {

class histogram {
public:
    static constexpr nanoseconds value_min = 1;
    static constexpr nanoseconds value_max = 3600 * second;
    static constexpr int significant_digits = 3;

    histogram();

    /// Counts a value. Below 0 it counts as 0, above value_max as value_max (see clipped()).
    void record(nanoseconds value) noexcept { record(value, 1); }
    void record(nanoseconds value, std::uint64_t times) noexcept;
    void add(const histogram& other) noexcept;
    void clear() noexcept;

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    /// Values that were above value_max.
    [[nodiscard]] std::uint64_t clipped() const noexcept { return clipped_; }
    /// Exact; 0 if there is no value.
    [[nodiscard]] nanoseconds minimum() const noexcept { return count_ == 0 ? 0 : minimum_; }
    [[nodiscard]] nanoseconds maximum() const noexcept { return maximum_; }
    [[nodiscard]] double mean() const noexcept;
    [[nodiscard]] double deviation() const noexcept;
    /// The least value that at least `percent` % of all values do not exceed; 0..100. 0 if there is no value.
    [[nodiscard]] nanoseconds percentile(double percent) const noexcept;
    /// How many values are in [low, high], both to three digits.
    [[nodiscard]] std::uint64_t count_between(nanoseconds low, nanoseconds high) const noexcept;

    /// HdrHistogram's counters, from the least value up, without the zeros at the end.
    [[nodiscard]] std::span<const std::uint64_t> counters() const noexcept;
    /// Adds `times` to counter `index`; false if there is no such counter. For decoding.
    bool add_at(std::size_t index, std::uint64_t times) noexcept;
    /// What the counters do not have: the exact extremes, and how many were clipped. For decoding, when all are added.
    void set_extremes(nanoseconds minimum, nanoseconds maximum, std::uint64_t clipped) noexcept;
    /// The least and the greatest value that counter `index` stands for.
    [[nodiscard]] static nanoseconds lowest_of(std::size_t index) noexcept;
    [[nodiscard]] static nanoseconds highest_of(std::size_t index) noexcept;

private:
    [[nodiscard]] static std::size_t index_of(nanoseconds value) noexcept;

    std::vector<std::uint64_t> counters_;
    std::size_t used_ = 0;  // counters beyond it are 0
    std::uint64_t count_ = 0;
    std::uint64_t clipped_ = 0;
    nanoseconds minimum_ = value_max;
    nanoseconds maximum_ = 0;
};

}  // namespace martlet::cli::bench
