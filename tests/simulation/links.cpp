// The links of the simulated world: what is seen on them, and how bytes arrive.
#include "simulation/world.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace martlet::simulation {

namespace {

std::string summary(const packet& p) {
    std::string text(to_string(type_of(p)));
    std::visit(
        [&](const auto& one) {
            using type = std::remove_cvref_t<decltype(one)>;
            if constexpr (requires { one.id; }) {
                if (one.id != packet_id::none) text += " id " + std::to_string(to_number(one.id));
            }
            if constexpr (std::is_same_v<type, packets::publish>) {
                text += " q" + std::to_string(to_number(one.qos)) + (one.dup ? " dup" : "") +
                        (one.retain ? " retain" : "") + " " + std::string(one.payload);
            }
            if constexpr (std::is_same_v<type, packets::connack>) {
                text += one.session_present ? " session present" : " new session";
            }
            if constexpr (requires { one.reason; }) {
                if (one.reason != reason_code::success) text += " (" + std::string(to_string(one.reason)) + ")";
            }
        },
        p);
    return text;
}

}  // namespace

// Four places to look at: packets as they leave and as they arrive, in each direction.
void world::tap(link& l, std::uint32_t number) {
    sender_watch& up = watches_up_.at(clients_[l.client].name);
    sender_watch& down = watches_down_.at(clients_[l.client].name);
    l.sent_up = std::make_unique<packet_tap>(role::broker, [this, number, &up](const packet& p, std::size_t) {
        link& me = links_[number];
        trace_packet(me, "──►", p, false);
        if (const auto* connect = std::get_if<packets::connect>(&p)) {
            me.clean_start = connect->clean_start;
            me.version = connect->version;
            me.client_receive_maximum = connect->properties.receive_maximum.value_or(65'535);
            for (packet_tap* t : {me.sent_down.get(), me.arrived_up.get(), me.arrived_down.get()}) {
                t->set_version(connect->version);
            }
        }
        up.on_sent(p);
        if (const auto* pubrec = std::get_if<packets::pubrec>(&p)) {
            auto& taken = clients_[me.client].taken;
            const auto found = std::find_if(taken.begin(), taken.end(),
                                            [&](const taken_message& entry) { return entry.id == pubrec->id; });
            if (found != taken.end()) taken.erase(found);
        }
    });
    l.arrived_up = std::make_unique<packet_tap>(role::broker, [this, number](const packet& p, std::size_t) {
        trace_packet(links_[number], "──►", p, true);
        on_arrived_up(number, p);
    });
    l.sent_down = std::make_unique<packet_tap>(role::client, [this, number, &down](const packet& p, std::size_t) {
        link& me = links_[number];
        trace_packet(me, "◄──", p, false);
        if (const auto* connack = std::get_if<packets::connack>(&p)) on_connack_sent(me, number, *connack);
        if (const auto* disconnect = std::get_if<packets::disconnect>(&p)) {
            me.said_taken_over = disconnect->reason == reason_code::session_taken_over;
        }
        // Otherwise it stood in the output of a connection that has been taken over.
        if (clients_[me.client].accepted == number) down.on_sent(p);
    });
    l.arrived_down = std::make_unique<packet_tap>(role::client, [this, number](const packet& p, std::size_t) {
        trace_packet(links_[number], "◄──", p, true);
        on_arrived_down(number, p);
    });
}

void world::on_arrived_up(std::uint32_t number, const packet& p) {
    link& l = links_[number];
    if (const auto* connect = std::get_if<packets::connect>(&p)) return on_connect(number, *connect);
    if (clients_[l.client].at_broker != number || l.is_over) return;  // nothing that the broker may listen to
    watches_down_.at(clients_[l.client].name).on_acknowledged(p);
    if (const auto* publish = std::get_if<packets::publish>(&p); publish && publish->retain) {
        const auto key = parse_payload(publish->payload);
        retained_.on_published(l.client, key ? key->second : 0, publish->qos, now_);
    }
    if (const auto* subscribe = std::get_if<packets::subscribe>(&p)) {
        const bool if_new = subscribe->subscriptions[0].retain_handling == retain_handling::send_if_new;
        retained_.on_subscribe(l.client, clients_[l.client].granted, if_new, now_);
    }
    if (const auto* disconnect = std::get_if<packets::disconnect>(&p);
        disconnect && disconnect->reason == reason_code::success && wills_.has_will(l.client)) {
        wills_.on_disconnect(l.client, now_);
    }
}

void world::on_connect(std::uint32_t number, const packets::connect& packet) {
    client_host& c = clients_[links_[number].client];
    if (c.at_broker != ~0u && !links_[c.at_broker].is_over) {
        links_[c.at_broker].taken_over = true;
        ++take_overs_;
        connection_over(c.at_broker);
    }
    c.at_broker = number;
    const bool v5 = packet.version == protocol_version::v5;
    const std::uint32_t expiry =
        v5 ? packet.properties.session_expiry_interval.value_or(0) : (packet.clean_start ? 0 : 0xFFFF'FFFF);
    session_watch& session = sessions_.at(c.name);
    session.on_connect(packet.clean_start, expiry, now_);
    links_[number].may_be_new = session.may_be_new();
    if (packet.will) wills_.on_connect(links_[number].client, now_);
}

void world::on_connack_sent(link& l, std::uint32_t number, const packets::connack& packet) {
    if (packet.reason != reason_code::success) return;  // its client has come again before it was answered
    client_host& c = clients_[l.client];
    l.accepted = true;
    c.accepted = number;
    const bool present = l.version == protocol_version::v3_1 ? !l.clean_start : packet.session_present;
    if (!present) c.lost_unseen = true;
    watches_down_.at(c.name).on_connection(present, l.client_receive_maximum);
    if (c.at_broker != number) return;
    if (l.version != protocol_version::v3_1) sessions_.at(c.name).on_connack(packet.session_present);
    if (wills_.has_will(l.client)) wills_.on_accepted(l.client);
}

void world::on_arrived_down(std::uint32_t number, const packet& p) {
    link& l = links_[number];
    client_host& c = clients_[l.client];
    sender_watch& up = watches_up_.at(c.name);
    if (const auto* connack = std::get_if<packets::connack>(&p)) {
        const bool present = l.version == protocol_version::v3_1 ? !l.clean_start : connack->session_present;
        up.on_connection(present, connack->properties.receive_maximum.value_or(65'535));
        if (c.was_connected && is_subscriber(l.client) && (!present || c.lost_unseen)) {
            ++sessions_lost_;
            ledger_.session_lost(l.client, present);
            wills_.session_lost(l.client);
            retained_.session_lost(l.client);
            c.taken.clear();
        }
        c.lost_unseen = false;
        c.was_connected = true;
    }
    if (const auto* suback = std::get_if<packets::suback>(&p); suback && !is_failure(suback->reasons[0])) {
        ledger_.subscribed(l.client, c.granted);
        wills_.subscribed(l.client, c.granted);
    }
    up.on_acknowledged(p);
}

// The broker knows, or has to know, that the connection has ended.
void world::connection_over(std::uint32_t number) {
    link& l = links_[number];
    if (std::exchange(l.is_over, true) || clients_[l.client].at_broker != number) return;
    note_unanswered(l);
    sessions_.at(clients_[l.client].name).on_end(now_);
    if (wills_.has_will(l.client)) wills_.on_end(l.client, now_);
}

// The broker may have begun a new session of which it could not tell the client: the next CONNACK will say Session
// Present.
void world::note_unanswered(const link& l) {
    if (l.may_be_new && !l.accepted) clients_[l.client].lost_unseen = true;
}

void world::check_links() {
    for (const link& l : links_) {
        if (broker_is_up_ && l.taken_over && l.peer && !l.closing) {
            verdict_.report("MQTT-3.1.4-3", clients_[l.client].name + ": its old connection was not closed");
        }
    }
}

void world::trace(const std::string& what) {
    char at[32];
    std::snprintf(at, sizeof at, "%10.6f  ", static_cast<double>(now_) / 1e6);
    chart_ += at + what + "\n";
}

void world::trace_packet(const link& l, const char* arrow, const packet& p, bool arrived) {
    if (!tracing_) return;
    char head[48];
    std::snprintf(head, sizeof head, "%-6s %s broker  %-8s ", clients_[l.client].name.c_str(), arrow,
                  arrived ? "arrives" : "sent");
    trace(head + summary(p));
}

void world::break_link(std::uint32_t number) {
    link& l = links_[number];
    if (std::exchange(l.broken, true)) return;
    l.up.silent = l.down.silent = true;
    l.up.cut_at = l.up.delivered();
    l.down.cut_at = l.down.delivered();
    if (tracing_) trace(clients_[l.client].name + " ──✂── broker");
    // Each end notices in its own time; a client that cut the link itself has left it already.
    if (clients_[l.client].link != number) l.client_end_open = false;
    const auto soon = [this] { return now_ + static_cast<sim_time>(random_.between(1, 20'000)); };
    schedule(soon(), event_kind::link_closed_at_client, number);
    schedule(soon(), event_kind::link_closed_at_broker, number);
}

void world::deliver_down(std::uint32_t number) {
    link& l = links_[number];
    client_host& c = clients_[l.client];
    while (c.up && c.link == number && c.reading && l.client_end_open && !l.broken && l.down.has_arrived(now_)) {
        std::string bytes = l.down.receive(now_);
        const std::size_t allowed = l.down.cut_at - std::min(l.down.cut_at, l.down.delivered() - bytes.size());
        const bool breaks = bytes.size() > allowed;
        if (breaks) bytes.resize(allowed);
        if (!bytes.empty()) {
            l.arrived_down->feed(bytes);
            c.engine->set_time(present());
            c.reading = c.engine->on_bytes(bytes);
            settle_client(l.client);
        }
        if (breaks) {
            ++faults_;
            break_link(number);
            return;
        }
        flush_peer(number);  // room again
    }
}

void world::deliver_up(std::uint32_t number) {
    link& l = links_[number];
    while (broker_is_up_ && l.broker_end_open && !l.broken && l.broker_reads && l.peer && l.up.has_arrived(now_)) {
        std::string bytes = l.up.receive(now_);
        const std::size_t allowed = l.up.cut_at - std::min(l.up.cut_at, l.up.delivered() - bytes.size());
        const bool breaks = bytes.size() > allowed;
        if (breaks) bytes.resize(allowed);
        if (!bytes.empty()) {
            l.arrived_up->feed(bytes);
            l.broker_reads = broker_->receive(*l.peer, bytes, present());
            settle_broker();
        }
        if (breaks) {
            ++faults_;
            break_link(number);
            return;
        }
        if (clients_[l.client].up && clients_[l.client].link == number) {
            clients_[l.client].engine->set_time(present());
            settle_client(l.client);  // room again
        }
    }
}

}  // namespace martlet::simulation
