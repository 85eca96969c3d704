#include <martlet/core/inflight.hpp>

#include <cassert>
#include <utility>

namespace martlet::core {

inflight::list inflight::list_of(inflight_state state) noexcept {
    switch (state) {
    case inflight_state::awaiting_pubcomp: return list::releases;
    case inflight_state::awaiting_suback:
    case inflight_state::awaiting_unsuback: return list::requests;
    default: return list::publishes;
    }
}

inflight_entry* inflight::acquire(inflight_state state) {
    constexpr std::uint32_t ids = 65'535;
    if (count_ == ids) return nullptr;
    if (slots_.empty() || (count_ >= slots_.size() / 2 && slots_.size() <= ids)) grow();
    for (;;) {  // ends: at most half of the slots are taken, or (with 65,536 slots) some id is free
        last_ = static_cast<std::uint16_t>(last_ == ids ? 1 : last_ + 1);
        if (slots_[last_ & mask_].state == inflight_state::free) return &take(packet_id{last_}, state);
    }
}

inflight_entry* inflight::restore(packet_id id, inflight_state state) {
    if (id == packet_id::none) return nullptr;
    if (slots_.empty()) grow();
    for (;;) {
        const auto& there = slots_[to_number(id) & mask_];
        if (there.state == inflight_state::free) break;
        if (there.id == id) return nullptr;
        grow();  // ids given by an earlier process may collide at this size; at 65,536 slots none do
    }
    last_ = to_number(id);
    return &take(id, state);
}

inflight_entry& inflight::take(packet_id id, inflight_state state) noexcept {
    auto& entry = slots_[to_number(id) & mask_];
    entry.id = id;
    entry.state = state;
    entry.sent = entry.here = false;
    ++count_;
    if (list_of(state) != list::requests) ++publish_count_;
    link(entry);
    return entry;
}

void inflight::to_released(inflight_entry& entry) noexcept {
    assert(entry.state == inflight_state::awaiting_pubrec);
    unlink(entry);
    entry.state = inflight_state::awaiting_pubcomp;
    entry.what.message.reset();
    entry.what.subscription_identifiers.reset();
    link(entry);
}

void inflight::release(inflight_entry& entry) noexcept {
    unlink(entry);
    if (list_of(entry.state) != list::requests) --publish_count_;
    --count_;
    entry.state = inflight_state::free;
    entry.what = {};
}

inflight_entry* inflight::first(list which) noexcept {
    const std::uint32_t head = ends_[static_cast<std::size_t>(which)].head;
    return head == none ? nullptr : &slots_[head];
}

inflight_entry* inflight::next(const inflight_entry& entry) noexcept {
    return entry.next == none ? nullptr : &slots_[entry.next];
}

void inflight::clear() noexcept {
    const std::uint16_t last = last_;  // ids go on rising: the peer may have seen the old ones
    *this = inflight();
    last_ = last;
}

void inflight::link(inflight_entry& entry) noexcept {
    const auto slot = static_cast<std::uint32_t>(&entry - slots_.data());
    list_ends& ends = ends_[static_cast<std::size_t>(list_of(entry.state))];
    entry.previous = ends.tail;
    entry.next = none;
    if (ends.tail == none) {
        ends.head = slot;
    } else {
        slots_[ends.tail].next = slot;
    }
    ends.tail = slot;
}

void inflight::unlink(inflight_entry& entry) noexcept {
    list_ends& ends = ends_[static_cast<std::size_t>(list_of(entry.state))];
    if (entry.previous == none) {
        ends.head = entry.next;
    } else {
        slots_[entry.previous].next = entry.next;
    }
    if (entry.next == none) {
        ends.tail = entry.previous;
    } else {
        slots_[entry.next].previous = entry.previous;
    }
}

void inflight::grow() {
    constexpr std::size_t smallest = 16;
    std::vector<inflight_entry> old(slots_.empty() ? smallest : slots_.size() * 2);
    old.swap(slots_);
    mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
    list_ends old_ends[3] = {ends_[0], ends_[1], ends_[2]};
    for (list_ends& ends : ends_) ends = {};
    for (const list_ends& ends : old_ends) {  // in list order, so that the order survives
        for (std::uint32_t slot = ends.head; slot != none;) {
            inflight_entry& from = old[slot];
            slot = from.next;
            inflight_entry& to = slots_[to_number(from.id) & mask_];
            to = std::move(from);
            link(to);
        }
    }
}

}  // namespace martlet::core
