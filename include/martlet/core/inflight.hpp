// The sender's half of QoS 1 and 2: which of our packet ids are in use, what each stands for, and in which order things
// are sent again. MQTT 5 §2.2.1, §4.3, §4.4, §4.6.
//
//   PUBLISH QoS 1:  awaiting_puback ── PUBACK ──► (free)
//   PUBLISH QoS 2:  awaiting_pubrec ── PUBREC < 0x80 ──► awaiting_pubcomp ── PUBCOMP ──► (free)
//                                   └─ PUBREC ≥ 0x80 ──► (free)
//   (UN)SUBSCRIBE:  awaiting_suback, awaiting_unsuback ──► (free)
#pragma once

#include <martlet/core/outgoing_message.hpp>
#include <martlet/error.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace martlet::core {

enum class inflight_state : std::uint8_t {
    free,
    awaiting_puback,
    awaiting_pubrec,
    awaiting_pubcomp,
    awaiting_suback,
    awaiting_unsuback,
};

/// One packet id in use.
struct inflight_entry {
    outgoing what;                    ///< PUBLISH: the message (kept until the PUBREC at QoS 2); (UN)SUBSCRIBE: who
    std::uint64_t order = 0;          ///< store row of the message
    std::uint64_t change_number = 0;  ///< must be committed before the PUBLISH or PUBREL may be (re)sent
    std::uint32_t count = 0;          ///< (UN)SUBSCRIBE: number of filters
    packet_id id = packet_id::none;
    inflight_state state = inflight_state::free;
    bool sent = false;  ///< the PUBLISH was handed to an output before: a re-send has DUP
    bool here = false;  ///< PUBLISH or PUBREL was sent on the present connection: takes a place of its quota
    reason_code reason = reason_code::success;  ///< of the PUBREC that came; lost with the process
    std::uint32_t previous = 0;                 // list of its state, slot numbers; see inflight.cpp
    std::uint32_t next = 0;
};

/// Packet ids rise and wrap, so that a late acknowledgement rarely meets a reused one. An id's slot is its low bits, so
/// finding it is one access; an id whose slot is taken (a peer that never acknowledges one) is skipped, so the table
/// stays at most twice as large as what is in use. No map, no search, no allocation in steady state.
class inflight {
public:
    inflight() = default;

    /// The next free id with an entry in `state`, appended to the list of what is to be sent again; null while all
    /// 65,535 are in use.
    [[nodiscard]] inflight_entry* acquire(inflight_state state);
    /// Takes a certain id, for sessions restored from a store; null if it is 0 or in use.
    [[nodiscard]] inflight_entry* restore(packet_id id, inflight_state state);
    /// The entry of an id in use, else null.
    [[nodiscard]] inflight_entry* find(packet_id id) noexcept {
        if (slots_.empty()) return nullptr;
        auto& entry = slots_[to_number(id) & mask_];
        return entry.id == id && entry.state != inflight_state::free ? &entry : nullptr;
    }
    /// PUBREC came: the message is not needed any more; the id moves to the end of the PUBRELs.
    void to_released(inflight_entry& entry) noexcept;
    /// The id is free again.
    void release(inflight_entry& entry) noexcept;

    /// Ids in use by PUBLISH (what counts against Receive Maximum), and by all.
    [[nodiscard]] std::size_t publish_count() const noexcept { return publish_count_; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

    /// PUBLISHes in the order in which they were first sent, PUBRELs in the order of the PUBRECs, requests in order:
    /// first(), then next() until null. Releasing the entry that was returned before asking for the next is not allowed.
    enum class list : std::uint8_t { publishes, releases, requests };
    [[nodiscard]] inflight_entry* first(list which) noexcept;
    [[nodiscard]] inflight_entry* next(const inflight_entry& entry) noexcept;

    void clear() noexcept;

private:
    struct list_ends {
        std::uint32_t head = none;
        std::uint32_t tail = none;
    };
    static constexpr std::uint32_t none = 0xFFFFFFFF;
    static list list_of(inflight_state state) noexcept;
    inflight_entry& take(packet_id id, inflight_state state) noexcept;
    void grow();
    void link(inflight_entry& entry) noexcept;
    void unlink(inflight_entry& entry) noexcept;

    std::vector<inflight_entry> slots_;  // a power of two
    std::uint32_t mask_ = 0;
    std::uint16_t last_ = 0;
    std::uint32_t count_ = 0;
    std::uint32_t publish_count_ = 0;
    list_ends ends_[3];
};

// ---- the hot path, in the header so that it melts into its callers

inline inflight::list inflight::list_of(inflight_state state) noexcept {
    switch (state) {
        case inflight_state::awaiting_pubcomp: return list::releases;
        case inflight_state::awaiting_suback:
        case inflight_state::awaiting_unsuback: return list::requests;
        default: return list::publishes;
    }
}

inline inflight_entry* inflight::acquire(inflight_state state) {
    constexpr std::uint32_t ids = 65'535;
    if (count_ == ids) return nullptr;
    if (slots_.empty() || (count_ >= slots_.size() / 2 && slots_.size() <= ids)) grow();
    for (;;) {  // ends: at most half of the slots are taken, or (with 65,536 slots) some id is free
        last_ = static_cast<std::uint16_t>(last_ == ids ? 1 : last_ + 1);
        if (slots_[last_ & mask_].state == inflight_state::free) return &take(packet_id{last_}, state);
    }
}

inline inflight_entry& inflight::take(packet_id id, inflight_state state) noexcept {
    auto& entry = slots_[to_number(id) & mask_];
    entry.id = id;
    entry.state = state;
    entry.sent = entry.here = false;
    entry.reason = reason_code::success;
    ++count_;
    if (list_of(state) != list::requests) ++publish_count_;
    link(entry);
    return entry;
}

inline void inflight::to_released(inflight_entry& entry) noexcept {
    assert(entry.state == inflight_state::awaiting_pubrec);
    unlink(entry);
    entry.state = inflight_state::awaiting_pubcomp;
    entry.what.message.reset();
    entry.what.subscription_identifiers.reset();
    link(entry);
}

inline void inflight::release(inflight_entry& entry) noexcept {
    unlink(entry);
    if (list_of(entry.state) != list::requests) --publish_count_;
    --count_;
    entry.state = inflight_state::free;
    entry.what = {};
}

inline void inflight::link(inflight_entry& entry) noexcept {
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

inline void inflight::unlink(inflight_entry& entry) noexcept {
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

}  // namespace martlet::core
