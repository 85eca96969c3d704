// A FIFO for what seldom happens: it holds no memory while it is empty.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace martlet::detail {

template <class T>
class rare_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size() - first_; }
    void push_back(T&& item) {
        if (first_ != 0 && items_.size() == items_.capacity()) {
            items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(std::exchange(first_, 0)));
        }
        items_.push_back(std::move(item));
    }
    /// Requires: not empty.
    [[nodiscard]] T& front() noexcept { return items_[first_]; }
    void pop_front() {
        if (++first_ != items_.size()) return;
        items_ = {};
        first_ = 0;
    }

private:
    std::vector<T> items_;  // empty, or with something at first_
    std::size_t first_ = 0;
};

}  // namespace martlet::detail
