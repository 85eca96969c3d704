// The timers of a loop: one heap and one timerfd for all networks of an executor, on the clock that counts suspend too, which Asio's own timers do
// not: after a laptop's night the keep-alive is overdue at once. Private to lib/net.
#pragma once

#include "net/network.hpp"
#include "net/socket.hpp"

#include <martlet/time.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace martlet::net {

class timer_heap : public std::enable_shared_from_this<timer_heap> {
public:
    /// The heap of the executor, shared by all who ask for the same one: ten thousand clients of a loop need one clock.
    /// Any thread. Throws system_error if there is no descriptor left for it.
    [[nodiscard]] static std::shared_ptr<timer_heap> of(const boost::asio::any_io_executor& executor);

    /// Throws system_error if there is no descriptor left for the clock.
    explicit timer_heap(const boost::asio::any_io_executor& executor);

    [[nodiscard]] static instant now() noexcept;
    [[nodiscard]] std::unique_ptr<timer> make_timer(std::function<void()> on_expiry);

private:
    class handle;
    struct entry;
    using queue = std::multimap<steady_time, std::shared_ptr<entry>>;

    void set(const std::shared_ptr<entry>& which, steady_time at);
    static void unqueue(entry& which, queue::node_type node) noexcept;
    void remove(entry& which);
    void arm();
    void on_clock();

    descriptor clock_;
    queue queue_;
    std::vector<std::shared_ptr<entry>> due_;
    steady_time armed_ = never;  // what the clock is set to
    bool waiting_ = false;
};

}  // namespace martlet::net
