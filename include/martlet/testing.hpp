// Tests of your own program without sockets and without waiting: clients and brokers made on an io_context with a
// virtual_network are on a network in memory, and on a clock that stands still until the test moves it. Keep-alive,
// reconnecting with its delays, expiry and time limits of operations take no time, and the same test goes the same way each
// time. Links have delays, fall silent, or break at any byte.
//
//     asio::io_context io;
//     martlet::testing::virtual_network net(io);           // before clients and brokers are made on `io`
//     martlet::broker broker(io);
//     broker.listen("mqtt://127.0.0.1:1883").value();
//     martlet::client client(io, {.urls = {"mqtt://127.0.0.1"}});
//     …
//     net.run_until([&] { return client.statistics().connected; });
//     net.cut_all();
//     net.advance(5min);
//
// What it is not: timers of Asio (steady_timer) and threads go by the real clock; a store on a disk does, too.
#pragma once

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace martlet::testing {

namespace asio = boost::asio;

/// Everything is called on the thread that runs the io_context; here that is the test's own, by the functions below:
/// io_context::run() would wait for a clock that does not move.
class virtual_network {
public:
    /// \p seed decides what is left to chance: the jitter of delays. One per io_context: throws
    /// boost::asio::service_already_exists for a second one.
    explicit virtual_network(asio::io_context& io, std::uint64_t seed = 1);
    virtual_network(const virtual_network&) = delete;
    virtual_network& operator=(const virtual_network&) = delete;
    /// Clients and brokers that are still there keep their network; nothing moves its clock any more.
    ~virtual_network();

    // -- time

    /// How far the clock has moved since it was made. Its wall clock began at 2026-01-01 00:00 UTC.
    [[nodiscard]] std::chrono::microseconds elapsed() const noexcept;
    /// Calls handlers until none is ready; time stands still.
    void settle();
    /// Lets so much time pass: what becomes due in between happens in its order.
    void advance(std::chrono::microseconds duration);
    /// Lets time pass until \p is_reached says so. False: \p limit has passed before, or nothing is left to happen.
    [[nodiscard]] bool run_until(const std::function<bool()>& is_reached,
                                 std::chrono::microseconds limit = std::chrono::hours(24));

    // -- links

    /// How long bytes, and ends of links, are under way from now on; each dial takes two of it. Default: none.
    void set_delay(std::chrono::microseconds one_way);
    /// False: dialing is refused, as by a host whose server is down. Open links stay.
    void set_reachable(bool is_reachable);
    /// True: nothing arrives any more, and nobody is told; dialing gets no answer. False: what was held arrives.
    void set_silent(bool is_silent);
    /// All open links break: both ends see a reset, and what is under way is lost.
    void cut_all();
    /// The link that carries the \p bytes -th byte from now, counted over all links and both directions, breaks behind it.
    /// Called with 0, 1, 2 … it breaks a test's exchange at each of its bytes in turn.
    void cut_after(std::uint64_t bytes);
    /// Bytes written to links since the network was made: where counting for cut_after() can end.
    [[nodiscard]] std::uint64_t bytes_carried() const noexcept;
    /// Links that are open at both ends.
    [[nodiscard]] std::size_t open_links() const noexcept;

private:
    class impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace martlet::testing
