// PUBLISH and its acknowledgements, both directions: quota, re-sending, aliases, and what may leave only after a commit.
// MQTT 5 §3.3 to §3.7, §4.3, §4.4, §4.6, §4.9.
#include "core/packet_set.hpp"
#include "core/properties.hpp"
#include "core/reasons.hpp"
#include "core/wire.hpp"

#include <martlet/core/connection.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace martlet::core {

// ---- receiving

bool connection::on_publish(const frame& in, event& out) {
    packets::publish& message = out.message;
    if (const fault why = decode_publish(in, version_, role_, last_topic_, message)) return fail(why, out);
    if (message.topic_alias) {
        const std::uint16_t alias = *message.topic_alias;
        if (alias > aliases_in_.maximum()) {
            return fail({reason_code::topic_alias_invalid, role_ == role::broker ? "MQTT-3.3.2-9" : "MQTT-3.3.2-11",
                         "Topic Alias above the maximum"},
                        out);
        }
        if (message.topic.empty()) {
            message.topic = aliases_in_.find(alias);
            if (message.topic.empty()) {
                return fail({reason_code::protocol_error, "MQTT-3.3.2-7", "Topic Alias without a mapping"}, out);
            }
        } else {
            aliases_in_.set(alias, message.topic);
        }
    }
    if (!is_equal(message.topic, last_topic_)) {
        fault why;
        if (!check_levels(message, why)) return fail(why, out);
        last_topic_.assign(message.topic);
    }
    if (role_ == role::broker) {
        if (message.qos > limits_.maximum_qos) {
            return fail({reason_code::qos_not_supported, "MQTT-3.2.2-11", "QoS above the announced Maximum QoS"}, out);
        }
        if (message.retain && !limits_.retain_available) {
            return fail({reason_code::retain_not_supported, "MQTT-3.2.2-14", "RETAIN though it is not available"}, out);
        }
    }
    out.kind = event_kind::message_received;
    out.packet = in.packet;
    out.number = 0;
    if (message.qos == qos::at_most_once) {
        ++counters_.messages_received;
        return true;
    }

    received& known = session_->received;
    // Of a session that the peer lost without our knowledge, ids may stay for ever: they must not take the places of the
    // present one. All together they are bounded, too, for the sake of a broker's memory.
    const std::size_t maximum = limits_.receive_maximum;
    const bool full = known.count_here() >= maximum || (role_ == role::broker && known.count() >= 2 * maximum);
    if (full && !known.knows(message.id)) {
        return fail({reason_code::receive_maximum_exceeded, role_ == role::broker ? "MQTT-3.3.4-7" : "MQTT-3.3.4-9",
                     "more QoS 1 and 2 messages than our Receive Maximum"},
                    out);
    }
    const received::arrived arrived = known.on_publish(message.id, message.qos, message.dup);
    if (arrived.gave_up_qos_2) {
        changes& journal = session_->journal();
        if (journal.on()) journal.record(erase_received{session_->key(), message.id});
    }
    switch (arrived.what) {
        case received::arrival::fresh:
            ++counters_.messages_received;
            out.number = arrived.number;
            return true;
        case received::arrival::repeated:  // its acknowledgement is due once the application is done with the first
            send_due_acknowledgements();
            return false;
        case received::arrival::answered_before:
            hold(session_->journal().last(), held_kind::pubrec, message.id);
            return false;
    }
    return false;
}

bool connection::check_levels(const packets::publish& message, fault& why) const noexcept {
    if (topic_levels(message.topic) <= limits_.topic_levels_max) return true;
    why = {reason_code::topic_name_invalid, "MQTT-4.7.3-3", "topic name with more levels than the limit"};
    return false;
}

void connection::acknowledge(receipt number, reason_code reason) {
    if (session_ == nullptr || number == 0) return;
    if (reason != reason_code::success) {
        // Before MQTT 5 nothing can be refused: the peer takes any PUBREC for success and goes on with PUBREL.
        reason = version_ == protocol_version::v5 ? reason_for(packet_from(role_, packet_type::puback), reason)
                                                  : reason_code::success;
    }
    session_->received.acknowledge(number, reason);
    if (state_ == connection_state::open) send_due_acknowledgements();
}

void connection::send_due_acknowledgements() {
    changes& journal = session_->journal();
    received::due due;
    for (;;) {
        journal.reserve();
        if (!session_->received.next_due(due)) return;
        if (due.qos == qos::at_least_once) {
            // A broker's PUBACK says that the queued copies are stored; a client's has nothing to wait for.
            hold(role_ == role::broker ? journal.last() : 0, held_kind::puback, due.id, due.reason);
            continue;
        }
        if (journal.on() && !is_failure(due.reason)) journal.record(received_row{session_->key(), due.id});
        hold(journal.last(), held_kind::pubrec, due.id, due.reason);
    }
}

bool connection::on_pubrel(packet_id id) {
    changes& journal = session_->journal();
    journal.reserve();
    if (!session_->received.on_pubrel(id)) {
        // Unknown: the exchange ended in an earlier life; the sender has to come to its end, too [MQTT-4.3.3-11].
        hold(0, held_kind::pubcomp, id, reason_code::packet_identifier_not_found);
        return false;
    }
    if (journal.on()) journal.record(erase_received{session_->key(), id});
    hold(journal.last(), held_kind::pubcomp, id);
    return false;
}

// ---- acknowledgements of our own messages

bool connection::on_puback(const packets::puback& ack, event& out) {
    inflight_entry* const entry = session_->sent.find(ack.id);
    if (entry == nullptr) return false;  // nothing waits for it
    if (entry->state != inflight_state::awaiting_puback) {
        return fail({reason_code::protocol_error, "MQTT-4.3.2-4", "PUBACK for a packet id of another exchange"}, out);
    }
    out.kind = event_kind::publish_done;
    out.who = entry->what.who;
    out.reason = ack.reason;
    out.error = {};
    finish(*entry);
    return out.who != 0;
}

bool connection::on_pubrec(const packets::puback& ack, event& out) {
    inflight_entry* const entry = session_->sent.find(ack.id);
    if (entry == nullptr) {
        if (!is_failure(ack.reason)) hold(0, held_kind::pubrel, ack.id, reason_code::packet_identifier_not_found);
        return false;
    }
    switch (entry->state) {
        case inflight_state::awaiting_pubrec: break;
        case inflight_state::awaiting_pubcomp:  // again: so is its answer
            hold(entry->change_number, held_kind::pubrel, ack.id);
            return false;
        default:
            return fail({reason_code::protocol_error, "MQTT-4.3.3-8", "PUBREC for a packet id of another exchange"},
                        out);
    }
    if (is_failure(ack.reason)) {  // [MQTT-4.3.3-4]
        out.kind = event_kind::publish_done;
        out.who = entry->what.who;
        out.reason = ack.reason;
        out.error = {};
        finish(*entry);
        return out.who != 0;
    }
    entry->reason = ack.reason;
    on_released(*entry);
    return false;
}

void connection::on_released(inflight_entry& entry) {
    release(entry);
    hold(entry.change_number, held_kind::pubrel, entry.id);
}

void connection::release(inflight_entry& entry) {
    if (resend_next_ == entry.id) {  // acknowledged before it was sent again on this connection
        const inflight_entry* const next = session_->sent.next(entry);
        resend_next_ = next != nullptr ? next->id : packet_id::none;
    }
    if (!entry.here) {
        entry.here = true;
        ++used_here_;
    }
    session_->release(entry);
}

bool connection::on_pubcomp(const packets::puback& ack, event& out) {
    inflight_entry* const entry = session_->sent.find(ack.id);
    if (entry == nullptr) return false;
    if (entry->state != inflight_state::awaiting_pubcomp) {
        return fail({reason_code::protocol_error, "MQTT-4.3.3-11", "PUBCOMP for a packet id of another exchange"}, out);
    }
    out.kind = event_kind::publish_done;
    out.who = entry->what.who;
    // What the PUBREC said; 0x92 here only says that the receiver was done with it before: it is delivered.
    out.reason = entry->reason;
    out.error = {};
    finish(*entry);
    return out.who != 0;
}

void connection::finish(inflight_entry& entry) {
    end_exchange(entry);
    pump();
}

void connection::end_exchange(inflight_entry& entry) {
    if (resend_next_ == entry.id) {
        const inflight_entry* const next = session_->sent.next(entry);
        resend_next_ = next != nullptr ? next->id : packet_id::none;
    }
    if (entry.here) --used_here_;
    session_->finish(entry);
}

// ---- sending

bool connection::has_quota() const noexcept {
    return used_here_ < std::min<std::size_t>(peer_.receive_maximum, limits_.inflight_max);
}

error_code connection::check(const outgoing& what) const noexcept {
    if (state_ != connection_state::open || role_ != role::client) return {};
    if (what.qos > peer_.maximum_qos) return errc::qos_not_supported;
    if (what.retain && !peer_.retain_available) return errc::retain_not_supported;
    const std::size_t size = publish_size(what);
    if (size == 0 || !fits(size)) return errc::packet_too_large;
    return {};
}

send_result connection::send(outgoing what) {
    if (what.qos == qos::at_most_once) {
        if (state_ == connection_state::open) {
            const std::size_t size = publish_size(what);
            if (size != 0 && fits(size) && !what.message->expired(present_->wall)) {
                write_publish(what, packet_id::none, false);
                return send_result::sent;
            }
        } else if (session_ != nullptr && session_->enqueue(std::move(what))) {
            return send_result::queued;
        }
        ++counters_.messages_dropped;
        return send_result::dropped;
    }
    if (session_ == nullptr) return send_result::dropped;
    constexpr std::size_t ids = 65'535;  // SUBSCRIBE and UNSUBSCRIBE may have taken what the quota would still allow
    if (state_ == connection_state::open && session_->queue_count() == 0 && resend_next_ == packet_id::none &&
        has_quota() && session_->sent.count() != ids) {
        const std::size_t size = publish_size(what);
        if (size == 0 || !fits(size) || what.message->expired(present_->wall)) {
            ++counters_.messages_dropped;
            return send_result::dropped;
        }
        send_entry(*session_->start(std::move(what)));
        return send_result::sent;
    }
    if (session_->enqueue(std::move(what))) return send_result::queued;
    ++counters_.messages_dropped;
    return send_result::dropped;
}

void connection::send_entry(inflight_entry& entry) {
    entry.here = true;
    ++used_here_;
    has_unsent_entry_ = true;
    if (may_leave(entry.change_number)) {
        write_publish(entry.what, entry.id, entry.sent);
        entry.sent = true;
    } else {
        hold(entry.change_number, held_kind::publish, entry.id);
    }
    has_unsent_entry_ = false;
}

void connection::pump() {
    if (state_ != connection_state::open) return;
    inflight& sent = session_->sent;
    while (resend_next_ != packet_id::none && has_quota()) {
        inflight_entry* const entry = sent.find(resend_next_);
        const inflight_entry* const next = sent.next(*entry);
        resend_next_ = next != nullptr ? next->id : packet_id::none;
        send_entry(*entry);
    }
    if (resend_next_ != packet_id::none) return;
    while (const queued* const front = session_->front()) {
        const std::size_t size = publish_size(front->what);
        if (front->what.message->expired(present_->wall)) {
            session_->drop_front(errc::message_expired);
        } else if (size == 0 || !fits(size)) {
            ++counters_.messages_dropped;
            session_->drop_front(errc::packet_too_large);
        } else if (role_ == role::client && front->what.qos > peer_.maximum_qos) {
            session_->drop_front(errc::qos_not_supported);
        } else if (role_ == role::client && front->what.retain && !peer_.retain_available) {
            session_->drop_front(errc::retain_not_supported);
        } else {
            if (!has_quota()) return;
            inflight_entry* const entry = session_->start_front();
            if (entry == nullptr) return;
            send_entry(*entry);
        }
    }
}

// QoS 0 that was queued goes out before anything else can be sent on the connection: behind QoS 1 and 2, which the quota
// holds back, it would be overtaken by QoS 0 that is published later [MQTT-4.6.0-5].
void connection::send_queued_qos_0() {
    for (outgoing& what : session_->take_qos_0()) {
        const token who = what.who;
        const std::size_t size = publish_size(what);
        error_code why = check(what);
        if (!why && what.message->expired(present_->wall)) why = errc::message_expired;
        if (!why && (size == 0 || !fits(size))) why = errc::packet_too_large;
        if (why) {
            ++counters_.messages_dropped;
        } else {
            write_publish(what, packet_id::none, false);
        }
        if (who != 0) session_->complete({who, why, reason_code::success});
    }
}

void connection::resend() {
    inflight& sent = session_->sent;
    used_here_ = 0;
    for (auto* entry = sent.first(inflight::list::releases); entry != nullptr; entry = sent.next(*entry)) {
        entry->here = true;
        ++used_here_;
        hold(entry->change_number, held_kind::pubrel, entry->id);
    }
    const inflight_entry* const first = sent.first(inflight::list::publishes);
    resend_next_ = first != nullptr ? first->id : packet_id::none;
}

// ---- what waits for the store

// First in, first out: order matters more than the one commit that something waits for.
bool connection::may_leave(std::uint64_t number) const noexcept {
    return held_.empty() && session_->journal().is_committed(number);
}

void connection::hold(std::uint64_t number, held_kind kind, packet_id id, reason_code reason) {
    if (may_leave(number)) return let_go(kind, id, reason);
    held_.push_back({number, kind, id, reason, {}});
}

void connection::hold_bytes(std::uint64_t number, held_kind kind, std::string bytes) {
    held what{number, kind, packet_id::none, reason_code::success, std::move(bytes)};
    if (may_leave(number)) return let_go(what);
    held_.push_back(std::move(what));
}

void connection::on_committed() {
    while (!held_.empty() && session_ != nullptr && session_->journal().is_committed(held_.front().number)) {
        const held front = std::move(held_.front());
        held_.pop_front();
        let_go(front);
    }
}

void connection::let_go(held_kind kind, packet_id id, reason_code reason) {
    switch (kind) {
        case held_kind::publish:
            // By now the exchange may have ended, or the id may stand for another one: only an unsent PUBLISH goes out.
            if (inflight_entry* const entry = session_->sent.find(id);
                entry != nullptr && entry->what.message != nullptr && entry->here) {
                write_publish(entry->what, entry->id, entry->sent);
                entry->sent = true;
            }
            return;
        case held_kind::puback: return write_ack(packet_type::puback, id, reason);
        case held_kind::pubrec: return write_ack(packet_type::pubrec, id, reason);
        case held_kind::pubrel: return write_ack(packet_type::pubrel, id, reason);
        case held_kind::pubcomp: return write_ack(packet_type::pubcomp, id, reason);
        case held_kind::connack:
        case held_kind::bytes: return;  // see below
    }
}

void connection::let_go(const held& what) {
    if (what.kind != held_kind::connack && what.kind != held_kind::bytes) {
        return let_go(what.kind, what.id, what.reason);
    }
    out_.append(what.bytes);
    ++counters_.packets_sent;
    last_sent_ = present_->steady;
    if (what.kind == held_kind::connack) open(true);
}

void connection::write_ack(packet_type type, packet_id id, reason_code reason) {
    char* const at = out_.reserve(short_ack_size_max);
    out_.commit(static_cast<std::size_t>(encode_short_ack(type, id, reason, version_, at) - at));
    last_sent_ = present_->steady;
    ++counters_.packets_sent;
}

// ---- PUBLISH, encoded in place

namespace {

// Remaining seconds: what was asked for minus the whole seconds that have passed [MQTT-3.3.2-6].
std::uint32_t remaining_seconds(const outgoing_message& message, unix_time now) noexcept {
    using namespace std::chrono;
    const auto left = ceil<seconds>(*message.expires_at() - now).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 0, 0xFFFF'FFFF));
}

std::size_t identifiers_size(const identifiers_ref& identifiers) noexcept {
    std::size_t size = 0;
    if (identifiers) {
        for (const std::uint32_t id : identifiers->ids())
            size += 1 + variable_byte_integer_size(id);
    }
    return size;
}

char* put_string(std::string_view text, char* out) noexcept { return put_bytes(text, put_u16(text.size(), out)); }

char publish_byte(qos q, bool dup, bool retain) noexcept {
    return static_cast<char>(0x30 | (dup ? 8 : 0) | to_number(q) << 1 | (retain ? 1 : 0));
}

}  // namespace

std::size_t connection::publish_size(const outgoing& what) const noexcept {
    const outgoing_message& message = *what.message;
    std::size_t rest = 2 + message.topic().size() + (what.qos == qos::at_most_once ? 0 : 2) + message.payload().size();
    if (version_ == protocol_version::v5) {
        // As if with alias and full topic: whether the peer knows the alias by the time it leaves is not known yet.
        const std::size_t properties = message.property_section().size() + (message.expires() ? 5 : 0) +
                                       identifiers_size(what.subscription_identifiers) +
                                       (aliases_out_.maximum() != 0 ? 3 : 0);
        rest += variable_byte_integer_size(properties) + properties;
    }
    if (rest > remaining_length_max) return 0;
    return 1 + variable_byte_integer_size(rest) + rest;
}

void connection::write_publish(const outgoing& what, packet_id id, bool dup) {
    const outgoing_message& message = *what.message;
    std::string_view topic = message.topic();
    const std::string_view payload = message.payload();
    const std::string_view section = message.property_section();
    const bool v5 = version_ == protocol_version::v5;
    std::uint16_t alias = 0;
    std::size_t properties = 0;
    if (v5) {
        if (aliases_out_.maximum() != 0) {
            const auto use = aliases_out_.use(topic);
            alias = use.number;
            if (use.known) topic = {};
        }
        properties = section.size() + (message.expires() ? 5 : 0) + identifiers_size(what.subscription_identifiers) +
                     (alias != 0 ? 3 : 0);
    }
    const std::size_t head = 2 + topic.size() + (what.qos == qos::at_most_once ? 0 : 2) +
                             (v5 ? variable_byte_integer_size(properties) + properties : 0);
    const bool shared = payload.size() >= output::share_size_min;
    char* const begin = out_.reserve(5 + head + (shared ? 0 : payload.size()));
    char* at = begin;
    *at++ = publish_byte(what.qos, dup, what.retain);
    at = encode_variable_byte_integer(head + payload.size(), at);
    at = put_string(topic, at);
    if (what.qos != qos::at_most_once) at = put_u16(to_number(id), at);
    if (v5) {
        at = encode_variable_byte_integer(properties, at);
        if (alias != 0) {
            *at++ = 0x23;
            at = put_u16(alias, at);
        }
        if (message.expires()) {
            const std::uint32_t left = remaining_seconds(message, present_->wall);
            *at++ = 0x02;
            at = put_u16(left >> 16, at);
            at = put_u16(left & 0xFFFF, at);
        }
        if (what.subscription_identifiers) {
            for (const std::uint32_t identifier : what.subscription_identifiers->ids()) {
                *at++ = 0x0B;
                at = encode_variable_byte_integer(identifier, at);
            }
        }
        std::memcpy(at, section.data(), section.size());
        at += section.size();
    }
    if (shared) {
        out_.commit(static_cast<std::size_t>(at - begin));
        out_.append_payload(what.message);
    } else {
        if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
        out_.commit(static_cast<std::size_t>(at - begin) + payload.size());
    }
    last_sent_ = present_->steady;
    ++counters_.messages_sent;
}

send_result connection::send_qos_0(std::string_view topic, std::string_view payload, bool retain,
                                   const message_properties& properties) {
    assert(state_ == connection_state::open);
    const bool v5 = version_ == protocol_version::v5;
    const bool has_alias = v5 && aliases_out_.maximum() != 0;
    std::size_t section = 0;  // of the properties; nearly all messages have none
    const bool is_plain = &properties == &no_properties || has_no_properties(properties);
    if (v5 && (has_alias || !is_plain)) [[unlikely]]
        section = encoded_size(properties, true) + (has_alias ? 3 : 0);
    const std::size_t without_topic = 2 + (v5 ? variable_byte_integer_size(section) + section : 0) + payload.size();
    std::size_t rest = without_topic + topic.size();
    if (rest > remaining_length_max || !fits(1 + variable_byte_integer_size(rest) + rest)) {
        ++counters_.messages_dropped;
        return send_result::dropped;
    }
    std::uint16_t alias = 0;
    if (has_alias) [[unlikely]] {
        const auto use = aliases_out_.use(topic);
        alias = use.number;
        if (use.known) topic = {};
        rest = without_topic + topic.size();
    }
    char* const begin = out_.reserve(5 + rest);
    char* at = begin;
    *at++ = publish_byte(qos::at_most_once, false, retain);
    at = encode_variable_byte_integer(rest, at);
    at = put_string(topic, at);
    if (section != 0) [[unlikely]] {
        at = encode_variable_byte_integer(section, at);
        if (has_alias) {
            *at++ = 0x23;
            at = put_u16(alias, at);
        }
        at = encode(properties, true, at);
    } else if (v5) {
        *at++ = 0;
    }
    at = put_bytes(payload, at);
    out_.commit(static_cast<std::size_t>(at - begin));
    last_sent_ = present_->steady;
    ++counters_.messages_sent;
    return send_result::sent;
}

}  // namespace martlet::core
