#include "fuzz/world.hpp"

#include "fuzz/input.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace martlet::fuzz {
namespace {

constexpr std::array sides{role::client, role::broker};

std::string payload_of(std::size_t message, std::size_t size) {
    std::string payload(std::max(size, sizeof message), '.');
    std::memcpy(payload.data(), &message, sizeof message);
    return payload;
}

std::size_t message_of(std::string_view payload) {
    std::size_t message = 0;
    require(payload.size() >= sizeof message, "a payload arrives whole");
    std::memcpy(&message, payload.data(), sizeof message);
    return message;
}

}  // namespace

world::side::side(role r, const world_options& options, const instant&) : own_role(r), journal(options.has_stores) {
    if (options.version == protocol_version::v5) limits.receive_maximum = options.receive_maximum;
    limits.topic_alias_maximum = limits.topic_alias_maximum_out = options.topic_alias_maximum;
}

world::world(const world_options& options)
    : options_(options), client_(role::client, options, now_), broker_(role::broker, options, now_) {
    now_.steady = steady_time(std::chrono::hours(1));
    for (const role r : sides)
        make_session(at(r));
}

void world::make_session(side& s) {
    core::queue_limits limits;
    limits.keep_qos_0 = s.own_role == role::client;
    s.session.emplace(s.journal, core::session_key{1}, limits);
}

// ---- what may happen

void world::connect() {
    cut();
    ++connections_;
    is_linked_ = true;
    for (const role r : sides)
        at(r).connection.emplace(r, at(r).limits, at(r).pool, now_);
    packets::connect packet;
    packet.version = options_.version;
    packet.clean_start = false;
    packet.client_id = "c";
    if (options_.version == protocol_version::v5) packet.properties.session_expiry_interval = 3600;
    client_.connection->connect(packet, *client_.session);
}

void world::cut() {
    is_linked_ = false;
    for (const role r : sides) {
        side& s = at(r);
        if (s.connection) s.connection->on_closed();
        s.connection.reset();
        s.partial.clear();
        s.open_here.clear();
        s.arrived = {};
    }
}

void world::move(role from_role, std::size_t size_max) {
    if (!is_linked_) return connect();
    side& from = at(from_role);
    side& to = other(from);
    std::array<std::string_view, 16> views;
    const std::size_t count = from.connection->out().gather(views);
    std::string bytes;
    for (std::size_t i = 0; i != count; ++i)
        bytes += views[i];
    bytes.resize(std::min(bytes.size(), size_max));
    if (bytes.empty()) return;
    from.connection->out().consume(bytes.size());
    watch(from, bytes);
    to.connection->receive(bytes);
    take_events(to);
    if (is_linked_) to.connection->keep_rest();
}

void world::publish(role from_role, qos q, std::size_t payload_size) {
    side& from = at(from_role);
    const std::size_t message = from.sent.size();
    const std::string topic = "t/" + std::to_string(message % 3);
    core::outgoing what{
        core::outgoing_message::create(topic, payload_of(message, payload_size), q, false), {}, message + 1, q, false};
    from.sent.push_back({.qos = q, .connection = connections_});
    const bool is_taken = is_attached(from) ? from.connection->send(std::move(what)) != core::send_result::dropped
                                            : from.session->enqueue(std::move(what));
    require(is_taken || q == qos::at_most_once, "nothing is refused below the limits");
    from.sent[message].is_promised = is_taken && q != qos::at_most_once && !options_.has_stores;
}

void world::acknowledge(role at_role, std::size_t which) {
    side& s = at(at_role);
    if (s.given.empty()) return;
    const auto given = s.given.begin() + static_cast<std::ptrdiff_t>(which % s.given.size());
    sent_message& message = other(s).sent[given->message];
    if (message.qos == qos::at_least_once || !options_.has_stores) ++message.delivered;
    const core::receipt number = given->number;
    s.given.erase(given);
    if (is_attached(s)) {
        s.connection->acknowledge(number);
    } else {
        s.session->received.acknowledge(number, reason_code::success);
    }
}

void world::begin_commit(role at_role) {
    side& s = at(at_role);
    if (!s.in_commit && s.journal.has_rows()) s.in_commit = s.journal.take();
}

void world::end_commit(role at_role) {
    side& s = at(at_role);
    if (!s.in_commit) return;
    store(s, *s.in_commit);
    s.journal.on_committed(s.in_commit->number);
    s.in_commit.reset();
    if (!s.journal.has_rows()) compare_with_snapshot(s);
    if (!s.connection) return;
    s.connection->on_committed();
    take_events(s);
}

void world::restart(role at_role, bool commit_made_it) {
    if (!options_.has_stores) return;
    cut();
    side& s = at(at_role);
    if (s.in_commit && commit_made_it) store(s, *s.in_commit);
    s.in_commit.reset();
    s.given.clear();
    s.session.reset();
    s.journal = core::changes(true);
    make_session(s);
    core::session_snapshot rows;
    for (const auto& [order, row] : s.stored_outgoing)
        rows.outgoing.push_back(row);
    for (const packet_id id : s.stored_received)
        rows.received.push_back({core::session_key{1}, id});
    require(s.session->restore(std::move(rows)), "what was stored can be restored");
    compare_with_snapshot(s);
}

void world::advance(std::chrono::seconds by) {
    now_.steady += by;
    now_.wall += by;
    for (const role r : sides) {
        side& s = at(r);
        if (!s.connection || s.connection->next_deadline() > now_.steady) continue;
        s.connection->on_deadline();
        take_events(s);
    }
}

void world::settle() {
    for (int quiet = 0; quiet < 3; ++quiet) {
        for (const role r : sides) {
            side& s = at(r);
            const auto has_output = [&] { return is_linked_ && !s.connection->out().empty(); };
            if (has_output() || !s.given.empty() || s.in_commit || s.journal.has_rows()) quiet = 0;
            while (has_output())
                move(r, static_cast<std::size_t>(-1));
            while (!s.given.empty())
                acknowledge(r, 0);
            end_commit(r);
            begin_commit(r);
            end_commit(r);
        }
    }
}

void world::finish() {
    connect();
    settle();
    require(is_linked_ && client_.connection->is_open() && broker_.connection->is_open(),
            "the last connection is good");
    for (const role r : sides) {
        const side& s = at(r);
        require(is_idle(s), "nothing is left to do");
        for (const sent_message& message : s.sent) {
            if (!message.is_promised) continue;
            if (message.qos == qos::at_least_once) require(message.delivered >= 1, "QoS 1 at least once");
            if (message.qos == qos::exactly_once) require(message.delivered == 1, "QoS 2 exactly once");
        }
    }
}

// A broker's connection has a session only when CONNECT has been accepted.
bool world::is_attached(const side& s) { return s.connection && s.connection->attached() != nullptr; }

bool world::is_idle(const side& s) {
    return s.session->queue_count() == 0 && s.session->sent.count() == 0 && s.session->received.count() == 0 &&
           s.stored_outgoing.empty() && s.stored_received.empty();
}

// ---- the store

void world::store(side& s, const core::change_batch& batch) {
    for (const core::change& row : batch.rows) {
        if (const auto* outgoing = std::get_if<core::outgoing_row>(&row)) {
            if (outgoing->what.message) s.sent[message_of(outgoing->what.message->payload())].is_promised = true;
            s.stored_outgoing[outgoing->order] = *outgoing;
        } else if (const auto* erased = std::get_if<core::erase_outgoing>(&row)) {
            require(s.stored_outgoing.erase(erased->order) == 1, "only what is stored is erased");
        } else if (const auto* received = std::get_if<core::received_row>(&row)) {
            require(s.stored_received.insert(received->id).second, "a received id is stored once");
            deliver_for_good(s, received->id);
        } else if (const auto* gone = std::get_if<core::erase_received>(&row)) {
            require(s.stored_received.erase(gone->id) == 1, "only what is stored is erased");
        }
    }
}

void world::compare_with_snapshot(side& s) {
    const core::session_snapshot snapshot = s.session->snapshot();
    require(snapshot.outgoing.size() == s.stored_outgoing.size(), "the store has every message of the session");
    for (const core::outgoing_row& row : snapshot.outgoing) {
        const auto stored = s.stored_outgoing.find(row.order);
        require(stored != s.stored_outgoing.end() && stored->second.state == row.state && stored->second.id == row.id,
                "the store has the state of every message");
    }
    std::set<packet_id> received;
    for (const core::received_row& row : snapshot.received)
        received.insert(row.id);
    require(received == s.stored_received, "the store has every received id");
}

// ---- the applications

void world::take_events(side& s) {
    while (s.connection && s.connection->next_event(event_))
        on_event(s, event_);
}

void world::on_event(side& s, const core::event& e) {
    switch (e.kind) {
        case core::event_kind::connect_received:
            return s.connection->accept(*s.session,
                                        {std::exchange(broker_has_session_, true), reason_code::success, {}});
        case core::event_kind::message_received: return on_message(s, e);
        case core::event_kind::publish_done: {
            const sent_message& message = s.sent[e.who - 1];
            require(!e.error && !is_failure(e.reason), "a message is done when it is delivered");
            require(message.qos == qos::at_most_once || message.handed_over != 0, "and not before");
            return;
        }
        case core::event_kind::failed:
            require(e.error == errc::keep_alive_timeout || e.error == errc::connect_timeout,
                    "neither side breaks a rule");
            return cut();
        default: return;
    }
}

void world::on_message(side& s, const core::event& e) {
    const std::size_t number = message_of(e.message.payload);
    side& from = other(s);
    require(number < from.sent.size() && from.sent[number].qos == e.message.qos, "nothing is invented");
    sent_message& message = from.sent[number];
    require(e.message.topic == "t/" + std::to_string(number % 3), "a message keeps its topic");
    if (message.handed_over++ == 0) {
        std::size_t& newest = s.first_time[to_number(message.qos)];
        require(newest <= number, "each QoS arrives in the order of sending");
        newest = number + 1;
    } else {
        require(message.qos != qos::at_most_once, "QoS 0 at most once");
        require(message.qos != qos::exactly_once || options_.has_stores, "QoS 2 is handed over once");
    }
    if (e.number == 0) return;
    s.given.push_back({e.number, e.message.id, number});
    if (message.qos == qos::exactly_once) s.given_by_id[e.message.id] = number;
}

// The id of a QoS 2 message is stored: from here on it counts as taken, whatever crashes.
void world::deliver_for_good(side& receiver, packet_id id) {
    const std::size_t number = receiver.given_by_id.at(id);
    require(++other(receiver).sent[number].delivered == 1, "QoS 2 exactly once, for good");
    require(receiver.delivered_qos_2 <= number, "QoS 2 in the order of sending, for good");
    receiver.delivered_qos_2 = number + 1;
}

// ---- the link

void world::watch(side& from, std::string_view bytes) {
    from.partial += bytes;
    std::string_view rest = from.partial;
    core::frame in;
    fault why;
    std::size_t hint = 0;
    while (core::cut_frame(rest, options_.version, core::remaining_length_max, in, why, hint) ==
           core::frame_status::complete) {
        packet p;
        require(!core::decode(in, options_.version, other(from).own_role, p), "only good packets are sent");
        const auto close = [&](packet_id id) {
            other(from).open.erase(id);
            other(from).open_here.erase(id);
        };
        if (const auto* publish = std::get_if<packets::publish>(&p)) {
            watch_publish(from, *publish);
        } else if (const auto* puback = std::get_if<packets::puback>(&p)) {
            watch_acknowledgement(from, puback->id, qos::at_least_once);
            close(puback->id);
        } else if (const auto* pubrec = std::get_if<packets::pubrec>(&p)) {
            watch_acknowledgement(from, pubrec->id, qos::exactly_once);
        } else if (const auto* pubrel = std::get_if<packets::pubrel>(&p)) {
            if (const auto open = from.open.find(pubrel->id); open != from.open.end()) open->second.is_released = true;
        } else if (const auto* pubcomp = std::get_if<packets::pubcomp>(&p)) {
            close(pubcomp->id);
        }
        rest.remove_prefix(in.packet.size());
    }
    from.partial = std::string(rest);
}

void world::watch_publish(side& from, const packets::publish& message) {
    if (message.qos == qos::at_most_once) return;
    const std::size_t number = message_of(message.payload);
    require(!message.dup || from.sent[number].connection < connections_, "DUP only after a connection was lost");
    const auto [open, is_new] = from.open.try_emplace(message.id, open_id{number, false});
    if (!is_new) {
        require(open->second.message == number, "a packet id in use stands for one message");
        require(message.dup, "DUP on what was on the link before");
        require(!open->second.is_released, "no PUBLISH after its PUBREL");
    }
    auto& arrived = other(from).arrived[to_number(message.qos)];
    if (std::find(arrived.begin(), arrived.end(), message.id) == arrived.end()) arrived.push_back(message.id);
    from.open_here.insert(message.id);
    require(from.open_here.size() <= other(from).limits.receive_maximum, "the peer's Receive Maximum");
}

void world::watch_acknowledgement(side& from, packet_id id, qos q) {
    auto& arrived = from.arrived[to_number(q)];
    require(!arrived.empty() && arrived.front() == id, "acknowledgements in the order of arrival");
    arrived.erase(arrived.begin());
    const auto is_it = [&](const given_message& given) { return given.id == id; };
    require(std::none_of(from.given.begin(), from.given.end(), is_it), "and not before the application is done");
}

}  // namespace martlet::fuzz
