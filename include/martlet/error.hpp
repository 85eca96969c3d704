// Two vocabularies of error, never mixed: `errc` says what we could not do, `reason_code` what a peer said.
// Both convert to boost::system::error_code.
#pragma once

#include <boost/system/error_code.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace martlet {

using boost::system::error_code;

/// What we could not do. Never sent by a peer. Comments give the operation that may complete with it.
enum class errc {
    // bad arguments, found before anything is sent
    topic_invalid = 1,     ///< publish: empty, too long, has a wildcard or is not well-formed UTF-8. MQTT 5 §4.7
    topic_filter_invalid,  ///< subscribe, unsubscribe: malformed filter or shared filter. MQTT 5 §4.7, 4.8.2
    client_id_invalid,     ///< connect: not well-formed UTF-8, too long, or empty where the version forbids it
    string_invalid,        ///< a string is not well-formed UTF-8, contains U+0000 or is over 65,535 bytes
    property_invalid,      ///< a property's value is outside of its range
    option_invalid,        ///< an option contradicts another or is outside of its range
    url_invalid,           ///< an endpoint URL that cannot be understood
    // limits
    packet_too_large,        ///< over the peer's Maximum Packet Size or 268,435,460 bytes. MQTT 5 §3.2.2.3.6
    queue_full,              ///< the outgoing queue is at its bound and its policy is to refuse
    qos_not_supported,       ///< above the server's Maximum QoS. MQTT 5 §3.2.2.3.4
    retain_not_supported,    ///< the server announced Retain Available 0. MQTT 5 §3.2.2.3.5
    wildcard_not_supported,  ///< the server announced Wildcard Subscription Available 0
    subscription_identifier_not_supported,  ///< the server announced Subscription Identifiers Available 0
    shared_subscription_not_supported,      ///< the server announced Shared Subscription Available 0
    receive_blocked,        ///< received messages that nobody takes hold up an operation that awaits a reply
    version_not_supported,  ///< the operation needs MQTT 5, which the connection does not speak
    message_expired,        ///< its Message Expiry Interval passed before it could be sent
    // life cycle
    not_running,         ///< the client is not running or was stopped; async_run ends with the reason
    already_running,     ///< async_run is already in progress
    not_connected,       ///< there is no connection, and the operation does not wait for one
    subscription_ended,  ///< the subscription was closed or refused
    session_lost,        ///< the server has no session any more and the operation belonged to it
    discarded,           ///< dropped from the outgoing queue by its policy
    // time
    connect_timeout,     ///< no CONNACK within the connect timeout
    keep_alive_timeout,  ///< the peer was silent for longer than keep-alive allows. MQTT 5 §3.1.2.10
    operation_timeout,   ///< the deadline of this one operation passed; the client is unharmed
    // the peer broke the protocol; the fault's reason code and rule are in the log and in the event
    malformed_packet,   ///< a packet that cannot be parsed
    protocol_error,     ///< a packet that is not allowed in this state
    connection_closed,  ///< the peer closed the connection without saying why
    // storage
    store_failed,   ///< the store cannot be opened, read or written
    store_damaged,  ///< the store's content cannot be trusted
    // authentication
    authentication_failed,  ///< enhanced authentication: the other side's proof is wrong. MQTT 5 §4.12
    // TLS; the details, such as names and dates, are in the event's text and in the log
    tls_options_invalid,        ///< a file that cannot be read, a key that does not fit, an unknown cipher
    tls_handshake_failed,       ///< no common version or cipher, or the peer does not speak TLS at all
    tls_peer_refused,           ///< the peer ended the handshake with an alert about our certificate or key
    tls_failed,                 ///< the stream is broken: a record that cannot be decrypted
    certificate_expired,        ///< of the peer, or of an authority in its chain
    certificate_not_yet_valid,  ///< its first day is yet to come, or our clock is wrong
    certificate_wrong_host,     ///< it does not name the host that was dialed
    certificate_untrusted,      ///< its chain does not end in a trusted root
    certificate_revoked,        ///< it is in the revocation list of its issuer
    certificate_weak,           ///< its key or signature is too weak
    certificate_invalid,        ///< anything else that is wrong with it
    // WebSocket and proxies
    websocket_refused,          ///< the upgrade was refused, or the other side does not speak WebSocket
    websocket_protocol_error,   ///< a frame that RFC 6455 or MQTT does not allow. MQTT 5 §6
    proxy_failed,               ///< the proxy did not connect us
    proxy_refused_credentials,  ///< the proxy wants other credentials than ours
    // later ones of the groups above: numbers, which messages show, stay what they are
    store_in_use,              ///< another client or broker, of this process or another, has the store open
    store_of_another_client,   ///< the store holds the session of another client identifier
    store_absent,              ///< sqlite::acknowledge, enqueue: the database has no tables of a client's store
    tls_certificate_required,  ///< the server wants a certificate of the client, which has none: tls_options
};

/// What a peer said: the reason codes of MQTT 5 §2.4. The return codes of 3.1 and 3.1.1 are mapped onto them.
enum class reason_code : std::uint8_t {
    success = 0x00,  ///< also "normal disconnection" and "granted QoS 0"
    granted_qos_1 = 0x01,
    granted_qos_2 = 0x02,
    disconnect_with_will = 0x04,
    no_matching_subscribers = 0x10,
    no_subscription_existed = 0x11,
    continue_authentication = 0x18,
    reauthenticate = 0x19,
    unspecified_error = 0x80,
    malformed_packet = 0x81,
    protocol_error = 0x82,
    implementation_specific_error = 0x83,
    unsupported_protocol_version = 0x84,
    client_identifier_not_valid = 0x85,
    bad_user_name_or_password = 0x86,
    not_authorized = 0x87,
    server_unavailable = 0x88,
    server_busy = 0x89,
    banned = 0x8A,
    server_shutting_down = 0x8B,
    bad_authentication_method = 0x8C,
    keep_alive_timeout = 0x8D,
    session_taken_over = 0x8E,
    topic_filter_invalid = 0x8F,
    topic_name_invalid = 0x90,
    packet_identifier_in_use = 0x91,
    packet_identifier_not_found = 0x92,
    receive_maximum_exceeded = 0x93,
    topic_alias_invalid = 0x94,
    packet_too_large = 0x95,
    message_rate_too_high = 0x96,
    quota_exceeded = 0x97,
    administrative_action = 0x98,
    payload_format_invalid = 0x99,
    retain_not_supported = 0x9A,
    qos_not_supported = 0x9B,
    use_another_server = 0x9C,
    server_moved = 0x9D,
    shared_subscriptions_not_supported = 0x9E,
    connection_rate_exceeded = 0x9F,
    maximum_connect_time = 0xA0,
    subscription_identifiers_not_supported = 0xA1,
    wildcard_subscriptions_not_supported = 0xA2,
};

/// True for reason codes of 0x80 and above. MQTT 5 §2.4.
[[nodiscard]] constexpr bool is_failure(reason_code reason) noexcept {
    return static_cast<std::uint8_t>(reason) >= 0x80;
}

/// The specification's name of a reason code, for example "Not authorized".
[[nodiscard]] std::string_view to_string(reason_code reason) noexcept;

/// One sentence that says what could not be done.
[[nodiscard]] std::string_view to_string(errc error) noexcept;

/// Category "martlet": values of errc.
[[nodiscard]] const boost::system::error_category& errc_category() noexcept;

/// Category "mqtt": values of reason_code. A success code (below 0x80) converts to a false error_code only if it is 0.
[[nodiscard]] const boost::system::error_category& reason_category() noexcept;

[[nodiscard]] inline error_code make_error_code(errc error) noexcept {
    return {static_cast<int>(error), errc_category()};
}
[[nodiscard]] inline error_code make_error_code(reason_code reason) noexcept {
    return {static_cast<int>(reason), reason_category()};
}

/// A breach of the protocol or a refusal, as one side of a connection found it: the reason code that the peer gets,
/// the statement of the specification that was broken, and one sentence for the log. `!fault` means all is well.
struct [[nodiscard]] fault {
    reason_code reason = reason_code::success;
    std::string_view rule;  ///< e.g. "MQTT-3.3.1-4", without brackets; static storage
    std::string_view text;  ///< e.g. "PUBLISH with QoS 3"; static storage

    /// True if there is a fault.
    [[nodiscard]] explicit operator bool() const noexcept { return reason != reason_code::success; }
};

}  // namespace martlet

namespace boost::system {
template <>
struct is_error_code_enum<martlet::errc> : std::true_type {};
template <>
struct is_error_code_enum<martlet::reason_code> : std::true_type {};
}  // namespace boost::system
