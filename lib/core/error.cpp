// Names and texts of errc, reason_code and packet_type, and the two error categories.
#include "core/reasons.hpp"

#include <martlet/error.hpp>
#include <martlet/packets.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace martlet {
namespace {

// The numbers make the categories the same ones in every shared library that has a copy of this code.
constexpr boost::ulong_long_type errc_category_id = 0x6D61'7274'6C65'7401;
constexpr boost::ulong_long_type reason_category_id = 0x6D61'7274'6C65'7402;

class errc_category_type final : public boost::system::error_category {
public:
    constexpr errc_category_type() noexcept : error_category(errc_category_id) {}
    const char* name() const noexcept override { return "martlet"; }
    std::string message(int value) const override { return std::string(to_string(static_cast<errc>(value))); }
};

class reason_category_type final : public boost::system::error_category {
public:
    constexpr reason_category_type() noexcept : error_category(reason_category_id) {}
    const char* name() const noexcept override { return "mqtt"; }
    std::string message(int value) const override {
        if (value < 0 || value > 0xFF) {
            return "Unknown reason code";
        }
        return std::string(to_string(static_cast<reason_code>(value)));
    }
};

}  // namespace

std::string_view to_string(reason_code reason) noexcept {
    const core::reason_row* const row = core::find_reason(reason);
    return row != nullptr ? row->name : "Unknown reason code";
}

std::string_view to_string(errc error) noexcept {
    switch (error) {
        case errc::topic_invalid:
            return "the topic name is empty, too long, has a wildcard or is not well-formed UTF-8";
        case errc::topic_filter_invalid: return "the topic filter is malformed";
        case errc::client_id_invalid: return "the client identifier is not valid";
        case errc::string_invalid: return "a string is not well-formed UTF-8, contains U+0000 or is over 65,535 bytes";
        case errc::property_invalid: return "the value of a property is outside of its range";
        case errc::option_invalid: return "an option contradicts another or is outside of its range";
        case errc::url_invalid: return "the URL cannot be understood";
        case errc::packet_too_large: return "the packet is larger than the peer or MQTT allows";
        case errc::queue_full: return "the outgoing queue is full";
        case errc::qos_not_supported: return "the server does not support this QoS";
        case errc::retain_not_supported: return "the server does not support retained messages";
        case errc::wildcard_not_supported: return "the server does not support wildcard subscriptions";
        case errc::subscription_identifier_not_supported: return "the server does not support subscription identifiers";
        case errc::shared_subscription_not_supported: return "the server does not support shared subscriptions";
        case errc::receive_blocked: return "received messages that nobody takes hold up the operation";
        case errc::version_not_supported: return "the operation needs MQTT 5, which the connection does not speak";
        case errc::message_expired: return "the message expired before it could be sent";
        case errc::not_running: return "the client is not running (async_run has the reason)";
        case errc::already_running: return "the client is already running";
        case errc::not_connected: return "there is no connection";
        case errc::subscription_ended: return "the subscription has ended";
        case errc::session_lost: return "the server has lost the session that the operation belonged to";
        case errc::discarded: return "the message was dropped from the outgoing queue";
        case errc::connect_timeout: return "the server did not answer CONNECT in time";
        case errc::keep_alive_timeout: return "the peer was silent for longer than keep-alive allows";
        case errc::operation_timeout: return "the deadline of the operation passed";
        case errc::malformed_packet: return "the peer sent a packet that cannot be parsed";
        case errc::protocol_error: return "the peer sent a packet that the protocol does not allow";
        case errc::connection_closed: return "the peer closed the connection";
        case errc::store_failed: return "the store cannot be opened, read or written";
        case errc::store_in_use: return "the store is in use";
        case errc::store_of_another_client: return "the store holds the session of another client identifier";
        case errc::store_absent: return "the database has no tables of a client's store";
        case errc::store_damaged: return "the content of the store is damaged";
        case errc::authentication_failed: return "the peer's proof of authentication is wrong";
        case errc::tls_options_invalid: return "the TLS options cannot be used";
        case errc::tls_handshake_failed: return "the TLS handshake failed";
        case errc::tls_certificate_required: return "the server wants a client certificate, and there is none";
        case errc::tls_peer_refused: return "the peer does not accept our certificate or key";
        case errc::tls_failed: return "the TLS stream is broken";
        case errc::certificate_expired: return "the peer's certificate has expired";
        case errc::certificate_not_yet_valid: return "the peer's certificate is not yet valid";
        case errc::certificate_wrong_host: return "the peer's certificate is for another host";
        case errc::certificate_untrusted: return "the peer's certificate comes from nobody whom we trust";
        case errc::certificate_revoked: return "the peer's certificate was revoked";
        case errc::certificate_weak: return "the peer's certificate is too weak";
        case errc::certificate_invalid: return "the peer's certificate is not valid";
        case errc::websocket_refused: return "the upgrade to WebSocket was refused";
        case errc::websocket_protocol_error: return "the peer broke the WebSocket protocol";
        case errc::proxy_failed: return "the proxy did not connect to the server";
        case errc::proxy_refused_credentials: return "the proxy refused the credentials";
    }
    return "unknown error";
}

std::string_view to_string(packet_type type) noexcept {
    switch (type) {
        case packet_type::connect: return "CONNECT";
        case packet_type::connack: return "CONNACK";
        case packet_type::publish: return "PUBLISH";
        case packet_type::puback: return "PUBACK";
        case packet_type::pubrec: return "PUBREC";
        case packet_type::pubrel: return "PUBREL";
        case packet_type::pubcomp: return "PUBCOMP";
        case packet_type::subscribe: return "SUBSCRIBE";
        case packet_type::suback: return "SUBACK";
        case packet_type::unsubscribe: return "UNSUBSCRIBE";
        case packet_type::unsuback: return "UNSUBACK";
        case packet_type::pingreq: return "PINGREQ";
        case packet_type::pingresp: return "PINGRESP";
        case packet_type::disconnect: return "DISCONNECT";
        case packet_type::auth: return "AUTH";
    }
    return "?";
}

const boost::system::error_category& errc_category() noexcept {
    static constexpr errc_category_type category;
    return category;
}

const boost::system::error_category& reason_category() noexcept {
    static constexpr reason_category_type category;
    return category;
}

}  // namespace martlet
