// Options of a broker. Everything that a peer can make grow has its bound here, with its default and with what happens
// at the bound.
#pragma once

#include <martlet/error.hpp>
#include <martlet/log.hpp>
#include <martlet/tls.hpp>
#include <martlet/types.hpp>
#include <martlet/websocket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet {

class authenticator;
class faults;
class store;

/// What happens when messages come faster than a connected client takes them.
enum class full_policy : std::uint8_t {
    drop,          ///< they are dropped for this client, and counted
    stop_reading,  ///< nothing is read from their publishers until the client has caught up
};

/// Gets the lines of the broker's log, on its executor. Strings of peers are escaped. log_to() makes one.
using broker_log = log_sink;

/// A rule of the specification that a client broke. Views live during the call.
struct violation {
    std::string_view client_id;  ///< empty before CONNECT
    std::string_view address;
    std::string_view rule;  ///< "MQTT-3.1.2-1"
    std::string_view text;
};

/// A filter that nobody may subscribe to, for tests of clients.
struct denied_filter {
    std::string filter;                                   ///< compared as text
    reason_code reason = reason_code::unspecified_error;  ///< 0x80 in SUBACK before MQTT 5
};

/// Of one listener.
struct listener_options {
    /// For mqtts and wss; others ignore it.
    tls_server_options tls = {};
    /// For ws and wss; others ignore it.
    websocket_server_options websocket = {};
    /// The Common Name of the client's verified certificate, or the identity of its pre-shared key, is its user name, and
    /// it needs no password: the authenticator is asked for rights only. Without such an identity CONNECT is refused (0x87).
    bool use_identity_as_user_name = false;
};

/// Versions that clients may speak; others are refused with 0x84 (0x01 before MQTT 5).
struct version_set {
    bool v3_1 = false;
    bool v3_1_1 = false;
    bool v5 = false;

    [[nodiscard]] bool has(protocol_version v) const noexcept {
        return v == protocol_version::v5 ? v5 : v == protocol_version::v3_1_1 ? v3_1_1 : v3_1;
    }
};

struct broker_options {
    /// Of listeners that are not given options of their own.
    listener_options listener = {};

    // -- connections

    std::size_t connections_max = 100'000;  ///< more are refused with 0x97, Quota exceeded
    /// Of one address that is not this machine's: connections, and those of them that have not been accepted by a
    /// CONNACK yet. More are closed as they come.
    std::size_t connections_per_address_max = 10'000;
    std::size_t handshakes_per_address_max = 500;
    version_set protocol_versions = {true, true, true};
    std::chrono::milliseconds connect_timeout{10'000};  ///< from accepting the transport to the end of the handshake
    std::uint32_t first_packet_size_max = 64 * 1024;    ///< bytes of CONNECT; above: closed
    std::uint32_t packet_size_max = 16 * 1024 * 1024;   ///< bytes, announced as Maximum Packet Size; above: 0x95
    std::uint32_t payload_size_max = 268'435'455;       ///< bytes of a message; above: 0x95
    std::uint16_t topic_levels_max = 200;               ///< of topic names (0x90) and filters (0x8F)
    std::uint16_t receive_maximum = 65'535;             ///< a client's open QoS 1 and 2 messages; above: 0x93
    std::uint16_t inflight_max = 1'024;                 ///< open towards a client, at most its Receive Maximum
    std::uint16_t topic_alias_maximum = 10;             ///< aliases that a client may use; above: 0x94
    /// Aliases used towards a client, at most what it allows. They save bytes of long topics, but forbid passing
    /// packets on as they came.
    std::uint16_t topic_alias_maximum_out = 0;
    /// Seconds; MQTT 5 clients that want more, or none at all, are told a Server Keep Alive. 0: no limit.
    std::uint16_t keep_alive_max = 0;
    bool allow_anonymous_remote = false;  ///< without an authenticator: also who is not on this machine
    /// With an authenticator: a session is resumed and taken over only by the user who has it; others get 0x85.
    bool sessions_belong_to_users = true;
    bool allow_empty_client_id = true;       ///< the broker chooses one; false: 0x85
    std::string client_id_prefix = "auto-";  ///< of those
    std::vector<std::string> client_id_prefixes =
        {};  ///< of which clients have to have one, if not empty; others get 0x85
    std::optional<std::string> response_information = {};  ///< for clients that ask; MQTT 5 §3.2.2.3.15

    // -- what is offered; announced in CONNACK of MQTT 5

    qos maximum_qos = qos::exactly_once;            ///< above: 0x9B
    bool retain_available = true;                   ///< otherwise 0x9A
    bool wildcard_subscription_available = true;    ///< otherwise 0xA2
    bool subscription_identifier_available = true;  ///< otherwise 0xA1
    bool shared_subscription_available = true;      ///< otherwise 0x9E
    bool tell_no_matching_subscribers = true;       ///< 0x10 in PUBACK and PUBREC of MQTT 5
    std::vector<denied_filter> deny_subscribe = {};

    // -- sessions

    std::size_t sessions_max = 1'000'000;  ///< connected or not; more are refused with 0x97
    /// Seconds; 0xFFFFFFFF: for ever. MQTT 5 clients that want more are told so; sessions of 3.x without Clean Session
    /// last as long.
    std::uint32_t session_expiry_max = 0xFFFF'FFFF;
    std::size_t subscriptions_per_session_max = 100'000;  ///< more are refused with 0x97
    /// QoS 1 and 2 messages that wait in a session, by count and by cost. At a bound: see on_full; without a connection
    /// more are dropped and counted.
    std::size_t queue_count_max = 1'000'000;
    std::size_t queue_bytes_max = 256u * 1024 * 1024;
    bool queue_qos_0 = false;  ///< QoS 0 waits there, too, for clients that are not connected

    // -- slow receivers

    std::size_t output_bytes_max = 64u * 1024 * 1024;  ///< unsent bytes of a connection, beyond which it gets no QoS 0
    full_policy on_full = full_policy::drop;           ///< at output_bytes_max and at the bounds of the queue
    /// Who holds up its publishers (stop_reading), or answers of twice output_bytes_max for itself, and makes no progress
    /// for so long, is closed (0x97).
    std::chrono::milliseconds stall_timeout{30'000};

    // -- all of it

    /// Bytes of all messages that are kept anywhere, a shared one counted once, and of all unsent output. Above, PUBLISH
    /// is refused: QoS 1 and 2 with 0x97, in MQTT 3.x by closing the connection; QoS 0 is dropped and counted.
    std::size_t memory_max = std::size_t{2} << 30;

    // -- retained messages; at a bound a topic's message is not kept, and counted

    std::size_t retained_count_max = 10'000'000;
    std::size_t retained_bytes_max = std::size_t{1} << 30;

    // -- $SYS

    /// How often the topics below $SYS/broker/ are published, if their values have changed; 0: never.
    std::chrono::milliseconds sys_interval{0};

    // -- persistence

    /// Keeps sessions, subscriptions, QoS 1 and 2 messages, retained messages and wills across restarts; nothing is
    /// acknowledged before it is stored. Null: everything ends with the broker.
    std::shared_ptr<martlet::store> store = {};
    /// Rows that wait for the store. Beyond it, publishers whose messages need the store are not read until it has caught
    /// up, and new connections are refused with 0x89, Server busy.
    std::size_t store_backlog_max = 100'000;
    /// Called on the executor when the store has failed for good, at the start or later: nothing can be acknowledged any
    /// more, and the broker stops. The text says what happened where.
    std::function<void(error_code, std::string_view)> on_store_failed = {};

    // -- for tests

    /// Rules of faults that all connections of this broker follow; null: none.
    std::shared_ptr<martlet::faults> faults = {};

    // -- hooks

    std::shared_ptr<martlet::authenticator> authenticator = {};
    std::function<void(const violation&)> on_violation =
        {};                                    ///< called on the executor before the connection is closed
    std::shared_ptr<broker_log> log = {};      ///< null: off
    log_level log_detail = log_level::notice;  ///< up to this
    std::optional<std::uint64_t> seed = {};    ///< of hashes and chosen client ids; absent: random
};

}  // namespace martlet
