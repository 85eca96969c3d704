// Which messages of one publisher a receiver has got: in order, late, twice, or never.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace martlet::cli::bench {

enum class arrival_order : std::uint8_t {
    in_order,   ///< the first time, after all before it (or with a gap)
    reordered,  ///< the first time, but a later one came before
    duplicate,  ///< it came before
};

class sequence_check {
public:
    /// Stretches of missing numbers that are remembered. Beyond it the oldest is forgotten: its messages stay lost, and
    /// count as duplicates should they come after all.
    static constexpr std::size_t gaps_max = 65'536;

    /// Takes the number of a message that arrived; the first of a publisher is 0.
    arrival_order take(std::uint64_t sequence) {
        if (sequence != next_) return take_other(sequence);
        ++next_;
        return arrival_order::in_order;
    }

    /// Numbers below the greatest one seen that have not come.
    [[nodiscard]] std::uint64_t missing() const noexcept { return missing_; }
    /// One more than the greatest number seen.
    [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

private:
    struct gap {
        std::uint64_t begin;
        std::uint64_t end;
    };
    arrival_order take_other(std::uint64_t sequence);

    std::uint64_t next_ = 0;
    std::uint64_t missing_ = 0;
    std::deque<gap> gaps_;  // ascending
};

}  // namespace martlet::cli::bench
