// The broker of the simulated world: a process with a disk that crashes and comes back.
#include "simulation/world.hpp"

#include <algorithm>
#include <utility>

namespace martlet::simulation {

void world::start_broker() {
    ++broker_life_;
    broker_is_up_ = true;
    if (tracing_ && broker_life_ > 1) trace("broker is back");
    broker_timer_at_ = -1;
    if (broker_life_ == 1 && what_.tiny_windows) {
        broker_options_.receive_maximum = static_cast<std::uint16_t>(random_.between(1, 5));
        broker_options_.inflight_max = static_cast<std::uint16_t>(random_.between(1, 5));
    }
    if (what_.mixed_versions || what_.version != protocol_version::v5) {
        broker_options_.receive_maximum = 65'535;  // 3.x clients cannot be told
    }
    if (broker_life_ > 1) {
        wills_.on_restart(now_);
        for (auto& [name, watch] : sessions_)
            watch.on_restart(now_);
    }
    broker_ =
        std::make_unique<broker_impl::broker_engine>(broker_options_, random_.next(), present(), what_.durable_broker);
    if (what_.durable_broker && !broker_->restore(broker_disk_.load(), present())) {
        verdict_.report("restore", "broker: rows of the store contradict each other");
    }
    if (broker_life_ > 1) {
        for (auto& [name, watch] : watches_down_)
            watch.on_restart();
    }
    settle_broker();
}

void world::crash_broker() {
    if (!broker_is_up_) return;
    ++faults_;
    broker_is_up_ = false;
    ledger_.on_broker_crash();
    wills_.on_crash(now_);
    retained_.on_crash(now_);
    for (auto& [name, watch] : sessions_)
        watch.on_crash(now_);
    if (tracing_) trace("broker crashes");
    broker_disk_.crash(random_.below(broker_disk_.pending() + 1));
    for (std::uint32_t number = 0; number != links_.size(); ++number) {
        link& l = links_[number];
        l.peer.reset();
        if (!std::exchange(l.is_over, true) && clients_[l.client].at_broker == number) note_unanswered(l);
        if (l.broker_end_open) {
            l.broker_end_open = false;
            break_link(number);
        }
    }
    broker_.reset();
    schedule(now_ + static_cast<sim_time>(random_.between(1'000, 2'000'000)), event_kind::broker_up);
}

void world::open_peer(std::uint32_t number) {
    link& l = links_[number];
    l.peer = broker_->peer_opened({"10.0.0." + std::to_string(l.client), true},
                                  reinterpret_cast<void*>(static_cast<std::uintptr_t>(number)), present());
    settle_broker();
}

void world::settle_broker() {
    if (!broker_is_up_) return;
    while (broker_->has_work() || broker_->has_changes()) {
        if (broker_->has_changes()) {
            const sim_time done = now_ + static_cast<sim_time>(random_.between(10, 3'000));
            broker_disk_.write(broker_->take_changes(), done);
            schedule(std::max(done, broker_disk_.next_completion()), event_kind::broker_disk, 0, broker_life_);
        }
        broker_->flush(
            [this](const broker_impl::flush_item& item) {
                const auto number = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(item.owner));
                link& l = links_[number];
                l.closing = item.closing;
                if (l.closing) connection_over(number);
                if (item.reading && !l.broker_reads) {
                    l.broker_reads = true;
                    schedule(now_, event_kind::arrival, number, 0);
                }
                write_down(number, item.out);
            },
            present());
    }
    const steady_time deadline = broker_->next_deadline();
    if (deadline != never) {
        const sim_time at = std::max(now_, static_cast<sim_time>((deadline - present().steady).count()) + now_);
        if (broker_timer_at_ < now_ || at < broker_timer_at_) {
            broker_timer_at_ = at;
            schedule(at, event_kind::broker_timer, 0, broker_life_);
        }
    }
}

void world::write_down(std::uint32_t number, core::output& out) {
    link& l = links_[number];
    while (!out.empty() && l.down.room() != 0) {
        std::string_view views[1];
        (void)out.gather(views);
        const std::size_t n =
            std::min({views[0].size(), l.down.room(), static_cast<std::size_t>(random_.between(1, what_.piece_max))});
        const std::string_view piece = views[0].substr(0, n);
        if (l.broker_end_open) {
            l.sent_down->feed(piece);
            const auto latency = random_.between(1, static_cast<std::uint64_t>(what_.latency_max));
            schedule(l.down.send(piece, now_, static_cast<sim_time>(latency)), event_kind::arrival, number, 1);
        }
        out.consume(n);
    }
    if (out.empty() && l.closing && l.broker_end_open) {
        // Closed in order: the client gets what is under way, then the end.
        l.broker_end_open = false;
        if (l.taken_over && l.accepted && l.version == protocol_version::v5 && !l.said_taken_over) {
            verdict_.report("MQTT-3.1.4-3", clients_[l.client].name + ": taken over without DISCONNECT 0x8E");
        }
        schedule(now_ + what_.latency_max * 2, event_kind::link_closed_at_client, number);
        schedule(now_, event_kind::link_gone_at_broker, number);
    }
}

void world::flush_peer(std::uint32_t number) {
    link& l = links_[number];
    if (!broker_is_up_ || !l.peer) return;
    core::output* const out = broker_->out(*l.peer);
    if (out == nullptr || out->empty()) return;
    write_down(number, *out);
    broker_->on_written(*l.peer, present());
    settle_broker();
}

void world::on_broker_timer() {
    if (!broker_is_up_) return;
    broker_timer_at_ = -1;
    broker_->on_deadline(present());
    settle_broker();
}

void world::on_broker_disk(std::uint32_t life) {
    if (!broker_is_up_ || life != broker_life_) return;
    const std::uint64_t number = broker_disk_.complete(now_);
    if (number == 0) return;
    broker_->on_committed(number, present());
    settle_broker();
}

}  // namespace martlet::simulation
