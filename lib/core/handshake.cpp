// How a connection begins and ends: CONNECT, CONNACK, AUTH, DISCONNECT, for both roles. MQTT 5 §3.1, 3.2, 3.14, 3.15.
#include "core/packet_set.hpp"
#include "core/reasons.hpp"

#include <martlet/core/connection.hpp>

#include <algorithm>
#include <cassert>

namespace martlet::core {

// ---- client

void connection::connect(const packets::connect& packet, session& state) {
    assert(role_ == role::client && state_ == connection_state::idle);
    version_ = packet.version;
    session_ = &state;
    keep_alive_ = packet.keep_alive;
    clean_start_ = packet.clean_start;
    session_expiry_interval_ = packet.properties.session_expiry_interval.value_or(0);
    authentication_method_ = packet.properties.authentication_method.value_or("");
    authenticating_ = !authentication_method_.empty();
    started_ = present_->steady;
    state_ = connection_state::connecting;

    packets::connect announced = packet;  // what we hold the server to is what we announce
    auto& properties = announced.properties;
    if (limits_.receive_maximum != 65'535) properties.receive_maximum = limits_.receive_maximum;
    if (limits_.packet_size_max < 268'435'460) properties.maximum_packet_size = limits_.packet_size_max;
    if (limits_.topic_alias_maximum != 0) properties.topic_alias_maximum = limits_.topic_alias_maximum;
    aliases_in_.reset(limits_.topic_alias_maximum);
    write(announced);
}

bool connection::on_connack(event& out) {
    if (state_ != connection_state::connecting) {
        return fail({reason_code::protocol_error, "MQTT-3.2.0-2", "a second CONNACK"}, out);
    }
    const auto& connack = std::get<packets::connack>(out.other);
    if (is_failure(connack.reason)) {
        state_ = connection_state::closing;
        out.kind = event_kind::refused;
        out.reason = connack.reason;
        out.error = connack.reason;
        return true;
    }
    const auto& properties = connack.properties;
    if (version_ == protocol_version::v5 && properties.authentication_method.value_or("") != authentication_method_) {
        return fail({reason_code::protocol_error, "MQTT-4.12.0-5", "CONNACK has another Authentication Method"}, out);
    }
    if (connack.session_present && clean_start_) {
        return fail({reason_code::protocol_error, "MQTT-3.2.2-2", "Session Present after Clean Start"}, out);
    }
    peer_.packet_size_max = properties.maximum_packet_size.value_or(268'435'460);
    peer_.receive_maximum = properties.receive_maximum.value_or(65'535);
    peer_.topic_alias_maximum = properties.topic_alias_maximum.value_or(0);
    peer_.maximum_qos = properties.maximum_qos.value_or(qos::exactly_once);
    peer_.retain_available = properties.retain_available.value_or(true);
    peer_.wildcard_subscription_available = properties.wildcard_subscription_available.value_or(true);
    peer_.subscription_identifier_available =
        version_ == protocol_version::v5 && properties.subscription_identifier_available.value_or(true);
    peer_.shared_subscription_available = properties.shared_subscription_available.value_or(true);
    if (properties.server_keep_alive) keep_alive_ = *properties.server_keep_alive;  // [MQTT-3.1.2-21]
    if (properties.session_expiry_interval) session_expiry_interval_ = *properties.session_expiry_interval;
    aliases_out_.reset(std::min(peer_.topic_alias_maximum, limits_.topic_alias_maximum_out));
    authenticating_ = false;
    // 3.1 has no Session Present: a server that was not told to begin anew may have kept the session.
    open(version_ == protocol_version::v3_1 ? !clean_start_ : connack.session_present);
    out.kind = event_kind::connected;
    out.reason = connack.reason;
    return true;
}

// ---- broker

bool connection::on_connect(const frame& in, event& out) {
    if (state_ != connection_state::idle) {
        return fail({reason_code::protocol_error, "MQTT-3.1.0-2", "a second CONNECT"}, out);
    }
    const auto& connect = std::get<packets::connect>(out.other);
    version_ = connect.version;
    if (version_ == protocol_version::v5 &&
        in.packet.size() - in.body.size() - 1 != variable_byte_integer_size(in.body.size())) {
        state_ = connection_state::connecting;
        return fail({reason_code::malformed_packet, "MQTT-1.5.5-1", "Remaining Length is not in its shortest form"},
                    out);
    }
    const auto& properties = connect.properties;
    keep_alive_ = connect.keep_alive;
    clean_start_ = connect.clean_start;
    session_expiry_interval_ = properties.session_expiry_interval.value_or(0);
    authentication_method_ = properties.authentication_method.value_or("");
    peer_.packet_size_max = properties.maximum_packet_size.value_or(268'435'460);
    peer_.receive_maximum = properties.receive_maximum.value_or(65'535);
    peer_.topic_alias_maximum = properties.topic_alias_maximum.value_or(0);
    peer_.request_problem_information = properties.request_problem_information.value_or(true);
    peer_.request_response_information = properties.request_response_information.value_or(false);
    aliases_out_.reset(std::min(peer_.topic_alias_maximum, limits_.topic_alias_maximum_out));
    state_ = connection_state::connecting;
    out.kind = event_kind::connect_received;
    return true;
}

void connection::refuse_faulty_connect(const frame& in, const fault& why) {
    // Which CONNACK the sender understands is told by the level, which stands behind the protocol name: none for an
    // unknown name, the old form below level 5 and only for an unsupported level [MQTT-3.1.2-2 of 3.1.1].
    state_ = connection_state::closing;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(in.body[at]); };
    if (in.body.size() < 2) return;
    const std::size_t name_size = static_cast<std::size_t>(byte(0)) << 8 | byte(1);
    if (in.body.size() < 2 + name_size + 1 || in.body.substr(2, name_size) != "MQTT") return;
    const unsigned level = byte(2 + name_size);
    if (level >= 5) {
        version_ = protocol_version::v5;
        write(packets::connack{false, why.reason, {}});
    } else if (why.reason == reason_code::unsupported_protocol_version) {
        version_ = protocol_version::v3_1_1;
        write(packets::connack{false, why.reason, {}});
    }
}

void connection::accept(session& state, packets::connack answer) {
    assert(role_ == role::broker && state_ == connection_state::connecting);
    session_ = &state;
    answer.reason = reason_code::success;
    if (version_ == protocol_version::v5) {
        auto& properties = answer.properties;
        if (limits_.receive_maximum != 65'535) properties.receive_maximum = limits_.receive_maximum;
        if (limits_.packet_size_max < 268'435'460) properties.maximum_packet_size = limits_.packet_size_max;
        if (limits_.topic_alias_maximum != 0) properties.topic_alias_maximum = limits_.topic_alias_maximum;
        if (limits_.maximum_qos != qos::exactly_once) properties.maximum_qos = limits_.maximum_qos;
        if (!limits_.retain_available) properties.retain_available = false;
        if (!limits_.wildcard_subscription_available) properties.wildcard_subscription_available = false;
        if (!limits_.subscription_identifier_available) properties.subscription_identifier_available = false;
        if (!limits_.shared_subscription_available) properties.shared_subscription_available = false;
        if (limits_.keep_alive_max != 0 && (keep_alive_ == 0 || keep_alive_ > limits_.keep_alive_max)) {
            properties.server_keep_alive = limits_.keep_alive_max;
        }
        if (properties.server_keep_alive) keep_alive_ = *properties.server_keep_alive;
        if (properties.session_expiry_interval) session_expiry_interval_ = *properties.session_expiry_interval;
        if (!authentication_method_.empty()) properties.authentication_method = authentication_method_;
    }
    if (version_ == protocol_version::v3_1) answer.session_present = false;
    aliases_in_.reset(limits_.topic_alias_maximum);
    authenticating_ = false;
    packet p = answer;
    if (!strip_to_fit(p)) {
        // It says that it cannot even take our CONNACK: nothing more can be said.
        session_ = nullptr;
        state_ = connection_state::closing;
        return;
    }
    // CONNACK waits until the session is stored; the connection opens when it leaves.
    hold_bytes(session_->journal().last(), held_kind::connack, encode_to_string(p));
}

void connection::refuse(reason_code reason, const connack_properties& properties) {
    assert(role_ == role::broker && is_failure(reason));
    if (state_ != connection_state::connecting) return;
    packet p = packets::connack{false, reason_for(sets::connack, reason), properties};
    if (strip_to_fit(p)) write(p);
    state_ = connection_state::closing;
}

// ---- both

void connection::open(bool session_present) {
    state_ = connection_state::open;
    if (role_ == role::client && !session_present) session_->on_peer_lost_session();
    send_queued_qos_0();
    resend();
    pump();
}

void connection::disconnect(reason_code reason, const disconnect_properties& properties) {
    if (state_ == connection_state::open && (role_ == role::client || version_ == protocol_version::v5)) {
        packet p = packets::disconnect{reason_for(packet_from(role_, packet_type::disconnect), reason), properties};
        if (strip_to_fit(p)) write(p);
    } else if (role_ == role::broker && state_ == connection_state::connecting) {
        return refuse(is_failure(reason) ? reason : reason_code::server_unavailable);
    }
    held_.clear();
    state_ = connection_state::closing;
}

bool connection::on_disconnect(event& out) {
    const auto& disconnect = std::get<packets::disconnect>(out.other);
    const auto& expiry = disconnect.properties.session_expiry_interval;
    if (role_ == role::client && expiry) {
        return fail({reason_code::protocol_error, "MQTT-3.14.2-2", "a server's DISCONNECT has a Session Expiry"}, out);
    }
    if (role_ == role::broker && expiry) {
        if (session_expiry_interval_ == 0 && *expiry != 0) {
            return fail({reason_code::protocol_error, "MQTT-3.14.2.2.2",
                         "Session Expiry was 0 in CONNECT and cannot be raised in DISCONNECT"},
                        out);
        }
        session_expiry_interval_ = *expiry;
    }
    held_.clear();
    state_ = connection_state::closing;
    out.kind = event_kind::disconnect_received;
    out.reason = disconnect.reason;
    out.error = is_failure(disconnect.reason) ? make_error_code(disconnect.reason) : error_code();
    return true;
}

// ---- AUTH

void connection::send_auth(const packets::auth& answer) {
    if (version_ != protocol_version::v5 || state_ == connection_state::closing || state_ == connection_state::idle) {
        return;
    }
    if (authentication_method_.empty()) {
        // Without a method in CONNECT there is no AUTH [MQTT-4.12.0-6], [MQTT-4.12.0-7]. A broker whose owner wants one
        // cannot go on; a client can.
        if (role_ == role::broker) {
            close_with({reason_code::bad_authentication_method, "MQTT-4.12.0-6", "AUTH without a method in CONNECT"});
        }
        return;
    }
    packets::auth completed = answer;
    if (!is_reason_of(packet_from(role_, packet_type::auth), static_cast<std::uint8_t>(answer.reason))) {
        completed.reason = role_ == role::broker ? reason_code::success : reason_code::continue_authentication;
    }
    completed.properties.authentication_method = authentication_method_;  // [MQTT-4.12.0-5]
    // A broker that asks for more expects an AUTH; a client that begins anew or answers does, too.
    if (role_ == role::broker) authenticating_ = completed.reason == reason_code::continue_authentication;
    packet p = completed;
    if (strip_to_fit(p)) {
        write(p);
    } else {
        close_with({reason_code::packet_too_large, "MQTT-3.15.2-2", "AUTH is larger than the peer takes"});
    }
}

bool connection::on_auth(event& out) {
    const auto& auth = std::get<packets::auth>(out.other);
    if (authentication_method_.empty()) {
        return fail({reason_code::protocol_error, "MQTT-4.12.0-7", "AUTH without a method in CONNECT"}, out);
    }
    if (auth.properties.authentication_method.value_or("") != authentication_method_) {
        return fail({reason_code::protocol_error, "MQTT-4.12.0-5", "AUTH has another Authentication Method"}, out);
    }
    const bool begins = auth.reason == reason_code::reauthenticate;
    if (role_ == role::broker && begins && state_ != connection_state::open) {
        return fail({reason_code::protocol_error, "MQTT-4.12.1-1", "re-authentication before CONNACK"}, out);
    }
    if (role_ == role::broker && !begins && !authenticating_) {
        return fail({reason_code::protocol_error, "MQTT-4.12.0-3", "AUTH was not asked for"}, out);
    }
    // The next AUTH has to be asked for anew; until then a broker reads nothing that stands behind this one.
    if (role_ == role::broker && state_ == connection_state::connecting) authenticating_ = false;
    out.kind = event_kind::auth_received;
    out.reason = auth.reason;
    return true;
}

}  // namespace martlet::core
