#include "tally.hpp"

#include <algorithm>

namespace martlet::cli::bench {
namespace {

constexpr tally::counter all_counters[] = {
    {"sent", &tally::sent},
    {"expected", &tally::expected},
    {"unique", &tally::unique},
    {"duplicates", &tally::duplicates},
    {"reordered", &tally::reordered},
    {"acked", &tally::acked},
    {"refused", &tally::refused},
    {"sent_in_time", &tally::sent_in_time},
    {"acked_in_time", &tally::acked_in_time},
    {"received_in_time", &tally::received_in_time},
    {"received_bytes_in_time", &tally::received_bytes_in_time},
    {"sent_ever", &tally::sent_ever},
    {"acked_ever", &tally::acked_ever},
    {"received_ever", &tally::received_ever},
    {"corrupt", &tally::corrupt},
    {"connects", &tally::connects},
    {"connect_failures", &tally::connect_failures},
    {"disconnects", &tally::disconnects},
    {"operations", &tally::operations},
};

}  // namespace

std::span<const tally::counter> tally::counters() noexcept { return all_counters; }

void tally::count_error(const std::string& cause, std::uint64_t times_seen) {
    const bool is_known = errors.contains(cause);
    errors[is_known || errors.size() < errors_max ? cause : "other"] += times_seen;
}

void tally::add(const tally& other) {
    for (const counter& one : all_counters)
        this->*one.value += other.*one.value;
    last_event = std::max(last_event, other.last_event);
    for (std::size_t i = 0; i < timing_count; ++i)
        times[i].add(other.times[i]);
    for (const auto& [cause, count] : other.errors)
        count_error(cause, count);
}

void tally::clear() {
    for (const counter& one : all_counters)
        this->*one.value = 0;
    last_event = 0;
    for (histogram& h : times)
        h.clear();
    errors.clear();
}

}  // namespace martlet::cli::bench
