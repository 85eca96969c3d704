#include "histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace martlet::cli::bench {
namespace {

// HdrHistogram's layout for lowest value 1 and 3 digits: buckets of 2,048 counters, each twice as coarse as the one
// before; all but the first use their upper half only.
constexpr int half_bits = 10;
constexpr std::size_t half_count = 1u << half_bits;
constexpr std::size_t full_count = 2 * half_count;

constexpr std::size_t table_index(nanoseconds value) noexcept {
    const auto v = static_cast<std::uint64_t>(value);
    const int bucket = static_cast<int>(std::bit_width(v | (full_count - 1))) - (half_bits + 1);
    return (static_cast<std::size_t>(bucket) << half_bits) + static_cast<std::size_t>(v >> bucket);
}

constexpr std::size_t table_size = table_index(histogram::value_max) + 1;

}  // namespace

histogram::histogram() : counters_(table_size) {}

std::size_t histogram::index_of(nanoseconds value) noexcept { return table_index(value); }

void histogram::record(nanoseconds value, std::uint64_t times) noexcept {
    if (times == 0) return;
    if (value > value_max) clipped_ += times;
    value = std::clamp<nanoseconds>(value, 0, value_max);
    const std::size_t index = index_of(value);
    counters_[index] += times;
    used_ = std::max(used_, index + 1);
    count_ += times;
    minimum_ = std::min(minimum_, value);
    maximum_ = std::max(maximum_, value);
}

void histogram::add(const histogram& other) noexcept {
    for (std::size_t i = 0; i < other.used_; ++i)
        counters_[i] += other.counters_[i];
    used_ = std::max(used_, other.used_);
    count_ += other.count_;
    clipped_ += other.clipped_;
    minimum_ = std::min(minimum_, other.minimum_);
    maximum_ = std::max(maximum_, other.maximum_);
}

void histogram::clear() noexcept {
    std::fill_n(counters_.begin(), used_, 0);
    used_ = 0;
    count_ = clipped_ = 0;
    minimum_ = value_max;
    maximum_ = 0;
}

double histogram::mean() const noexcept {
    if (count_ == 0) return 0;
    double sum = 0;
    for (std::size_t i = 0; i < used_; ++i) {
        if (counters_[i] != 0)
            sum += static_cast<double>(counters_[i]) * 0.5 * static_cast<double>(lowest_of(i) + highest_of(i));
    }
    return sum / static_cast<double>(count_);
}

double histogram::deviation() const noexcept {
    if (count_ == 0) return 0;
    const double middle = mean();
    double sum = 0;
    for (std::size_t i = 0; i < used_; ++i) {
        const double off = 0.5 * static_cast<double>(lowest_of(i) + highest_of(i)) - middle;
        sum += static_cast<double>(counters_[i]) * off * off;
    }
    return std::sqrt(sum / static_cast<double>(count_));
}

nanoseconds histogram::percentile(double percent) const noexcept {
    if (count_ == 0) return 0;
    const double wanted = std::ceil(std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_));
    const auto rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < used_; ++i) {
        seen += counters_[i];
        if (seen >= rank) return std::clamp(highest_of(i), minimum_, maximum_);
    }
    return maximum_;
}

std::uint64_t histogram::count_between(nanoseconds low, nanoseconds high) const noexcept {
    const std::size_t first = index_of(std::clamp<nanoseconds>(low, 0, value_max));
    const std::size_t last = index_of(std::clamp<nanoseconds>(high, 0, value_max));
    std::uint64_t sum = 0;
    for (std::size_t i = first; i <= last && i < used_; ++i)
        sum += counters_[i];
    return sum;
}

std::span<const std::uint64_t> histogram::counters() const noexcept {
    return std::span<const std::uint64_t>(counters_).first(used_);
}

bool histogram::add_at(std::size_t index, std::uint64_t times) noexcept {
    if (index >= counters_.size()) return false;
    record(highest_of(index), times);
    return true;
}

void histogram::set_extremes(nanoseconds minimum, nanoseconds maximum, std::uint64_t clipped) noexcept {
    if (count_ == 0) return;
    minimum_ = minimum;
    maximum_ = maximum;
    clipped_ = clipped;
}

nanoseconds histogram::lowest_of(std::size_t index) noexcept {
    if (index < full_count) return static_cast<nanoseconds>(index);
    const std::size_t bucket = (index >> half_bits) - 1;
    return static_cast<nanoseconds>((index & (half_count - 1)) + half_count) << bucket;
}

nanoseconds histogram::highest_of(std::size_t index) noexcept {
    if (index < full_count) return static_cast<nanoseconds>(index);
    const std::size_t bucket = (index >> half_bits) - 1;
    return lowest_of(index) + (nanoseconds{1} << bucket) - 1;
}

}  // namespace martlet::cli::bench
