#include "receiver.hpp"

namespace martlet::cli::bench {

bool receiver::take(std::span<const char> payload, nanoseconds now, tally& out) {
    ++out.received_ever;
    out.last_event = now;
    const auto s = read_stamp(payload, options_.run);
    if (!s || !checks_->is_known(s->publisher) || !is_fill_intact(payload, options_.pattern)) {
        ++out.corrupt;
        return false;
    }
    if (options_.window.contains(now)) {
        ++out.received_in_time;
        out.received_bytes_in_time += payload.size();
    }
    const arrival_order order = checks_->take(*s);
    const nanoseconds intended = s->intended + options_.clock_offset;
    if (!options_.window.contains(intended)) return true;

    if (order == arrival_order::duplicate) {
        ++out.duplicates;
        return true;
    }
    ++out.unique;
    out.reordered += order == arrival_order::reordered;
    out.of(timing::e2e).record(now - intended);
    if (!options_.is_closed_loop && payload.size() >= stamp_size_full) {
        out.of(timing::service).record(now - intended - s->lag);
    }
    return true;
}

}  // namespace martlet::cli::bench
