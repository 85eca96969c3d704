// Options of a client and of its operations, and what they bring back. What is passed to an operation is a trivially
// destructible aggregate, so that it can be written inline inside a co_await expression; its views have to live until
// the call returns, not until the operation completes.
#pragma once

#include <martlet/core/session.hpp>
#include <martlet/error.hpp>
#include <martlet/log.hpp>
#include <martlet/packets.hpp>
#include <martlet/properties.hpp>
#include <martlet/tls.hpp>
#include <martlet/types.hpp>
#include <martlet/websocket.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

class enhanced_authentication;
class store;
struct endpoint;

// -- options of the client

/// What connecting means for the session that the server may have. MQTT 5 §3.1.2.4.
enum class session_mode : std::uint8_t {
    fresh,   ///< the first connection begins anew (Clean Start); later ones of the same run resume
    resume,  ///< every connection resumes what the server has
    clean,   ///< every connection begins anew: what is unacknowledged is published again, subscriptions are made again
};

/// Name and value of a User Property that is kept.
using owned_user_property = std::pair<std::string, std::string>;

/// The message that the server publishes when the client goes away without a word. MQTT 5 §3.1.2.5.
struct will_options {
    std::string topic = {};
    std::string payload = {};
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain = false;
    std::chrono::seconds delay{0};  ///< MQTT 5: the server waits so long (but not longer than the session lives)
    std::optional<martlet::payload_format> payload_format_indicator = {};  ///< this and the following: MQTT 5 only
    std::optional<std::uint32_t> message_expiry_interval = {};             ///< seconds
    std::optional<std::string> content_type = {};
    std::optional<std::string> response_topic = {};
    std::optional<std::string> correlation_data = {};
    std::vector<owned_user_property> user_properties = {};
};

/// When to try again. A fatal refusal (bad credentials, not authorized, bad client id, version not supported …) is never
/// tried again.
struct reconnect_options {
    bool enabled = true;                          ///< false: the first loss or failure ends async_run
    bool before_first_connect = true;             ///< false: a failure before the first success ends async_run
    std::chrono::milliseconds delay_min{1'000};   ///< before the second round through the URLs
    std::chrono::milliseconds delay_max{60'000};  ///< each further round waits twice as long, up to this
    double jitter = 0.25;                         ///< the delay is off by up to this share, 0..1
};

/// Bounds of a stream of received messages. QoS 1 and 2 are bounded by Receive Maximum in the first place.
struct inbox_limits {
    std::size_t count_max = 10'000;
    std::size_t bytes_max = 16u * 1024 * 1024;
};

/// User name and password for one connection.
struct credentials {
    std::optional<std::string> user_name = {};
    std::optional<std::string> password = {};  ///< bytes
};
/// Called once, at once or later, on any thread; an error is the cause of a failed attempt, which is tried again.
using credentials_handler = std::function<void(error_code, credentials)>;
/// Asked before each connection, on the client's executor: tokens that expire are fetched anew. The time it takes counts
/// against connect_timeout.
using credentials_source = std::function<void(const endpoint& where, credentials_handler done)>;

/// Gets a line of text for each client_event, on the client's executor. Lines never have payloads, passwords or
/// Authentication Data. Must not call the client. Costs nothing when absent. log_to() makes one.
using client_log = log_sink;

/// Sees every control packet, for debug output. Called on the client's executor: received packets when they arrive, sent
/// ones when they are handed to the transport. Must not call the client. Costs nothing when absent.
class packet_observer {
public:
    virtual ~packet_observer() = default;
    /// `p` is a view that is valid during the call; `size` is the size of the packet in bytes.
    virtual void on_sent(const packet& p, protocol_version version, std::size_t size) = 0;
    virtual void on_received(const packet& p, protocol_version version, std::size_t size) = 0;
};

/// Everything that a client is told at its construction.
struct client_options {
    /// Servers, tried in this order: "mqtt://host[:port]", "mqtt://[::1]:1883", "mqtts://…", "ws://…", "unix:/path" …; see endpoint.hpp.
    /// User name and password of a URL count if the options below have none.
    std::vector<std::string> urls = {"mqtt://localhost"};

    /// UTF-8 of at most 65,535 bytes. Empty: the server chooses (MQTT 5), or the session ends with the connection
    /// (3.1.1); 3.1 needs one. MQTT 5 §3.1.3.1.
    std::string client_id = {};

    /// Absent: MQTT 5, and 3.1.1 if the server does not know that, and 3.1 if it says that it does not know 3.1.1
    /// either; the answer is remembered.
    std::optional<protocol_version> version = {};

    session_mode session = session_mode::fresh;

    /// How long the server keeps the session without a connection; MQTT 5. Absent: not at all for session_mode::clean
    /// and for fresh with reconnecting off, one hour for fresh, for ever for resume. 0xFFFFFFFF seconds: for ever.
    std::optional<std::chrono::seconds> session_expiry = {};

    std::optional<std::string> user_name = {};
    std::optional<std::string> password = {};  ///< bytes; without a user name in MQTT 5 only
    /// Instead of the two above. Empty: off.
    martlet::credentials_source credentials_source = {};
    /// Enhanced authentication, for example scram_sha_256(); MQTT 5 only, which is then not negotiated. Null: off.
    std::shared_ptr<enhanced_authentication> authentication = {};
    std::optional<will_options> will = {};

    std::chrono::seconds keep_alive{60};                ///< 0..65535; 0: off. A dead link is found within 1.5 times it
    std::chrono::milliseconds connect_timeout{10'000};  ///< for each URL: from dialling to CONNACK
    reconnect_options reconnect = {};
    /// Goes where the server sends us by Server Reference (reasons 0x9C and 0x9D), with the same scheme, credentials and
    /// TLS options: only for servers that may decide that. MQTT 5 §4.11.
    bool follow_server_reference = false;

    tls_options tls = {};  ///< of mqtts and wss. Files are read again when they have changed
    /// Asked at each connect instead of `tls`, on the client's executor; for material that is not in files.
    std::function<tls_options()> tls_source = {};
    websocket_options websocket = {};  ///< of ws and wss
    /// "socks5h://[user:password@]host[:1080]" or "http://[user:password@]host[:8080]" (CONNECT, with Basic); empty: none.
    /// The proxy looks up the server's name. Unix sockets ignore it. The environment is never read.
    std::string proxy = {};

    /// Outgoing messages that wait for a connection, a packet id or the server's Receive Maximum.
    core::queue_limits queue = {};
    std::uint16_t inflight_max = 65'535;  ///< own QoS 1 and 2 messages that are unacknowledged, at most

    std::uint16_t receive_maximum = 1'000;          ///< QoS 1 and 2 messages that the application has not taken; ≥ 1
    std::uint32_t packet_size_max = 268'435'460;    ///< bytes of a packet received
    std::uint16_t topic_alias_maximum = 10;         ///< aliases that the server may use
    std::uint16_t topic_alias_maximum_out = 10;     ///< aliases that we use, at most what the server allows
    inbox_limits unclaimed = {1'000, 1024 * 1024};  ///< received messages that no subscription of this client claims

    std::vector<owned_user_property> user_properties = {};  ///< of CONNECT, MQTT 5
    bool request_response_information = false;              ///< MQTT 5 §3.1.2.11.6
    /// Where replies to client::async_request come. Empty: the server's Response Information if it was asked for and
    /// given, else "replies/" and the client id; both are followed by a level of random characters.
    std::string reply_topic = {};
    bool request_problem_information = true;  ///< MQTT 5 §3.1.2.11.7: reason strings and the like

    /// The local address to connect from, a literal: "192.0.2.7", "::1". Empty: the system chooses. Not for unix URLs.
    std::string bind_address = {};

    std::shared_ptr<martlet::store> store = {};      ///< null: nothing survives the client
    std::shared_ptr<packet_observer> observer = {};  ///< null: off
    std::shared_ptr<client_log> log = {};            ///< null: off
};

// -- options of operations

/// "No timeout".
inline constexpr std::chrono::milliseconds no_timeout{0};

/// Of client::async_publish and client::publish. The fields of `properties` can be set here one by one only with a named
/// variable (g++ 12 rejects nested braces inside co_await).
struct publish_options {
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain = false;
    message_properties properties = {};  ///< MQTT 5 only; Message Expiry Interval counts while the message waits
    std::chrono::milliseconds timeout = no_timeout;  ///< errc::operation_timeout; a message once sent stays under way
};

/// One message of a batch; see client::async_publish_batch. Views as in async_publish.
struct publication {
    std::string_view topic = {};
    std::string_view payload = {};
    publish_options options = {};  ///< without `timeout`
};

/// Of client::async_request. MQTT 5 §4.10.
struct request_options {
    martlet::qos qos = martlet::qos::at_least_once;  ///< of the request; replies come with that of their publisher
    /// Response Topic and Correlation Data are filled in, unless they are given. MQTT 5 only.
    message_properties properties = {};
    /// Topic on which the reply is expected instead of the client's own. Necessary before MQTT 5, where both ends have to
    /// know it and replies belong to requests in their order.
    std::string_view reply_topic = {};
    std::chrono::milliseconds timeout{30'000};  ///< errc::operation_timeout; no_timeout: none
};

/// Of client::async_subscribe. MQTT 5 §3.8.3.1.
struct subscribe_options {
    martlet::qos qos = martlet::qos::exactly_once;                              ///< the most that the server may use
    bool no_local = false;                                                      ///< MQTT 5: not our own messages
    bool retain_as_published = false;                                           ///< MQTT 5
    martlet::retain_handling retain_handling = martlet::retain_handling::send;  ///< MQTT 5
    inbox_limits inbox = {};
    /// True: asking for the next message acknowledges nothing; subscription::acknowledge does.
    bool manual_acknowledgement = false;
    user_property_list user_properties = {};  ///< MQTT 5; of the SUBSCRIBE
    /// MQTT 5: 1..268,435,455, not that of another stream of this client (errc::option_invalid); it may be kept by the
    /// server for a session that is resumed. 0: the client chooses one.
    std::uint32_t subscription_identifier = 0;
    std::chrono::milliseconds timeout = no_timeout;
};

/// Of client::async_unsubscribe.
struct unsubscribe_options {
    user_property_list user_properties = {};  ///< MQTT 5
    std::chrono::milliseconds timeout = no_timeout;
};

/// Of client::async_disconnect. MQTT 5 §3.14.
struct disconnect_options {
    /// True: waits until every QoS 1 and 2 message (of sqlite::enqueue(), too) is delivered and QoS 0 is written,
    /// reconnecting as need be; new publications are refused meanwhile.
    bool drain = false;
    reason_code reason = reason_code::success;                  ///< disconnect_with_will asks for the will
    std::optional<std::uint32_t> session_expiry_interval = {};  ///< seconds, MQTT 5: another one than at CONNECT
    std::string_view reason_string = {};                        ///< MQTT 5
    user_property_list user_properties = {};                    ///< MQTT 5
    std::chrono::milliseconds timeout = no_timeout;             ///< then the connection is cut
};

static_assert(std::is_trivially_destructible_v<publish_options> && std::is_trivially_destructible_v<publication> &&
              std::is_trivially_destructible_v<request_options> &&
              std::is_trivially_destructible_v<subscribe_options> &&
              std::is_trivially_destructible_v<unsubscribe_options> &&
              std::is_trivially_destructible_v<disconnect_options>);

// -- what operations bring back

/// How a publication ended.
struct publish_result {
    /// Of the PUBACK or PUBREC; success at QoS 0. no_matching_subscribers (0x10) is a success, too.
    reason_code reason = reason_code::success;
};

/// How a batch ended.
struct batch_result {
    std::size_t delivered = 0;
    std::size_t failed = 0;  ///< refused by us or by the server; the operation's error is the first one
};

/// What the server said in CONNACK. MQTT 5 §3.2.
struct connection_info {
    std::string url;
    protocol_version version = protocol_version::v5;
    bool session_present = false;
    bool tls_session_resumed = false;  ///< see tls_options::resume_sessions
    reason_code reason = reason_code::success;
    std::string client_id;                      ///< ours, or the one that the server assigned
    std::uint16_t keep_alive = 0;               ///< seconds in force; 0: off
    std::uint32_t session_expiry_interval = 0;  ///< seconds in force
    std::uint16_t receive_maximum = 65'535;
    std::uint32_t packet_size_max = 268'435'460;  ///< bytes
    std::uint16_t topic_alias_maximum = 0;
    qos maximum_qos = qos::exactly_once;
    bool retain_available = true;
    bool wildcard_subscription_available = true;
    bool subscription_identifier_available = true;
    bool shared_subscription_available = true;
    std::string reason_string;
    std::string response_information;
    std::string server_reference;
    std::vector<owned_user_property> user_properties;
};

/// What happened to the connection; see client::async_next_event.
struct client_event {
    enum class kind_type : std::uint8_t {
        connecting,      ///< `url`
        connected,       ///< `info`
        connect_failed,  ///< `url`, `cause`, `text`; `info` if the server refused: async_run goes on or ends with `cause`
        lost,            ///< `cause`, `text`: an open connection ended
        retry_in,        ///< `delay`: the next attempt
        session_lost,    ///< the server had no session although we expected one
        resubscribed,    ///< `count` filters were restored after session_lost, or after a CONNECT without an answer
        resubscribe_refused,  ///< `text`: a filter, `cause`: why; its subscription has ended
        messages_dropped,     ///< `count` received messages were dropped by a stated policy; `text` says which
        queue_dropped,        ///< `count` outgoing messages were dropped by the queue's policy, or expired
        version_changed,      ///< `url` does not know the version, or (`cause`) seems not to: next comes `info.version`
        redirected,           ///< the server has sent us to `url`
        stopped,              ///< async_run ends with `cause`; `text` says more if it is the store's
        store_delayed,  ///< commits to the store are held up by `cause`, `text`, and tried again; no `cause`: they go on
    };
    kind_type kind{};
    std::string url;
    error_code cause;  ///< the server's reason code, ours (errc) or the system's error
    std::string text;  ///< Reason String, or the rule that was broken
    std::chrono::milliseconds delay{};
    std::uint64_t count = 0;
    connection_info info;
};

/// One line for a log, without payloads and secrets.
[[nodiscard]] std::string to_string(const client_event& e);

/// Counters since the client exists, and what is the case now.
struct client_statistics {
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t packets_sent = 0;
    std::uint64_t packets_received = 0;
    std::uint64_t messages_sent = 0;         ///< PUBLISH packets
    std::uint64_t messages_received = 0;     ///< PUBLISH packets
    std::uint64_t messages_dropped_in = 0;   ///< received and dropped by policy
    std::uint64_t messages_dropped_out = 0;  ///< accepted and dropped: policy, expiry, too large, QoS 0 unsent
    std::uint64_t connects = 0;              ///< successful ones
    std::uint64_t connect_failures = 0;
    // open connections that were lost: sums up to the number of `lost` events
    std::uint64_t lost_by_server = 0;    ///< DISCONNECT of the server
    std::uint64_t lost_by_silence = 0;   ///< keep-alive
    std::uint64_t lost_by_protocol = 0;  ///< a rule was broken
    std::uint64_t lost_by_network = 0;   ///< the transport ended or broke
    std::uint64_t replies_late = 0;      ///< replies that no request waits for (any more)
    std::size_t queued = 0;              ///< outgoing messages that wait
    std::size_t queued_bytes = 0;
    std::size_t in_flight = 0;       ///< own QoS 1 and 2 messages without final acknowledgement
    std::size_t unacknowledged = 0;  ///< received QoS 1 and 2 messages that the application has not acknowledged
    std::chrono::microseconds round_trip{0};  ///< of the last PINGREQ
    /// Round trips of PINGREQ by size: [i] counts those below 2^i microseconds (and not below 2^(i-1)), the last one all
    /// longer ones, too.
    std::array<std::uint64_t, 26> round_trips{};
    bool connected = false;
};

}  // namespace martlet
