// What happens on a link, in both directions: bytes in, publications, what came of them. The link itself is the subject
// of client_link.cpp; what is asked for stands in client_requests.cpp, what is received in client_delivery.cpp.
#include "client/client_engine.hpp"

#include "client/client_event.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

namespace martlet::detail {

namespace {

core::queue_limits session_limits(const client_options& options) noexcept {
    auto limits = options.queue;
    limits.keep_qos_0 = true;  // async_publish waits for a connection; publish() looks at the option itself
    return limits;
}

}  // namespace

client_engine::client_engine(const client_options& options, std::uint64_t random_seed)
    : options_(options),
      journal_(options.store != nullptr),
      session_(journal_, core::session_key{1}, session_limits(options)),
      random_seed_(random_seed),
      client_id_(options.client_id),
      unclaimed_(options.unclaimed) {}

// -- the connection speaks

bool client_engine::on_bytes(std::string_view bytes) {
    if (!is_linked_) return true;
    totals_.bytes_received += bytes.size();
    if (options_.observer) {
        observed_in_.offer(bytes);
        core::frame frame;
        fault why;
        packet decoded;
        while (observed_in_.next(connection_->version(), options_.packet_size_max, frame, why) ==
               core::frame_status::complete) {
            if (core::decode(frame, connection_->version(), role::client, decoded)) continue;
            options_.observer->on_received(decoded, connection_->version(), frame.packet.size());
        }
        observed_in_.keep_rest();
    }
    connection_->receive(bytes);
    handle_events();
    connection_->keep_rest();
    settle();
    return is_reading_;
}

void client_engine::handle_events() {
    core::event e;  // one for all: nothing is allocated per packet
    while (is_linked_ && (connection_->is_closing() || may_read()) && connection_->next_event(e))
        handle(e);
}

void client_engine::handle(core::event& e) {
    switch (e.kind) {
        case core::event_kind::message_received: return deliver(e);
        case core::event_kind::publish_done: return outcome(e.who, e.error, e.reason);
        case core::event_kind::connected: return on_connected(std::get<packets::connack>(e.other));
        case core::event_kind::refused: return on_refused(std::get<packets::connack>(e.other));
        case core::event_kind::subscribe_done: return on_suback(e.who, std::get<packets::suback>(e.other));
        case core::event_kind::unsubscribe_done: return on_unsuback(e.who, std::get<packets::unsuback>(e.other));
        case core::event_kind::pong_received: return on_pong(e.elapsed);
        case core::event_kind::disconnect_received: return on_server_disconnect(std::get<packets::disconnect>(e.other));
        case core::event_kind::failed: return on_failed(e);
        case core::event_kind::auth_received: return on_auth(std::get<packets::auth>(e.other));
        case core::event_kind::connect_received:
        case core::event_kind::subscribe_received:
        case core::event_kind::unsubscribe_received:
        case core::event_kind::ping_received: return;
    }
}

// -- time and the store

steady_time client_engine::next_deadline() const noexcept {
    if (state_ == state::waiting) return retry_at_;
    if (state_ == state::preparing) return dial_started_ + options_.connect_timeout;
    if (state_ == state::handshake || state_ == state::open) return connection_->next_deadline();
    return never;
}

void client_engine::on_deadline() {
    if (present_.steady < next_deadline()) return;
    if (state_ == state::waiting) {
        dial_now();
    } else if (state_ == state::preparing) {
        link_ended(errc::connect_timeout, "credentials did not come in time", link_action::kind_type::cut, false);
    } else {
        connection_->on_deadline();
        handle_events();
    }
    settle();
}

void client_engine::on_committed(std::uint64_t number) {
    journal_.on_committed(number);
    if (is_linked_) connection_->on_committed();
    settle();
}

// -- publishing

error_code client_engine::publish(core::outgoing what, bool& sent_at_once) {
    sent_at_once = false;
    if (is_draining_) return errc::not_running;
    return send_or_queue(std::move(what), sent_at_once);
}

error_code client_engine::send_or_queue(core::outgoing what, bool& sent_at_once) {
    if (state_ == state::ended || state_ == state::leaving) return errc::not_running;
    const auto who = what.who;
    const bool expires = what.message->expires();
    if (!is_open()) {
        if (what.qos == qos::at_most_once && who == 0 && !options_.queue.keep_qos_0) return errc::not_connected;
        if (!session_.enqueue(std::move(what))) return errc::queue_full;
        settle();
        return {};
    }
    if (const auto error = connection_->check(what)) return error;
    const bool is_qos_0 = what.qos == qos::at_most_once;
    if (is_qos_0 && who == 0 && connection_->out().size() >= output_size_max) return errc::queue_full;
    switch (connection_->send(std::move(what))) {
        case core::send_result::dropped: return expires ? errc::message_expired : errc::queue_full;
        case core::send_result::queued: break;
        case core::send_result::sent:
            if (!is_qos_0) break;
            if (who != 0 && connection_->out().size() >= output_size_max)
                waiting_for_room_.push_back(who);
            else
                sent_at_once = true;
            break;
    }
    settle();
    return {};
}

void client_engine::on_output_drained() {
    for (const auto who : std::exchange(waiting_for_room_, {}))
        outcome(who, {});
    settle();
}

// -- the liveness of the link

error_code client_engine::ping(token who) {
    if (!is_open()) return errc::not_connected;
    if (!connection_->awaits_pong()) connection_->ping();
    pings_.push_back(who);
    settle();
    return {};
}

void client_engine::on_pong(std::chrono::microseconds elapsed) {
    totals_.round_trip = elapsed;
    const auto size = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(elapsed.count())));
    ++totals_.round_trips[std::min(size, totals_.round_trips.size() - 1)];
    for (const auto who : std::exchange(pings_, {}))
        outcome(who, {});
}

// -- output

// After every input and command: what has become possible by it.
void client_engine::settle() {
    core::completion done;
    while (session_.take_completion(done))
        outcome(done.who, done.error, done.reason);
    if (is_draining_ && farewell_.drain && is_running() && state_ != state::leaving && session_.queue_count() == 0 &&
        session_.sent.publish_count() == 0 && !expects_enqueued_) {
        leave();
    }
    if (const auto dropped = session_.dropped_count(); dropped != told_dropped_) {
        client_event e;
        e.kind = client_event::kind_type::queue_dropped;
        e.count = dropped - std::exchange(told_dropped_, dropped);
        push_event(std::move(e));
    }
    if (state_ == state::open) update_reading();
    if (is_blocked_hard_ && awaits_reply()) report_blocked_ = true;
    if (options_.observer) observe_output();
}

void client_engine::outcome(token who, error_code error, reason_code reason, std::vector<reason_code> reasons) {
    if (who == 0) return;
    if (!error && is_failure(reason)) error = reason;
    outcomes_.push_back({who, error, reason, std::move(reasons)});
}

bool client_engine::take_action(link_action& into) {
    if (actions_.empty()) return false;
    into = std::move(actions_.front());
    actions_.pop_front();
    return true;
}

bool client_engine::take_event(client_event& into) {
    if (events_.empty()) return false;
    into = std::move(events_.front());
    events_.pop_front();
    return true;
}

void client_engine::take_outcomes(std::vector<operation_outcome>& into) {
    into.clear();
    into.swap(outcomes_);
}

void client_engine::tell(client_event::kind_type kind, error_code cause, std::string text) {
    client_event e;
    e.kind = kind;
    if (reconnect_ && !endpoints().empty()) e.url = to_string(where());
    e.cause = cause;
    e.text = std::move(text);
    push_event(std::move(e));
}

void client_engine::push_event(client_event&& e) {
    if (options_.log) options_.log->write(level_of(e), to_string(e));
    if (events_.size() == events_max) events_.pop_front();
    events_.push_back(std::move(e));
}

void client_engine::observe_output() {
    if (!connection_) return;  // also when it is not linked any more: a last DISCONNECT
    auto& out = connection_->out();
    // What was written meanwhile stood at the front. `observed_out_` counts from the beginning of the connection.
    const auto appended = static_cast<std::size_t>(out.consumed()) + out.size();
    if (appended <= observed_out_) return;

    std::vector<std::string_view> views(out.size() / 4096 * 2 + 64);
    views.resize(out.gather(views));
    std::string bytes;
    for (const auto view : views)
        bytes.append(view);
    auto skip = observed_out_ - std::min(observed_out_, static_cast<std::size_t>(out.consumed()));
    observed_out_ = appended;

    core::frame frame;
    fault why;
    std::size_t hint = 0;
    packet decoded;
    while (core::cut_frame(std::string_view(bytes).substr(skip), connection_->version(), 268'435'460, frame, why,
                           hint) == core::frame_status::complete) {
        skip += frame.packet.size();
        if (core::decode(frame, connection_->version(), role::broker, decoded)) continue;
        options_.observer->on_sent(decoded, connection_->version(), frame.packet.size());
    }
}

client_statistics client_engine::statistics() const {
    auto s = totals_;
    if (is_linked_) {
        const auto& count = connection_->count();
        s.packets_sent += count.packets_sent + count.messages_sent;
        s.packets_received += count.packets_received;
        s.messages_sent += count.messages_sent;
        s.messages_received += count.messages_received;
        s.messages_dropped_out += count.messages_dropped;
        s.bytes_sent += connection_->out().consumed();
    }
    s.messages_dropped_out += session_.dropped_count();
    s.queued = session_.queue_count();
    s.queued_bytes = session_.queue_bytes();
    s.in_flight = session_.sent.publish_count();
    s.unacknowledged = session_.received.unacknowledged();
    s.connected = is_open();
    return s;
}

}  // namespace martlet::detail