#include <martlet/core/received.hpp>

#include <cassert>

namespace martlet::core {

namespace {

// A receipt carries the id, so that finding its slot needs no second table.
constexpr receipt make_receipt(std::uint32_t epoch, std::uint32_t number, qos q, std::uint16_t id) noexcept {
    const receipt is_qos_2 = q == qos::exactly_once ? 1 : 0;
    return receipt{epoch_in_receipt(epoch)} << 49 | receipt{number} << 17 | is_qos_2 << 16 | id;
}
constexpr std::uint16_t id_of(receipt number) noexcept { return static_cast<std::uint16_t>(number); }

// Ids come in sequence. Side by side they would make one long run, which every erase would walk to its end (65 % of
// the time of a receiver with 1,000 unacknowledged messages); an odd factor spreads them without collisions.
constexpr std::size_t spread(std::uint16_t id) noexcept { return id * std::size_t{40'503}; }

}  // namespace

received::slot* received::find(std::uint16_t id) noexcept {
    if (table_.empty()) return nullptr;
    const std::size_t mask = table_.size() - 1;
    for (std::size_t at = spread(id) & mask; table_[at].state != id_state::free; at = (at + 1) & mask) {
        if (table_[at].id == id) return &table_[at];
    }
    return nullptr;
}

received::slot& received::insert(std::uint16_t id) {
    if (count_ >= table_.size() / 2) rehash(table_.empty() ? 16 : table_.size() * 2);
    const std::size_t mask = table_.size() - 1;
    std::size_t at = spread(id) & mask;
    while (table_[at].state != id_state::free)
        at = (at + 1) & mask;
    ++count_;
    table_[at].id = id;
    return table_[at];
}

void received::erase(slot& s) noexcept {
    // Linear probing without tombstones: what follows moves up if its own place is at or before the gap.
    const std::size_t mask = table_.size() - 1;
    auto gap = static_cast<std::size_t>(&s - table_.data());
    if (s.earlier) --earlier_;
    for (std::size_t at = (gap + 1) & mask; table_[at].state != id_state::free; at = (at + 1) & mask) {
        const std::size_t home = spread(table_[at].id) & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            table_[gap] = table_[at];
            gap = at;
        }
    }
    table_[gap] = slot();
    --count_;
}

void received::rehash(std::size_t size) {
    std::vector<slot> old(size);
    old.swap(table_);
    const std::size_t mask = size - 1;
    for (const slot& s : old) {
        if (s.state == id_state::free) continue;
        std::size_t at = spread(s.id) & mask;
        while (table_[at].state != id_state::free)
            at = (at + 1) & mask;
        table_[at] = s;
    }
}

void received::reserve_order() {
    if (order_count_ != order_.size()) return;
    std::vector<std::uint16_t> larger(order_.empty() ? 16 : order_.size() * 2);
    for (std::size_t i = 0; i != order_count_; ++i)
        larger[i] = order_[(order_head_ + i) & (order_.size() - 1)];
    order_.swap(larger);
    order_head_ = 0;
}

// So that neither settle_latest() nor push_order() can fail.
void received::reserve() {
    reserve_order();
    if (count_ + 1 >= table_.size() / 2) rehash(table_.empty() ? 16 : table_.size() * 2);
}

void received::push_order(std::uint16_t id) noexcept {
    order_[(order_head_ + order_count_) & (order_.size() - 1)] = id;
    ++order_count_;
}

void received::settle_latest() {
    insert(latest_.id) = latest_;
    if (latest_.here) push_order(latest_.id);
    latest_ = slot();
}

received::arrived received::on_publish(packet_id id, martlet::qos q, bool dup) {
    const std::uint16_t number = to_number(id);
    bool gave_up_qos_2 = false;
    if (has_latest() || order_count_ != 0) reserve();
    if (has_latest()) settle_latest();
    if (slot* const known = find(number)) {
        if (known->earlier) --earlier_;
        known->earlier = false;
        if (known->state == id_state::awaiting_pubrel) {
            if (q == martlet::qos::exactly_once) return {arrival::answered_before, 0};
            gave_up_qos_2 = true;  // and the peer uses the id anew for QoS 1
        } else if (known->here || (q == known->qos && (dup || q == martlet::qos::exactly_once))) {
            if (!known->here) {
                reserve_order();
                known->here = true;
                push_order(number);
            }
            return {arrival::repeated, known->number};
        } else if (!known->acknowledged) {
            // A peer that lost the session without our knowledge. At QoS 2 its next message cannot be told from the old
            // one that it might send again; at QoS 1 DUP would tell [MQTT-3.3.1-1].
            --unacknowledged_;
        }
        erase(*known);
    }
    if (++last_ == 0) ++last_;  // 0 is nobody's
    const receipt made = make_receipt(epoch_, last_, q, number);
    latest_ = {number, id_state::unacknowledged, q, true, false, reason_code::success, false, made};
    ++unacknowledged_;
    if (order_count_ != 0) settle_latest();
    return {arrival::fresh, made, gave_up_qos_2};
}

void received::forget(receipt number) noexcept {
    if (has_latest() && latest_.number == number && latest_.state == id_state::unacknowledged) {
        latest_ = slot();
        --unacknowledged_;
        return;
    }
    slot* const s = find(id_of(number));
    if (s == nullptr || s->number != number || s->state != id_state::unacknowledged || !s->here) return;
    erase(*s);
    --order_count_;
    --unacknowledged_;
}

void received::acknowledge(receipt number, reason_code reason) noexcept {
    slot* const s = has_latest() && latest_.number == number ? &latest_ : find(id_of(number));
    if (s == nullptr || s->number != number || s->state != id_state::unacknowledged || s->acknowledged) return;
    s->acknowledged = true;
    s->reason = reason;
    --unacknowledged_;
}

bool received::next_due(due& out) {
    if (has_latest() && latest_.here) {
        if (!latest_.acknowledged) return false;
        out = {packet_id{latest_.id}, latest_.qos, latest_.reason};
        if (latest_.qos == martlet::qos::exactly_once && !is_failure(latest_.reason)) {
            slot& s = insert(latest_.id);
            s = latest_;
            s.state = id_state::awaiting_pubrel;
            s.here = false;
        }
        latest_ = slot();
        return true;
    }
    if (order_count_ == 0) return false;
    slot* const s = find(order_[order_head_]);
    assert(s != nullptr && s->state == id_state::unacknowledged);
    if (!s->acknowledged) return false;
    order_head_ = static_cast<std::uint32_t>((order_head_ + 1) & (order_.size() - 1));
    --order_count_;
    out = {packet_id{s->id}, s->qos, s->reason};
    if (s->qos == martlet::qos::exactly_once && !is_failure(s->reason)) {
        s->state = id_state::awaiting_pubrel;
        s->here = false;
    } else {
        erase(*s);
    }
    return true;
}

bool received::prepare(packet_id id, martlet::qos q) {
    if (count_ != 0 && find(to_number(id)) != nullptr) return false;
    if (q == martlet::qos::exactly_once && count_ >= table_.size() / 2) rehash(table_.empty() ? 16 : table_.size() * 2);
    return true;
}

void received::await_pubrel(packet_id id) noexcept {
    slot& s = insert(to_number(id));
    s.state = id_state::awaiting_pubrel;
    s.qos = martlet::qos::exactly_once;
    s.number = 0;
}

bool received::on_pubrel(packet_id id) noexcept {
    slot* const s = find(to_number(id));
    if (s == nullptr || s->state != id_state::awaiting_pubrel) return false;
    erase(*s);
    return true;
}

void received::on_closed() noexcept {
    latest_.here = false;
    latest_.earlier = has_latest();
    for (slot& s : table_) {
        s.here = false;
        s.earlier = s.state != id_state::free;
    }
    earlier_ = static_cast<std::uint32_t>(count());
    order_head_ = order_count_ = 0;
}

void received::forget_qos_1() {
    assert(order_count_ == 0);
    if (has_latest()) settle_latest();
    std::vector<std::uint16_t> ids;
    for (const slot& s : table_) {
        if (s.state == id_state::unacknowledged && s.qos == martlet::qos::at_least_once) ids.push_back(s.id);
    }
    for (const std::uint16_t id : ids) {
        slot& s = *find(id);
        if (!s.acknowledged) --unacknowledged_;
        erase(s);
    }
}

void received::clear() noexcept {
    latest_ = slot();
    table_ = {};
    order_ = {};
    order_head_ = order_count_ = count_ = unacknowledged_ = earlier_ = 0;  // last_ goes on: old receipts stay unknown
}

void received::restore(packet_id id) {
    if (id == packet_id::none || knows(id) || !prepare(id, martlet::qos::exactly_once)) return;
    await_pubrel(id);
    find(to_number(id))->earlier = true;
    ++earlier_;
}

bool received::knows(packet_id id) const noexcept {
    return (has_latest() && latest_.id == to_number(id)) ||
           const_cast<received*>(this)->find(to_number(id)) != nullptr;  // looking changes nothing
}

std::vector<packet_id> received::awaiting_pubrel() const {
    std::vector<packet_id> ids;
    for (const slot& s : table_) {
        if (s.state == id_state::awaiting_pubrel) ids.push_back(packet_id{s.id});
    }
    return ids;
}

}  // namespace martlet::core
