// Plain messages, many at once: what most publishers send goes through here, without an event for each message. Where
// anything is out of the ordinary, nothing is done, and peer::run() takes the next message by itself.
#include "broker/broker_state.hpp"
#include "broker/peer.hpp"
#include "core/runs.hpp"
#include "core/wire.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace martlet::broker_impl {

// Who sends and does not take the answers is not read any more; QoS 0 alone cannot bring it so far.
std::size_t peer::own_output_max() const noexcept { return 2 * state_->options.output_bytes_max; }

// True if there was something that could be passed on.
bool peer::pass_on() {
    const std::string_view in = connection.plain_input();
    if (in.empty()) return false;
    const core::plain_cutter cutter(in.front(), connection.version() == protocol_version::v5,
                                    state_->options.packet_size_max);
    const core::plain_packet first = cutter.cut(in);
    if (first.size == 0 || first.payload_size > state_->options.payload_size_max) return false;
    const martlet::qos q = cutter.qos();
    if (q != qos::at_most_once && !connection.answers_at_once(q)) return false;
    const route* r = state_->router.known_route(*this, first.topic);
    if (r == nullptr) {
        if (!connection.check_topic(first.topic)) return false;
        r = state_->router.route_of(*this, first.topic);
    }
    return q == qos::at_most_once ? pass_on_run(in, cutter, first, *r) : take_row(in, cutter, first, r);
}

// QoS 0: all that go to the same receivers go as one piece.
bool peer::pass_on_run(std::string_view in, const core::plain_cutter& cutter, const core::plain_packet& first,
                       const route& r) {
    // Where an output comes to its bound in the middle, each message has to be asked about, and may be the last one.
    std::size_t room = state_->options.output_bytes_max;
    for (const receiver& to : r.receivers) {
        if (const peer* const p = to.session->peer) {
            room = std::min(room, state_->options.output_bytes_max -
                                      std::min(state_->options.output_bytes_max, p->connection.out().size()));
        }
    }
    if (first.size > room) return false;

    core::plain_run run{in.substr(0, 0)};
    const auto next_behind = [&](std::size_t size) {  // empty: it is not one for the run
        const core::plain_packet next = cutter.cut(in.substr(size));
        const bool fits = size + next.size <= room && next.payload_size <= state_->options.payload_size_max;
        return fits ? next : core::plain_packet();
    };
    std::string_view topic = first.topic;
    std::array<core::plain_packet, router::same_way_max> ahead;
    for (core::plain_packet next = first; next.size != 0;) {
        if (core::is_equal(next.topic, topic)) {
            run.add(next);
            next = next_behind(run.packets.size());
            continue;
        }
        // Another topic, and likely more of them.
        std::size_t count = 0;
        for (std::size_t size = run.packets.size(); next.size != 0 && count != ahead.size();) {
            ahead[count++] = next;
            next = next_behind(size += next.size);
        }
        const std::size_t same = state_->router.count_same_way(*this, r, std::span(ahead).first(count));
        for (std::size_t i = 0; i != same; ++i)
            run.add(ahead[i]);
        if (same != count) break;
        topic = ahead[count - 1].topic;
    }
    connection.take(run.packets.size(), run.count);
    state_->traffic.payload_bytes_received += run.payload_size;
    state_->router.publish(*this, run, cutter, r);
    return true;
}

// QoS 1 and 2: each one is a promise of its own, but all are acknowledged as they come.
bool peer::take_row(std::string_view in, const core::plain_cutter& cutter, const core::plain_packet& first,
                    const route* r) {
    const martlet::qos q = cutter.qos();
    const bool is_v5 = connection.version() == protocol_version::v5;
    const bool tells_of_nobody = is_v5 && state_->options.tell_no_matching_subscribers;
    const auto is_for_somebody = [&] {  // for certain, or it need not be told that it is not
        return !tells_of_nobody || (!r->receivers.empty() && r->receivers.front().scope == match_scope::all);
    };
    std::size_t size = 0;
    std::size_t count = 0;
    bool lost = false;
    for (core::plain_packet next = first; waiting_for_ == 0 && may_publish && is_for_somebody();) {
        const packet_id id = core::plain_cutter::id_of(next);
        if (state_->is_memory_full() || connection.out().size() >= own_output_max() || !connection.expects(id, q))
            break;
        lost = !state_->router.publish(*this, next, in.substr(size, next.size), q, *r);
        size += next.size;
        ++count;
        state_->traffic.payload_bytes_received += next.payload_size;
        if (lost && !is_v5) break;
        connection.answer(id, q, lost ? reason_code::quota_exceeded : reason_code::success);
        if (lost) break;

        const core::plain_packet last = next;
        next = cutter.cut(in.substr(size));
        if (next.size == 0 || next.payload_size > state_->options.payload_size_max) break;
        if (!core::is_equal(next.topic, last.topic)) {
            const route* const other = state_->router.known_route(*this, next.topic);
            if (other == nullptr) break;
            r = other;
        }
    }
    if (count == 0) return false;
    connection.take(size, count);
    state_->router.let_catch_up(*r, *this);
    if (lost && !is_v5) {  // it cannot be told otherwise that nothing was kept, and is to send it again
        connection.fail({reason_code::quota_exceeded, {}, "the broker's memory is full"});
    }
    return true;
}

}  // namespace martlet::broker_impl
