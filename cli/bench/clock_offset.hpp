// How far apart two machines' clocks are, from exchanges of messages as NTP has them (RFC 5905 §8): one is sent at t1, it
// arrives at t2 of the other's clock, the answer leaves there at t3 and arrives at t4. The other's clock was ahead by
// ((t2 - t1) + (t3 - t4)) / 2, if both ways took the same time; however they differed, this is wrong by at most half the
// time that the messages were under way. So of many exchanges only the quickest one counts, and its bound is certain.
#pragma once

#include "quantities.hpp"

#include <cstddef>

namespace martlet::cli::bench {

class clock_offset {
public:
    void add(nanoseconds sent, nanoseconds arrived_there, nanoseconds left_there, nanoseconds received) noexcept;

    [[nodiscard]] std::size_t exchanges() const noexcept { return exchanges_; }
    /// The other's clock minus ours. Requires an exchange, as the others do.
    [[nodiscard]] nanoseconds ahead() const noexcept { return ahead_; }
    /// By how much ahead() may be wrong.
    [[nodiscard]] nanoseconds error() const noexcept { return (round_trip_ + 1) / 2; }
    /// The time that the messages of the quickest exchange were under way.
    [[nodiscard]] nanoseconds round_trip() const noexcept { return round_trip_; }

private:
    std::size_t exchanges_ = 0;
    nanoseconds ahead_ = 0;
    nanoseconds round_trip_ = 0;
};

}  // namespace martlet::cli::bench
