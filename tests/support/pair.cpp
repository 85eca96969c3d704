#include "support/pair.hpp"

#include <algorithm>

namespace martlet::test {

end::end(role r, const instant& present) : own_role(r), present_(&present) {}

void end::begin() {
    connection.reset();
    connection.emplace(own_role, limits, pool_, *present_);
    connack.reset();
    disconnect_reason.reset();
}

void end::end_connection() {
    if (connection) connection->on_closed();
    connection.reset();
}

void end::take_events() {
    while (connection && connection->next_event(event_))
        on_event(event_);
}

void end::on_event(core::event& e) {
    using core::event_kind;
    events.push_back(e.kind);
    switch (e.kind) {
        case event_kind::connect_received: {
            const auto& connect = std::get<packets::connect>(e.other);
            const bool present = !connect.clean_start && session_known;
            if (!present) session->clear();
            session_known = true;
            connection->accept(*session, {present, reason_code::success, {}});
            break;
        }
        case event_kind::connected:
        case event_kind::refused: connack = std::get<packets::connack>(e.other); break;
        case event_kind::message_received:
            messages.push_back({std::string(e.message.topic), std::string(e.message.payload), e.message.qos,
                                e.message.dup, e.message.retain, e.message.id, e.number});
            if (acknowledge_at_once) connection->acknowledge(e.number);
            break;
        case event_kind::publish_done: publishes_done.push_back({e.who, e.reason, e.error}); break;
        case event_kind::subscribe_received: {
            const auto& subscribe = std::get<packets::subscribe>(e.other);
            std::vector<reason_code> reasons;
            for (const auto& wanted : subscribe.subscriptions) {
                reasons.push_back(static_cast<reason_code>(to_number(wanted.qos)));
            }
            connection->suback(subscribe.id, reasons);
            break;
        }
        case event_kind::unsubscribe_received: {
            const auto& unsubscribe = std::get<packets::unsubscribe>(e.other);
            const std::vector<reason_code> reasons(unsubscribe.filters.size(), reason_code::success);
            connection->unsuback(unsubscribe.id, reasons);
            break;
        }
        case event_kind::subscribe_done: subscribe_reasons = std::get<packets::suback>(e.other).reasons; break;
        case event_kind::disconnect_received: disconnect_reason = e.reason; break;
        case event_kind::failed:
            faults.push_back(e.why);
            last_error = e.error;
            break;
        default: break;
    }
}

pair::pair(protocol_version version, bool durable)
    : client(role::client, now), broker(role::broker, now), version_(version) {
    now.steady = steady_time(std::chrono::seconds(1000));
    now.wall = unix_time(std::chrono::seconds(1'700'000'000));
    for (end* e : {&client, &broker}) {
        e->journal = core::changes(durable);
        core::queue_limits limits;
        limits.keep_qos_0 = e->own_role == role::client;
        e->session.emplace(e->journal, core::session_key{1}, limits);
    }
}

bool pair::connect() {
    cut();
    client.begin();
    broker.begin();
    linked_ = true;
    packets::connect packet;
    packet.version = version_;
    packet.clean_start = clean_start;
    packet.client_id = "c";
    packet.keep_alive = keep_alive;
    if (version_ == protocol_version::v5) packet.properties.session_expiry_interval = session_expiry_interval;
    client.connection->connect(packet, *client.session);
    run();
    return linked_ && client.connection->is_open();
}

bool pair::move(end& from, end& to) {
    if (!linked_) return false;
    core::output& out = from.connection->out();
    std::string bytes;
    std::string_view views[8];
    const std::size_t count = out.gather(views);
    for (std::size_t i = 0; i != count; ++i)
        bytes += views[i];
    std::size_t n = bytes.size();
    if (chunk != 0) n = std::min(n, chunk);
    const bool breaks = n > cut_after - std::min(cut_after, moved_);
    if (breaks) n = cut_after - moved_;
    out.consume(n);
    moved_ += n;
    if (n != 0) {
        // A copy that dies right after: nobody may hold on to it.
        const std::string piece = bytes.substr(0, n);
        to.connection->receive(piece);
        to.take_events();
        to.connection->keep_rest();
    }
    if (breaks) {
        cut();
        return false;
    }
    return n != 0;
}

void pair::run() {
    for (bool moving = true; moving && linked_;) {
        moving = move(client, broker);
        moving = move(broker, client) || moving;
        if (!commit_by_hand && (client.journal.has_rows() || broker.journal.has_rows())) {
            commit();
            moving = true;
        }
        if (!linked_) break;
        for (end* e : {&client, &broker})
            e->take_events();
        if (!moving && (client.connection->is_closing() || broker.connection->is_closing())) cut();
    }
}

void pair::cut() {
    linked_ = false;
    client.end_connection();
    broker.end_connection();
}

void pair::commit() {
    for (end* e : {&client, &broker}) {
        const core::change_batch batch = e->journal.take();
        e->journal.on_committed(batch.number);
        if (e->connection) e->connection->on_committed();
    }
}

void pair::advance(std::chrono::microseconds by) {
    now.steady += by;
    now.wall += std::chrono::floor<std::chrono::milliseconds>(by);
    for (end* e : {&client, &broker}) {
        if (e->connection && e->connection->next_deadline() <= now.steady) e->connection->on_deadline();
        e->take_events();
    }
    run();
}

core::send_result pair::publish(end& from, std::string_view topic, std::string_view payload, qos q, core::token who,
                                bool retain) {
    core::outgoing what{core::outgoing_message::create(topic, payload, q, retain), {}, who, q, retain};
    if (from.connection) return from.connection->send(std::move(what));
    return from.session->enqueue(std::move(what)) ? core::send_result::queued : core::send_result::dropped;
}

}  // namespace martlet::test
