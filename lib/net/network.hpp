// THE seam to the outside world: dial, listen, timers, the present. asio_network is the real one; tests and simulation
// bring their own, and then the same client and broker run on a network and a clock of theirs.
//
// Everything is called, and calls back, on executor(): one thread or a strand. No callback happens inside the call
// that started it.
#pragma once

#include "net/link_layers.hpp"
#include "net/transport.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/error.hpp>
#include <martlet/time.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace martlet::net {

/// Something to be run once on the loop; a post shares ownership and allocates nothing in the steady state.
class task {
public:
    virtual void run() = 0;

protected:
    ~task() = default;
};

/// One-shot, re-armable. Made once per user of the loop, not per connection: the user keeps a heap of its deadlines.
class timer {
public:
    /// Cancels. Allowed in its own handler.
    virtual ~timer() = default;
    /// Calls the handler at or after \p at, instead of whatever was set before; `never` cancels. Moving it to later, as
    /// keep-alive does all the time, costs next to nothing.
    virtual void set(steady_time at) = 0;
    void cancel() { set(never); }
};

struct dial_options {
    std::chrono::milliseconds timeout{10'000};         ///< for all of it
    std::chrono::milliseconds address_timeout{5'000};  ///< for the handshakes at each address of a name but the last
    std::chrono::milliseconds address_step{250};       ///< until the next address of a name is tried, too: RFC 8305 §5
    std::string bind_address = {};                     ///< local address, a literal; empty: the system chooses
    std::shared_ptr<dial_layers> layers = {};          ///< null: a plain socket, of which mqtt and unix are capable
};

struct dial_result {
    std::unique_ptr<transport> link;  ///< set exactly if there is no error
    error_code error;
    std::string detail;  ///< for the log: "connecting to 192.0.2.1:1883: Connection refused"
};
using dial_handler = std::function<void(dial_result)>;

/// A dial under way. Destroying it cancels: then the handler is not called.
class dialing {
public:
    virtual ~dialing() = default;
};

struct listen_options {
    int backlog = 4096;
    bool v6_only = true;                         ///< an IPv6 listener does not take IPv4 connections
    int unix_mode = -1;                          ///< permissions of the socket's file; -1: as umask says
    std::shared_ptr<accept_layers> layers = {};  ///< null: plain sockets, of which mqtt and unix are capable
};

/// Accepts until destroyed; then no handler is called any more. A unix listener removes its file.
class listener {
public:
    virtual ~listener() = default;
    /// Where it listens, with the port that was chosen.
    [[nodiscard]] virtual const endpoint& local() const noexcept = 0;
};

using accept_handler = std::function<void(std::unique_ptr<transport>)>;
/// Told once when accepting stumbles, for example over the limit of descriptors; it goes on by itself.
using accept_error_handler = std::function<void(error_code)>;

struct listen_result {
    std::unique_ptr<net::listener> listener;  ///< set exactly if there is no error
    error_code error;
    std::string detail;  ///< "listening at 127.0.0.1:1883: Address already in use"
};

/// Owned by shared pointers: drivers that finish a graceful close hold on to it.
class network {
public:
    virtual ~network() = default;

    [[nodiscard]] virtual instant now() const noexcept = 0;
    [[nodiscard]] virtual boost::asio::any_io_executor executor() const noexcept = 0;
    /// For what is left to chance: jitter, client ids. Not for secrets.
    [[nodiscard]] virtual std::uint64_t random_seed();
    virtual void post(std::shared_ptr<task> what) = 0;
    [[nodiscard]] virtual std::unique_ptr<timer> make_timer(std::function<void()> on_expiry) = 0;

    /// Resolves, then tries the addresses side by side, each a step later, until one is connected; if the handshakes of
    /// its layers fail, the others go on. Errors: what the address that failed last failed with; of the resolver; of the
    /// layers; timed_out; errc::url_invalid; protocol_not_supported for a scheme that needs layers and has none.
    [[nodiscard]] virtual std::unique_ptr<dialing> dial(const endpoint& to, const dial_options& options,
                                                        dial_handler handler) = 0;
    /// Host: a literal address, a name (looked up at once, IPv4 preferred) or "*" for all IPv4 and IPv6 addresses.
    /// `on_error` may be empty. Handshakes of the layers are not awaited: they happen inside of the first reads.
    /// Errors: what the system says; protocol_not_supported for a scheme that needs layers and has none.
    [[nodiscard]] virtual listen_result listen(const endpoint& at, const listen_options& options,
                                               accept_handler on_accept, accept_error_handler on_error) = 0;

protected:
    network() = default;
    network(const network&) = delete;
    network& operator=(const network&) = delete;
};

/// Posts a function; for rare things, as it allocates.
void post(network& on, std::function<void()> function);

}  // namespace martlet::net
