// One connection of the broker: what its client does, in terms of sessions, subscriptions and the router.
//
//   opened ── CONNECT ──► authenticating ── granted ──► open ──► ended
//                                        └─ refused ──────────►
//
// `ended` means that the session has been let go; the transport may still have something to write.
#pragma once

#include "broker/router.hpp"
#include "broker/sessions.hpp"

#include <martlet/authenticator.hpp>
#include <martlet/core/connection.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::broker_impl {

struct broker_state;

/// Names a connection; never used again.
enum class peer_id : std::uint64_t {};

/// What the listener knows about a connection.
struct peer_info {
    std::string address;                 ///< for logs and hooks
    bool local = true;                   ///< from this machine
    std::string identity = {};           ///< proved in the TLS handshake; empty: nobody
    bool identity_is_user_name = false;  ///< and that is all it takes
    std::uint16_t listener = 0;          ///< its number; see client_info
};

class peer {
public:
    peer(broker_state& state, peer_id id, peer_info info, void* owner);
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;
    ~peer();

    // -- input, of the engine

    /// Before the first bytes: who the peer has proved to be.
    void set_identity(std::string identity) { info_.identity = std::move(identity); }
    void receive(std::string_view bytes);
    void on_deadline();
    void on_committed();
    /// Its output has become smaller.
    void on_drained();
    void on_answer(authentication_answer answer);
    /// The broker stops: DISCONNECT or a refusal, and the session is let go.
    void shut_down();
    /// The authenticator may think otherwise about this client than before.
    void apply_rights();
    /// The transport is gone.
    void on_closed();
    /// What it could not have for want of memory cannot be told to it otherwise: gives up in the next flush().
    void break_off() noexcept;
    [[nodiscard]] bool has_broken_off() const noexcept { return gave_up_; }
    /// Memory ran out while it was served: DISCONNECT, if there is memory for that, and the end.
    void give_up() noexcept;
    /// The end of a connection that is closing, whatever memory there is.
    void end_surely() noexcept;

    // -- of the router

    /// Something was appended to its output.
    void mark_dirty();
    /// Nothing more is read from this publisher until `receiver` has caught up.
    void wait_for(peer& receiver);
    /// All receivers of what it publishes are behind, `receiver` among them: reading on would only move messages from the
    /// system's buffers into ours, out of the processor's cache. Nothing is read from it until `receiver` is no longer
    /// behind, or for a millisecond: enough for one that goes on taking, and too short to hold anybody up.
    void take_breath(peer& receiver);
    /// It has a session, and much that its transport has not taken, or that its client has not acknowledged.
    [[nodiscard]] bool is_behind() const noexcept;
    /// What it has to send may wait for a commit.
    void note_waiting() noexcept;
    /// The store has caught up: it is read again.
    void on_store_room();

    // -- queries

    [[nodiscard]] peer_id id() const noexcept { return id_; }
    [[nodiscard]] void* owner() const noexcept { return owner_; }
    /// After that it may send nothing more.
    [[nodiscard]] bool has_disconnected() const noexcept { return has_disconnected_; }
    [[nodiscard]] bool wants_reading() const noexcept { return waiting_for_ == 0 && breath_until_ == never; }
    /// True if on_drained() is worth a call, when it is needed.
    [[nodiscard]] bool is_drained() const noexcept;
    [[nodiscard]] steady_time next_deadline() const noexcept;
    [[nodiscard]] client_info info() const noexcept;

    core::connection connection;
    client_session* session = nullptr;  ///< from CONNACK to the end

    // hot state of the router
    route_ref last_route;  ///< of the last topic published, unless it has many receivers
    std::uint64_t rights_generation = 0;
    bool may_publish = true;         ///< to that topic
    std::uint8_t version_class = 0;  ///< what it sends is encoded as 1: 3.x, 2: MQTT 5
    std::uint8_t forward_class = 0;  ///< the class of packets that may be passed on to it as they came; 0: none
    steady_time looked_at = never;   ///< time of its entry in the heap of deadlines
    bool dirty = false;
    bool waits_for_store = false;  ///< stands in the list of those
    bool needs_drain = false;      ///< on_drained() has something to do
    std::size_t flushed_size = 0;  ///< of its output after the last flush: what the transport did not take
    std::size_t dirty_at = 0;      ///< where it stands in the list

private:
    /// What a CONNECT asked for, kept while the authenticator thinks.
    struct connect_data {
        std::string client_id;
        std::string user_name;
        std::optional<stored_will> will;
        std::uint32_t expiry_interval = 0;
        std::uint16_t keep_alive = 0;
        bool clean_start = true;
        bool lower_expiry_told = false;
    };
    /// Publishers that are not read because of us.
    struct held_up {
        std::vector<peer_id> waiters;
        std::vector<peer_id> breathers;  ///< for a moment only
        steady_time stall_at = never;
        std::size_t stall_backlog = 0;
    };
    [[nodiscard]] held_up& holding_up() {
        if (held_up_ == nullptr) held_up_ = std::make_unique<held_up>();
        return *held_up_;
    }
    /// Retained messages wait while so much is unsent, so that a million of them cost one buffer at a time.
    static constexpr std::size_t retained_output_max = 256 * 1024;

    void run();
    [[nodiscard]] reason_code route_message(const core::event& e);
    void mark_dirty_surely() noexcept;
    void settle();
    [[nodiscard]] bool pass_on();
    [[nodiscard]] bool pass_on_run(std::string_view in, const core::plain_cutter& cutter,
                                   const core::plain_packet& first, const route& r);
    [[nodiscard]] bool take_row(std::string_view in, const core::plain_cutter& cutter, const core::plain_packet& first,
                                const route* r);
    [[nodiscard]] std::size_t own_output_max() const noexcept;
    void end();
    void on_event(core::event& e);
    void on_connect(const packets::connect& packet);
    void on_auth(const packets::auth& packet);
    void on_subscribe(const packets::subscribe& packet);
    void on_unsubscribe(const packets::unsubscribe& packet);
    void on_disconnect(const packets::disconnect& packet);
    [[nodiscard]] reason_code check_connect(const packets::connect& packet) const;
    [[nodiscard]] reason_code check_filter(const subscription_request& wanted, std::uint32_t identifier) const;
    reason_code subscribe(const subscription_request& wanted, std::uint32_t identifier);
    void ask(authentication_step step, std::optional<std::string_view> password, std::string_view data);
    void grant(const authentication_answer& answer);
    void refuse(reason_code reason, std::string_view why = {});
    void recheck_session();
    void send_retained();
    void let_publishers_go();
    void end_breath();
    void end_breaths();
    void go_on();
    void wait_for_room();
    [[nodiscard]] std::size_t backlog() const noexcept;

    broker_state* state_;
    peer_id id_;
    void* owner_;
    peer_info info_;
    std::unique_ptr<connect_data> connecting_;  // until CONNACK
    std::unique_ptr<held_up> held_up_;          // null until somebody has to wait for us
    steady_time breath_until_ = never;
    std::size_t waiting_for_ = 0;  // receivers
    bool resumes_ = false;         // it was paused and has input that was not looked at
    bool ended_ = false;
    bool has_disconnected_ = false;
    bool gave_up_ = false;
    client_session* ending_ = nullptr;  // after the end, until it has been let go
    bool is_counted_handshake_ = true;  // among those of its address that are not accepted yet
    bool waits_for_room_ = false;
};

}  // namespace martlet::broker_impl
