// What publishers and subscribers of one stream of messages share across threads: the credit of a closed loop. So many
// messages may be published beyond those that the slowest subscriber has; that is what keeps QoS 0 from being dropped by
// a broker that cannot keep up, and turns its speed into ours.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace martlet::cli::bench {

class flow {
public:
    /// `credit` messages in all; `is_shared`: each message goes to one of the subscribers.
    flow(std::uint64_t credit, std::size_t subscribers, bool is_shared)
        : credit_(credit), received_(subscribers), is_shared_(is_shared) {}

    [[nodiscard]] bool has_subscribers() const noexcept { return !received_.empty(); }
    /// How many more may be published now.
    [[nodiscard]] std::uint64_t room() const noexcept {
        const std::uint64_t outstanding = sent_.load(std::memory_order_relaxed) - settled();
        return outstanding < credit_ ? credit_ - outstanding : 0;
    }
    void sent(std::uint64_t messages) noexcept { sent_.fetch_add(messages, std::memory_order_relaxed); }
    /// A publisher that found no room; it is woken when there is some. Returns true if there is some by now.
    bool wait() noexcept {
        is_waiting_.store(true);
        return room() != 0;
    }
    /// Subscriber `index` got so many more.
    void received(std::size_t index, std::uint64_t messages) {
        if (received_.empty()) return;  // others have subscribers, too: nobody knows who is the slowest
        received_[index].value.fetch_add(messages);
        if (is_waiting_.load() && room() != 0 && is_waiting_.exchange(false)) wake();
    }
    /// What is outstanding will not come any more: it was lost.
    void write_off() {
        written_off_.fetch_add(sent_.load() - settled());
        if (is_waiting_.exchange(false)) wake();
    }
    /// Messages that are settled; a measure of progress.
    [[nodiscard]] std::uint64_t settled() const noexcept;
    [[nodiscard]] std::uint64_t outstanding() const noexcept { return sent_.load() - settled(); }

    /// Called on any thread, to be set before the run.
    std::vector<std::function<void()>> wakers;

private:
    struct alignas(64) counter {
        std::atomic<std::uint64_t> value{0};
    };
    void wake() const {
        for (const auto& one : wakers)
            one();
    }

    std::uint64_t credit_;
    std::atomic<std::uint64_t> sent_{0};
    std::atomic<std::uint64_t> written_off_{0};
    std::atomic<bool> is_waiting_{false};
    std::vector<counter> received_;
    bool is_shared_;
};

}  // namespace martlet::cli::bench
