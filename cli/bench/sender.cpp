#include "sender.hpp"

#include <algorithm>

namespace martlet::cli::bench {

nanoseconds sender::next_due() const noexcept {
    if (!options_.open || sequence_ >= options_.count_max) return no_time;
    const nanoseconds next = options_.open->peek();
    if (next == no_time || next >= options_.stop - options_.start) return no_time;
    return options_.start + next;
}

bool sender::is_due(nanoseconds now) const noexcept {
    if (is_open_loop()) return next_due() <= now;
    return sequence_ < options_.count_max && options_.start <= now && now < options_.stop;
}

std::uint64_t sender::room() const noexcept {
    return options_.outstanding_max > outstanding() ? options_.outstanding_max - outstanding() : 0;
}

bool sender::is_finished(nanoseconds now) const noexcept {
    if (is_open_loop()) return next_due() == no_time;
    return sequence_ >= options_.count_max || now >= options_.stop;
}

stamp sender::next(nanoseconds now) const noexcept {
    const nanoseconds intended = is_open_loop() ? next_due() : now;
    const nanoseconds ready = intended <= blocked_until_ ? std::min(now, blocked_since_) : now;
    return {options_.run, options_.publisher, sequence_, intended, std::max<nanoseconds>(ready - intended, 0)};
}

void sender::was_blocked(nanoseconds since, nanoseconds now) noexcept {
    blocked_since_ = since;
    blocked_until_ = now;
}

void sender::stop(nanoseconds now) noexcept { options_.stop = std::min(options_.stop, now); }

void sender::commit(const stamp& s, nanoseconds now, tally& out) noexcept {
    ++sequence_;
    if (options_.open) options_.open->pop();
    ++out.sent_ever;
    out.sent_in_time += options_.window.contains(now);
    if (!options_.window.contains(s.intended)) return;
    ++out.sent;
    out.expected += options_.copies;
    if (is_open_loop()) out.of(timing::lag).record(s.lag);
}

void sender::acknowledged(nanoseconds intended, nanoseconds now, bool ok, tally& out) noexcept {
    ++finished_;
    out.last_event = now;
    out.acked_ever += ok;
    out.acked_in_time += ok && options_.window.contains(now);
    if (!options_.window.contains(intended)) return;
    if (!ok) {
        ++out.refused;
        return;
    }
    ++out.acked;
    out.of(timing::ack).record(now - intended);
}

}  // namespace martlet::cli::bench
