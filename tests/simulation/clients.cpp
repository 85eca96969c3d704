// The clients of the simulated world: processes that connect, publish, receive, crash and come back.
#include "simulation/world.hpp"

#include <algorithm>
#include <tuple>

namespace martlet::simulation {

namespace {

/// Says that there is a store: the world itself carries the journal to the disk.
class marked_store final : public store {
public:
    void load(load_handler) override {}
    void commit(core::change_batch, commit_handler) override {}
};

}  // namespace

void world::start_client(std::uint32_t i) {
    client_host& c = clients_[i];
    if (c.up) return;
    if (c.life == 0) {
        c.options.urls = {"mqtt://broker"};
        c.options.client_id = c.name;
        c.options.session = session_mode::resume;
        c.options.keep_alive = std::chrono::seconds(10);
        c.options.connect_timeout = std::chrono::milliseconds(2'000);
        c.options.reconnect.delay_min = std::chrono::milliseconds(50);
        c.options.reconnect.delay_max = std::chrono::milliseconds(500);
        c.options.version = what_.version;
        if (what_.mixed_versions) {
            constexpr protocol_version all[] = {protocol_version::v3_1, protocol_version::v3_1_1, protocol_version::v5};
            c.options.version = all[random_.below(3)];
        }
        if (what_.tiny_windows) {
            c.options.receive_maximum = static_cast<std::uint16_t>(random_.between(1, 5));
            c.options.inflight_max = static_cast<std::uint16_t>(random_.between(1, 5));
        }
        if (what_.session_expiry && is_subscriber(i) && c.options.version == protocol_version::v5) {
            c.options.session_expiry = std::chrono::seconds(random_.between(1, 3));
        }
        if (what_.wills && !is_subscriber(i)) {
            // No delay where the broker may forget that it has published a will: then it may be cancelled as well.
            const bool delayed =
                c.options.version == protocol_version::v5 && !what_.broker_restarts && random_.chance(50);
            will_options& w = c.options.will.emplace();
            w.topic = "w/" + std::to_string(i);
            w.payload = "w" + std::to_string(i);
            w.qos = static_cast<qos>(random_.below(3));
            w.delay = std::chrono::seconds(delayed ? random_.between(1, 2) : 0);
            wills_.set_will(i, w.qos, std::chrono::microseconds(w.delay).count());
        }
        c.durable = what_.durable_clients;
        if (c.durable) c.options.store = std::make_shared<marked_store>();
    }
    ++c.life;
    c.up = true;
    if (tracing_ && c.life > 1) trace(c.name + " is back");
    c.reading = true;
    c.link = ~0u;
    c.timer_at = -1;
    c.engine = std::make_unique<detail::client_engine>(c.options, random_.next());
    c.engine->set_time(present());
    if (c.durable) {
        std::string why;
        if (const error_code error = c.engine->restore(c.storage.load(), why)) {
            verdict_.report("restore", c.name + ": rows of the store contradict each other: " + error.message() + why);
        }
        if (c.life > 1) watches_up_.at(c.name).on_restart();
    }
    if (const error_code error = c.engine->start()) {
        verdict_.report("start", c.name + ": " + error.message());
        return;
    }
    if (is_subscriber(i)) {
        c.stream = std::make_shared<detail::stream_state>(inbox_limits{});
        c.stream->filters = {"s/+"};
        if (what_.retained) c.stream->filters.push_back("r/+");
        if (what_.wills) c.stream->filters.push_back("w/+");
        for (const std::string& filter : c.stream->filters) {
            c.stream->requests.push_back({filter, c.granted, false, false, retain_handling::send});
        }
        (void)c.engine->subscribe(c.stream, 0x5000'0000u + c.life);
    }
    settle_client(i);
}

void world::crash_client(std::uint32_t i) {
    client_host& c = clients_[i];
    if (!c.up) return;
    ++faults_;
    c.up = false;
    if (tracing_) trace(c.name + " crashes");
    c.storage.crash(random_.below(c.storage.pending() + 1));
    std::erase_if(c.open, [&](const auto& entry) {
        // Nothing of it has left if it was not stored: it is gone with the process. (Or its PUBREC came: delivered.)
        const pending_publish& p = entry.second;
        const bool stored = p.quality != qos::at_most_once && c.storage.has_outgoing(core::session_key{1}, p.payload);
        if (!stored) ledger_.excuse(i, p.sequence);
        return !stored;
    });
    forget_unacknowledged(i);
    if (c.link != ~0u) break_link(c.link);
    c.link = ~0u;
    c.engine.reset();
    c.stream.reset();
    c.take_scheduled = false;
    schedule(now_ + static_cast<sim_time>(random_.between(1'000, 2'000'000)), event_kind::client_up, i);
}

void world::settle_client(std::uint32_t i) {
    client_host& c = clients_[i];
    if (!c.up) return;
    detail::client_engine& engine = *c.engine;
    bool again = true;
    while (again) {
        again = false;
        if (engine.journal().has_rows()) {
            const sim_time done = now_ + static_cast<sim_time>(random_.between(10, 3'000));
            c.storage.write(engine.journal().take(), done);
            schedule(std::max(done, c.storage.next_completion()), event_kind::client_disk, i, c.life);
        }
        flush_client(i, false);
        detail::link_action action;
        while (engine.take_action(action)) {
            again = true;
            using kind = detail::link_action::kind_type;
            switch (action.kind) {
                case kind::ask_credentials:
                case kind::begin_authentication:
                case kind::go_on_authenticating: break;  // these clients have neither
                case kind::dial:
                    ++c.attempt;
                    schedule(now_ + static_cast<sim_time>(random_.between(100, 1'000)), event_kind::dial_done, i,
                             c.attempt);
                    break;
                case kind::cut:
                    ++c.attempt;
                    if (c.link != ~0u) break_link(c.link);
                    c.link = ~0u;
                    engine.release_link();
                    break;
                case kind::abandon:
                case kind::close:
                    flush_client(i, true);
                    if (c.link != ~0u) {
                        link& l = links_[c.link];
                        l.client_end_open = false;
                        schedule(now_ + what_.latency_max * 2, event_kind::link_closed_at_broker, c.link);
                    }
                    c.link = ~0u;
                    if (action.kind == kind::abandon) {
                        engine.release_link();
                    } else {
                        engine.on_link_closed({});
                    }
                    break;
                case kind::resume:
                    c.reading = true;
                    if (c.link != ~0u) schedule(now_, event_kind::arrival, c.link, 1);
                    break;
                case kind::finished:
                    // A session taken over by ourselves through another link: the process goes on.
                    if (!engine.is_running()) (void)engine.start();
                    break;
            }
        }
        std::vector<detail::operation_outcome> outcomes;
        engine.take_outcomes(outcomes);
        for (const auto& o : outcomes) {
            if (o.who >= 0x5000'0000u) {
                if (!o.error) c.subscribed = true;
                continue;
            }
            const auto found = c.open.find(o.who);
            if (found == c.open.end()) continue;
            if (o.error) {
                ledger_.excuse(i, found->second.sequence);
            } else {
                ledger_.on_completed(i, found->second.sequence);
            }
            c.open.erase(found);
        }
        std::vector<detail::stream_state_ptr> woken;
        engine.take_woken(woken);
        if (!woken.empty() && c.stream && !c.take_scheduled) {
            c.take_scheduled = true;
            const sim_time pause =
                what_.slow_readers && !healed_ ? static_cast<sim_time>(random_.between(1, 300'000)) : 0;
            schedule(now_ + pause, event_kind::take, i, c.life);
        }
        client_event told;
        while (engine.take_event(told)) {}
    }
    const steady_time deadline = engine.next_deadline();
    if (deadline != never) {
        const sim_time at = std::max(now_, static_cast<sim_time>(deadline.time_since_epoch().count()));
        if (c.timer_at < now_ || at < c.timer_at) {
            c.timer_at = at;
            schedule(at, event_kind::client_timer, i, c.life);
        }
    }
}

void world::flush_client(std::uint32_t i, bool all) {
    client_host& c = clients_[i];
    if (c.link == ~0u || !c.engine->has_output()) return;
    link& l = links_[c.link];
    core::output& out = c.engine->out();
    while (!out.empty() && (all || l.up.room() != 0)) {
        std::string_view views[1];
        (void)out.gather(views);
        std::size_t n = std::min<std::size_t>(views[0].size(), random_.between(1, what_.piece_max));
        if (!all) n = std::min(n, l.up.room());
        const std::string_view piece = views[0].substr(0, n);
        l.sent_up->feed(piece);
        const sim_time at = l.up.send(
            piece, now_, static_cast<sim_time>(random_.between(1, static_cast<std::uint64_t>(what_.latency_max))));
        schedule(at, event_kind::arrival, c.link, 0);
        out.consume(n);
    }
    c.engine->on_output_drained();
}

void world::publish(std::uint32_t i) {
    client_host& c = clients_[i];
    if (c.published == c.to_publish) return;
    schedule(now_ + static_cast<sim_time>(random_.between(1'000, 200'000)), event_kind::publish, i);
    if (!c.up) return;
    auto quality = static_cast<qos>(random_.below(3));
    const bool retain = what_.retained && random_.chance(30);
    if (retain && random_.chance(20)) {  // deletes; nothing tells two of them apart, so at QoS 2 none could be missed
        ++c.published;
        quality = martlet::min(quality, qos::at_least_once);
        bool at_once = false;
        core::outgoing empty{
            core::outgoing_message::create("r/" + std::to_string(i), {}, quality, true), {}, 0, quality, true};
        c.engine->set_time(present());
        (void)c.engine->publish(std::move(empty), at_once);
        return settle_client(i);
    }
    submit(i, quality, retain);
}

// When all is quiet one more of each publisher: a subscription that got lost unnoticed would miss it.
void world::publish_last() {
    if (tracing_) trace("the last messages");
    for (std::uint32_t i = 0; i != clients_.size(); ++i) {
        if (is_subscriber(i)) continue;
        ++clients_[i].to_publish;
        submit(i, random_.chance(50) ? qos::at_least_once : qos::exactly_once, false);
    }
}

void world::submit(std::uint32_t i, qos quality, bool retain) {
    client_host& c = clients_[i];
    const std::uint64_t sequence = ++c.published;
    const std::string topic = (retain ? "r/" : "s/") + std::to_string(i);
    c.engine->set_time(present());
    std::string payload = "p" + std::to_string(i) + "/" + std::to_string(sequence);
    const core::token token = c.next_token++;
    core::outgoing what{core::outgoing_message::create(topic, payload, quality, retain), {}, token, quality, retain};
    ledger_.on_submitted(i, sequence, quality, retain);
    bool sent_at_once = false;
    if (c.engine->publish(std::move(what), sent_at_once)) {
        ledger_.excuse(i, sequence);
    } else if (!sent_at_once) {
        c.open.emplace(token, pending_publish{sequence, std::move(payload), quality});
    }
    settle_client(i);
}

void world::take(std::uint32_t i) {
    client_host& c = clients_[i];
    c.take_scheduled = false;
    if (!c.up || !c.stream) return;
    c.engine->set_time(present());
    std::size_t left = what_.slow_readers && !healed_ ? 1 : 1'000;
    for (;;) {
        c.engine->acknowledge_taken(c.stream.get());
        if (c.stream->box.empty() || left-- == 0) break;
        on_message(i, c.stream->box.take());
    }
    c.engine->after_take(c.stream.get());
    if (!c.stream->box.empty() && !c.take_scheduled) {
        c.take_scheduled = true;
        schedule(now_ + static_cast<sim_time>(random_.between(1, 300'000)), event_kind::take, i, c.life);
    }
    settle_client(i);
}

void world::on_message(std::uint32_t i, const message& m) {
    client_host& c = clients_[i];
    const std::string_view topic = m.topic();
    const std::string_view payload = m.text();
    if (topic.starts_with("r/") && payload.empty() && !m.retain()) return;  // one is deleted
    taken_message got{message_kind::ordinary, 0, 0, m.packet_id()};
    if (const auto key = parse_payload(payload)) {
        std::tie(got.publisher, got.sequence) = *key;
        const std::string number = std::to_string(got.publisher);
        if (topic != "s/" + number && topic != "r/" + number) {
            verdict_.report("MQTT-3.3.2", c.name + ": " + std::string(payload) + " by topic " + std::string(topic));
        }
        if (m.retain()) {
            got.kind = message_kind::retained;
            retained_.on_received(i, got.publisher, got.sequence, m.qos());
        } else {
            ledger_.on_received(i, got.publisher, got.sequence, m.qos(), c.granted);
        }
    } else if (topic.starts_with("w/") && payload.substr(1) == topic.substr(2) && !m.retain()) {
        got.kind = message_kind::will;
        got.publisher = static_cast<std::size_t>(payload[1] - '0');
        wills_.on_received(i, got.publisher, m.qos(), c.granted);
    } else {
        verdict_.report("MQTT-3.3.2", c.name + ": a payload that nobody published: " + std::string(payload));
        return;
    }
    if (m.qos() == qos::exactly_once) c.taken.push_back(got);
}

// The application crashes: what it took and has not stored as acknowledged will come again.
void world::forget_unacknowledged(std::uint32_t i) {
    client_host& c = clients_[i];
    for (const taken_message& m : c.taken) {
        if (c.storage.has_received(core::session_key{1}, m.id)) continue;
        switch (m.kind) {
            case message_kind::ordinary: ledger_.take_back(i, m.publisher, m.sequence); break;
            case message_kind::retained: retained_.take_back(i, m.publisher, m.sequence); break;
            case message_kind::will: wills_.take_back(i, m.publisher); break;
        }
    }
    c.taken.clear();
}

}  // namespace martlet::simulation
