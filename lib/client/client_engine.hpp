// The client without I/O: commands, bytes, time and commits in; bytes, outcomes, events, changes, a deadline and wishes
// for the link out. It owns the session and the connection of the moment.
//
//   idle ── start() ──► (preparing ──►) dialing ── on_dialed() ──► handshake ── CONNACK ──► open ── lost ──► waiting ── delay ──► dialing
//                         ▲  └─ failed ─► waiting     └─ refused, lost ─► waiting    └─ disconnect() ──► leaving ──► ended
//                         └── the server does not know our version: at once with another one
//   anything ── stop(), fatal refusal ──► ended ── start() ──► dialing
//
// preparing: a source of credentials or an authentication is asked first.
//
// The owner sets the present with set_time() before each call, and afterwards takes what came of it: out() to be
// written, take_action(), take_outcomes(), take_event(), take_woken(), journal(), next_deadline().
#pragma once

#include "client/rare_queue.hpp"
#include "client/reconnect.hpp"
#include "client/routes.hpp"
#include "client/stream_state.hpp"
#include "core/wire.hpp"

#include <martlet/client_options.hpp>
#include <martlet/core/connection.hpp>
#include <martlet/core/session.hpp>
#include <martlet/endpoint.hpp>
#include <martlet/store.hpp>
#include <martlet/time.hpp>
#include <martlet/topic.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::detail {

/// What the engine wants of the link.
struct link_action {
    enum class kind_type : std::uint8_t {
        ask_credentials,       ///< for `to`; answer with on_credentials(`number`, …)
        begin_authentication,  ///< answer with on_authentication(`number`, …)
        go_on_authenticating,  ///< with `data`; answer likewise
        dial,                  ///< `to`; answer with on_dialed() or on_dial_failed()
        abandon,               ///< write what is left and close, without us: no answer
        cut,                   ///< close at once, or give up dialling: no answer
        close,                 ///< write what is left and close; answer with on_link_closed()
        resume,                ///< on_bytes() may be called again
        finished,              ///< the run is over: `error`
    };
    kind_type kind{};
    endpoint to;
    std::chrono::milliseconds timeout{0};
    error_code error;
    std::uint64_t number = 0;  ///< names a question; answers to earlier ones are ignored
    std::string data = {};
    std::string bind_address = {};  ///< of dial
};

/// The end of an operation.
struct operation_outcome {
    core::token who = 0;
    error_code error;
    reason_code reason = reason_code::success;
    std::vector<reason_code> reasons;
};

class client_engine {
public:
    using token = core::token;

    /// `options` must outlive the engine.
    client_engine(const client_options& options, std::uint64_t random_seed);
    client_engine(const client_engine&) = delete;
    client_engine& operator=(const client_engine&) = delete;

    // -- input

    void set_time(instant now) noexcept { present_ = now; }
    [[nodiscard]] instant time() const noexcept { return present_; }
    void on_dialed(bool tls_session_resumed = false);
    void on_dial_failed(error_code error, std::string detail);
    void on_credentials(std::uint64_t number, error_code error, credentials answer);
    void on_authentication(std::uint64_t number, error_code error, std::string data);
    /// False: no more before action `resume`.
    [[nodiscard]] bool on_bytes(std::string_view bytes);
    /// Actions `abandon` and `cut` have been carried out: out() is not needed any more.
    void release_link();
    /// The transport has ended, by itself (none or errc::connection_closed: the server hung up) or after action `close`.
    void on_link_closed(error_code error, std::string detail = {});
    void on_deadline();
    void on_committed(std::uint64_t number);
    /// `text`: what the store says of it. The run ends.
    void on_store_failed(error_code error, std::string text);
    /// The store cannot be used, and the run ends before it has begun.
    void on_store_unusable(error_code error, std::string text);
    /// Commits are held up, or (no error) go on.
    void on_store_condition(error_code error, std::string text);
    /// What an earlier process has stored; once, before the first start(). What is published or subscribed to before is
    /// kept. Errors: errc::store_damaged; client_id_invalid: the store is another client's.
    /// After an error `why` may say more than it.
    [[nodiscard]] error_code restore(stored_state state, std::string& why);
    /// Messages from store::read_enqueued(), after last_enqueued().
    void take_enqueued(std::vector<enqueued_row> rows);
    /// True: the store may have some that were not read yet, and a drain waits for them.
    void expect_enqueued(bool may_come);
    /// Output that stood at its bound has been written.
    void on_output_drained();
    /// True if operations wait for that.
    [[nodiscard]] bool waits_for_output() const noexcept { return !waiting_for_room_.empty(); }

    // -- commands: life cycle

    /// Begins a run. Errors: already_running, url_invalid, option_invalid, client_id_invalid, string_invalid,
    /// topic_invalid (of the will).
    [[nodiscard]] error_code start();
    void stop() { finish({}); }
    /// Errors: not_running.
    [[nodiscard]] error_code disconnect(const disconnect_options& options, std::string reason_string,
                                        std::vector<owned_user_property> properties = {});
    /// Between the end of a run and the next one.
    [[nodiscard]] bool has_ended() const noexcept { return state_ == state::ended; }
    [[nodiscard]] bool is_running() const noexcept { return state_ != state::idle && state_ != state::ended; }

    // -- commands: operations. `who` comes back in an outcome unless an error is returned.

    /// `who` 0: nobody waits. `sent_at_once` is set if all is done and no outcome follows.
    [[nodiscard]] error_code publish(core::outgoing what, bool& sent_at_once);
    /// The fast path: QoS 0 into the output of the open connection.
    [[nodiscard]] error_code publish_qos_0(std::string_view topic, std::string_view payload, bool retain,
                                           const message_properties& properties);
    [[nodiscard]] error_code subscribe(const stream_state_ptr& stream, token who);
    [[nodiscard]] error_code unsubscribe(std::vector<std::string> filters, std::vector<owned_user_property> properties,
                                         token who);
    /// Errors: not_connected, version_not_supported (before MQTT 5), option_invalid (no authenticator), already_running.
    [[nodiscard]] error_code reauthenticate(token who);
    /// Errors: not_connected.
    [[nodiscard]] error_code ping(token who);
    /// The user has let go of the stream.
    void close(const stream_state_ptr& stream);
    /// The application has taken messages of the stream (null: of unclaimed ones) or acknowledged what it took before.
    void acknowledge_taken(stream_state* stream);
    void acknowledge(stream_state& stream, core::receipt number, reason_code reason);
    void after_take(stream_state* stream);

    // -- output

    [[nodiscard]] core::output& out() noexcept { return connection_->out(); }
    [[nodiscard]] bool has_output() const noexcept { return is_linked_ && !connection_->out().empty(); }
    /// Bytes that wait to be written. Requires is_open().
    [[nodiscard]] std::size_t output_size() const noexcept { return connection_->out().size(); }
    [[nodiscard]] steady_time next_deadline() const noexcept;
    [[nodiscard]] bool has_actions() const noexcept { return !actions_.empty(); }
    [[nodiscard]] bool take_action(link_action& into);
    [[nodiscard]] bool take_event(client_event& into);
    [[nodiscard]] bool has_events() const noexcept { return !events_.empty(); }
    /// Ends of operations since the last call, in order. The vector's storage is reused.
    void take_outcomes(std::vector<operation_outcome>& into);
    [[nodiscard]] bool has_outcomes() const noexcept { return !outcomes_.empty(); }
    /// True once after operations that await a reply were given up for errc::receive_blocked: all that wait are to end
    /// with it.
    [[nodiscard]] bool take_blocked() noexcept { return std::exchange(report_blocked_, false); }
    /// Streams that have got messages or have ended since the last call. A null pointer: unclaimed messages.
    void take_woken(std::vector<stream_state_ptr>& into);
    [[nodiscard]] bool has_woken() const noexcept { return unclaimed_woken_ || !woken_.empty(); }
    [[nodiscard]] core::changes& journal() noexcept { return journal_; }

    // -- queries

    /// How many messages that are enqueued in the store may come now; 0: none.
    [[nodiscard]] std::size_t room_for_enqueued() const noexcept;
    [[nodiscard]] std::uint64_t last_enqueued() const noexcept { return last_enqueued_; }

    [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }
    [[nodiscard]] inbox& unclaimed() noexcept { return unclaimed_; }
    [[nodiscard]] core::session& session() noexcept { return session_; }
    [[nodiscard]] client_statistics statistics() const;
    [[nodiscard]] const std::optional<connection_info>& info() const noexcept { return info_; }
    /// Sees what was appended to out() since the last call; before it is written.
    void observe_output();

    static constexpr std::size_t output_size_max = 1024 * 1024;  ///< QoS 0 is taken up to here
    static constexpr std::size_t events_max = 64;

private:
    enum class state : std::uint8_t { idle, preparing, dialing, handshake, open, waiting, leaving, ended };

    struct request {
        token who = 0;
        stream_state_ptr stream;           // SUBSCRIBE
        std::vector<std::string> filters;  // UNSUBSCRIBE
        std::vector<owned_user_property> properties;
        bool is_sent = false;
        bool is_renewal = false;  // after session_lost
        bool may_exist = false;   // a renewal of what the server may have all the same
    };

    // client_connect.cpp: what is said at the beginning
    [[nodiscard]] error_code check_options();
    [[nodiscard]] std::uint32_t session_expiry() const noexcept;
    void send_connect();
    void on_connected(const packets::connack& connack);
    void note_server(const packets::connack& connack);

    // client_authentication.cpp: who we are
    void prepare();
    void ask(link_action::kind_type what, std::string_view data = {});
    void on_auth(const packets::auth& packet);
    void end_authentication(error_code error);

    // client_link.cpp: links come and go
    void dial(std::chrono::milliseconds delay);
    void dial_now();
    void on_refused(const packets::connack& connack);
    void on_failed(const core::event& e);
    void on_server_disconnect(const packets::disconnect& packet);
    [[nodiscard]] bool try_other_version(error_code because);
    void link_ended(error_code cause, std::string text, link_action::kind_type how, bool fatal,
                    std::string reference = {});
    void try_again(error_code cause, bool was_open);
    [[nodiscard]] bool follow(error_code cause, std::string_view reference, const endpoint& like,
                              std::chrono::milliseconds delay);
    /// Where to go, in order.
    [[nodiscard]] const std::vector<endpoint>& endpoints() const noexcept {
        return moved_endpoints_.empty() ? given_endpoints_ : moved_endpoints_;
    }
    [[nodiscard]] const endpoint& where() const noexcept;
    void count_loss(error_code cause) noexcept;
    void detach_connection();
    void leave();
    void finish(error_code error);

    // client_engine.cpp: what happens on a link
    void handle_events();
    void handle(core::event& e);
    void on_pong(std::chrono::microseconds elapsed);
    void tell(client_event::kind_type kind, error_code cause = {}, std::string text = {});
    void push_event(client_event&& e);

    // client_requests.cpp: SUBSCRIBE and UNSUBSCRIBE
    void send_requests();
    [[nodiscard]] error_code send(std::uint64_t id, request& r);
    void on_suback(std::uint64_t id, const packets::suback& suback);
    void on_unsuback(std::uint64_t id, const packets::unsuback& unsuback);
    void renew_subscriptions(bool may_exist);
    void unsubscribed(std::string_view filter);
    void end(const stream_state_ptr& stream, error_code why);
    void give_back(stream_state& stream);

    // client_persistence.cpp: what is stored beside messages
    void record_session(std::uint32_t expiry);
    [[nodiscard]] std::uint32_t choose_identifier(const stream_state& stream);
    void store_subscription(const stream_state& stream, std::size_t at);
    void forget_subscription(const std::string& filter);
    void forget_subscriptions();

    // client_delivery.cpp: received messages
    void deliver(const core::event& e);
    void push(const stream_state_ptr& stream, const packets::publish& message, core::receipt number,
              const martlet::message*& copy);
    void push_unclaimed(const packets::publish& message, core::receipt number);
    void claim_unclaimed(const stream_state_ptr& stream);
    void acknowledge(core::receipt number, reason_code reason);
    void wake(const stream_state_ptr& stream);
    void check_full(stream_state& stream);
    void note_room(stream_state& stream);
    [[nodiscard]] bool awaits_reply() const noexcept;
    [[nodiscard]] bool may_read() noexcept;
    void update_reading();

    void settle();
    [[nodiscard]] error_code send_or_queue(core::outgoing what, bool& sent_at_once);  // as publish(), draining or not
    void outcome(token who, error_code error, reason_code reason = reason_code::success,
                 std::vector<reason_code> reasons = {});

    const client_options& options_;
    instant present_;
    core::changes journal_;
    core::session session_;
    core::buffer_pool pool_;
    std::optional<core::connection> connection_;
    bool is_linked_ = false;                 // connection_ is the one of the present link
    std::vector<endpoint> given_endpoints_;  // by the options
    std::vector<endpoint> moved_endpoints_;  // where the server has moved to; empty: not at all
    std::vector<endpoint> detours_;          // where the server sent us for now: first in order, each once
    std::size_t hops_ = 0;                   // redirections since the last success
    std::optional<reconnect_policy> reconnect_;
    std::uint64_t random_seed_;

    state state_ = state::idle;
    protocol_version version_ = protocol_version::v5;
    bool version_is_known_ = false;  // given, or negotiated
    bool connected_before_ = false;  // in this run
    bool session_expected_ = false;  // the server should have one
    unsigned unanswered_ = 0;        // CONNECTs since the last CONNACK: each may have begun a new session
    bool is_draining_ = false;
    std::string client_id_;
    steady_time opened_{};
    steady_time dial_started_{};
    steady_time retry_at_ = never;
    std::optional<connection_info> info_;
    bool tls_session_resumed_ = false;  // of the present link
    credentials credentials_;
    std::string first_data_;  // of an authenticator, for CONNECT
    bool has_credentials_ = false;
    bool has_first_data_ = false;
    std::uint64_t last_question_ = 0;
    std::uint64_t question_ = 0;  // the one whose answer is awaited
    token reauthentication_ = 0;
    bool is_reauthenticating_ = false;
    std::vector<token> pings_;
    disconnect_options farewell_;
    std::string farewell_text_;
    std::vector<owned_user_property> farewell_properties_;

    std::map<std::uint64_t, request> requests_;  // in the order of asking
    std::uint64_t next_request_ = 1;
    [[nodiscard]] bool is_identifier_taken(std::uint32_t identifier) const noexcept;
    std::uint32_t next_identifier_ = 1;
    bool has_given_identifiers_ = false;                                ///< some were the user's choice
    std::map<std::string, std::uint32_t, std::less<>> stored_filters_;  // with their identifiers, as the store has them
    bool has_stored_session_ = false;                                   // an earlier process had one
    std::uint64_t last_enqueued_ = 0;
    bool expects_enqueued_ = false;
    std::string store_error_text_;
    std::size_t renewals_ = 0;
    std::uint64_t renewed_filters_ = 0;

    routes routes_;
    inbox unclaimed_;
    std::unordered_map<core::receipt, std::uint32_t>
        shared_receipts_;  // messages of several streams: how many are not done
    std::vector<stream_state_ptr> woken_;
    bool unclaimed_woken_ = false;
    bool unclaimed_dropping_ = false;
    std::size_t full_streams_ = 0;
    bool is_reading_ = true;
    bool is_blocked_hard_ = false;
    bool report_blocked_ = false;

    rare_queue<link_action> actions_;
    rare_queue<client_event> events_;
    std::vector<operation_outcome> outcomes_;
    std::vector<token> waiting_for_room_;  // QoS 0 publishes whose completion waits for output to be written
    std::string last_topic_;               // published last: known to be valid

    // observer
    core::read_buffer observed_in_;
    std::size_t observed_out_ = 0;  // bytes of this connection that were seen

    client_statistics totals_;  // of connections that are gone
    std::uint64_t told_dropped_ = 0;
};

// In the header: of what such a message costs, a call is a part.
inline error_code client_engine::publish_qos_0(std::string_view topic, std::string_view payload, bool retain,
                                               const message_properties& properties) {
    if (!core::is_equal(topic, last_topic_) || topic.empty()) {
        if (!is_valid_topic_name(topic)) return errc::topic_invalid;
        last_topic_.assign(topic);
    }
    if (is_draining_) return errc::not_running;
    if (retain && !connection_->peer().retain_available) return errc::retain_not_supported;
    if (connection_->out().size() >= output_size_max) return errc::queue_full;
    if (connection_->send_qos_0(topic, payload, retain, properties) != core::send_result::sent) {
        return errc::packet_too_large;
    }
    if (options_.observer) observe_output();
    return {};
}

}  // namespace martlet::detail
