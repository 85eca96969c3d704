// One MQTT connection, client's or broker's end, without I/O: bytes and time in; bytes, events and the next deadline
// out. It knows the packets, the handshake, negotiated limits, aliases, keep-alive and the exchanges of QoS 1 and 2 of
// the `session` that is attached to it. MQTT 5 §3, §4. Experimental until 1.0.
//
//   client:  idle ── connect() ──► connecting ── CONNACK ──► open ── disconnect() / DISCONNECT / fault ──► closing
//   broker:  idle ── CONNECT ──► connecting ── accept() ──► open ── …                                   ──► closing
//            connecting ── refuse() / CONNACK ≥ 0x80 ──► closing
//
// Four kinds of calls. Input: receive(), keep_rest(), on_deadline(), on_committed(). Commands: connect() … disconnect().
// Output: next_event(), out(), next_deadline(). Queries. In state closing the owner writes what is left in out(), then
// closes the transport.
#pragma once

#include <martlet/core/codec.hpp>
#include <martlet/core/fifo.hpp>
#include <martlet/core/output.hpp>
#include <martlet/core/read_buffer.hpp>
#include <martlet/core/session.hpp>
#include <martlet/core/topic_alias.hpp>
#include <martlet/error.hpp>
#include <martlet/packets.hpp>
#include <martlet/time.hpp>
#include <martlet/types.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace martlet::core {

/// Our own limits: what we announce and hold the peer to.
struct connection_limits {
    std::uint32_t packet_size_max = 268'435'460;            ///< bytes; above: 0x95. Announced in MQTT 5 if lower
    std::uint32_t first_packet_size_max = 64 * 1024;        ///< broker: bytes of the CONNECT
    std::uint16_t receive_maximum = 65'535;                 ///< QoS 1 and 2 messages of the peer that may be open
    std::uint16_t topic_alias_maximum = 0;                  ///< aliases accepted from the peer
    std::uint16_t topic_alias_maximum_out = 0;              ///< aliases used towards the peer, at most
    std::uint16_t inflight_max = 65'535;                    ///< our QoS 1 and 2 messages that may be open, at most
    std::uint16_t topic_levels_max = 200;                   ///< of a topic name or filter received; above: fault
    std::chrono::milliseconds handshake_timeout{10'000};    ///< broker: until CONNECT; client: until CONNACK
    martlet::qos maximum_qos = martlet::qos::exactly_once;  ///< broker: announced as Maximum QoS
    bool retain_available = true;                           ///< broker
    bool wildcard_subscription_available = true;            ///< broker
    bool subscription_identifier_available = true;          ///< broker
    bool shared_subscription_available = true;              ///< broker
    /// Broker, MQTT 5: Server Keep Alive if the client's is 0 or higher; 0: no limit.
    std::uint16_t keep_alive_max = 0;
};

/// What the peer allows us, from its CONNECT or CONNACK, with the defaults of its version.
struct peer_limits {
    std::uint32_t packet_size_max = 268'435'460;
    std::uint16_t receive_maximum = 65'535;
    std::uint16_t topic_alias_maximum = 0;
    martlet::qos maximum_qos = martlet::qos::exactly_once;
    bool retain_available = true;
    bool wildcard_subscription_available = true;
    bool subscription_identifier_available = true;
    bool shared_subscription_available = true;
    bool request_problem_information = true;
    bool request_response_information = false;
};

enum class connection_state : std::uint8_t { idle, connecting, open, closing };

/// What happened. The kind says which members of `event` are set.
enum class event_kind : std::uint8_t {
    connect_received,      ///< broker: `other` holds the CONNECT; answer with accept(), refuse() or send_auth()
    connected,             ///< client: `other` holds the CONNACK; the session is resumed or begun anew
    refused,               ///< client: `other` holds the CONNACK with the reason; closing
    auth_received,         ///< `other` holds the AUTH
    message_received,      ///< `message`; QoS 1 and 2: `number` is to be passed to acknowledge()
    publish_done,          ///< `who`, `reason` (and `error`): a message of ours is delivered, refused or dropped
    subscribe_received,    ///< broker: `other` holds the SUBSCRIBE; answer with suback()
    unsubscribe_received,  ///< broker: `other` holds the UNSUBSCRIBE; answer with unsuback()
    subscribe_done,        ///< client: `who`, `other` holds the SUBACK; as many reasons as filters
    unsubscribe_done,      ///< client: `who`, `other` holds the UNSUBACK (no reasons before MQTT 5)
    ping_received,         ///< broker: answered already
    pong_received,         ///< client: `elapsed` since the PINGREQ
    disconnect_received,   ///< the peer's DISCONNECT: `other`; closing
    failed,                ///< `why` and `error`: the peer broke a rule or was silent; closing
};

/// One event. The owner keeps one object and passes it again and again: nothing is allocated on the hot path. Views in
/// it are valid until the next call of next_event(), keep_rest() or receive().
struct event {
    event_kind kind{};
    packets::publish message;  ///< topic aliases are resolved
    std::string_view packet;   ///< message_received: the whole packet as it came
    receipt number = 0;
    token who = 0;
    reason_code reason = reason_code::success;
    error_code error;
    fault why;
    std::chrono::microseconds elapsed{};
    martlet::packet other;
};

/// Of a message without any; one object, so that the hot path does not make one per message.
inline constexpr message_properties no_properties{};

/// What became of a message handed to send().
enum class send_result : std::uint8_t {
    sent,     ///< in out(), or waiting only for the store's commit
    queued,   ///< waits in the session
    dropped,  ///< QoS 0 without a connection, too large for the peer, expired, or the queue is full; no event follows
};

class connection {
public:
    /// `present` is the owner's idea of now: set before each call into the connection. `pool` and `present` must
    /// outlive the connection.
    connection(role own_role, const connection_limits& limits, buffer_pool& pool, const instant& present) noexcept;
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection();

    // -- input

    /// New bytes from the peer; they must stay valid until keep_rest(). Then take the events.
    void receive(std::string_view bytes) noexcept {
        input_.offer(bytes);
        last_received_ = present_->steady;
    }
    /// Ends the turn: keeps what was not taken, so that the bytes passed to receive() may go away.
    void keep_rest() { input_.keep_rest(); }
    /// Forgets what was not taken; the bytes passed to receive() may go away.
    void drop_input() noexcept { input_.clear(); }
    /// A deadline may have passed: sends PINGREQ, or fails the connection. Then take the events.
    void on_deadline();
    /// The journal has committed more: what waited for it goes to out().
    void on_committed();
    /// The transport is gone (or was closed by the owner). Detaches the session.
    void on_closed();
    /// Lets go of the session, so that another connection can have it. Requires is_closing(); out() stays.
    void detach();

    // -- output

    /// The next event, false if there is none. Decodes the next packet only when asked: an owner that stops asking
    /// (and calls keep_rest()) exerts back-pressure.
    [[nodiscard]] bool next_event(event& out);
    /// Broker: what next_event() would look at next, if it begins like a PUBLISH without DUP and RETAIN; else empty. It is
    /// there until take(). The owner may deal with such packets itself, if they are plain ones: see lib/core/runs.hpp.
    [[nodiscard]] std::string_view plain_input() noexcept {
        if (role_ != role::broker || state_ != connection_state::open) return {};
        const std::string_view in = input_.in_place();
        return !in.empty() && (in[0] == 0x30 || in[0] == 0x32 || in[0] == 0x34) ? in : std::string_view();
    }
    /// A topic that came with one of those: true if it is valid and within the limits.
    [[nodiscard]] bool check_topic(std::string_view topic) const noexcept;
    /// The owner has dealt with `count` PUBLISH packets of `size` bytes in all.
    void take(std::size_t size, std::size_t count) noexcept {
        input_.skip(size);
        counters_.packets_received += count;
        counters_.messages_received += count;
    }
    /// True if messages at QoS 1 or 2 can be acknowledged as they come, without receipts: nothing older waits to be, and
    /// there is no store. Then, for each one, expects(), and answer() when the owner is done with it.
    [[nodiscard]] bool answers_at_once(martlet::qos q) const noexcept;
    /// False if it may be a repetition, or if it is one too many. True: answer() of it will not want for memory before
    /// the id is kept.
    [[nodiscard]] bool expects(packet_id id, martlet::qos q);
    void answer(packet_id id, martlet::qos q, reason_code reason = reason_code::success);
    /// Bytes to write.
    [[nodiscard]] output& out() noexcept { return out_; }
    [[nodiscard]] const output& out() const noexcept { return out_; }
    /// When on_deadline() wants to be called; `never` if nothing is to happen.
    [[nodiscard]] steady_time next_deadline() const noexcept;

    // -- commands of a client

    /// Sends CONNECT and attaches `state`, which must outlive the connection or until on_closed().
    void connect(const packets::connect& packet, session& state);
    /// Sends SUBSCRIBE (the id of `packet` is ours to choose). Errors: errc::… when the server announced that it lacks
    /// what is asked for, packet_too_large, not_connected. Ends with subscribe_done, or dies with the connection.
    [[nodiscard]] error_code subscribe(packets::subscribe packet, token who);
    [[nodiscard]] error_code unsubscribe(packets::unsubscribe packet, token who);
    /// Sends PINGREQ now; pong_received follows.
    void ping();

    // -- commands of a broker

    /// Answers CONNECT: sends CONNACK with success, completed with our limits, and attaches `state`: re-sends what is
    /// unacknowledged and sends what waits. Requires state connecting and session_present only if state is kept.
    void accept(session& state, packets::connack packet);
    /// Answers CONNECT with a reason ≥ 0x80 (a return code before MQTT 5) and closes.
    void refuse(reason_code reason, const connack_properties& properties = {});
    void suback(packet_id id, std::span<const reason_code> reasons, const ack_properties& properties = {});
    void unsuback(packet_id id, std::span<const reason_code> reasons, const ack_properties& properties = {});

    // -- commands of both

    /// Why send() would refuse the message: errc::qos_not_supported, retain_not_supported or packet_too_large; none if
    /// it would not. Only the server's limits of an open connection count.
    [[nodiscard]] error_code check(const outgoing& what) const noexcept;
    /// Sends a message, or queues it in the session. A broker's message that is too large for the client is dropped as
    /// if delivered [MQTT-3.1.2-25].
    send_result send(outgoing what);
    /// QoS 0 without a message object: encodes straight into out(). Requires is_open() and a valid topic.
    send_result send_qos_0(std::string_view topic, std::string_view payload, bool retain,
                           const message_properties& properties = no_properties);
    /// QoS 0, as it came: `packet` is a whole PUBLISH of the same encoding (3.x or 5) without alias, identifiers or
    /// expiry; DUP and RETAIN are cleared. Requires is_open().
    void forward(std::string_view packet) {
        char* const at = out_.reserve(packet.size());
        std::memcpy(at, packet.data(), packet.size());
        at[0] = 0x30;
        out_.commit(packet.size());
        last_sent_ = present_->steady;
        ++counters_.messages_sent;
    }
    /// QoS 1 or 2, as it came: the same, but for the packet id, which stands at `id_at`; `message` is the packet's. False:
    /// nothing was done, it has to wait or be stored, and send() knows how.
    [[nodiscard]] bool send_as_it_came(const message_ref& message, std::string_view packet, std::size_t id_at,
                                       martlet::qos q);
    /// The same as forward() for a run of `count`. With `lend` a long one is only referred to: see output::lend().
    void forward(std::string_view packets, std::size_t count, bool lend) {
        if (lend && packets.size() >= output::share_size_min) {
            out_.lend(packets);
        } else {
            out_.append(packets);
        }
        last_sent_ = present_->steady;
        counters_.messages_sent += count;
    }
    /// The application is done with a received QoS 1 or 2 message: PUBACK or PUBREC leaves in the order of arrival. A
    /// reason ≥ 0x80 refuses it (MQTT 5). Receipts of an earlier connection take effect when the message re-arrives.
    void acknowledge(receipt number, reason_code reason = reason_code::success);
    /// Takes back the event message_received that came last: the owner could not handle it, and closes the connection.
    void forget(receipt number) noexcept {
        if (session_ != nullptr && number != 0) session_->received.forget(number);
    }
    void send_auth(const packets::auth& packet);
    /// Sends DISCONNECT (broker: MQTT 5 only) and goes to closing. Does nothing when closing already.
    void disconnect(reason_code reason = reason_code::success, const disconnect_properties& properties = {});
    /// Fails the connection for a reason that the owner found: a DISCONNECT or CONNACK with it where the version and
    /// the state allow; no event.
    void fail(const fault& why);
    /// Broker: suspends keep-alive while we refuse to read; the peer cannot be blamed for silence.
    void set_reading(bool reading) noexcept;

    // -- queries

    [[nodiscard]] role own_role() const noexcept { return role_; }
    [[nodiscard]] connection_state state() const noexcept { return state_; }
    [[nodiscard]] bool is_open() const noexcept { return state_ == connection_state::open; }
    /// True if memory ended while a message was sent that the session has taken: this connection has to be closed, the
    /// next one will send it.
    [[nodiscard]] bool has_unsent_entry() const noexcept { return has_unsent_entry_; }
    /// True if packets wait for a commit.
    [[nodiscard]] bool is_waiting_for_store() const noexcept { return !held_.empty(); }
    [[nodiscard]] bool is_closing() const noexcept { return state_ == connection_state::closing; }
    [[nodiscard]] protocol_version version() const noexcept { return version_; }
    [[nodiscard]] session* attached() const noexcept { return session_; }
    [[nodiscard]] const peer_limits& peer() const noexcept { return peer_; }
    [[nodiscard]] const connection_limits& limits() const noexcept { return limits_; }
    /// Authentication Method of the CONNECT; empty: none.
    [[nodiscard]] std::string_view authentication_method() const noexcept { return authentication_method_; }
    /// Seconds in force; 0: off.
    [[nodiscard]] std::uint16_t keep_alive() const noexcept { return keep_alive_; }
    /// True if a packet of `size` bytes may be sent to the peer.
    [[nodiscard]] bool fits(std::size_t size) const noexcept { return size <= peer_.packet_size_max; }
    /// Client: a PINGREQ is unanswered.
    [[nodiscard]] bool awaits_pong() const noexcept { return ping_sent_ != never; }
    /// True if next_event() may have more without new bytes.
    [[nodiscard]] bool has_input() const noexcept { return input_.has_rest(); }

    struct counters {
        std::uint64_t packets_received = 0;
        std::uint64_t packets_sent = 0;  ///< without PUBLISH at QoS 0
        std::uint64_t messages_received = 0;
        std::uint64_t messages_sent = 0;
        std::uint64_t messages_dropped = 0;  ///< QoS 0 that could not be sent; too large
    };
    [[nodiscard]] const counters& count() const noexcept { return counters_; }

private:
    enum class held_kind : std::uint8_t { publish, puback, pubrec, pubrel, pubcomp, bytes, connack };
    struct held {  // what may leave only after a commit
        std::uint64_t number;
        held_kind kind;
        packet_id id;
        reason_code reason;
        std::string bytes;
    };

    // one per packet type, in connection.cpp; true if there is an event
    bool on_packet(const frame& in, event& out);
    bool on_publish(const frame& in, event& out);
    bool on_puback(const packets::puback& ack, event& out);
    bool on_pubrec(const packets::puback& ack, event& out);
    bool on_pubrel(packet_id id);
    bool on_pubcomp(const packets::puback& ack, event& out);
    void on_released(inflight_entry& entry);
    bool on_other(const frame& in, event& out);
    bool on_connect(const frame& in, event& out);
    void refuse_faulty_connect(const frame& in, const fault& why);
    bool on_connack(event& out);
    bool on_suback(event& out);
    bool on_unsuback(event& out);
    bool on_disconnect(event& out);
    bool on_auth(event& out);
    bool fail(const fault& why, event& out);
    [[nodiscard]] bool check_levels(const packets::publish& message, fault& why) const noexcept;

    void open(bool session_present);
    void send_queued_qos_0();
    void resend();
    void pump();
    void send_entry(inflight_entry& entry);
    void release(inflight_entry& entry);
    void finish(inflight_entry& entry);
    void end_exchange(inflight_entry& entry);
    [[nodiscard]] bool has_quota() const noexcept;
    [[nodiscard]] std::size_t publish_size(const outgoing& what) const noexcept;
    void write_publish(const outgoing& what, packet_id id, bool dup);
    void write_ack(packet_type type, packet_id id, reason_code reason);
    void write(const packet& p);
    [[nodiscard]] bool strip_to_fit(packet& p) const;
    [[nodiscard]] std::string encode_to_string(const packet& p) const;
    void close_with(const fault& why);
    void hold(std::uint64_t number, held_kind kind, packet_id id, reason_code reason = reason_code::success);
    void hold_bytes(std::uint64_t number, held_kind kind, std::string bytes);
    [[nodiscard]] bool may_leave(std::uint64_t number) const noexcept;
    void let_go(held_kind kind, packet_id id, reason_code reason);
    void let_go(const held& what);
    void take_acknowledgements();
    void send_due_acknowledgements();
    [[nodiscard]] steady_time ping_deadline() const noexcept;
    enum class late : std::uint8_t { nobody, handshake, keep_alive };
    void fail_late(late what);
    [[nodiscard]] fault fault_of(late what) const noexcept;

    const instant* present_;
    connection_limits limits_;
    peer_limits peer_;
    read_buffer input_;
    output out_;
    session* session_ = nullptr;
    fifo<held> held_;
    std::string last_topic_;  // the last topic received that was valid
    topic_alias_receiver aliases_in_;
    topic_alias_sender aliases_out_;
    std::string authentication_method_;
    counters counters_;
    steady_time last_received_{};
    steady_time last_sent_{};
    steady_time ping_sent_ = never;
    steady_time started_{};
    std::size_t used_here_ = 0;                // entries of the session with a place in this connection's quota
    packet_id resend_next_ = packet_id::none;  // the next PUBLISH to send again, when the quota has room
    std::uint32_t session_expiry_interval_ = 0;
    std::uint16_t keep_alive_ = 0;
    role role_;
    connection_state state_ = connection_state::idle;
    protocol_version version_ = protocol_version::v5;
    late late_ = late::nobody;  // the fault of a deadline, to be told by next_event()
    bool reading_ = true;
    bool clean_start_ = true;
    bool authenticating_ = false;  // an AUTH of the peer is expected
    bool has_unsent_entry_ = false;
};

}  // namespace martlet::core
