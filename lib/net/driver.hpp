// THE loop of one connection, the same for client and broker: wait until readable, read into the thread's slab, hand
// the bytes to the owner, and at the end of the turn write everything that became due in one gather write.
//
//   open ── close_after_flush() ──► flushing ── all written ──► draining ── eof, bound ──► closed
//     └──── close(), detach(), eof, error ─────────────────────────────────────────────────┘
//
// In flushing and draining input is read and thrown away, bounded in bytes and time: closing a socket with unread
// input makes the system reset the connection, and the peer would lose our last packet.
#pragma once

#include "net/network.hpp"
#include "net/transport.hpp"

#include <martlet/core/output.hpp>
#include <martlet/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace martlet::net {

class driver;

/// Whom a driver serves. It may call anything on any driver from these; it must call detach() (or have got on_closed())
/// before it dies. What it throws leaves through the loop, and the driver goes on.
class driver_owner {
public:
    /// Bytes from the peer, at most 64 KiB, in the slab of this thread: they are gone when this returns. One call per
    /// read. False pauses reading, until resume_reading().
    [[nodiscard]] virtual bool on_bytes(driver& from, std::string_view bytes) = 0;
    /// What was there has been handed over: time to flush() whichever drivers have got output. Comes after on_bytes()
    /// even if the driver was closed in it, but not if it was detached.
    virtual void on_turn_end(driver& from) = 0;
    /// Output that was stuck in flush() has been written, all of it.
    virtual void on_writable_again(driver& which) = 0;
    /// The end, told once and as the last thing. \p error: eof if the peer closed; what broke; operation_aborted after
    /// close(); none after close_after_flush() when the peer could read everything.
    virtual void on_closed(driver& which, error_code error) = 0;

protected:
    ~driver_owner() = default;
};

struct driver_options {
    std::size_t turn_bytes_max = 256 * 1024;         ///< then others get their turn
    std::size_t drain_bytes_max = 16 * 1024 * 1024;  ///< input thrown away after close_after_flush()
    std::chrono::milliseconds drain_timeout{5'000};  ///< for all of a graceful close
};

/// Pending waits share ownership of the driver: letting go of it, or destroying the owner after detach(), is safe at
/// any time. Holds no buffer of its own. Not thread-safe: the network's executor.
class driver final : public waiter, public task, public std::enable_shared_from_this<driver> {
    struct create_only {};

public:
    /// The size of the slab, and so of the largest read.
    static constexpr std::size_t read_size_max = 64 * 1024;

    /// \p out must live until on_closed() or detach(). Does nothing before start().
    [[nodiscard]] static std::shared_ptr<driver> create(std::shared_ptr<network> on, std::unique_ptr<transport> link,
                                                        core::output& out, driver_owner& owner,
                                                        const driver_options& options = {});
    driver(create_only, std::shared_ptr<network> on, std::unique_ptr<transport> link, core::output& out,
           driver_owner& owner, const driver_options& options);
    ~driver();

    // -- commands

    /// Begins to read. flush() is allowed before it.
    void start();
    /// Writes what is in the output, now, until it is empty or the transport is full; then goes on by itself when the
    /// transport is writable and tells on_writable_again(). Calls nothing of the owner; a failure is told later.
    void flush();
    /// No on_bytes() until resume_reading(). The peer's end is not noticed meanwhile.
    void pause_reading() noexcept;
    void resume_reading();
    /// Graceful: writes the output, finishes sending, reads on until the peer has closed too; on_closed() follows.
    /// There will be no more on_bytes(). The output may still be added to until it is written.
    /// \p peer_is_done: the peer has said that it will send nothing more, and what it sent has been read. A socket that
    /// takes all of the output is then closed at once, because there is nothing that closing could lose.
    void close_after_flush(bool peer_is_done = false);
    /// At once, whatever is unwritten or unread; on_closed() follows.
    void close();
    /// The owner goes away: no more calls to it, and no more use of the output. Closes at once, but a graceful close
    /// goes on with a copy of what is unwritten.
    void detach();

    // -- queries

    /// True until on_closed() or detach().
    [[nodiscard]] bool has_owner() const noexcept { return owner_ != nullptr; }
    /// True if output is stuck: the transport is full, or broken and on_closed() is to come.
    [[nodiscard]] bool is_write_blocked() const noexcept { return write_blocked_ || write_error_; }
    [[nodiscard]] bool is_reading_paused() const noexcept { return paused_; }
    /// True until the first of close(), close_after_flush(), detach() and the end.
    [[nodiscard]] bool is_open() const noexcept { return state_ <= state::open; }
    [[nodiscard]] transport& link() noexcept { return *link_; }
    [[nodiscard]] const transport& link() const noexcept { return *link_; }

    // -- from the transport and the network

    void on_ready(direction what, error_code error) override;
    void run() override;

private:
    enum class state : std::uint8_t { idle, open, flushing, draining, closed };

    struct graceful_end {
        std::unique_ptr<timer> deadline;
        std::string rest;  // what was unwritten at detach()
        std::size_t rest_written = 0;
        std::size_t drained = 0;
    };

    void input_turn();
    void read_turn();
    void discard_turn();
    void await_input();

    [[nodiscard]] bool write();
    io_result put_some();
    void finish_sending();
    [[nodiscard]] std::size_t unwritten() const noexcept;
    [[nodiscard]] std::size_t gather(std::span<std::string_view> parts) const noexcept;
    void consume(std::size_t count) noexcept;
    void take_over_output();
    void block_writing(direction wait_for);

    void wait(direction what);
    void post_turn();
    void finish(error_code error);
    void finish_later(error_code error);
    void shut() noexcept;

    std::shared_ptr<network> network_;
    std::unique_ptr<transport> link_;
    core::output* output_;
    driver_owner* owner_;
    driver_options options_;
    std::unique_ptr<graceful_end> end_;  // from close_after_flush() on
    error_code error_;                   // for on_closed(), when it is posted
    error_code write_error_;             // writing has failed; reading goes on until it would block
    state state_ = state::idle;
    direction read_blocked_on_ = direction::read;
    direction write_blocked_on_ = direction::write;
    bool read_blocked_ = false;  // the last read found nothing more
    bool write_blocked_ = false;
    bool read_waits_ = false;
    bool write_waits_ = false;
    bool posted_ = false;
    bool in_turn_ = false;
    bool paused_ = false;
    bool input_over_ = false;  // the peer has finished sending while we still write
};

}  // namespace martlet::net
