// What must hold, seen from outside: the checkers know the specification, the bytes on the links and what the
// applications did, nothing of how the engines work.
#pragma once

#include "simulation/network.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/core/read_buffer.hpp>
#include <martlet/packets.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace martlet::simulation {

/// Publisher and number of a message, which is all that its payload says.
[[nodiscard]] std::optional<std::pair<std::size_t, std::uint64_t>> parse_payload(std::string_view payload);

/// A broken promise: which rule, and what happened.
struct violation {
    std::string rule;
    std::string text;
};

/// Collects violations; the first is what counts.
class verdict {
public:
    void report(std::string rule, std::string text) {
        if (violations_.size() < 20) violations_.push_back({std::move(rule), std::move(text)});
    }
    [[nodiscard]] bool ok() const noexcept { return violations_.empty(); }
    [[nodiscard]] const std::vector<violation>& all() const noexcept { return violations_; }

private:
    std::vector<violation> violations_;
};

/// One sender of QoS 1 and 2 messages within one session, as its packets show it: ids in use, DUP, windows, order of the
/// exchange. MQTT 5 §2.2.1, §4.3, §4.4, §4.9.
class sender_watch {
public:
    sender_watch(std::string name, verdict& to) : name_(std::move(name)), verdict_(&to) {}

    /// A new connection of the session; `session_present` as the two ends agreed.
    void on_connection(bool session_present, std::uint16_t receive_maximum);
    /// The sender came back with what its store had: it may send again what it sent before, marked or not.
    void on_restart() noexcept { restarted_ = true; }

    void on_sent(const packet& p);
    /// An acknowledgement reached the sender.
    void on_acknowledged(const packet& p);

private:
    struct exchange {
        std::string payload;
        qos quality{};
        bool released = false;
        std::uint64_t connection = 0;  // on which PUBLISH or PUBREL was sent last
    };
    void fault(const char* rule, packet_id id, const char* what);

    std::string name_;
    verdict* verdict_;
    std::map<packet_id, exchange> open_;
    std::set<packet_id> here_;  // sent on this connection, counting against the window
    std::uint16_t receive_maximum_ = 65'535;
    std::uint64_t connection_ = 0;
    bool restarted_ = false;
};

/// Cuts and decodes the packets of one direction of a link and hands them on.
class packet_tap {
public:
    using handler = std::function<void(const packet&, std::size_t size)>;

    packet_tap(role receiver, handler to) : receiver_(receiver), to_(std::move(to)) {}
    void set_version(protocol_version version) noexcept { version_ = version; }
    void feed(std::string_view bytes);
    [[nodiscard]] bool broken() const noexcept { return broken_; }

private:
    core::read_buffer buffer_;
    role receiver_;
    protocol_version version_ = protocol_version::v5;
    handler to_;
    packet packet_;
    bool broken_ = false;
};

/// Which messages went in and which came out where.
class delivery_ledger {
public:
    explicit delivery_ledger(verdict& to) : verdict_(&to) {}

    /// A publisher accepted a message for sending. `retain`: to its topic of retained messages.
    void on_submitted(std::size_t publisher, std::uint64_t sequence, qos quality, bool retain);
    /// The operation completed: from now on it must arrive, whatever crashes (QoS 1 and 2).
    void on_completed(std::size_t publisher, std::uint64_t sequence);
    /// It may be lost, but not arrive twice: its publisher crashed before it was stored.
    void excuse(std::size_t publisher, std::uint64_t sequence);
    /// A subscriber's application got a message. `granted`: of its subscription.
    void on_received(std::size_t subscriber, std::size_t publisher, std::uint64_t sequence, qos quality, qos granted);
    /// The subscriber's application forgets it: it crashed before the acknowledgement was stored.
    void take_back(std::size_t subscriber, std::size_t publisher, std::uint64_t sequence);
    /// From this message on the subscriber is owed what is published.
    void subscribed(std::size_t subscriber, qos granted);
    /// A subscriber's session was lost, and with it what was under way. What is published after it has subscribed again
    /// is owed again.
    /// If it could not see that (`unseen`), ids of the lost session may hide QoS 2 messages of the new one: MQTT has no
    /// means against it.
    void session_lost(std::size_t subscriber, bool unseen);
    /// True from a SUBACK on until the session is lost.
    [[nodiscard]] bool is_subscribed(std::size_t subscriber) const;
    void on_broker_crash() noexcept { broker_crashed_ = true; }

    /// At the end, when nothing moves any more.
    void check_complete();
    [[nodiscard]] std::size_t submitted() const noexcept { return submitted_.size(); }
    [[nodiscard]] std::uint64_t received_count() const noexcept { return received_count_; }
    /// True if every message that is owed has come.
    [[nodiscard]] bool all_here() const;

private:
    using key = std::pair<std::size_t, std::uint64_t>;  // publisher, sequence
    struct message {
        qos quality{};
        bool retain = false;
        bool excused = false;
    };
    struct receipt {
        unsigned count = 0;
    };
    struct reader {
        bool active = false;
        bool may_hide = false;
        qos granted{};
        std::set<key> owed_from;
        std::map<key, receipt> received;
        std::map<std::tuple<std::size_t, bool, qos>, std::uint64_t> last;  // by topic and QoS; first arrivals only
    };
    [[nodiscard]] bool is_missing(const reader& r, const key& k, const message& m) const;

    verdict* verdict_;
    std::map<key, message> submitted_;
    std::map<std::size_t, reader> readers_;
    std::uint64_t received_count_ = 0;
    bool broker_crashed_ = false;
};

}  // namespace martlet::simulation
