#include "sequence_check.hpp"

#include <algorithm>

namespace martlet::cli::bench {

arrival_order sequence_check::take_other(std::uint64_t sequence) {
    if (sequence > next_) {
        if (gaps_.size() == gaps_max) gaps_.pop_front();
        gaps_.push_back({next_, sequence});
        missing_ += sequence - next_;
        next_ = sequence + 1;
        return arrival_order::in_order;
    }
    const auto found = std::upper_bound(gaps_.begin(), gaps_.end(), sequence,
                                        [](std::uint64_t value, const gap& g) { return value < g.end; });
    if (found == gaps_.end() || sequence < found->begin) return arrival_order::duplicate;

    --missing_;
    const gap whole = *found;
    if (whole.begin == sequence && whole.end == sequence + 1) {
        gaps_.erase(found);
    } else if (whole.begin == sequence) {
        found->begin = sequence + 1;
    } else {
        found->end = sequence;
        if (sequence + 1 != whole.end) {
            gaps_.insert(found + 1, {sequence + 1, whole.end});
            if (gaps_.size() > gaps_max) gaps_.pop_front();
        }
    }
    return arrival_order::reordered;
}

}  // namespace martlet::cli::bench
