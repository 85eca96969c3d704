// Wills: published once when a connection ends without DISCONNECT, after their delay unless the client is back before,
// never after DISCONNECT with reason 0. MQTT 5 §3.1.2.5, §3.1.3.2.2.
#pragma once

#include "simulation/checkers.hpp"

#include <map>
#include <optional>
#include <set>

namespace martlet::simulation {

class will_ledger {
public:
    explicit will_ledger(verdict& to) : verdict_(&to) {}

    /// What the CONNECT packets of a publisher say, all of them.
    void set_will(std::size_t publisher, qos quality, sim_time delay) { senders_[publisher] = {quality, delay}; }
    [[nodiscard]] bool has_will(std::size_t publisher) const { return senders_.contains(publisher); }

    // -- at the broker

    /// CONNECT came; the end of an earlier connection was told before.
    void on_connect(std::size_t publisher, sim_time now);
    /// CONNACK left: the will has to be published one day.
    void on_accepted(std::size_t publisher);
    /// DISCONNECT with reason 0 came.
    void on_disconnect(std::size_t publisher, sim_time now);
    void on_end(std::size_t publisher, sim_time now);
    void on_crash(sim_time now);
    void on_restart(sim_time now);
    /// Delays that are over by `now` are over.
    void advance(sim_time now);

    // -- at a subscriber

    void subscribed(std::size_t reader, qos granted);
    void session_lost(std::size_t reader);
    void on_received(std::size_t reader, std::size_t publisher, qos quality, qos granted);
    /// Its application forgets one: it crashed before the acknowledgement was stored.
    void take_back(std::size_t reader, std::size_t publisher) { --receivers_[reader].received[publisher]; }

    [[nodiscard]] bool all_here() const;
    void check_complete();
    [[nodiscard]] std::uint64_t received_count() const noexcept { return received_count_; }

private:
    struct sender {
        qos quality{};
        sim_time delay = 0;
        bool is_armed = false;     // a connection with the will, which may have to be published
        bool is_accepted = false;  // and must
        std::optional<sim_time> due{};
        bool must = false;  // what is due
        sim_time disarmed = -commit_time;
        int may_come = 0;  // published so far, at most
        static constexpr sim_time commit_time = 20'000;
    };
    struct receiver {
        bool active = false;
        qos granted{};
        std::map<std::size_t, int> owed;
        std::map<std::size_t, int> received;
    };
    void publish(std::size_t publisher, sender& from, bool must);
    [[nodiscard]] bool is_missing(const receiver& r, std::size_t publisher) const;

    verdict* verdict_;
    std::map<std::size_t, sender> senders_;
    std::map<std::size_t, receiver> receivers_;
    std::uint64_t received_count_ = 0;
    bool crashed_ = false;
};

}  // namespace martlet::simulation
