// Time, links and faults of the simulated world. Its inhabitants: clients.cpp, broker_host.cpp.
#include "simulation/world.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace martlet::simulation {

namespace {

constexpr sim_time second = 1'000'000;

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

// ---- scenario

scenario scenario::from_seed(std::uint64_t seed) {
    // Swarm testing: each seed has a subset of the features, since some faults hide others.
    random r(seed * 2 + 1);
    scenario s;
    s.seed = seed;
    constexpr protocol_version versions[] = {protocol_version::v3_1, protocol_version::v3_1_1, protocol_version::v5,
                                             protocol_version::v5};
    s.version = versions[r.below(4)];
    s.mixed_versions = r.chance(25);
    s.durable_clients = r.chance(50);
    s.durable_broker = r.chance(50);
    s.cuts = r.chance(70);
    s.silence = r.chance(30);
    s.slow_readers = r.chance(30);
    s.client_restarts = s.durable_clients && r.chance(50);
    s.broker_restarts = s.durable_broker && r.chance(50);
    s.tiny_windows = r.chance(40);
    constexpr std::uint32_t pieces[] = {1, 7, 100, 1'400, 60'000};
    s.piece_max = pieces[r.below(5)];
    s.latency_max = static_cast<sim_time>(r.between(10, 20'000));
    return s;
}

std::string scenario::describe() const {
    std::string text = "seed " + std::to_string(seed) + ": " + std::to_string(publishers) + " publishers, " +
                       std::to_string(subscribers) + " subscribers, " + std::to_string(messages) + " messages, MQTT " +
                       (mixed_versions ? std::string("mixed") : std::string(to_string(version)));
    const auto add = [&](bool on, const char* what) {
        if (on) text += std::string(", ") + what;
    };
    add(durable_clients, "durable clients");
    add(durable_broker, "durable broker");
    add(cuts, "cuts");
    add(silence, "half-open links");
    add(slow_readers, "slow readers");
    add(client_restarts, "client restarts");
    add(broker_restarts, "broker restarts");
    add(tiny_windows, "tiny windows");
    return text + ", pieces up to " + std::to_string(piece_max) + " bytes, latency up to " +
           std::to_string(latency_max) + " us";
}

// ---- the world

world::world(const scenario& what, bool trace)
    : what_(what), random_(what.seed), ledger_(verdict_), tracing_(trace) {
    for (std::size_t i = 0; i != what_.publishers + what_.subscribers; ++i) {
        client_host& c = clients_.emplace_back();
        c.name = (i < what_.publishers ? "pub" : "sub") + std::to_string(i);
        watches_up_.emplace(c.name, sender_watch(c.name + " to broker", verdict_));
        watches_down_.emplace(c.name, sender_watch("broker to " + c.name, verdict_));
        if (i < what_.publishers) {
            c.to_publish = what_.messages / what_.publishers + (i < what_.messages % what_.publishers ? 1 : 0);
        } else {
            c.granted = static_cast<qos>(random_.below(3));
        }
    }
}

world::~world() = default;

instant world::present() const noexcept {
    return {steady_time(std::chrono::microseconds(now_ + second)),
            unix_time(std::chrono::milliseconds(1'700'000'000'000 + now_ / 1'000))};
}

void world::schedule(sim_time at, event_kind kind, std::uint32_t actor, std::uint32_t argument) {
    queue_.push({std::max(at, now_), ++sequence_, kind, actor, argument});
}

outcome world::run() {
    constexpr sim_time patience = 300 * second;
    start_broker();
    for (std::uint32_t i = 0; i != clients_.size(); ++i) {
        schedule(static_cast<sim_time>(random_.below(50'000)), event_kind::client_up, i);
        if (!is_subscriber(i)) {
            schedule(static_cast<sim_time>(random_.between(100'000, 500'000)), event_kind::publish, i);
        }
    }
    const sim_time chaos = static_cast<sim_time>(random_.between(2, 8)) * second;
    if (what_.cuts || what_.silence || what_.client_restarts || what_.broker_restarts) {
        schedule(static_cast<sim_time>(random_.below(400'000)), event_kind::fault);
    }
    schedule(chaos, event_kind::heal);
    while (!queue_.empty() && verdict_.ok()) {
        const event e = queue_.top();
        queue_.pop();
        now_ = e.at;
        handle(e);
        if (healed_ && quiet()) break;
        if (now_ > chaos + patience) {
            ledger_.check_complete();  // says what is missing
            verdict_.report("progress", "not everything has come to an end " + std::to_string(patience / second) +
                                            " virtual seconds after the last fault");
            break;
        }
    }
    if (verdict_.ok()) ledger_.check_complete();
    outcome end;
    end.ok = verdict_.ok();
    end.violations = verdict_.all();
    end.received = ledger_.received_count();
    end.faults = faults_;
    end.duration = now_;
    end.chart = std::move(chart_);
    return end;
}

bool world::quiet() const {
    for (std::uint32_t i = 0; i != clients_.size(); ++i) {
        const client_host& c = clients_[i];
        if (!c.up || !c.engine->is_open() || c.published != c.to_publish || !c.open.empty()) return false;
        if (is_subscriber(i) && (!c.subscribed || !c.stream->box.empty())) return false;
    }
    return ledger_.all_here();
}

void world::handle(const event& e) {
    switch (e.kind) {
    case event_kind::arrival:
        if (e.argument == 0) {
            deliver_up(e.actor);
        } else {
            deliver_down(e.actor);
        }
        return;
    case event_kind::dial_done: {
        client_host& c = clients_[e.actor];
        if (!c.up || c.attempt != e.argument) return;
        c.engine->set_time(present());
        if (!broker_is_up_) {
            c.engine->on_dial_failed(make_error_code(errc::not_connected), "connection refused");
        } else {
            const auto number = static_cast<std::uint32_t>(links_.size());
            link& l = links_.emplace_back();
            l.client = e.actor;
            tap(l, number);
            open_peer(number);
            if (what_.cuts && !healed_ && random_.chance(50)) {
                (random_.chance(50) ? l.up : l.down).cut_at = random_.below(600);
            }
            if (what_.slow_readers) l.down.capacity = random_.between(1, 2'000);
            c.link = number;
            c.reading = true;
            c.engine->on_dialed();
        }
        settle_client(e.actor);
        return;
    }
    case event_kind::client_timer: {
        client_host& c = clients_[e.actor];
        if (!c.up || c.life != e.argument) return;
        c.timer_at = -1;
        c.engine->set_time(present());
        c.engine->on_deadline();
        settle_client(e.actor);
        return;
    }
    case event_kind::client_disk: {
        client_host& c = clients_[e.actor];
        if (!c.up || c.life != e.argument) return;
        const std::uint64_t number = c.storage.complete(now_);
        if (number == 0) return;
        c.engine->set_time(present());
        c.engine->on_committed(number);
        settle_client(e.actor);
        return;
    }
    case event_kind::broker_timer: return on_broker_timer();
    case event_kind::broker_disk: return on_broker_disk(e.argument);
    case event_kind::publish: return publish(e.actor);
    case event_kind::take:
        if (clients_[e.actor].life == e.argument) take(e.actor);
        return;
    case event_kind::fault: return inject();
    case event_kind::client_up: return start_client(e.actor);
    case event_kind::broker_up: return start_broker();
    case event_kind::heal: return heal();
    case event_kind::link_closed_at_client: {
        link& l = links_[e.actor];
        if (!l.client_end_open) return;
        l.client_end_open = false;
        client_host& c = clients_[l.client];
        if (!c.up || c.link != e.actor) return;
        c.link = ~0u;
        c.engine->set_time(present());
        c.engine->on_link_closed(make_error_code(errc::connection_closed));
        settle_client(l.client);
        return;
    }
    case event_kind::link_gone_at_broker: {  // the broker closed it itself
        link& l = links_[e.actor];
        if (!broker_is_up_ || !l.peer) return;
        broker_->on_closed(*std::exchange(l.peer, std::nullopt), present());
        return settle_broker();
    }
    case event_kind::link_closed_at_broker: {
        link& l = links_[e.actor];
        if (!l.broker_end_open) return;
        l.broker_end_open = false;
        if (broker_is_up_ && l.peer) {
            broker_->on_closed(*std::exchange(l.peer, std::nullopt), present());
            settle_broker();
        }
        return;
    }
    }
}

// ---- links

void world::tap(link& l, std::uint32_t number) {
    const std::string& name = clients_[l.client].name;
    sender_watch& up = watches_up_.at(name);
    sender_watch& down = watches_down_.at(name);
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
        client_host& c = clients_[me.client];
        if (const auto* pubrec = std::get_if<packets::pubrec>(&p)) {
            const auto found = std::find_if(c.taken.begin(), c.taken.end(),
                                            [&](const auto& entry) { return entry.second == pubrec->id; });
            if (found != c.taken.end()) c.taken.erase(found);
        }
    });
    l.arrived_up = std::make_unique<packet_tap>(role::broker, [this, number, &down](const packet& p, std::size_t) {
        trace_packet(links_[number], "──►", p, true);
        down.on_acknowledged(p);
    });
    l.sent_down = std::make_unique<packet_tap>(role::client, [this, number, &down](const packet& p, std::size_t) {
        link& me = links_[number];
        trace_packet(me, "◄──", p, false);
        if (const auto* connack = std::get_if<packets::connack>(&p)) {
            const bool present = me.version == protocol_version::v3_1 ? !me.clean_start : connack->session_present;
            down.on_connection(present, me.client_receive_maximum);
        }
        down.on_sent(p);
    });
    l.arrived_down = std::make_unique<packet_tap>(role::client, [this, number, &up](const packet& p, std::size_t) {
        link& me = links_[number];
        trace_packet(me, "◄──", p, true);
        if (const auto* connack = std::get_if<packets::connack>(&p)) {
            const bool present = me.version == protocol_version::v3_1 ? !me.clean_start : connack->session_present;
            up.on_connection(present, connack->properties.receive_maximum.value_or(65'535));
        }
        up.on_acknowledged(p);
    });
}

void world::trace_packet(const link& l, const char* arrow, const packet& p, bool arrived) {
    if (!tracing_) return;
    char head[64];
    std::snprintf(head, sizeof head, "%10.6f  %-6s %s broker  %-8s ", static_cast<double>(now_) / 1e6,
                  clients_[l.client].name.c_str(), arrow, arrived ? "arrives" : "sent");
    chart_ += head + summary(p) + "\n";
}

void world::break_link(std::uint32_t number) {
    link& l = links_[number];
    if (std::exchange(l.broken, true)) return;
    l.up.silent = l.down.silent = true;
    l.up.cut_at = l.up.delivered();
    l.down.cut_at = l.down.delivered();
    if (tracing_) chart_ += "            " + clients_[l.client].name + " ──✂── broker\n";
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

// ---- faults

void world::inject() {
    if (healed_) return;
    schedule(now_ + static_cast<sim_time>(random_.between(20'000, 1'500'000)), event_kind::fault);
    enum class kind { cut, silence, client, broker };
    std::vector<kind> kinds;
    if (what_.cuts) kinds.push_back(kind::cut);
    if (what_.silence) kinds.push_back(kind::silence);
    if (what_.client_restarts) kinds.push_back(kind::client);
    if (what_.broker_restarts) kinds.push_back(kind::broker);
    const auto i = static_cast<std::uint32_t>(random_.below(clients_.size()));
    client_host& c = clients_[i];
    switch (kinds[random_.below(kinds.size())]) {
    case kind::cut:
        if (c.link == ~0u) return;
        ++faults_;
        break_link(c.link);
        return;
    case kind::silence:
        if (c.link == ~0u) return;
        ++faults_;
        if (random_.chance(60)) links_[c.link].up.silent = true;
        if (random_.chance(60)) links_[c.link].down.silent = true;
        if (tracing_) chart_ += "            " + c.name + " ──…── broker falls silent\n";
        return;
    case kind::client: return crash_client(i);
    case kind::broker: return crash_broker();
    }
}

void world::heal() {
    healed_ = true;
    for (link& l : links_) {
        // What fell silent stays so until an end notices: that, too, has to come to a good end.
        l.up.capacity = l.down.capacity = 64 * 1024;
    }
    for (std::uint32_t number = 0; number != links_.size(); ++number) {
        flush_peer(number);
        const std::uint32_t i = links_[number].client;
        if (clients_[i].up && clients_[i].link == number) {
            clients_[i].engine->set_time(present());
            settle_client(i);
        }
    }
}

}  // namespace martlet::simulation
