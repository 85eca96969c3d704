// SUBSCRIBE and UNSUBSCRIBE with their answers, for both roles. MQTT 5 §3.8 to §3.11.
#include "core/packet_set.hpp"
#include "core/reasons.hpp"

#include <martlet/core/connection.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::core {

// ---- client

error_code connection::subscribe(packets::subscribe packet, token who) {
    if (state_ != connection_state::open) return errc::not_connected;
    const auto& wanted = packet.subscriptions;
    const auto any = [&](auto&& test) { return std::any_of(wanted.begin(), wanted.end(), test); };
    if (!peer_.wildcard_subscription_available && any([](const auto& s) { return has_wildcard(s.filter); })) {
        return errc::wildcard_not_supported;
    }
    if (!peer_.shared_subscription_available &&
        any([](const auto& s) { return split_shared_filter(s.filter).has_value(); })) {
        return errc::shared_subscription_not_supported;
    }
    if (packet.properties.subscription_identifier && version_ == protocol_version::v5 &&
        !peer_.subscription_identifier_available) {
        return errc::subscription_identifier_not_supported;
    }
    packet.id = packet_id{1};  // any: the size does not depend on it
    const std::size_t size = encoded_size(martlet::packet(packet), version_);
    if (size == 0 || !fits(size)) return errc::packet_too_large;
    const auto count = static_cast<std::uint32_t>(wanted.size());
    inflight_entry* const entry = session_->start_request(inflight_state::awaiting_suback, who, count);
    if (entry == nullptr) return errc::queue_full;
    packet.id = entry->id;
    write(packet);
    return {};
}

error_code connection::unsubscribe(packets::unsubscribe packet, token who) {
    if (state_ != connection_state::open) return errc::not_connected;
    packet.id = packet_id{1};
    const std::size_t size = encoded_size(martlet::packet(packet), version_);
    if (size == 0 || !fits(size)) return errc::packet_too_large;
    const auto count = static_cast<std::uint32_t>(packet.filters.size());
    inflight_entry* const entry = session_->start_request(inflight_state::awaiting_unsuback, who, count);
    if (entry == nullptr) return errc::queue_full;
    packet.id = entry->id;
    write(packet);
    return {};
}

bool connection::on_suback(event& out) {
    const auto& suback = std::get<packets::suback>(out.other);
    inflight_entry* const entry = session_->sent.find(suback.id);
    if (entry == nullptr) return false;  // of an exchange that we gave up: nothing waits for it
    if (entry->state != inflight_state::awaiting_suback) {
        return fail({reason_code::protocol_error, "MQTT-3.8.4-2", "SUBACK for a packet id of another exchange"}, out);
    }
    if (suback.reasons.size() != entry->count) {
        return fail({reason_code::protocol_error, "MQTT-3.8.4-6", "SUBACK with another count than SUBSCRIBE"}, out);
    }
    out.kind = event_kind::subscribe_done;
    out.who = entry->what.who;
    session_->sent.release(*entry);
    pump();
    return true;
}

bool connection::on_unsuback(event& out) {
    const auto& unsuback = std::get<packets::unsuback>(out.other);
    inflight_entry* const entry = session_->sent.find(unsuback.id);
    if (entry == nullptr) return false;
    if (entry->state != inflight_state::awaiting_unsuback) {
        return fail({reason_code::protocol_error, "MQTT-3.10.4-5", "UNSUBACK for a packet id of another exchange"},
                    out);
    }
    if (version_ == protocol_version::v5 && unsuback.reasons.size() != entry->count) {
        return fail({reason_code::protocol_error, "MQTT-3.11.3-2", "UNSUBACK with another count than UNSUBSCRIBE"},
                    out);
    }
    out.kind = event_kind::unsubscribe_done;
    out.who = entry->what.who;
    session_->sent.release(*entry);
    pump();
    return true;
}

// ---- broker

void connection::suback(packet_id id, std::span<const reason_code> reasons, const ack_properties& properties) {
    if (state_ != connection_state::open) return;
    packets::suback answer{id, {reasons.begin(), reasons.end()}, properties};
    for (reason_code& reason : answer.reasons)
        reason = reason_for(sets::suback, reason);
    packet p = std::move(answer);
    if (!strip_to_fit(p)) {
        return close_with({reason_code::packet_too_large, "MQTT-3.1.2-24", "SUBACK is larger than the client takes"});
    }
    hold_bytes(session_->journal().last(), held_kind::bytes, encode_to_string(p));
}

void connection::unsuback(packet_id id, std::span<const reason_code> reasons, const ack_properties& properties) {
    if (state_ != connection_state::open) return;
    packets::unsuback answer{id, {reasons.begin(), reasons.end()}, properties};
    for (reason_code& reason : answer.reasons)
        reason = reason_for(sets::unsuback, reason);
    packet p = std::move(answer);
    if (!strip_to_fit(p)) {
        return close_with({reason_code::packet_too_large, "MQTT-3.1.2-24", "UNSUBACK is larger than the client takes"});
    }
    hold_bytes(session_->journal().last(), held_kind::bytes, encode_to_string(p));
}

}  // namespace martlet::core
