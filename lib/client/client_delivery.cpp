// Received messages: to which stream, when they are acknowledged, and when reading stops.
//
// A full stream stops reading, which holds up the sender. But what we wait for (SUBACK, PUBACK …) stands behind unread
// messages: while an operation awaits a reply, reading goes on, QoS 0 is dropped and counted, and QoS 1 and 2 are held
// up to a hard bound, where the operations that wait are told errc::receive_blocked.
#include "client/client_engine.hpp"

#include <algorithm>
#include <utility>

namespace martlet::detail {

namespace {

constexpr std::size_t hard_bound_factor = 4;  // of an inbox's bounds, for QoS 1 and 2 while an operation awaits a reply

bool is_beyond(const inbox& box) noexcept {
    return box.bytes() / hard_bound_factor >= box.limits().bytes_max ||
           box.size() / hard_bound_factor >= box.limits().count_max;
}

bool has_room(const inbox& box) noexcept {
    return box.bytes() <= box.limits().bytes_max / 2 &&
           box.size() <= std::max<std::size_t>(box.limits().count_max / 2, 1);
}

}  // namespace

// -- arriving

void client_engine::deliver(const core::event& e) {
    const auto streams = routes_.match(e.message);
    if (streams.empty()) return push_unclaimed(e.message, e.number);
    if (streams.size() > 1 && e.number != 0) {
        shared_receipts_.emplace(e.number, static_cast<std::uint32_t>(streams.size()));
    }
    const message* copy = nullptr;
    for (const auto& stream : streams)
        push(stream, e.message, e.number, copy);
}

void client_engine::push(const stream_state_ptr& stream, const packets::publish& message, core::receipt number,
                         const martlet::message*& copy) {
    if (stream->phase != stream_state::phase_type::open) return acknowledge(number, reason_code::success);
    if (stream->is_full && message.qos == qos::at_most_once) {
        ++totals_.messages_dropped_in;
        if (!std::exchange(stream->is_dropping, true)) {
            client_event e;
            e.kind = client_event::kind_type::messages_dropped;
            e.text = "a full stream, while an operation awaits a reply: QoS 0 is dropped";
            e.count = 1;
            push_event(std::move(e));
        }
        return;
    }
    const bool is_counted = message.qos == qos::at_most_once || connection_->version() != protocol_version::v5;
    if (copy == nullptr)
        copy = &stream->box.push(message, number, is_counted);
    else
        stream->box.push(*copy);
    if (!stream->is_woken) wake(stream);
    if (stream->box.is_full()) check_full(*stream);
}

void client_engine::push_unclaimed(const packets::publish& message, core::receipt number) {
    // Half of our Receive Maximum stays for those who want their messages.
    const bool is_v5 = connection_->version() == protocol_version::v5;
    const auto count_max = std::min<std::size_t>(
        unclaimed_.limits().count_max, is_v5 ? std::max<std::size_t>(options_.receive_maximum / 2u, 1) : 65'535);
    if (unclaimed_.size() < count_max && unclaimed_.bytes() < unclaimed_.limits().bytes_max) {
        (void)unclaimed_.push(message, number, true);
        unclaimed_woken_ = true;
        return;
    }
    ++totals_.messages_dropped_in;
    if (!std::exchange(unclaimed_dropping_, true)) {
        client_event e;
        e.kind = client_event::kind_type::messages_dropped;
        e.text = "messages that no subscription claims, beyond the bound";
        e.count = 1;
        push_event(std::move(e));
    }
    acknowledge(number, is_v5 ? reason_code::implementation_specific_error : reason_code::success);
}

void client_engine::claim_unclaimed(const stream_state_ptr& stream) {
    if (unclaimed_.empty()) return;
    for (const auto& m : unclaimed_.extract([&](const message& one) { return routes::claims(*stream, one.topic()); })) {
        stream->box.push(m);
        if (!stream->is_woken) wake(stream);
    }
    if (stream->box.is_full()) check_full(*stream);
    unclaimed_dropping_ = false;
}

void client_engine::wake(const stream_state_ptr& stream) {
    if (std::exchange(stream->is_woken, true)) return;
    woken_.push_back(stream);
}

void client_engine::take_woken(std::vector<stream_state_ptr>& into) {
    into.clear();
    into.swap(woken_);
    for (const auto& stream : into)
        stream->is_woken = false;
    if (std::exchange(unclaimed_woken_, false)) into.push_back(nullptr);
}

// -- being taken and acknowledged

void client_engine::acknowledge_taken(stream_state* stream) {
    auto& box = stream != nullptr ? stream->box : unclaimed_;
    if (!box.has_taken() || (stream != nullptr && stream->manual_acknowledgement)) return;
    box.acknowledge_taken([this](core::receipt number) { acknowledge(number, reason_code::success); });
}

void client_engine::acknowledge(stream_state& stream, core::receipt number, reason_code reason) {
    if (number == 0 || !stream.box.acknowledge_one(number)) return;
    acknowledge(number, reason);
    if (options_.observer) observe_output();
}

// One stream is done with the message; the server hears of it when all are.
void client_engine::acknowledge(core::receipt number, reason_code reason) {
    if (number == 0) return;
    if (!shared_receipts_.empty()) {
        if (const auto at = shared_receipts_.find(number); at != shared_receipts_.end()) {
            if (--at->second != 0) return;
            shared_receipts_.erase(at);
        }
    }
    if (is_linked_)
        connection_->acknowledge(number, reason);
    else
        session_.received.acknowledge(number, reason);  // takes effect when the message comes again
}

void client_engine::after_take(stream_state* stream) {
    if (stream == nullptr) {
        unclaimed_dropping_ = false;
    } else if (stream->is_full) {
        note_room(*stream);
    }
    settle();
}

// -- holding up the sender

void client_engine::check_full(stream_state& stream) {
    if (!std::exchange(stream.is_full, true)) ++full_streams_;
    if (is_beyond(stream.box)) is_blocked_hard_ = true;
}

void client_engine::note_room(stream_state& stream) {
    if (!stream.is_full || !has_room(stream.box)) return;
    stream.is_full = false;
    stream.is_dropping = false;
    --full_streams_;
    if (full_streams_ == 0) is_blocked_hard_ = false;
}

bool client_engine::awaits_reply() const noexcept {
    return state_ == state::handshake || session_.sent.count() != 0 || is_draining_ || !pings_.empty() ||
           reauthentication_ != 0;
}

bool client_engine::may_read() noexcept {
    if (full_streams_ == 0) return true;
    return !is_blocked_hard_ && awaits_reply();
}

void client_engine::update_reading() {
    const bool may = may_read();
    if (may == is_reading_) return;
    is_reading_ = may;
    connection_->set_reading(may);
    if (!may) return;
    // What has been read and not been looked at comes first. A call that arrives here from inside of handling an event
    // cannot happen: commands are the user's.
    handle_events();
    connection_->keep_rest();
    if (state_ == state::open && may_read()) {
        actions_.push_back({link_action::kind_type::resume, {}, {}, {}, 0, {}});
    } else if (state_ == state::open) {
        is_reading_ = false;
        connection_->set_reading(false);
    }
}

}  // namespace martlet::detail
