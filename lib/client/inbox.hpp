// Received messages of one stream, from arrival to acknowledgement: waiting, then taken by the application and not yet
// acknowledged. Bounded by count and bytes: the engine asks is_full() and does what the policy says.
#pragma once

#include "client/message_chunk.hpp"

#include <martlet/client_options.hpp>
#include <martlet/core/received.hpp>
#include <martlet/message.hpp>
#include <martlet/packets.hpp>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace martlet::detail {

/// FIFO in a ring that grows by doubling: no allocation per message.
class message_ring {
public:
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    /// The i-th oldest. Requires i < size().
    [[nodiscard]] message& at(std::size_t i) noexcept { return slots_[(head_ + i) & (slots_.size() - 1)]; }
    void push(message&& m);
    [[nodiscard]] message pop() noexcept;
    void clear() noexcept;

private:
    std::vector<message> slots_;  // a power of two, or none
    std::size_t head_ = 0;
    std::size_t count_ = 0;
};

class inbox {
public:
    /// A message with no more bytes than this shares a chunk with others; one with more has a buffer of its own.
    static constexpr std::size_t small_size_max = 1024;
    static constexpr std::size_t chunk_size_max = 4096 - sizeof(message_chunk);

    explicit inbox(inbox_limits limits) noexcept : limits_(limits) {}

    // -- arriving

    /// Copies a message in. `counted`: it counts against count_max (QoS 0, or no Receive Maximum); else bytes only.
    const message& push(const packets::publish& from, core::receipt number, bool counted);
    /// Shares a message that another inbox has, too.
    void push(const message& m);

    /// At a bound: what comes now is beyond it.
    [[nodiscard]] bool is_full() const noexcept { return counted_ >= limits_.count_max || bytes_ >= limits_.bytes_max; }
    [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }
    [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] const inbox_limits& limits() const noexcept { return limits_; }

    // -- being taken

    /// Hands over the oldest message. Requires: not empty.
    [[nodiscard]] message take() noexcept;
    /// Hands over as many as there are and fit.
    std::size_t take(std::span<message> into) noexcept;
    /// Messages that are neither taken nor wanted any more: all of them, removed.
    [[nodiscard]] std::vector<message> drain();
    /// Messages that `predicate` is true for, removed, in order.
    template <class Predicate>
    [[nodiscard]] std::vector<message> extract(Predicate predicate) {
        std::vector<message> out;
        message_ring rest;
        while (!waiting_.empty()) {
            auto m = remove_front();
            if (predicate(std::as_const(m)))
                out.push_back(std::move(m));
            else
                keep(rest, std::move(m));
        }
        waiting_ = std::move(rest);
        return out;
    }

    // -- being acknowledged

    /// Messages handed over and not acknowledged, oldest first; QoS 1 and 2 only.
    [[nodiscard]] bool has_taken() const noexcept { return !taken_.empty(); }
    [[nodiscard]] std::size_t taken_count() const noexcept { return taken_.size(); }
    /// They count as acknowledged now: calls `acknowledge(receipt)` for each.
    template <class Function>
    void acknowledge_taken(Function acknowledge) {
        for (const auto number : taken_)
            acknowledge(number);
        taken_.clear();
    }
    /// One is acknowledged; false if it was not handed over here or is acknowledged already.
    [[nodiscard]] bool acknowledge_one(core::receipt number) noexcept;

private:
    [[nodiscard]] message remove_front() noexcept;
    void keep(message_ring& to, message&& m);
    void count_in(const message& m) noexcept;

    message_ring waiting_;
    std::vector<core::receipt> taken_;
    boost::intrusive_ptr<message_chunk> chunk_;  // the one being filled
    inbox_limits limits_;
    std::size_t next_chunk_size_ = small_size_max;  // the first one is small: many streams are quiet
    std::size_t bytes_ = 0;
    std::size_t counted_ = 0;
};

}  // namespace martlet::detail
