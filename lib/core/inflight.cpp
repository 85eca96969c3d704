#include <martlet/core/inflight.hpp>

#include <cassert>
#include <utility>

namespace martlet::core {

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

void inflight::grow() {
    constexpr std::size_t smallest = 16;
    std::vector<inflight_entry> old(slots_.empty() ? smallest : slots_.size() * 2);
    old.swap(slots_);
    mask_ = static_cast<std::uint32_t>(slots_.size() - 1);
    list_ends old_ends[3] = {ends_[0], ends_[1], ends_[2]};
    for (list_ends& ends : ends_)
        ends = {};
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
