#include <martlet/core/session.hpp>

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

namespace martlet::core {

// ---- what waits

bool session::enqueue(outgoing what) {
    const bool stored = what.qos != qos::at_most_once;
    if (!stored && !limits_.keep_qos_0) return false;
    const std::size_t cost = what.message->cost();
    if (limits_.policy == queue_policy::latest_per_topic) {
        if (queued* const waiting = find_queued(what.message->topic())) {
            if (queue_bytes_ - waiting->what.message->cost() + cost <= limits_.bytes_max) {
                replace(*waiting, std::move(what));
                return true;
            }
        }
    }
    while (queue_.size() >= limits_.count_max || queue_bytes_ + cost > limits_.bytes_max) {
        if (limits_.policy == queue_policy::refuse || queue_.empty()) {
            ++dropped_count_;
            return false;
        }
        drop_front(errc::discarded);
    }
    if (stored) journal_->reserve();
    queue_.push_back({std::move(what), next_order_});
    if (limits_.policy == queue_policy::latest_per_topic) {
        try {
            index(queue_.back());
        } catch (const std::bad_alloc&) {
            queue_.pop_back();
            throw;
        }
    }
    // from here on nothing can fail
    ++next_order_;
    queue_bytes_ += cost;
    if (!stored) ++queued_qos_0_;
    if (stored && journal_->on()) {
        const queued& back = queue_.back();
        journal_->record(outgoing_row{key_, back.order, outgoing_state::queued, packet_id::none, back.what, 0});
    }
    return true;
}

// A topic's view belongs to its message: what leaves the queue leaves the index first.
void session::index(const queued& waiting) {
    if (!by_topic_) by_topic_ = std::make_unique<std::unordered_map<std::string_view, std::uint64_t>>();
    by_topic_->erase(waiting.what.message->topic());  // the view, too
    by_topic_->emplace(waiting.what.message->topic(), waiting.order);
}

void session::forget_topic(const queued& waiting) noexcept {
    if (!by_topic_) return;
    const auto at = by_topic_->find(waiting.what.message->topic());
    if (at != by_topic_->end() && at->second == waiting.order) by_topic_->erase(at);
}

queued* session::find_queued(std::string_view topic) noexcept {
    if (!by_topic_) return nullptr;
    const auto found = by_topic_->find(topic);
    if (found == by_topic_->end()) return nullptr;
    const auto at = std::lower_bound(queue_.begin(), queue_.end(), found->second,
                                     [](const queued& one, std::uint64_t order) { return one.order < order; });
    return at != queue_.end() && at->order == found->second ? &*at : nullptr;
}

// The place in the queue stays, and with it the row.
void session::replace(queued& waiting, outgoing what) {
    const bool was_stored = waiting.what.qos != qos::at_most_once;
    const bool is_stored = what.qos != qos::at_most_once;
    ++dropped_count_;
    if (waiting.what.who != 0) complete({waiting.what.who, errc::discarded, reason_code::success});
    forget_topic(waiting);
    queue_bytes_ += what.message->cost() - waiting.what.message->cost();
    if (!was_stored) --queued_qos_0_;
    if (!is_stored) ++queued_qos_0_;
    waiting.what = std::move(what);
    index(waiting);
    if (!journal_->on()) return;
    if (is_stored) {
        journal_->record(outgoing_row{key_, waiting.order, outgoing_state::queued, packet_id::none, waiting.what, 0});
    } else if (was_stored) {
        journal_->record(erase_outgoing{key_, waiting.order});
    }
}

void session::pop_front() noexcept {
    forget_topic(queue_.front());
    queue_bytes_ -= queue_.front().what.message->cost();
    if (queue_.front().what.qos == qos::at_most_once) --queued_qos_0_;
    queue_.pop_front();
}

std::vector<outgoing> session::take_qos_0() {
    std::vector<outgoing> taken;
    if (queued_qos_0_ == 0) return taken;
    taken.reserve(queued_qos_0_);
    const auto rest = std::remove_if(queue_.begin(), queue_.end(), [&](queued& waiting) {
        if (waiting.what.qos != qos::at_most_once) return false;
        queue_bytes_ -= waiting.what.message->cost();
        forget_topic(waiting);
        taken.push_back(std::move(waiting.what));
        return true;
    });
    queue_.truncate(rest);
    queued_qos_0_ = 0;
    return taken;
}

std::vector<outgoing> session::take_queue() {
    std::vector<outgoing> taken;
    taken.reserve(queue_.size());
    for (queued& waiting : queue_)
        taken.push_back(std::move(waiting.what));
    by_topic_.reset();
    queue_.clear();
    queue_bytes_ = queued_qos_0_ = 0;
    return taken;
}

void session::drop_front(error_code why) {
    const queued& front = queue_.front();
    ++dropped_count_;
    if (front.what.who != 0) complete({front.what.who, why, reason_code::success});
    if (front.what.qos != qos::at_most_once && journal_->on()) journal_->record(erase_outgoing{key_, front.order});
    pop_front();
}

void session::drop_expired(unix_time now) {
    while (!queue_.empty() && queue_.front().what.message->expired(now))
        drop_front(errc::message_expired);
}

std::size_t session::drop_queued(const std::function<bool(std::string_view)>& is_unwanted) {
    std::size_t dropped = 0;
    const auto rest = std::remove_if(queue_.begin(), queue_.end(), [&](queued& waiting) {
        if (!is_unwanted(waiting.what.message->topic())) return false;
        const bool stored = waiting.what.qos != qos::at_most_once;
        queue_bytes_ -= waiting.what.message->cost();
        forget_topic(waiting);
        if (!stored) --queued_qos_0_;
        if (stored && journal_->on()) journal_->record(erase_outgoing{key_, waiting.order});
        if (waiting.what.who != 0) complete({waiting.what.who, errc::discarded, reason_code::success});
        ++dropped;
        return true;
    });
    queue_.truncate(rest);
    dropped_count_ += dropped;
    return dropped;
}

// ---- what is under way

inflight_entry* session::start(outgoing what, std::uint64_t order) {
    journal_->reserve();
    inflight_entry* const entry = sent.acquire(what.qos == qos::at_least_once ? inflight_state::awaiting_puback
                                                                              : inflight_state::awaiting_pubrec);
    if (entry == nullptr) return nullptr;
    entry->what = std::move(what);
    entry->order = order;
    entry->change_number = 0;
    if (journal_->on()) {
        entry->change_number =
            journal_->record(outgoing_row{key_, order, outgoing_state::in_flight, entry->id, entry->what, 0});
    }
    return entry;
}

inflight_entry* session::start(outgoing what) { return start(std::move(what), next_order_++); }

inflight_entry* session::start_front() {
    const std::size_t cost = queue_.front().what.message->cost();
    inflight_entry* const entry = start(queue_.front().what, queue_.front().order);
    if (entry == nullptr) return nullptr;
    forget_topic(queue_.front());
    queue_bytes_ -= cost;
    queue_.pop_front();
    return entry;
}

void session::release(inflight_entry& entry) {
    journal_->reserve();
    sent.to_released(entry);
    if (!journal_->on()) return;
    entry.change_number = journal_->record(
        outgoing_row{key_, entry.order, outgoing_state::released, entry.id, entry.what, next_released_order_++});
}

void session::finish(inflight_entry& entry) {
    if (journal_->on()) journal_->record(erase_outgoing{key_, entry.order});
    sent.release(entry);
}

inflight_entry* session::start_request(inflight_state state, token who, std::uint32_t count) {
    inflight_entry* const entry = sent.acquire(state);
    if (entry == nullptr) return nullptr;
    entry->what.who = who;
    entry->count = count;
    return entry;
}

// ---- life cycle

void session::on_closed() noexcept {
    while (inflight_entry* const request = sent.first(inflight::list::requests))
        sent.release(*request);
    for (const auto which : {inflight::list::publishes, inflight::list::releases}) {
        for (auto* entry = sent.first(which); entry != nullptr; entry = sent.next(*entry))
            entry->here = false;
    }
    received.on_closed();
}

void session::on_peer_lost_session() {
    while (inflight_entry* const done = sent.first(inflight::list::releases)) {
        if (done->what.who != 0) complete({done->what.who, {}, reason_code::success});
        finish(*done);
    }
    std::vector<queued> again;
    while (inflight_entry* const entry = sent.first(inflight::list::publishes)) {
        again.push_back({std::move(entry->what), entry->order});
        sent.release(*entry);
    }
    for (auto it = again.rbegin(); it != again.rend(); ++it) {
        queue_bytes_ += it->what.message->cost();
        if (journal_->on()) {
            journal_->record(outgoing_row{key_, it->order, outgoing_state::queued, packet_id::none, it->what, 0});
        }
        queue_.push_front(std::move(*it));
    }
    if (journal_->on()) {
        for (const packet_id id : received.awaiting_pubrel())
            journal_->record(erase_received{key_, id});
    }
    received.clear();
    received.set_epoch(received.epoch() + 1);
}

void session::clear() {
    while (!queue_.empty())
        drop_front(errc::session_lost);
    for (const auto which : {inflight::list::publishes, inflight::list::releases}) {
        while (inflight_entry* const entry = sent.first(which)) {
            if (entry->what.who != 0) complete({entry->what.who, errc::session_lost, reason_code::success});
            finish(*entry);
        }
    }
    while (inflight_entry* const request = sent.first(inflight::list::requests))
        sent.release(*request);
    if (journal_->on()) {
        for (const packet_id id : received.awaiting_pubrel())
            journal_->record(erase_received{key_, id});
    }
    received.clear();
}

session_snapshot session::snapshot() const {
    session_snapshot rows;
    auto& ids = const_cast<inflight&>(sent);  // walking the lists changes nothing
    for (auto* entry = ids.first(inflight::list::publishes); entry != nullptr; entry = ids.next(*entry)) {
        rows.outgoing.push_back({key_, entry->order, outgoing_state::in_flight, entry->id, entry->what, 0});
    }
    std::uint64_t released_order = 0;
    for (auto* entry = ids.first(inflight::list::releases); entry != nullptr; entry = ids.next(*entry)) {
        rows.outgoing.push_back(
            {key_, entry->order, outgoing_state::released, entry->id, entry->what, ++released_order});
    }
    for (const queued& waiting : queue_) {
        if (waiting.what.qos == qos::at_most_once) continue;
        rows.outgoing.push_back({key_, waiting.order, outgoing_state::queued, packet_id::none, waiting.what, 0});
    }
    for (const packet_id id : received.awaiting_pubrel())
        rows.received.push_back({key_, id});
    return rows;
}

bool session::restore(session_snapshot rows) {
    std::sort(rows.outgoing.begin(), rows.outgoing.end(),
              [](const outgoing_row& a, const outgoing_row& b) { return a.order < b.order; });
    std::stable_sort(rows.outgoing.begin(), rows.outgoing.end(), [](const outgoing_row& a, const outgoing_row& b) {
        return a.released_order < b.released_order;  // 0 for all that are not released: they stay in order, first
    });
    const auto undo = [this] {
        sent.clear();
        received.clear();
        by_topic_.reset();
        queue_.clear();
        queue_bytes_ = queued_qos_0_ = 0;
        return false;
    };
    for (outgoing_row& row : rows.outgoing) {
        next_order_ = std::max(next_order_, row.order + 1);
        next_released_order_ = std::max(next_released_order_, row.released_order + 1);
        const bool released = row.state == outgoing_state::released;
        if (!released && !row.what.message) return undo();
        if (row.state == outgoing_state::queued) {
            queue_bytes_ += row.what.message->cost();
            queue_.push_back({std::move(row.what), row.order});
            if (limits_.policy == queue_policy::latest_per_topic) index(queue_.back());
            continue;
        }
        inflight_entry* const entry =
            sent.restore(row.id, released                             ? inflight_state::awaiting_pubcomp
                                 : row.what.qos == qos::at_least_once ? inflight_state::awaiting_puback
                                                                      : inflight_state::awaiting_pubrec);
        if (entry == nullptr) return undo();
        entry->what = std::move(row.what);
        entry->order = row.order;
        entry->change_number = 0;
        entry->sent = true;  // it may have been: DUP is right either way for a PUBLISH with an id of an old connection
    }
    for (const received_row& row : rows.received) {
        if (row.id == packet_id::none) return undo();
        received.restore(row.id);
    }
    return true;
}

// ---- completions

bool session::take_completion(completion& out) noexcept {
    if (completions_.empty()) return false;
    out = completions_.front();
    completions_.pop_front();
    return true;
}

void session::complete(completion what) { completions_.push_back(what); }

}  // namespace martlet::core
