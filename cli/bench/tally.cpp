#include "tally.hpp"

#include <algorithm>

namespace martlet::cli::bench {
namespace {

constexpr std::uint64_t tally::*counters[] = {
    &tally::sent,
    &tally::expected,
    &tally::unique,
    &tally::duplicates,
    &tally::reordered,
    &tally::acked,
    &tally::refused,
    &tally::sent_in_time,
    &tally::acked_in_time,
    &tally::received_in_time,
    &tally::received_bytes_in_time,
    &tally::sent_ever,
    &tally::acked_ever,
    &tally::received_ever,
    &tally::corrupt,
    &tally::connects,
    &tally::connect_failures,
    &tally::disconnects,
    &tally::operations,
};

}  // namespace

void tally::count_error(const std::string& cause, std::uint64_t times_seen) {
    const bool is_known = errors.contains(cause);
    errors[is_known || errors.size() < errors_max ? cause : "other"] += times_seen;
}

void tally::add(const tally& other) {
    for (const auto counter : counters)
        this->*counter += other.*counter;
    last_event = std::max(last_event, other.last_event);
    for (std::size_t i = 0; i < timing_count; ++i)
        times[i].add(other.times[i]);
    for (const auto& [cause, count] : other.errors)
        count_error(cause, count);
}

void tally::clear() {
    for (const auto counter : counters)
        this->*counter = 0;
    last_event = 0;
    for (histogram& h : times)
        h.clear();
    errors.clear();
}

}  // namespace martlet::cli::bench
