#include "clock_offset.hpp"

#include <algorithm>

namespace martlet::cli::bench {

void clock_offset::add(nanoseconds sent, nanoseconds arrived_there, nanoseconds left_there,
                       nanoseconds received) noexcept {
    const nanoseconds under_way = std::max<nanoseconds>((received - sent) - (left_there - arrived_there), 0);
    if (exchanges_++ != 0 && under_way >= round_trip_) return;
    round_trip_ = under_way;
    ahead_ = ((arrived_there - sent) + (left_there - received)) / 2;
}

}  // namespace martlet::cli::bench
