// A connected byte stream that never blocks: one virtual call per read or write, never per packet. TCP, TLS, WebSocket,
// Unix sockets and the memory links of tests and simulation stand behind it; the driver is its only user.
#pragma once

#include <martlet/error.hpp>

#include <boost/asio/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace martlet::net {

enum class direction : std::uint8_t { read, write };

/// What a read or write did. Bytes may come together with would_block: that many were moved, and the next call would
/// move none, so the caller waits at once instead of finding out.
struct [[nodiscard]] io_result {
    std::size_t bytes = 0;
    error_code error;                      ///< would_block, eof (reads only), or what broke the stream
    direction wait_for = direction::read;  ///< with would_block: TLS may want to write in order to read

    [[nodiscard]] bool blocked() const noexcept { return error == boost::asio::error::would_block; }
    [[nodiscard]] bool failed() const noexcept { return error && !blocked(); }
};

/// Who waits for a transport. A wait shares ownership of its waiter, and allocates nothing in the steady state.
class waiter {
public:
    /// The wait is over. \p error: none, or operation_aborted when the transport was closed.
    virtual void on_ready(direction what, error_code error) = 0;

protected:
    ~waiter() = default;
};

/// Not thread-safe: everything happens on the network's executor.
class transport {
public:
    /// At most this many buffers go into one write_some().
    static constexpr std::size_t gather_max = 64;

    virtual ~transport() = default;

    /// Completes what has to happen before bytes flow: handshakes of TLS, WebSocket, a proxy. Blocked: wait and call again.
    /// Calling it is optional: read_some() and write_some() do the same by themselves.
    virtual io_result handshake() noexcept { return {}; }

    /// Reads what is there. A peer that has finished sending: error eof.
    virtual io_result read_some(std::span<char> into) noexcept = 0;
    /// Writes what the system takes now, of at most gather_max buffers. After would_block the next call begins with the
    /// bytes that were not taken: a layer may have begun to encode them.
    virtual io_result write_some(std::span<const std::string_view> from) noexcept = 0;
    /// True if read_some() has bytes although the system might say nothing: after a read that was not would_block, ask
    /// this before waiting.
    [[nodiscard]] virtual bool has_buffered_input() const noexcept { return false; }

    /// Calls who->on_ready() once reading or writing is worth a try; never from inside wait(). At most one wait per
    /// direction at a time.
    virtual void wait(direction what, std::shared_ptr<waiter> who) = 0;

    /// Says that we have finished sending; reading goes on. Blocked: wait and call again.
    virtual io_result shutdown_send() noexcept = 0;
    /// True if close() alone tells the peer of an orderly end once all has been written and read.
    [[nodiscard]] virtual bool ends_by_close() const noexcept { return false; }
    /// Gives everything back at once; waits end with operation_aborted. May be called again.
    virtual void close() noexcept = 0;

    /// The descriptor, -1 if there is none.
    [[nodiscard]] virtual int native_handle() noexcept { return -1; }
    /// The other end for logs: "192.0.2.1:4711", "[2001:db8::1]:4711", "unix:/path".
    [[nodiscard]] virtual std::string peer_address() const = 0;
    /// This end, likewise.
    [[nodiscard]] virtual std::string local_address() const = 0;
    /// One sentence about a failure that the error code cannot tell: "certificate is for a.example, not b.example".
    [[nodiscard]] virtual std::string failure() const { return {}; }
    /// Who the peer has proved to be: Common Name of a verified certificate, or identity of a pre-shared key. Known when
    /// the handshake is done.
    [[nodiscard]] virtual std::string peer_identity() const { return {}; }
    /// True if the handshake has resumed a session of an earlier connection.
    [[nodiscard]] virtual bool is_resumed() const noexcept { return false; }

protected:
    transport() = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;
};

}  // namespace martlet::net
