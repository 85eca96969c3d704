// Retained messages: who subscribes gets of each topic the last one, as it was published, and nothing of a topic whose
// message was deleted. MQTT 5 §3.3.1.3.
#pragma once

#include "simulation/checkers.hpp"

#include <map>
#include <set>
#include <vector>

namespace martlet::simulation {

/// A publisher has one topic of retained messages, so its number names the topic.
class retained_ledger {
public:
    explicit retained_ledger(verdict& to) : verdict_(&to) {}

    /// A PUBLISH with RETAIN reached the broker; `sequence` 0: it deletes.
    void on_published(std::size_t publisher, std::uint64_t sequence, qos quality, sim_time now);
    /// A SUBSCRIBE reached the broker. `if_new`: it asks for retained messages only if the subscription is new, which is
    /// not known here.
    void on_subscribe(std::size_t reader, qos granted, bool if_new, sim_time now);
    void on_crash(sim_time now);
    void session_lost(std::size_t reader);

    /// A subscriber's application got a message with RETAIN.
    void on_received(std::size_t reader, std::size_t publisher, std::uint64_t sequence, qos quality);
    void take_back(std::size_t reader, std::size_t publisher, std::uint64_t sequence) {
        --receivers_[reader].received[{publisher, sequence}];
    }

    [[nodiscard]] bool all_here() const;
    void check_complete();
    [[nodiscard]] std::uint64_t received_count() const noexcept { return received_count_; }

private:
    using key = std::pair<std::size_t, std::uint64_t>;  // publisher, sequence
    struct change {
        std::uint64_t sequence = 0;
        sim_time at = 0;
    };
    struct topic {
        std::vector<change> history;               // what was published
        std::set<std::uint64_t> candidates = {0};  // what may be retained now: more than one only after a crash
    };
    struct receiver {
        qos granted{};
        sim_time subscribed_at = 0;
        unsigned subscriptions = 0;
        std::map<std::size_t, std::set<std::uint64_t>> expected;  // by the last SUBSCRIBE
        std::set<key> allowed;                                    // by any
        std::map<key, unsigned> received;
    };
    [[nodiscard]] bool is_missing(const receiver& r, std::size_t publisher) const;

    verdict* verdict_;
    std::map<std::size_t, topic> topics_;
    std::map<key, qos> qualities_;
    std::map<key, sim_time> first_arrival_;  // of QoS 2, whose repetition is none
    std::set<key> unsure_;                   // of those: a crash may have undone it
    std::map<std::size_t, receiver> receivers_;
    std::uint64_t received_count_ = 0;
    sim_time crashed_at_ = -1;
};

}  // namespace martlet::simulation
