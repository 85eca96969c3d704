// Rows of packets that need no event each: plain messages that a broker takes and answers at once, messages that go on as
// they came, and acknowledgements in their shortest form. Anything unusual ends a row, and is left to the way of the
// single packet.
#include "core/runs.hpp"

#include "core/wire.hpp"

#include <martlet/core/connection.hpp>
#include <martlet/topic.hpp>

namespace martlet::core {

namespace {

char* put_ack(char first, packet_id id, char* out) noexcept {
    const std::uint16_t number = to_number(id);
    out[0] = first;
    out[1] = 2;
    out[2] = static_cast<char>(number >> 8);
    out[3] = static_cast<char>(number);
    return out + 4;
}

}  // namespace

bool connection::check_topic(std::string_view topic) const noexcept {
    return is_equal(topic, last_topic_) ||
           (is_valid_topic_name(topic) && topic_levels(topic) <= limits_.topic_levels_max);
}

bool connection::answers_at_once(qos q) const noexcept {
    return role_ == role::broker && state_ == connection_state::open && q <= limits_.maximum_qos &&
           !session_->journal().on() && held_.empty() && session_->received.is_settled();
}

bool connection::expects(packet_id id, qos q) {
    return session_->received.count() < limits_.receive_maximum && session_->received.prepare(id, q);
}

void connection::answer(packet_id id, qos q, reason_code reason) {
    if (q == qos::exactly_once && !is_failure(reason)) session_->received.await_pubrel(id);
    if (reason != reason_code::success) {
        return write_ack(q == qos::exactly_once ? packet_type::pubrec : packet_type::puback, id, reason);
    }
    put_ack(q == qos::exactly_once ? '\x50' : '\x40', id, out_.reserve(4));
    out_.commit(4);
    last_sent_ = present_->steady;
    ++counters_.packets_sent;
}

bool connection::send_as_it_came(const message_ref& message, std::string_view packet, std::size_t id_at, qos q) {
    if (state_ != connection_state::open || session_->front() != nullptr || resend_next_ != packet_id::none ||
        session_->journal().on() || !has_quota() || !fits(packet.size())) {
        return false;
    }
    char* const at = out_.reserve(packet.size());  // first: what follows cannot fail half way
    inflight_entry* const entry = session_->start_unstored(message, q);
    if (entry == nullptr) return false;
    put_bytes(packet, at);
    at[id_at] = static_cast<char>(to_number(entry->id) >> 8);
    at[id_at + 1] = static_cast<char>(to_number(entry->id));
    out_.commit(packet.size());
    entry->here = entry->sent = true;
    ++used_here_;
    last_sent_ = present_->steady;
    ++counters_.messages_sent;
    return true;
}

// Those that are as expected and of which nobody wants to hear; the first other one is left to next_event().
void connection::take_acknowledgements() {
    if (session_ == nullptr || state_ != connection_state::open) return;
    inflight& sent = session_->sent;
    const bool at_once = !session_->journal().on() && held_.empty();
    const std::string_view in = input_.in_place();
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(in[i]); };
    std::size_t at = 0;
    const auto is_ack = [&](unsigned char first) {
        return in.size() - at >= 4 && byte(at) == first && byte(at + 1) == 2 && (byte(at + 2) | byte(at + 3)) != 0;
    };
    const auto id = [&] { return packet_id{static_cast<std::uint16_t>(byte(at + 2) << 8 | byte(at + 3))}; };
    const auto entry_in = [&](inflight_state state) {
        inflight_entry* const entry = sent.find(id());
        return entry != nullptr && entry->state == state &&
                       (state == inflight_state::awaiting_pubrec || entry->what.who == 0)
                   ? entry
                   : nullptr;
    };
    const auto answer_with = [&](char first) {
        put_ack(first, id(), out_.reserve(4));
        out_.commit(4);
        last_sent_ = present_->steady;
        ++counters_.packets_sent;
    };
    for (;; at += 4) {
        if (is_ack(0x40)) {
            inflight_entry* const entry = entry_in(inflight_state::awaiting_puback);
            if (entry == nullptr) break;
            end_exchange(*entry);
        } else if (is_ack(0x50)) {
            inflight_entry* const entry = entry_in(inflight_state::awaiting_pubrec);
            if (entry == nullptr) break;
            if (at_once) {
                release(*entry);
                answer_with('\x62');
            } else {
                on_released(*entry);
            }
        } else if (is_ack(0x62)) {
            if (!at_once) {
                on_pubrel(id());
            } else if (session_->received.on_pubrel(id())) {
                answer_with('\x70');
            } else {
                break;
            }
        } else if (is_ack(0x70)) {
            inflight_entry* const entry = entry_in(inflight_state::awaiting_pubcomp);
            if (entry == nullptr) break;
            end_exchange(*entry);
        } else {
            break;
        }
    }
    if (at == 0) return;
    input_.skip(at);
    counters_.packets_received += at / 4;
    pump();
}

}  // namespace martlet::core
