// The clients of the simulated world: processes that connect, publish, receive, crash and come back.
#include "simulation/world.hpp"

#include <algorithm>
#include <charconv>

namespace martlet::simulation {

namespace {

/// Says that there is a store: the world itself carries the journal to the disk.
class marked_store final : public store {
public:
    void load(load_handler) override {}
    void commit(core::change_batch, commit_handler) override {}
};

std::optional<std::pair<std::size_t, std::uint64_t>> parse(std::string_view payload) {
    const auto slash = payload.find('/');
    if (payload.empty() || payload[0] != 'p' || slash == std::string_view::npos) return std::nullopt;
    std::size_t publisher = 0;
    std::uint64_t sequence = 0;
    const char* const end = payload.data() + payload.size();
    if (std::from_chars(payload.data() + 1, payload.data() + slash, publisher).ec != std::errc() ||
        std::from_chars(payload.data() + slash + 1, end, sequence).ptr != end) {
        return std::nullopt;
    }
    return std::pair{publisher, sequence};
}

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
            constexpr protocol_version all[] = {protocol_version::v3_1, protocol_version::v3_1_1,
                                                protocol_version::v5};
            c.options.version = all[random_.below(3)];
        }
        if (what_.tiny_windows) {
            c.options.receive_maximum = static_cast<std::uint16_t>(random_.between(1, 5));
            c.options.inflight_max = static_cast<std::uint16_t>(random_.between(1, 5));
        }
        c.durable = what_.durable_clients;
        if (c.durable) c.options.store = std::make_shared<marked_store>();
    }
    ++c.life;
    c.up = true;
    c.reading = true;
    c.link = ~0u;
    c.timer_at = -1;
    c.engine = std::make_unique<detail::client_engine>(c.options, random_.next());
    c.engine->set_time(present());
    if (c.durable) {
        stored_state stored = c.storage.load();
        for (auto& session : stored.sessions) {
            if (!c.engine->session().restore(std::move(session.messages))) {
                verdict_.report("restore", c.name + ": rows of the store contradict each other");
            }
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
        c.stream->requests = {{c.stream->filters[0], c.granted, false, false, retain_handling::send}};
        (void)c.engine->subscribe(c.stream, 0x5000'0000u + c.life);
    }
    settle_client(i);
}

void world::crash_client(std::uint32_t i) {
    client_host& c = clients_[i];
    if (!c.up) return;
    ++faults_;
    c.up = false;
    c.storage.crash(random_.below(c.storage.pending() + 1));
    std::erase_if(c.open, [&](const auto& entry) {
        // Nothing of it has left if it was not stored: it is gone with the process. (Or its PUBREC came: delivered.)
        const pending_publish& p = entry.second;
        const bool stored =
            p.quality != qos::at_most_once && c.storage.has_outgoing(core::session_key{1}, p.payload);
        if (!stored) ledger_.excuse(i, p.sequence);
        return !stored;
    });
    for (const auto& [key, id] : c.taken) {
        if (!c.storage.has_received(core::session_key{1}, id)) ledger_.take_back(i, key.first, key.second);
    }
    c.taken.clear();
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
                schedule(now_ + static_cast<sim_time>(random_.between(100, 1'000)), event_kind::dial_done, i, c.attempt);
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
                if (!o.error && c.stream && !c.subscribed) {
                    c.subscribed = true;
                    ledger_.subscribed(i, c.granted);
                }
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
            const sim_time pause = what_.slow_readers && !healed_ ? static_cast<sim_time>(random_.between(1, 300'000)) : 0;
            schedule(now_ + pause, event_kind::take, i, c.life);
        }
        client_event told;
        while (engine.take_event(told)) {
            if (told.kind == client_event::kind_type::session_lost && is_subscriber(i)) {
                ledger_.session_lost(i);
                c.taken.clear();
            }
        }
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
        const sim_time at =
            l.up.send(piece, now_, static_cast<sim_time>(random_.between(1, static_cast<std::uint64_t>(what_.latency_max))));
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
    const std::uint64_t sequence = ++c.published;
    const auto quality = static_cast<qos>(random_.below(3));
    std::string payload = "p" + std::to_string(i) + "/" + std::to_string(sequence);
    const core::token token = c.next_token++;
    core::outgoing what{core::outgoing_message::create("s/" + std::to_string(i), payload, quality, false), {}, token,
                        quality, false};
    ledger_.on_submitted(i, sequence, quality);
    c.engine->set_time(present());
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
        const message m = c.stream->box.take();
        if (const auto key = parse(m.text())) {
            ledger_.on_received(i, key->first, key->second, m.qos(), c.granted);
            if (m.qos() == qos::exactly_once) c.taken.push_back({*key, m.packet_id()});
        } else {
            verdict_.report("MQTT-3.3.2", c.name + ": a payload that nobody published: " + std::string(m.text()));
        }
    }
    c.engine->after_take(c.stream.get());
    if (!c.stream->box.empty() && !c.take_scheduled) {
        c.take_scheduled = true;
        schedule(now_ + static_cast<sim_time>(random_.between(1, 300'000)), event_kind::take, i, c.life);
    }
    settle_client(i);
}

}  // namespace martlet::simulation
