// Time in the simulated world: what is due, in order. Its inhabitants: clients.cpp, broker_host.cpp; between them:
// links.cpp, faults.cpp.
#include "simulation/world.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace martlet::simulation {

namespace {

constexpr sim_time second = 1'000'000;

}  // namespace

// ---- the world

world::world(const scenario& what, bool trace)
    : what_(what), random_(what.seed), ledger_(verdict_), wills_(verdict_), retained_(verdict_), tracing_(trace) {
    for (std::size_t i = 0; i != what_.publishers + what_.subscribers; ++i) {
        client_host& c = clients_.emplace_back();
        c.name = (i < what_.publishers ? "pub" : "sub") + std::to_string(i);
        watches_up_.emplace(c.name, sender_watch(c.name + " to broker", verdict_));
        watches_down_.emplace(c.name, sender_watch("broker to " + c.name, verdict_));
        sessions_.emplace(c.name, session_watch(c.name, verdict_));
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
        // Who subscribes late meets retained messages.
        const bool late = what_.retained && is_subscriber(i) && random_.chance(50);
        schedule(static_cast<sim_time>(random_.below(late ? 4'000'000 : 50'000)), event_kind::client_up, i);
        if (!is_subscriber(i)) {
            schedule(static_cast<sim_time>(random_.between(100'000, 500'000)), event_kind::publish, i);
        }
    }
    const sim_time chaos = static_cast<sim_time>(random_.between(2, 8)) * second;
    if (what_.has_faults()) {
        schedule(static_cast<sim_time>(random_.below(400'000)), event_kind::fault);
    }
    schedule(chaos, event_kind::heal);
    while (!queue_.empty() && verdict_.ok()) {
        const event e = queue_.top();
        queue_.pop();
        now_ = e.at;
        handle(e);
        wills_.advance(now_);
        if (healed_ && quiet()) {
            if (std::exchange(closing_, true)) break;
            publish_last();
        }
        if (now_ > chaos + patience) {
            for (std::uint32_t i = 0; i != clients_.size(); ++i) {  // say what is missing
                if (is_subscriber(i) && clients_[i].subscribed && !ledger_.is_subscribed(i)) {
                    verdict_.report("subscription",
                                    clients_[i].name + " lost its session and has not subscribed again");
                }
            }
            ledger_.check_complete();
            wills_.check_complete();
            retained_.check_complete();
            verdict_.report("progress", "not everything has come to an end " + std::to_string(patience / second) +
                                            " virtual seconds after the last fault");
            break;
        }
    }
    if (verdict_.ok()) check_links();
    outcome end;
    end.ok = verdict_.ok();
    end.violations = verdict_.all();
    end.received = ledger_.received_count() + wills_.received_count() + retained_.received_count();
    end.wills = wills_.received_count();
    end.retained = retained_.received_count();
    end.faults = faults_;
    end.take_overs = take_overs_;
    end.sessions_lost = sessions_lost_;
    end.duration = now_;
    end.chart = std::move(chart_);
    return end;
}

bool world::quiet() const {
    for (std::uint32_t i = 0; i != clients_.size(); ++i) {
        const client_host& c = clients_[i];
        if (!c.up || !c.engine->is_open() || c.published != c.to_publish || !c.open.empty()) return false;
        if (is_subscriber(i) && (!c.subscribed || !ledger_.is_subscribed(i) || !c.stream->box.empty())) return false;
    }
    return ledger_.all_here() && wills_.all_here() && retained_.all_here();
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
            if (!broker_is_up_ || now_ < c.away_until) {
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
            connection_over(e.actor);
            broker_->on_closed(*std::exchange(l.peer, std::nullopt), present());
            return settle_broker();
        }
        case event_kind::link_closed_at_broker: {
            link& l = links_[e.actor];
            if (!l.broker_end_open) return;
            l.broker_end_open = false;
            if (broker_is_up_ && l.peer) {
                connection_over(e.actor);
                broker_->on_closed(*std::exchange(l.peer, std::nullopt), present());
                settle_broker();
            }
            return;
        }
    }
}

}  // namespace martlet::simulation
