#include "client/inbox.hpp"

#include <algorithm>

namespace martlet::detail {

// -- message_ring

void message_ring::push(message&& m) {
    if (count_ == slots_.size()) {
        std::vector<message> larger(slots_.empty() ? 16 : slots_.size() * 2);
        for (std::size_t i = 0; i < count_; ++i)
            larger[i] = std::move(at(i));
        slots_ = std::move(larger);
        head_ = 0;
    }
    at(count_) = std::move(m);
    ++count_;
}

message message_ring::pop() noexcept {
    auto m = std::move(slots_[head_]);
    head_ = (head_ + 1) & (slots_.size() - 1);
    --count_;
    return m;
}

void message_ring::clear() noexcept {
    slots_.clear();
    head_ = count_ = 0;
}

// -- inbox

const message& inbox::push(const packets::publish& from, core::receipt number, bool counted) {
    const auto size = record_size(from);

    boost::intrusive_ptr<message_chunk> large;
    auto* chunk = &large;
    if (size > small_size_max) {
        large = message_chunk::create(size);
    } else {
        chunk = &chunk_;
        if (chunk_ && chunk_->is_unique()) chunk_->rewind();  // all that it held was taken and is gone
        if (!chunk_ || chunk_->room() < size) {
            chunk_ = message_chunk::create(next_chunk_size_);
            next_chunk_size_ = chunk_size_max;
        }
    }

    const auto* const record = (*chunk)->append(from, number, counted);
    waiting_.push(message(*chunk, record));
    bytes_ += record->size();
    counted_ += counted ? 1 : 0;
    return waiting_.at(waiting_.size() - 1);
}

void inbox::push(const message& m) {
    count_in(m);
    waiting_.push(message(m));
}

message inbox::take() noexcept {
    auto m = remove_front();
    if (m.receipt() != 0) taken_.push_back(m.receipt());
    return m;
}

std::size_t inbox::take(std::span<message> into) noexcept {
    const auto count = std::min(into.size(), waiting_.size());
    for (auto& slot : into.first(count))
        slot = take();
    return count;
}

std::vector<message> inbox::drain() {
    return extract([](const message&) { return true; });
}

bool inbox::acknowledge_one(core::receipt number) noexcept {
    const auto at = std::find(taken_.begin(), taken_.end(), number);
    if (at == taken_.end()) return false;
    taken_.erase(at);
    return true;
}

message inbox::remove_front() noexcept {
    auto m = waiting_.pop();
    const auto& record = message_access::record(m);
    bytes_ -= record.size();
    counted_ -= record.counted ? 1 : 0;
    return m;
}

void inbox::keep(message_ring& to, message&& m) {
    count_in(m);
    to.push(std::move(m));
}

void inbox::count_in(const message& m) noexcept {
    const auto& record = message_access::record(m);
    bytes_ += record.size();
    counted_ += record.counted ? 1 : 0;
}

}  // namespace martlet::detail
