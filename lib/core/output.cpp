#include <martlet/core/output.hpp>

#include <algorithm>
#include <cassert>
#include <iterator>
#include <string>
#include <utility>

namespace martlet::core {

buffer_pool::buffer buffer_pool::take(std::size_t capacity) {
    // The largest one: whoever writes much would outgrow a small one again in each turn. Of equal ones the warmest.
    if (!spares_.empty() && spares_.back().capacity >= capacity) {
        buffer b = std::move(spares_.back());
        spares_.pop_back();
        return b;
    }
    return {std::make_unique_for_overwrite<char[]>(capacity), capacity};
}

void buffer_pool::give(buffer b) noexcept {
    if (b.capacity < 4096 || b.capacity > spare_size_max) return;
    if (spares_.capacity() < spare_count_max) {
        try {
            spares_.reserve(spare_count_max);
        } catch (const std::bad_alloc&) {
            return;
        }
    }
    if (spares_.size() == spare_count_max) {
        if (spares_.front().capacity >= b.capacity) return;
        spares_.erase(spares_.begin());
    }
    const auto smaller = [](const buffer& one, const buffer& other) { return one.capacity < other.capacity; };
    spares_.insert(std::upper_bound(spares_.begin(), spares_.end(), b, smaller), std::move(b));
}

void output::append_payload(const message_ref& owner) {
    const std::string_view payload = owner->payload();
    if (payload.size() < share_size_min) return append(payload);
    if (shared_ == nullptr) shared_ = new std::deque<shared_payload>;
    shared_->push_back({tail_, payload, owner});
    size_ += payload.size();
}

void output::lend(std::string_view bytes) {
    if (shared_ == nullptr) shared_ = new std::deque<shared_payload>;
    shared_->push_back({tail_, bytes, {}});
    size_ += bytes.size();
    is_lent_ = true;
}

// Lent bytes take their places among those that are our own. What stands before the first of them stays where it is: a
// backlog must not be copied again and again.
void output::copy_lent() {
    is_lent_ = false;
    const auto first = std::find_if(shared_->begin(), shared_->end(), [](auto& s) { return s.owner == nullptr; });
    if (first == shared_->end()) return;
    const std::size_t from = first->position;
    const std::string own(buffer_.bytes.get() + from, tail_ - from);
    const std::vector<shared_payload> behind(std::make_move_iterator(first), std::make_move_iterator(shared_->end()));
    shared_->erase(first, shared_->end());

    tail_ = from;
    const auto put = [this](std::string_view bytes) {
        if (bytes.empty()) return;
        std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
        tail_ += bytes.size();  // it is counted in size_
    };
    std::size_t at = from;
    for (const shared_payload& shared : behind) {
        put(std::string_view(own).substr(at - from, shared.position - at));
        at = shared.position;
        if (shared.owner == nullptr) {
            put(shared.rest);
        } else {
            shared_->push_back({tail_, shared.rest, shared.owner});
        }
    }
    put(std::string_view(own).substr(at - from));
    if (shared_->empty()) delete std::exchange(shared_, nullptr);
}

std::size_t output::gather(std::span<std::string_view> views) const noexcept {
    std::size_t count = 0;
    std::size_t at = head_;
    const char* const bytes = buffer_.bytes.get();
    if (shared_ != nullptr) {
        for (const shared_payload& shared : *shared_) {
            if (shared.position > at) {
                if (count == views.size()) return count;
                views[count++] = {bytes + at, shared.position - at};
                at = shared.position;
            }
            if (count == views.size()) return count;
            views[count++] = shared.rest;
        }
    }
    if (tail_ > at && count < views.size()) views[count++] = {bytes + at, tail_ - at};
    return count;
}

void output::consume(std::size_t n) noexcept {
    assert(n <= size_);
    size_ -= n;
    consumed_ += n;
    if (size_ == 0) return clear();
    while (n != 0) {
        const std::size_t plain_end = shared_ != nullptr && !shared_->empty() ? shared_->front().position : tail_;
        const std::size_t plain = std::min(n, plain_end - head_);
        head_ += plain;
        n -= plain;
        if (n == 0) break;
        shared_payload& front = shared_->front();
        const std::size_t taken = std::min(n, front.rest.size());
        front.rest.remove_prefix(taken);
        n -= taken;
        if (front.rest.empty()) shared_->pop_front();
    }
}

void output::clear() noexcept {
    delete shared_;
    shared_ = nullptr;
    is_lent_ = false;
    head_ = tail_ = size_ = 0;
    if (buffer_.bytes) pool_->give(std::exchange(buffer_, {}));
}

void output::grow(std::size_t n) {
    constexpr std::size_t smallest = 256;
    const std::size_t used = tail_ - head_;
    const std::size_t needed = used + n;
    if (buffer_.bytes && needed <= buffer_.capacity / 2) {  // enough has left: move to the front
        std::memmove(buffer_.bytes.get(), buffer_.bytes.get() + head_, used);
    } else {
        const std::size_t capacity = std::max({smallest, needed, buffer_.capacity * 2});
        // NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks): does not see what the unique_ptr in `larger` does
        buffer_pool::buffer larger = pool_->take(capacity);
        if (used != 0) std::memcpy(larger.bytes.get(), buffer_.bytes.get() + head_, used);
        if (buffer_.bytes) pool_->give(std::move(buffer_));
        buffer_ = std::move(larger);
    }
    if (shared_ != nullptr) {
        for (shared_payload& shared : *shared_)
            shared.position -= head_;
    }
    head_ = 0;
    tail_ = used;
}

}  // namespace martlet::core
