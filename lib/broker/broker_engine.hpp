// The broker without I/O: bytes, time and commits in; bytes, rows and the next deadline out. All of it is deterministic:
// the same calls with the same seed give the same bytes.
//
//   peer_opened, receive, on_written, on_closed, on_deadline, on_committed ──► engine ──► flush, next_deadline, take_changes
//
// An owner does in each turn: input, then flush() (and again while has_work()), then a timer for next_deadline().
#pragma once

#include "broker/broker_state.hpp"

#include <martlet/broker_options.hpp>
#include <martlet/core/changes.hpp>
#include <martlet/core/output.hpp>
#include <martlet/store.hpp>
#include <martlet/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace martlet::broker_impl {

/// One connection in flush().
struct flush_item {
    peer_id id{};
    void* owner = nullptr;
    core::output& out;
    bool closing = false;       ///< write what is left, close the transport, then call on_closed()
    bool peer_is_done = false;  ///< with closing: it has sent DISCONNECT, after which nothing more may come
    bool reading = true;        ///< false: receive nothing until an item says true
};

struct broker_counters {
    std::size_t connections = 0;  ///< transports, with or without a session
    std::size_t sessions = 0;
    std::size_t sessions_connected = 0;
    std::size_t subscriptions = 0;
    std::size_t shared_subscriptions = 0;
    std::size_t retained = 0;
    std::size_t retained_bytes = 0;
    std::uint64_t connections_accepted = 0;
    std::size_t memory = 0;  ///< bytes of messages and unsent output
    std::size_t queued = 0;  ///< messages that wait in sessions
    router::counters routed;
    traffic_counters traffic;
};

class broker_engine {
public:
    /// `seed` is for hashes and chosen client ids. With `journal_on` rows come out of take_changes(), and what depends
    /// on them waits for on_committed().
    broker_engine(const broker_options& options, std::uint64_t seed, const instant& start, bool journal_on = false);
    ~broker_engine();

    /// What an earlier life has stored; before the first connection. False if it contradicts itself.
    [[nodiscard]] bool restore(stored_state state, const instant& now);

    // -- input

    /// False: its address has too many connections, and it is to be closed at once.
    [[nodiscard]] bool admits(const peer_info& info) const noexcept {
        return state_.addresses.admits(info.address, info.local);
    }
    /// A transport was accepted. `owner` comes back in flush().
    [[nodiscard]] peer_id peer_opened(peer_info info, void* owner, const instant& now);
    /// Who the peer has proved to be in the handshake below MQTT; before its first bytes.
    void set_identity(peer_id id, std::string identity);
    /// Bytes of a peer, gone when this returns. False: no more of them, please, until flush() says so. Unknown ids are
    /// ignored here and below.
    bool receive(peer_id id, std::string_view bytes, const instant& now);
    /// The same, and flush(f) at once: what goes on as it came is written from where it stands, without a copy.
    template <class F>
    bool receive_and_flush(peer_id id, std::string_view bytes, const instant& now, F&& f);
    /// Output that an earlier flush() could not write has been written.
    void on_written(peer_id id, const instant& now);
    /// The transport is gone. `id` means nothing any more.
    void on_closed(peer_id id, const instant& now);
    /// next_deadline() has come, or an authenticator has answered.
    void on_deadline(const instant& now);
    /// Everything up to `number` of take_changes() is stored.
    void on_committed(std::uint64_t number, const instant& now);

    // -- commands

    /// To retained messages and subscribers.
    void publish(const core::message_ref& message, const instant& now);
    /// DISCONNECT 0x8B to all, sessions are kept. New connections are to be refused by the owner.
    void shut_down(const instant& now);
    /// Called when on_deadline() is wanted at once because an authenticator has answered; may be null.
    void set_wake(std::function<void()> wake) { state_.answers->wake = std::move(wake); }

    // -- output

    /// Calls `f(flush_item)` for each connection that has something to write, or is to be closed, or read again.
    template <class F>
    void flush(F&& f, const instant& now);
    /// True if flush() has something to do.
    [[nodiscard]] bool has_work() const noexcept { return !state_.dirty.empty(); }
    /// When to call on_deadline() at the latest.
    [[nodiscard]] steady_time next_deadline() const noexcept;
    [[nodiscard]] bool has_changes() const noexcept { return state_.journal.has_rows(); }
    [[nodiscard]] core::change_batch take_changes() { return state_.journal.take(); }

    // -- queries

    [[nodiscard]] core::output* out(peer_id id) noexcept {
        peer* const p = state_.find(id);
        return p != nullptr ? &p->connection.out() : nullptr;
    }
    /// Of a connection that has said it, or was given one; else empty.
    [[nodiscard]] std::string client_id(peer_id id) noexcept {
        const peer* const p = state_.find(id);
        return p != nullptr ? std::string(p->info().client_id) : std::string();
    }
    [[nodiscard]] broker_counters count() const noexcept;
    [[nodiscard]] const broker_options& options() const noexcept { return state_.options; }

private:
    class loan;
    class turn;  // sets the time, and takes the authenticator's answers in the end

    void process_answers();
    void on_session_deadline(const deadlines::entry& e, const instant& now);
    void drained(peer& p) {
        if (p.needs_drain && p.is_drained()) p.on_drained();
    }
    /// The transport has taken what is no longer there of `before` bytes.
    void count_written(peer& p, std::size_t before) noexcept {
        const std::size_t left = p.connection.out().size();
        state_.traffic.bytes_sent += before - std::min(left, before);
        state_.unsent += left - p.flushed_size;
        p.flushed_size = left;
    }
    /// Copies what was only lent to its output. Without memory the connection breaks, in the middle of a packet.
    static void keep_lent(peer& p) noexcept;
    void compact_timers();

    broker_state state_;
};

class broker_engine::turn {
public:
    turn(broker_engine& engine, const instant& now) : engine_(engine) {
        engine_.state_.now = now;
        engine_.state_.answers->in_engine = true;
        engine_.state_.recheck_rights();
    }
    ~turn() {
        if (!engine_.state_.answers->answers.empty()) engine_.process_answers();
        engine_.state_.answers->in_engine = false;
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

private:
    broker_engine& engine_;
};

// While it lasts, input may be lent to outputs; at its end none is, whatever was thrown.
class broker_engine::loan {
public:
    explicit loan(broker_state& state) : state_(state) { state_.lends_input = true; }
    ~loan() {
        state_.lends_input = false;
        for (peer* const p : state_.dirty)
            if (p != nullptr) keep_lent(*p);
    }
    loan(const loan&) = delete;
    loan& operator=(const loan&) = delete;

private:
    broker_state& state_;
};

template <class F>
bool broker_engine::receive_and_flush(peer_id id, std::string_view bytes, const instant& now, F&& f) {
    const loan here(state_);
    static_cast<void>(receive(id, bytes, now));
    state_.lends_input = false;  // who becomes dirty while others are flushed is not flushed any more
    flush(std::forward<F>(f), now);
    const peer* const p = state_.find(id);
    return p != nullptr && p->wants_reading();  // whom it waited for may have caught up meanwhile
}

template <class F>
void broker_engine::flush(F&& f, const instant& now) {
    const turn here(*this, now);
    // Who becomes dirty meanwhile has its turn the next time: nobody can keep the others waiting.
    const std::size_t count = state_.dirty.size();
    for (std::size_t i = 0; i < count; ++i) {
        peer* const p = state_.dirty[i];
        if (p == nullptr) continue;
        p->dirty = false;
        state_.dirty[i] = nullptr;
        if (p->has_broken_off()) [[unlikely]]
            p->give_up();
        const peer_id id = p->id();
        const std::size_t before = p->connection.out().size();
        f(flush_item{id, p->owner(), p->connection.out(), p->connection.is_closing(), p->has_disconnected(),
                     p->wants_reading()});
        if (state_.find(id) != p) continue;
        keep_lent(*p);
        count_written(*p, before);
        state_.with_memory(*p, [&] { drained(*p); });
    }
    state_.dirty.erase(state_.dirty.begin(), state_.dirty.begin() + static_cast<std::ptrdiff_t>(count));
    for (std::size_t i = 0; i < state_.dirty.size(); ++i) {
        if (state_.dirty[i] != nullptr) state_.dirty[i]->dirty_at = i;
    }
}

}  // namespace martlet::broker_impl
