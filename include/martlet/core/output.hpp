// Bytes that wait to be written: one contiguous buffer for what is small, references for large payloads. Everything
// that becomes due in a turn is appended here and leaves in one gather write.
#pragma once

#include <martlet/core/outgoing_message.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace martlet::core {

/// Buffers that are empty at the moment, shared by the connections of one loop, so that an idle connection holds none
/// and a busy one does not allocate each turn. Not thread-safe.
class buffer_pool {
public:
    struct buffer {
        std::unique_ptr<char[]> bytes;
        std::size_t capacity = 0;
    };

    /// A buffer of at least `capacity` bytes.
    [[nodiscard]] buffer take(std::size_t capacity);
    /// Keeps the buffer for later, or frees it when enough are kept or it is too large.
    void give(buffer b) noexcept;
    /// Frees all that it keeps.
    void clear() noexcept { spares_.clear(); }

private:
    static constexpr std::size_t spare_count_max = 64;
    static constexpr std::size_t spare_size_max = 1024 * 1024;
    std::vector<buffer> spares_;  // by size, the largest last
};

/// FIFO of bytes of one connection.
class output {
public:
    /// From this size on a payload is referred to, below it is copied: a copy of a small packet is cheaper than a
    /// buffer of its own in the gather write. The same goes for bytes that can be lent.
    static constexpr std::size_t share_size_min = 4096;

    explicit output(buffer_pool& pool) noexcept : pool_(&pool) {}
    output(const output&) = delete;
    output& operator=(const output&) = delete;
    ~output() { clear(); }

    /// Room for `n` contiguous bytes at the end; what is written there counts from commit() on.
    [[nodiscard]] char* reserve(std::size_t n) {
        if (buffer_.capacity - tail_ < n) grow(n);
        return buffer_.bytes.get() + tail_;
    }
    void commit(std::size_t n) noexcept {
        tail_ += n;
        size_ += n;
    }
    /// Copies.
    void append(std::string_view bytes) {
        std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
        commit(bytes.size());
    }
    /// Refers to bytes of somebody else, who keeps them as they are until they are written or keep_lent() was called.
    void lend(std::string_view bytes);
    /// Copies what is still lent, so that its bytes may go away.
    void keep_lent() {
        if (is_lent_) copy_lent();
    }
    /// Refers to the payload of `owner` if it is large, else copies it.
    void append_payload(const message_ref& owner);

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// Bytes consumed so far, for statistics.
    [[nodiscard]] std::uint64_t consumed() const noexcept { return consumed_; }

    /// Fills `views` with the first bytes to be written, in order; returns how many views.
    [[nodiscard]] std::size_t gather(std::span<std::string_view> views) const noexcept;
    /// Forgets the first `n` ≤ size() bytes; an empty output gives its buffer back to the pool.
    void consume(std::size_t n) noexcept;
    void clear() noexcept;

private:
    struct shared_payload {
        std::size_t position;  // in buffer_: where it is inserted
        std::string_view rest;
        message_ref owner;  // null: lent
    };
    void copy_lent();
    void grow(std::size_t n);

    buffer_pool* pool_;
    buffer_pool::buffer buffer_;
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
    std::size_t size_ = 0;
    std::uint64_t consumed_ = 0;
    std::deque<shared_payload>* shared_ = nullptr;  // most connections never have one
    bool is_lent_ = false;
};

}  // namespace martlet::core
