// Session state of MQTT: what outlives a connection. The same type at both ends: for a client it is what it has to say
// to the server, for a broker what it has to say to one client. Plain data with rules; `connection` does the talking.
// MQTT 5 §4.1. Experimental until 1.0.
#pragma once

#include <martlet/core/changes.hpp>
#include <martlet/core/fifo.hpp>
#include <martlet/core/inflight.hpp>
#include <martlet/core/outgoing_message.hpp>
#include <martlet/core/received.hpp>
#include <martlet/error.hpp>
#include <martlet/time.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace martlet::core {

/// What happens to a message that does not fit into the queue.
enum class queue_policy : std::uint8_t {
    refuse,            ///< the new message is refused
    drop_oldest,       ///< the oldest queued message goes
    latest_per_topic,  ///< a message takes the place of the one with its topic that waits; at the bound the oldest goes
};

/// Bounds of the queue of messages that wait for a packet id or for a connection. Zero means "nothing may wait".
struct queue_limits {
    std::size_t count_max = 100'000;
    std::size_t bytes_max = 256u * 1024 * 1024;  ///< by outgoing_message::cost()
    queue_policy policy = queue_policy::refuse;
    bool keep_qos_0 = false;  ///< queue QoS 0 while there is no connection (else such messages are dropped)
};

/// A message that waits.
struct queued {
    outgoing what;
    std::uint64_t order = 0;
};

/// An operation of the owner that ended, to be told in an event.
struct completion {
    token who = 0;
    error_code error;                           ///< ours (errc) if it ended without the peer's word
    reason_code reason = reason_code::success;  ///< the peer's
};

/// All rows that make a session anew.
struct session_snapshot {
    std::vector<outgoing_row> outgoing;
    std::vector<received_row> received;
};

/// State of one session. Owned by the client, or by the broker's table of sessions; connected to at most one
/// `connection` at a time. Not thread-safe.
class session {
public:
    /// `journal` must outlive the session; `key` names its rows.
    session(changes& journal, session_key key, queue_limits limits = {}) noexcept
        : journal_(&journal), key_(key), limits_(limits) {}
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // -- what waits

    /// Appends to the queue. False if the message (or, by policy, an older one: its completion is then due) was
    /// dropped. QoS 0 is never stored.
    [[nodiscard]] bool enqueue(outgoing what);
    [[nodiscard]] const queued* front() const noexcept { return queue_.empty() ? nullptr : &queue_.front(); }
    /// Drops the front: expired, or too large for the peer. Its row is erased.
    void drop_front(error_code why);
    [[nodiscard]] std::size_t queue_count() const noexcept { return queue_.size(); }
    [[nodiscard]] std::size_t queue_bytes() const noexcept { return queue_bytes_; }
    /// Messages dropped from the queue by policy or expiry since the session exists.
    [[nodiscard]] std::uint64_t dropped_count() const noexcept { return dropped_count_; }
    [[nodiscard]] const queue_limits& limits() const noexcept { return limits_; }
    void set_limits(queue_limits limits) noexcept { limits_ = limits; }
    /// Drops what has expired.
    void drop_expired(unix_time now);
    /// Drops the waiting messages for which `is_unwanted(topic)`; returns how many.
    std::size_t drop_queued(const std::function<bool(std::string_view)>& is_unwanted);

    // -- what is under way

    inflight sent;                     ///< our packet ids
    martlet::core::received received;  ///< the peer's packet ids

    /// Takes everything out of the queue, in order, without erasing rows.
    [[nodiscard]] std::vector<outgoing> take_queue();
    /// A QoS 1 or 2 message gets a packet id and a row: the entry, or null if no id is free.
    [[nodiscard]] inflight_entry* start(outgoing what);
    /// The same for a plain message, without a row. Requires a journal that is off.
    [[nodiscard]] inflight_entry* start_unstored(const message_ref& message, martlet::qos q) {
        inflight_entry* const entry = sent.acquire(q == martlet::qos::at_least_once ? inflight_state::awaiting_puback
                                                                                    : inflight_state::awaiting_pubrec);
        if (entry == nullptr) return nullptr;
        entry->what.message = message;
        entry->what.qos = q;
        entry->order = next_order_++;
        entry->change_number = 0;
        return entry;
    }
    /// The same with the front of the queue, whose row is replaced. Requires front() with QoS 1 or 2.
    [[nodiscard]] inflight_entry* start_front();
    /// Takes all QoS 0 messages out of the queue, in order.
    [[nodiscard]] std::vector<outgoing> take_qos_0();
    /// PUBREC with success came.
    void release(inflight_entry& entry);
    /// PUBACK, PUBCOMP or a failed PUBREC came: the exchange is over.
    void finish(inflight_entry& entry);
    /// A request of ours (SUBSCRIBE, UNSUBSCRIBE) gets an id; null if none is free.
    [[nodiscard]] inflight_entry* start_request(inflight_state state, token who, std::uint32_t count);

    // -- life cycle

    /// The connection is gone: requests lose their ids (their owner makes them anew), the rest stays.
    void on_closed() noexcept;
    /// The server has no session: unacknowledged messages go back to the front of the queue in their order, to be sent
    /// anew; those whose PUBREC came are complete; received ids are forgotten. MQTT 5 §3.2.2-5.
    void on_peer_lost_session();
    /// Everything goes: rows, queue, ids.
    void clear();
    /// True if there is anything that makes it worth keeping.
    [[nodiscard]] bool has_state() const noexcept {
        return !queue_.empty() || sent.publish_count() != 0 || received.count() != 0;
    }

    [[nodiscard]] session_snapshot snapshot() const;
    /// Into a fresh session only; rows in any order. False (and the session is cleared) if they contradict each other.
    [[nodiscard]] bool restore(session_snapshot rows);

    // -- for connection

    [[nodiscard]] changes& journal() noexcept { return *journal_; }
    [[nodiscard]] session_key key() const noexcept { return key_; }
    /// Operations that ended; taken by the connection's events, or by the owner while there is no connection.
    [[nodiscard]] bool take_completion(completion& out) noexcept;
    void complete(completion what);

private:
    inflight_entry* start(outgoing what, std::uint64_t order);
    void pop_front() noexcept;
    [[nodiscard]] queued* find_queued(std::string_view topic) noexcept;
    void replace(queued& waiting, outgoing what);
    void index(const queued& waiting);
    void forget_topic(const queued& waiting) noexcept;

    changes* journal_;
    session_key key_;
    queue_limits limits_;
    fifo<queued> queue_;  // by rising order
    // order of what waits, by topic; null until a message waits under latest_per_topic
    std::unique_ptr<std::unordered_map<std::string_view, std::uint64_t>> by_topic_;
    std::size_t queue_bytes_ = 0;
    std::size_t queued_qos_0_ = 0;
    std::uint64_t next_order_ = 1;
    std::uint64_t next_released_order_ = 1;
    std::uint64_t dropped_count_ = 0;
    fifo<completion> completions_;
};

}  // namespace martlet::core
