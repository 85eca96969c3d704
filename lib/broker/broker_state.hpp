// What the parts of the engine share.
#pragma once

#include "broker/address_budget.hpp"
#include "broker/deadlines.hpp"
#include "broker/peer.hpp"
#include "broker/retained.hpp"
#include "broker/router.hpp"
#include "broker/sessions.hpp"
#include "broker/subscriptions.hpp"
#include "broker/sys_topics.hpp"

#include <martlet/broker_options.hpp>
#include <martlet/core/changes.hpp>
#include <martlet/core/connection.hpp>
#include <martlet/core/output.hpp>
#include <martlet/time.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::broker_impl {

/// A string of a peer for the log: control characters as \xNN, and not more than 256 bytes.
[[nodiscard]] std::string escaped(std::string_view text);

/// A session's client, connected or not, for the hooks.
[[nodiscard]] client_info info_of(const client_session& session) noexcept;

/// Answers of the authenticator that have not been processed. Shared with the handlers, which may outlive the broker.
struct answer_box {
    std::vector<std::pair<peer_id, authentication_answer>> answers;
    std::function<void()> wake;  ///< an answer came while the engine was not running
    bool in_engine = false;
};

struct broker_state {
    broker_state(const broker_options& given, std::uint64_t seed, bool journal_on, const instant& start);
    ~broker_state();

    const broker_options options;
    const core::connection_limits limits;
    const core::queue_limits queue;
    instant now;
    core::changes journal;
    core::buffer_pool buffers;
    boost::intrusive_ptr<core::memory_account> memory{new core::memory_account};  ///< of messages
    bool lends_input = false;  ///< what is received now stays where it is until all output has been flushed
    std::size_t unsent = 0;    ///< bytes of output that transports have not taken
    deadlines timers;
    subscriptions filters;
    retained kept;
    sessions table;
    broker_impl::router router;
    sys_topics sys;
    traffic_counters traffic;
    address_budget addresses;
    core::event event;                       ///< the one that is being handled
    std::vector<peer_id> waiting_for_store;  ///< what they have to send waits for a commit
    std::vector<peer_id> noted;              ///< its twin, while they are told
    std::vector<peer_id> waiting_for_room;   ///< not read until the store has caught up
    std::vector<peer*> dirty;                ///< peers with output, or to be closed; null: gone meanwhile
    std::shared_ptr<answer_box> answers = std::make_shared<answer_box>();

    std::vector<std::unique_ptr<peer>> peers;  ///< by the low half of their id
    std::vector<std::uint32_t> free_peers;
    std::uint32_t last_peer_generation = 0;
    std::size_t open_count = 0;           ///< connections with a session
    std::uint64_t random;                 ///< of chosen client ids
    std::uint64_t rights_generation = 0;  ///< of the authenticator, as the sessions were last checked against it
    std::uint64_t connections_accepted = 0;

    [[nodiscard]] peer* find(peer_id id) noexcept {
        const auto at = static_cast<std::uint32_t>(id);
        peer* const p = at < peers.size() ? peers[at].get() : nullptr;
        return p != nullptr && p->id() == id ? p : nullptr;
    }
    /// The store is so far behind that nothing more may be given to it.
    [[nodiscard]] bool is_store_behind() const noexcept { return journal.pending() > options.store_backlog_max; }
    /// Runs what serves `p`. If memory ends meanwhile, so does that connection, and no other.
    template <class F>
    void with_memory(peer& p, F&& f) {
        try {
            f();
        } catch (const std::bad_alloc&) {
            relieve();
            p.give_up();
        }
    }
    /// Makes room for one more connection in all the lists of them.
    void reserve_peer();
    /// A client id that no session has.
    [[nodiscard]] std::string choose_client_id();
    /// Puts the peer's next deadline onto the heap, if it is earlier than the entry that stands there.
    void schedule(peer& p);
    void publish_will(client_session& session, const stored_will& will);
    /// All connections', those that are gone included.
    [[nodiscard]] traffic_counters present_traffic() const noexcept;
    /// True without an authenticator, too.
    [[nodiscard]] bool may_receive(const client_session& session, std::string_view topic) const;
    /// Takes away what is no longer allowed, if the authenticator says that something has changed.
    void recheck_rights() {
        if (options.authenticator == nullptr) return;
        if (const auto present = options.authenticator->rights_generation(); present != rights_generation) {
            rights_generation = present;
            apply_rights();
        }
    }

    /// A message of `create` that counts in is_memory_full().
    template <class... Args>
    [[nodiscard]] core::message_ref make_message(Args&&... args) {
        core::message_ref made = core::outgoing_message::create(std::forward<Args>(args)...);
        core::outgoing_message::charge(made, memory);
        return made;
    }
    [[nodiscard]] bool is_memory_full() const noexcept { return memory->bytes + unsent >= options.memory_max; }
    [[nodiscard]] bool logs(log_level level) const noexcept {
        return options.log != nullptr && level <= options.log_detail;
    }
    /// Memory is short: gives back what is only kept for speed.
    void relieve() noexcept {
        buffers.clear();
        router.forget_routes();
    }
    void log(log_level level, std::string_view line) const {
        if (logs(level)) options.log->write(level, line);
    }

private:
    void apply_rights();
};

inline void peer::mark_dirty() {
    if (dirty) return;
    dirty_at = state_->dirty.size();
    state_->dirty.push_back(this);
    dirty = true;
}

}  // namespace martlet::broker_impl
