// One message to its receivers. MQTT 5 §3.3.4, §3.3.5, §4.6, §4.8.
//
//   same topic as the publisher's last ── no ──► cache by topic ── miss or stale ──► subscriptions.find()
//   receivers ── QoS 0, same encoding ──► the packet as it came, copied
//             ── QoS 0 otherwise ───────► encoded in place
//             ── QoS 1 and 2 ───────────► one outgoing_message, made once, shared by sessions connected or not
#pragma once

#include "broker/hash_index.hpp"
#include "broker/subscriptions.hpp"
#include "core/runs.hpp"

#include <martlet/core/connection.hpp>
#include <martlet/core/outgoing_message.hpp>
#include <martlet/error.hpp>
#include <martlet/packets.hpp>

#include <boost/container/small_vector.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::broker_impl {

struct broker_state;
struct client_session;
class peer;

/// One copy of a message: to whom, and how.
struct receiver {
    client_session* session = nullptr;
    core::identifiers_ref identifiers;
    martlet::qos qos = martlet::qos::at_most_once;
    match_scope scope = match_scope::all;
    bool retain_as_published = false;
    bool plain = true;  ///< for all publishers, without identifiers
};

/// Who gets messages of one topic. Good as long as `generation` is the subscriptions'; later the pointers dangle.
struct route : boost::intrusive_ref_counter<route, boost::thread_unsafe_counter> {
    bool of_clients = false;  ///< a client has published to it: the topic has been checked
    std::uint64_t generation = 0;
    /// Routes of one generation and the same receivers share a number, which no other generation has; 0: it has none.
    std::uint64_t same = 0;
    std::string topic;
    boost::container::small_vector<receiver, 1> receivers;  // most topics have one: beside the rest, not elsewhere
    std::vector<group_index> groups;
};
using route_ref = boost::intrusive_ptr<route>;

/// Routes of the topics used last, four to a bucket. Bounded by routes and by receivers.
class route_cache {
public:
    explicit route_cache(std::uint64_t seed) : hash_(seed) {}

    /// The route of a topic: a cached one, or one that is to be filled because its generation is not the present one.
    /// Where all of a topic's places are taken, only one miss in eight takes one over, and the others give passing():
    /// more topics than places then cost a walk each, but no churn.
    [[nodiscard]] route_ref get(std::string_view topic);
    /// The route that is in the cache, up to date or not; null if there is none.
    [[nodiscard]] route* find(std::string_view topic) noexcept;
    /// The same in two steps, for many at once, so that their cache misses overlap: where to look, and what is there,
    /// which may be another topic's. find() knows in any case.
    [[nodiscard]] std::uint32_t prefetch(std::string_view topic) const noexcept {
        const std::uint32_t hash = hash_(topic);
        if (!slots_.empty()) __builtin_prefetch(bucket_of(hash));
        return hash;
    }
    [[nodiscard]] const route* peek(std::uint32_t hash) const noexcept {
        if (slots_.empty()) return nullptr;
        const slot* const bucket = bucket_of(hash);
        std::size_t found = 0;  // computed, because a branch for each place could not be predicted
        for (std::size_t way = 1; way != ways; ++way)
            found |= way * static_cast<std::size_t>(bucket[way].hash == hash);
        const route* const r = bucket[found].held.get();
        if (r != nullptr) {  // the topic stands between these
            __builtin_prefetch(&r->generation);
            __builtin_prefetch(&r->receivers);
        }
        return r;
    }
    /// The route that is not in the cache; good until the next get().
    [[nodiscard]] const route* passing() const noexcept { return passing_.get(); }
    /// `r` was filled: `count` receivers more, or less, than before.
    void on_filled(std::size_t before, std::size_t after);
    /// Forgets all routes; those that somebody holds stay good.
    void clear() noexcept {
        slots_.clear();
        slots_.shrink_to_fit();
        receivers_ = evictions_ = 0;
    }

    static constexpr std::size_t receivers_max = 1'000'000;

private:
    static constexpr std::size_t ways = 4;
    static constexpr std::size_t slots_max = 65'536;
    struct slot {
        route_ref held;
        std::uint32_t hash = 0;
    };
    void grow();
    [[nodiscard]] const slot* bucket_of(std::uint32_t hash) const noexcept {
        return &slots_[(hash & (slots_.size() / ways - 1)) * ways];
    }

    string_hash hash_;
    route_ref passing_;
    std::vector<slot> slots_;
    std::size_t receivers_ = 0;
    std::size_t evictions_ = 0;
    std::uint32_t turn_ = 0;
};

class router {
public:
    explicit router(broker_state& state, std::uint64_t seed) : state_(&state), cache_(seed) {}

    /// A PUBLISH of a peer, with its bytes: to the retained messages and to all receivers. What its acknowledgement is
    /// to say: success, no_matching_subscribers, or not_authorized, and then nothing was done.
    reason_code publish(peer& from, const packets::publish& message, std::string_view packet);

    /// For runs: the route of a topic that was published to before, if it is at hand, or else any valid topic's.
    [[nodiscard]] const route* known_route(peer& from, std::string_view topic) noexcept;
    [[nodiscard]] const route* route_of(peer& from, std::string_view topic) { return find_route(from, topic); }
    /// How many of the messages, up to the first that has not, have the receivers of `r`, to which `from` may publish.
    [[nodiscard]] std::size_t count_same_way(const peer& from, const route& r,
                                             std::span<const core::plain_packet> messages) noexcept;
    static constexpr std::size_t same_way_max = 16;  ///< so many messages at a time
    /// A run at QoS 0. `cutter` cuts it, where a receiver is to get its messages one by one.
    void publish(peer& from, const core::plain_run& run, const core::plain_cutter& cutter, const route& r);
    /// One plain message at QoS 1 or 2; `packet` is all of it. False: for want of memory a receiver did not get it.
    [[nodiscard]] bool publish(peer& from, const core::plain_packet& message, std::string_view packet, martlet::qos qos,
                               const route& r);
    /// After a run.
    void let_catch_up(const route& r, peer& from);

    /// A message of the broker itself, or a will. `from`: whose subscriptions with No Local are left out; null: none.
    void publish(const core::message_ref& message, const client_session* from);

    /// Messages dropped for one receiver, by reason.
    struct counters {
        std::uint64_t deliveries = 0;        ///< handed to a connection or a session
        std::uint64_t dropped_full = 0;      ///< QoS 0: the connection's output is at its bound
        std::uint64_t dropped_queue = 0;     ///< QoS 1 and 2: the session's queue is at its bound
        std::uint64_t dropped_other = 0;     ///< too large for the client, expired
        std::uint64_t retained_refused = 0;  ///< the retained messages are at their bound
        std::uint64_t dropped_memory = 0;    ///< refused as a whole: memory_max
        std::uint64_t delivered_bytes = 0;   ///< payloads of `deliveries`

        void count_delivery(std::size_t payload_size, std::size_t count = 1) noexcept {
            deliveries += count;
            delivered_bytes += payload_size;
        }
    };
    [[nodiscard]] const counters& count() const noexcept { return counters_; }
    /// Gives back the memory of routes that nobody uses at the moment.
    void forget_routes() noexcept {
        cache_.clear();
        numbered_ = {};
    }

private:
    struct publication;
    [[nodiscard]] route* find_route(peer& from, std::string_view topic);
    void fill(route& r);
    void retain(publication& what);
    bool route_to(publication& what, const route& r);
    bool route_to_groups(publication& what, const route& r);
    bool deliver(publication& what, const receiver& to);
    void pass_on(publication& what, const receiver& to, std::string_view packet);
    bool deliver_without_memory(publication& what, const receiver& to);
    bool hand_over(publication& what, const receiver& to);
    bool is_full(peer& to, peer* from);
    void number(route& r);

    broker_state* state_;
    route_cache cache_;
    route_ref own_route_;
    std::array<route_ref, 64> numbered_;  // by a hash of their receivers: one route of each number
    std::uint64_t last_number_ = 0;
    match_result found_;
    std::vector<const receiver*> others_;  // of a run: who cannot get it as it is
    counters counters_;
};

}  // namespace martlet::broker_impl
