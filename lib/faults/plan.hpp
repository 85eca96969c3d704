// What the connections of a broker or a proxy have in common: the rules, how often each has acted, the seed. No I/O.
#pragma once

#include "faults/rule.hpp"

#include <martlet/faults.hpp>
#include <martlet/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace martlet::faults_impl {

/// Small and good enough for dice; each connection has one of its own, so that its decisions do not depend on the others'.
class dice {
public:
    explicit dice(std::uint64_t seed) noexcept : state_(seed) {}
    /// Any 64 bits.
    std::uint64_t next() noexcept;
    /// True with this chance, 0 to 1.
    bool falls(double chance) noexcept;
    /// From low to high, both included.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept;

private:
    std::uint64_t state_;
};

/// Who has to look again when rules come or go.
class rule_watcher {
public:
    /// Not from inside of the watcher's own calls: look later.
    virtual void on_rules_changed() = 0;

protected:
    ~rule_watcher() = default;
};

struct live_rule {
    faults_impl::rule rule;
    std::uint64_t hits = 0;
    std::uint64_t swept = 0;                ///< numbers of a sweep that are used up
    std::optional<steady_time> since = {};  ///< it was first looked at, or armed
    bool removed = false;
    bool armed = false;

    /// False: it does not act on anybody, for now or for ever.
    [[nodiscard]] bool acts(steady_time now) const noexcept {
        return !removed && (!rule.armed_by || armed) && (!rule.times || hits < *rule.times) &&
               (!rule.lasts || !since || now - *since < *rule.lasts);
    }
};

class plan {
public:
    explicit plan(std::uint64_t seed) noexcept : seed_(seed) {}

    // -- of the user

    [[nodiscard]] std::size_t add(rule made);
    void remove(std::size_t number) noexcept;
    void clear() noexcept;

    // -- of connections

    /// The number of a new one.
    [[nodiscard]] std::uint64_t open() noexcept { return ++connections_; }
    [[nodiscard]] dice dice_of(std::uint64_t connection) const noexcept;
    [[nodiscard]] std::deque<live_rule>& rules() noexcept { return rules_; }
    [[nodiscard]] bool needs_packets() const noexcept;
    void watch(rule_watcher& who) { watchers_.push_back(&who); }
    void unwatch(rule_watcher& who) noexcept { std::erase(watchers_, &who); }
    void hit(live_rule& which, const fault_event& what);

    // -- queries

    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    [[nodiscard]] std::uint64_t connections() const noexcept { return connections_; }
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

    std::function<void(const fault_event&)> told;

private:
    void tell_watchers();

    std::uint64_t seed_;
    std::deque<live_rule> rules_;  // by number; a rule that is removed stays for its count
    std::vector<rule_watcher*> watchers_;
    std::uint64_t connections_ = 0;
    std::uint64_t total_ = 0;
};

}  // namespace martlet::faults_impl
