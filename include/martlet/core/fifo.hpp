// First in, first out, for what is empty nearly always: until something is pushed it takes one pointer. The core holds
// several for each connection and session.
#pragma once

#include <boost/container/deque.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace martlet::core {

/// Requires what std::deque requires; front(), pop_front() and pop_back() want it not to be empty.
template <class T>
class fifo {
    using container = boost::container::deque<T>;

public:
    using iterator = typename container::iterator;

    [[nodiscard]] bool empty() const noexcept { return items_ == nullptr || items_->empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_ == nullptr ? 0 : items_->size(); }
    [[nodiscard]] T& front() noexcept { return items_->front(); }
    [[nodiscard]] const T& front() const noexcept { return items_->front(); }
    [[nodiscard]] T& back() noexcept { return items_->back(); }
    void push_back(T item) { items().push_back(std::move(item)); }
    void push_front(T item) { items().push_front(std::move(item)); }
    void pop_front() noexcept { items_->pop_front(); }
    void pop_back() noexcept { items_->pop_back(); }
    [[nodiscard]] iterator begin() const noexcept { return items_ == nullptr ? iterator() : items_->begin(); }
    [[nodiscard]] iterator end() const noexcept { return items_ == nullptr ? iterator() : items_->end(); }
    /// Takes out [from, end()).
    void truncate(iterator from) noexcept {
        if (items_ != nullptr) items_->erase(from, items_->end());
    }
    /// Gives the memory back, too.
    void clear() noexcept { items_.reset(); }

private:
    container& items() {
        if (items_ == nullptr) items_ = std::make_unique<container>();
        return *items_;
    }

    std::unique_ptr<container> items_;
};

}  // namespace martlet::core
