// The broker's sessions by client id: beginning, resuming, taking over, expiry and wills. MQTT 5 §3.1.2.4, §3.1.2.5,
// §3.1.2.11.2, §3.1.3.2.2, §4.1.
//
//              begin()                    release()                      expiry passed, or begin() with Clean Start
//   (nothing) ────────► connected ──────────────────► kept ─────────────────────────────────► (nothing)
//                          ▲                           │ will delay passed: its will is published
//                          └───────── begin() ─────────┘ cancels the will
#pragma once

#include "broker/deadlines.hpp"
#include "broker/hash_index.hpp"
#include "broker/retained.hpp"
#include "broker/subscriptions.hpp"

#include <martlet/core/session.hpp>
#include <martlet/store.hpp>
#include <martlet/time.hpp>
#include <martlet/types.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::broker_impl {

class peer;

/// "For ever" as a Session Expiry Interval.
inline constexpr std::uint32_t expiry_never = 0xFFFF'FFFF;

/// A will as it waits. Its Message Expiry Interval begins when it is published: until then the message's expires_at()
/// counts from the epoch.
struct stored_will {
    core::message_ref message;
    std::uint32_t delay_interval = 0;  ///< seconds
};

/// Retained messages that a SUBSCRIBE asked for and that are not sent yet.
struct retained_walk {
    retained_walk(retained& of, std::string_view filter, const subscription_options& granted, std::uint64_t after)
        : cursor(of, filter), options(granted), change_number(after) {}

    retained::cursor cursor;
    subscription_options options;
    core::identifiers_ref identifiers;
    std::uint64_t change_number;  ///< to be committed first: SUBACK goes ahead [MQTT-3.8.4]
};

/// One session. Addresses are stable.
struct client_session {
    client_session(core::changes& journal, core::session_key key, const core::queue_limits& limits)
        : state(journal, key, limits) {}

    core::session state;
    std::string client_id;
    std::string user_name;
    std::string address;                ///< of the last connection
    broker_impl::peer* peer = nullptr;  ///< null: not connected
    std::optional<unix_time> expires_at;
    std::optional<stored_will> will;
    steady_time will_due = never;
    steady_time looked_at = never;  ///< time of its entry in the heap of deadlines
    std::vector<std::unique_ptr<retained_walk>> walks;
    session_index index = 0;
    std::uint32_t generation = 0;
    std::uint32_t expiry_interval = 0;
    std::uint16_t listener = 0;  ///< of the last connection
    protocol_version version = protocol_version::v5;
    bool local = false;
    bool is_user_known = false;  ///< false: nobody has connected to it since a restart
};

class sessions {
public:
    /// `publish_will` is called at most once per will, when it is due; it may publish to anybody, also to its session.
    sessions(core::changes& journal, subscriptions& filters, deadlines& timers, std::uint64_t seed,
             std::function<void(client_session&, const stored_will&)> publish_will);
    ~sessions();

    // -- commands

    /// What an accepted CONNECT means: the session to attach, without a connection (the old one was taken over by the
    /// caller), and whether it was there before. Cancels a delayed will, or publishes it if its session ends here.
    struct begun {
        client_session* session = nullptr;
        bool present = false;
    };
    [[nodiscard]] begun begin(std::string_view client_id, bool clean_start, std::uint32_t expiry_interval,
                              protocol_version version, const core::queue_limits& limits, const instant& now);
    /// Stores the will of the connection that has just begun.
    void set_will(client_session& session, std::optional<stored_will> will);
    /// Forgets it: DISCONNECT 0x00 came.
    void discard_will(client_session& session);
    void set_expiry(client_session& session, std::uint32_t interval);
    /// The connection is gone. The will is published now or later, the session ends now or later: after this `session`
    /// may be gone.
    void release(client_session& session, const instant& now);
    /// release() where memory does not suffice even for that: no will, no deadline.
    void abandon(client_session& session) noexcept {
        session.peer = nullptr;
        filters_->set_connected(session.index, false);
    }
    /// The connection is about to go through no doing of its client: a will that would then be published at once is.
    void publish_due_will(client_session& session);
    /// Ends a session that has no connection; a will that still waits is published.
    void end(client_session& session, const instant& now);

    /// A deadline for `whom` came up.
    void on_deadline(std::uint64_t whom, const instant& now);
    [[nodiscard]] bool is_stale(std::uint64_t whom) const noexcept;

    /// Sessions of an earlier life; none is connected. Before anything else. False if the rows contradict each other.
    [[nodiscard]] bool restore(std::vector<stored_state::stored_session> rows, const core::queue_limits& limits,
                               const instant& now);

    // -- queries

    [[nodiscard]] client_session* find(std::string_view client_id);
    [[nodiscard]] client_session& at(session_index index) noexcept { return *table_[index]; }
    [[nodiscard]] std::size_t count() const noexcept { return table_.size(); }
    template <class F>
    void for_each(F&& f) const {
        for (std::uint32_t i = 0; i < table_.bound(); ++i) {
            if (table_[i]) f(*table_[i]);
        }
    }
    [[nodiscard]] std::uint64_t expired_count() const noexcept { return expired_count_; }

private:
    client_session& create(std::string_view client_id, core::session_key key, const core::queue_limits& limits);
    void record(const client_session& session, std::uint32_t expiry_interval, std::optional<unix_time> expires_at,
                protocol_version version);
    void remove(client_session& session) noexcept;
    void schedule(client_session& session, const instant& now);
    void publish(client_session& session);
    [[nodiscard]] static std::uint64_t name_of(const client_session& session) noexcept {
        return static_cast<std::uint64_t>(session.generation) << 32 | session.index;
    }

    core::changes* journal_;
    subscriptions* filters_;
    deadlines* timers_;
    string_hash hash_;
    std::function<void(client_session&, const stored_will&)> publish_will_;
    slab<std::unique_ptr<client_session>> table_;
    hash_index by_id_;
    std::uint64_t last_key_ = 0;
    std::uint32_t last_generation_ = 0;
    std::uint64_t expired_count_ = 0;
};

}  // namespace martlet::broker_impl
