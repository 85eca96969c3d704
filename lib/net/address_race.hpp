// Which of a server's addresses answers first: "happy eyeballs", RFC 8305 §4, §5. Attempts begin in turn, each a step
// after the one before it or when that has failed, and go on side by side; the first connection wins. So an IPv6 address
// that is a black hole costs a quarter of a second and not the patience of a user. Private to lib/net.
#pragma once

#include "net/asio_timers.hpp"
#include "net/socket.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace martlet::net {

/// The same addresses, the families by turns, beginning with that of the first.
[[nodiscard]] std::vector<socket_address> by_turns(const std::vector<socket_address>& addresses);

struct race_options {
    std::string bind_address = {};        ///< a literal; empty: the system chooses. Fails addresses of another family
    std::chrono::milliseconds step{250};  ///< RFC 8305's Connection Attempt Delay
};

class address_race final : public std::enable_shared_from_this<address_race> {
public:
    /// A connected socket; or none: all have failed.
    using done_handler = std::function<void(unique_fd connected, const socket_address& to)>;
    using failure_handler = std::function<void(const socket_address& to, error_code error)>;

    /// In the order given. Handlers are called by run() or later, never after cancel().
    address_race(boost::asio::any_io_executor executor, timer_heap& timers, std::vector<socket_address> addresses,
                 race_options options, failure_handler on_failure, done_handler on_done);

    /// Begins; or goes on after a connection that came to nothing, with the others. One call of `on_done` follows.
    void run();
    /// True if run() could go on after the present connection.
    [[nodiscard]] bool has_more() const noexcept { return !waiting_.empty(); }
    /// Fails all that are under way, without `on_done`: time is up.
    void give_up(error_code error);
    void cancel() noexcept;

private:
    struct contender {
        std::uint64_t number;
        socket_address address;
        std::unique_ptr<descriptor> socket;
    };

    void begin_next();
    void begin(const socket_address& address);
    void on_writable(std::uint64_t number);
    void fail(const socket_address& address, error_code error);
    void win(unique_fd fd, const socket_address& address);
    [[nodiscard]] error_code bind_local(int fd, const socket_address& remote) const;
    void close_all() noexcept;

    boost::asio::any_io_executor executor_;
    race_options options_;
    failure_handler on_failure_;  // both empty: cancelled
    done_handler on_done_;
    std::unique_ptr<timer> step_;
    timer_heap& timers_;
    std::deque<socket_address> waiting_;
    std::vector<contender> running_;
    std::uint64_t last_number_ = 0;
    bool is_decided_ = true;  // run() has not been called since the last on_done
};

}  // namespace martlet::net
