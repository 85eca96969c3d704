#include "simulation/retained.hpp"

#include "simulation/session_watch.hpp"

#include <algorithm>

namespace martlet::simulation {

void retained_ledger::on_published(std::size_t publisher, std::uint64_t sequence, qos quality, sim_time now) {
    topic& of = topics_[publisher];
    const key k{publisher, sequence};
    bool is_certain = true;
    if (sequence != 0) {
        qualities_[k] = quality;
        if (quality == qos::exactly_once && !first_arrival_.emplace(k, now).second) {
            if (unsure_.erase(k) == 0) return;  // a repetition
            is_certain = false;
        }
    }
    of.history.push_back({sequence, now});
    if (is_certain) of.candidates.clear();
    of.candidates.insert(sequence);
}

void retained_ledger::on_subscribe(std::size_t reader, qos granted, bool if_new, sim_time now) {
    receiver& r = receivers_[reader];
    r.granted = granted;
    ++r.subscriptions;
    if (!if_new) {
        r.subscribed_at = now;
        r.expected.clear();
    }
    for (const auto& [publisher, of] : topics_) {
        if (!if_new) r.expected[publisher] = of.candidates;
        for (const std::uint64_t sequence : of.candidates)
            r.allowed.insert({publisher, sequence});
    }
}

void retained_ledger::on_crash(sim_time now) {
    crashed_at_ = now;
    for (const auto& [k, at] : first_arrival_) {
        if (now - at <= commit_time_max) unsure_.insert(k);
    }
    // What came last may not be stored; then what came before is retained.
    for (auto& [publisher, of] : topics_) {
        std::uint64_t before = 0;
        for (const change& one : of.history) {
            if (now - one.at <= commit_time_max) {
                of.candidates.insert(before);
                of.candidates.insert(one.sequence);
            }
            before = one.sequence;
        }
    }
}

void retained_ledger::session_lost(std::size_t reader) { receivers_[reader].expected.clear(); }

void retained_ledger::on_received(std::size_t reader, std::size_t publisher, std::uint64_t sequence, qos quality) {
    ++received_count_;
    receiver& r = receivers_[reader];
    const key k{publisher, sequence};
    const std::string name = "subscriber " + std::to_string(reader) + ", retained message " +
                             std::to_string(publisher) + "/" + std::to_string(sequence);
    if (!r.allowed.contains(k)) {
        return verdict_->report("MQTT-3.3.1-9", name + ": was not the one retained when it subscribed");
    }
    if (quality != martlet::min(qualities_[k], r.granted)) {
        verdict_->report("MQTT-3.8.4-8", name + ": wrong QoS " + std::to_string(to_number(quality)));
    }
    const unsigned count = ++r.received[k];
    if (quality == qos::exactly_once && count > r.subscriptions) {
        verdict_->report("MQTT-4.3.3-10", name + ": came " + std::to_string(count) + " times for " +
                                              std::to_string(r.subscriptions) + " subscriptions");
    }
}

bool retained_ledger::is_missing(const receiver& r, std::size_t publisher) const {
    const auto expected = r.expected.find(publisher);
    if (expected == r.expected.end() || expected->second.size() != 1 || crashed_at_ >= r.subscribed_at) return false;
    const key k{publisher, *expected->second.begin()};
    if (k.second == 0 || martlet::min(qualities_.at(k), r.granted) == qos::at_most_once) return false;
    // What is replaced before it is sent is not sent: the new one comes as an ordinary message.
    const auto& history = topics_.at(publisher).history;
    if (history.back().at >= r.subscribed_at) return false;
    const auto received = r.received.find(k);
    return received == r.received.end() || received->second == 0;
}

bool retained_ledger::all_here() const {
    return std::none_of(receivers_.begin(), receivers_.end(), [&](const auto& entry) {
        return std::any_of(topics_.begin(), topics_.end(),
                           [&](const auto& t) { return is_missing(entry.second, t.first); });
    });
}

void retained_ledger::check_complete() {
    for (const auto& [number, r] : receivers_) {
        for (const auto& [publisher, of] : topics_) {
            if (!is_missing(r, publisher)) continue;
            verdict_->report("MQTT-3.3.1-9", "subscriber " + std::to_string(number) +
                                                 " did not get the retained message of " + std::to_string(publisher));
        }
    }
}

}  // namespace martlet::simulation
