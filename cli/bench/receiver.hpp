// A subscriber's half of the measurement, without a network and without a clock: reads stamps, times, checks order.
#pragma once

#include "quantities.hpp"
#include "sequence_check.hpp"
#include "stamp.hpp"
#include "tally.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace martlet::cli::bench {

/// The sequence checks of all publishers, for one subscriber, or for a group that shares the messages.
class sequence_checks {
public:
    /// `is_group`: several threads use it, and order means nothing.
    sequence_checks(std::size_t publishers, bool is_group) : checks_(publishers), is_group_(is_group) {}

    [[nodiscard]] bool is_known(std::uint32_t publisher) const noexcept { return publisher < checks_.size(); }
    /// Requires: is_known().
    arrival_order take(const stamp& s) {
        if (!is_group_) return checks_[s.publisher].take(s.sequence);
        const std::lock_guard lock(mutex_);
        const arrival_order order = checks_[s.publisher].take(s.sequence);
        return order == arrival_order::reordered ? arrival_order::in_order : order;
    }

private:
    std::vector<sequence_check> checks_;
    std::mutex mutex_;
    bool is_group_;
};

struct receiver_options {
    std::uint16_t run = 0;
    measurement_window window = {};
    std::span<const char> pattern = {};  ///< a payload of the greatest size, filled for this run
    nanoseconds clock_offset = 0;        ///< to add to intended times: another machine sent them
    bool is_closed_loop = false;         ///< e2e and service are the same then; only e2e is recorded
};

class receiver {
public:
    receiver(const receiver_options& options, std::shared_ptr<sequence_checks> checks)
        : options_(options), checks_(std::move(checks)) {}

    /// A message arrived at `now`. False if it is not one of this run, or damaged.
    bool take(std::span<const char> payload, nanoseconds now, tally& out);

private:
    receiver_options options_;
    std::shared_ptr<sequence_checks> checks_;
};

}  // namespace martlet::cli::bench
