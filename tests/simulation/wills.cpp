#include "simulation/wills.hpp"

namespace martlet::simulation {

void will_ledger::publish(std::size_t publisher, sender& from, bool must) {
    ++from.may_come;
    if (!must) return;
    for (auto& [number, r] : receivers_) {
        if (r.active) ++r.owed[publisher];
    }
}

void will_ledger::on_connect(std::size_t publisher, sim_time now) {
    advance(now);
    sender& from = senders_.at(publisher);
    from.due.reset();  // back in time [MQTT-3.1.3-9]
    from.is_armed = true;
    from.is_accepted = false;
}

void will_ledger::on_accepted(std::size_t publisher) { senders_.at(publisher).is_accepted = true; }

void will_ledger::on_disconnect(std::size_t publisher, sim_time now) {
    sender& from = senders_.at(publisher);
    from.is_armed = from.is_accepted = false;
    from.disarmed = now;
}

void will_ledger::on_end(std::size_t publisher, sim_time now) {
    sender& from = senders_.at(publisher);
    if (!from.is_armed) return;
    from.is_armed = false;
    from.must = from.is_accepted;
    from.due = now + from.delay;
    advance(now);
}

void will_ledger::on_crash(sim_time now) {
    advance(now);
    crashed_ = true;
    for (auto& [publisher, from] : senders_) {
        // A DISCONNECT that was not stored did not happen.
        const bool undone = now - from.disarmed <= sender::commit_time;
        if (!from.is_armed && !undone) continue;
        from.must = from.is_armed && from.is_accepted;
        from.is_armed = false;
        from.due = now;
    }
}

void will_ledger::on_restart(sim_time now) {
    for (auto& [publisher, from] : senders_) {
        if (from.due) from.due = now + from.delay;
    }
    advance(now);
}

void will_ledger::advance(sim_time now) {
    for (auto& [publisher, from] : senders_) {
        if (!from.due || *from.due > now) continue;
        publish(publisher, from, from.must);
        from.due.reset();
    }
}

void will_ledger::subscribed(std::size_t reader, qos granted) {
    receivers_[reader].active = true;
    receivers_[reader].granted = granted;
}

void will_ledger::session_lost(std::size_t reader) {
    receivers_[reader].active = false;
    receivers_[reader].owed.clear();
}

void will_ledger::on_received(std::size_t reader, std::size_t publisher, qos quality, qos granted) {
    ++received_count_;
    const std::string name = "subscriber " + std::to_string(reader) + ", will of " + std::to_string(publisher);
    const auto found = senders_.find(publisher);
    if (found == senders_.end()) return verdict_->report("MQTT-3.1.2-8", name + ": there is none");
    receiver& r = receivers_[reader];
    if (quality != martlet::min(found->second.quality, granted)) {
        verdict_->report("MQTT-3.8.4-8", name + ": wrong QoS " + std::to_string(to_number(quality)));
    }
    // QoS 1 may be repeated; QoS 0 copies wait for no commit, so a crash may repeat them.
    const int count = ++r.received[publisher];
    const bool once = quality == qos::exactly_once || (quality == qos::at_most_once && !crashed_);
    if (once && count > found->second.may_come) {
        verdict_->report("MQTT-3.1.2-10", name + ": came " + std::to_string(count) + " times, but only " +
                                              std::to_string(found->second.may_come) + " connections have failed");
    }
}

bool will_ledger::is_missing(const receiver& r, std::size_t publisher) const {
    if (martlet::min(r.granted, senders_.at(publisher).quality) == qos::at_most_once) return false;
    const auto owed = r.owed.find(publisher);
    if (owed == r.owed.end()) return false;
    const auto received = r.received.find(publisher);
    return received == r.received.end() || received->second < owed->second;
}

bool will_ledger::all_here() const {
    for (const auto& [publisher, from] : senders_) {
        if (from.due) return false;
        for (const auto& [number, r] : receivers_) {
            if (is_missing(r, publisher)) return false;
        }
    }
    return true;
}

void will_ledger::check_complete() {
    for (const auto& [publisher, from] : senders_) {
        for (const auto& [number, r] : receivers_) {
            if (!is_missing(r, publisher)) continue;
            verdict_->report("MQTT-3.1.2-8",
                             "subscriber " + std::to_string(number) + " lost a will of " + std::to_string(publisher));
        }
    }
}

}  // namespace martlet::simulation
