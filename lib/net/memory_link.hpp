// One connection of a memory_network: two streams of bytes that arrive when it is time.
#pragma once

#include "net/memory_network.hpp"
#include "net/transport.hpp"

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace martlet::net {

class memory_link : public std::enable_shared_from_this<memory_link> {
public:
    /// As much as a socket takes before it is full.
    static constexpr std::size_t window = 256 * 1024;

    explicit memory_link(std::weak_ptr<memory_network> network) noexcept : network_(std::move(network)) {}

    [[nodiscard]] io_result read(std::size_t side, std::span<char> into) noexcept;
    [[nodiscard]] io_result write(std::size_t side, std::span<const std::string_view> from);
    void wait(std::size_t side, direction what, std::shared_ptr<waiter> who);
    /// No more from this side.
    void finish(std::size_t side);
    void close(std::size_t side);

    /// Both ends see a reset.
    void cut();
    /// Silence is over.
    void release();
    [[nodiscard]] bool is_open() const noexcept { return !is_cut_ && !ends_[0].is_closed && !ends_[1].is_closed; }

private:
    struct chunk {
        steady_time at;
        std::string bytes;  // empty: the end
    };
    struct half {                     // what one side has sent
        std::deque<chunk> under_way;  // in order
        std::size_t size = 0;
        std::size_t taken = 0;  // of the first chunk
        bool is_finished = false;
    };
    struct side_state {
        std::array<std::shared_ptr<waiter>, 2> waiting;  // by direction
        bool is_closed = false;
    };

    [[nodiscard]] bool is_ready(std::size_t side, direction what) const noexcept;
    void append(std::size_t side, std::string bytes);
    void wake(std::size_t side, direction what);
    void tell(std::shared_ptr<waiter> who, direction what, error_code error);
    static constexpr std::size_t other(std::size_t side) noexcept { return 1 - side; }

    std::weak_ptr<memory_network> network_;
    std::array<half, 2> sent_;  // by side
    std::array<side_state, 2> ends_;
    bool is_cut_ = false;
};

/// One end of it.
[[nodiscard]] std::unique_ptr<transport> make_memory_transport(std::shared_ptr<memory_link> link, std::size_t side,
                                                               std::string own, std::string peer);

}  // namespace martlet::net
