// Every allocation that the broker makes while it serves a script of all that clients do fails once, and once with the
// two that follow it. At worst one connection is dropped; what was acknowledged is delivered; nothing leaks.
#include "broker/broker_engine.hpp"
#include "support/failing_memory.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <deque>
#include <future>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::broker_impl;
using namespace std::chrono_literals;

namespace {

class client;

/// An engine whose calls are watched, with everything written and committed at once.
class world {
public:
    world(test::failing_memory& memory, bool durable)
        : memory_(memory), engine_({.allow_anonymous_remote = true, .sys_interval = 10s}, 7, now_, durable) {}

    [[nodiscard]] std::optional<peer_id> open(client& owner) {
        try {
            return memory_.watch([&] { return engine_.peer_opened({"192.0.2.1:4711", false}, &owner, now_); });
        } catch (const std::bad_alloc&) {  // the shell closes the socket
            return std::nullopt;
        }
    }
    void receive(peer_id id, std::string_view bytes) {
        memory_.watch([&] { engine_.receive(id, bytes, now_); });
        settle();
    }
    void close(peer_id id) {
        memory_.watch([&] { engine_.on_closed(id, now_); });
        settle();
    }
    void pass(std::chrono::milliseconds time) {
        const steady_time end = now_.steady + time;
        while (engine_.next_deadline() <= end) {
            move_to(std::max(engine_.next_deadline(), now_.steady));
            memory_.watch([&] { engine_.on_deadline(now_); });
            settle();
        }
        move_to(end);
    }
    void settle();
    [[nodiscard]] broker_counters count() const { return engine_.count(); }

private:
    void move_to(steady_time at) {
        now_.wall += std::chrono::duration_cast<std::chrono::milliseconds>(at - now_.steady);
        now_.steady = at;
    }

    test::failing_memory& memory_;
    instant now_{steady_time(1h), unix_time(1'000'000s)};
    broker_engine engine_;
};

/// A client that answers what it gets.
class client {
public:
    client(world& in, const char* called, protocol_version version) : name(called), world_(in), version_(version) {
        id_ = world_.open(*this);
        if (!id_) was_dropped = true;
    }
    client(const client&) = delete;
    client& operator=(const client&) = delete;
    ~client() { leave(); }

    void connect(bool clean, std::uint32_t expiry, const will* last = nullptr) {
        packets::connect c;
        c.version = version_;
        c.client_id = name;
        c.clean_start = clean;
        c.keep_alive = 600;
        if (version_ == protocol_version::v5) c.properties.session_expiry_interval = expiry;
        if (last != nullptr) c.will = *last;
        send(c);
    }
    void subscribe(std::vector<subscription_request> filters, std::optional<std::uint32_t> identifier = {}) {
        packets::subscribe s{packet_id{++last_id_}, std::move(filters), {}};
        if (version_ == protocol_version::v5) s.properties.subscription_identifier = identifier;
        send(s);
    }
    void publish(std::string_view topic, std::string_view payload, qos q, bool retain = false) {
        packets::publish p;
        p.topic = topic;
        p.payload = payload;
        p.qos = q;
        p.retain = retain;
        if (q != qos::at_most_once) {
            p.id = packet_id{++last_id_};
            unacknowledged_[last_id_] = std::string(payload);
        }
        send(p);
    }
    void send(const packet& p) {
        if (!id_) return;
        std::string bytes(core::encoded_size(p, version_), '\0');
        core::encode(p, version_, bytes.data());
        world_.receive(*id_, bytes);
        answer();
    }
    /// The connection breaks.
    void leave() {
        if (id_) world_.close(*std::exchange(id_, std::nullopt));
    }
    void disconnect() {
        send(packets::disconnect{});
        was_dropped = false;
    }

    // -- of the world
    void take(core::output& out) {
        std::string_view views[8];
        while (!out.empty()) {
            const std::size_t count = out.gather(views);
            std::size_t size = 0;
            for (std::size_t i = 0; i < count; ++i) {
                input_ += views[i];
                size += views[i].size();
            }
            out.consume(size);
        }
    }
    [[nodiscard]] std::optional<peer_id> closed() {
        was_dropped = true;
        return std::exchange(id_, std::nullopt);
    }
    /// Reads what has come, and acknowledges it. True if there was something.
    bool answer();

    const std::string name;
    bool was_dropped = false;
    std::vector<std::string> got;        ///< payloads
    std::set<std::string> acknowledged;  ///< payloads

private:
    world& world_;
    protocol_version version_;
    std::optional<peer_id> id_;
    std::string input_;
    std::uint16_t last_id_ = 0;
    std::map<std::uint16_t, std::string> unacknowledged_;
};

void world::settle() {
    for (;;) {
        std::vector<peer_id> closing;
        if (engine_.has_changes()) {
            core::change_batch batch = engine_.take_changes();
            const std::uint64_t number = batch.number;
            batch = {};
            memory_.watch([&] { engine_.on_committed(number, now_); });
        }
        if (!engine_.has_work()) return;
        memory_.watch([&] {
            engine_.flush(
                [&](const flush_item& item) {
                    memory_.pause([&] {
                        auto& of = *static_cast<client*>(item.owner);
                        of.take(item.out);
                        if (!item.closing) return;
                        if (const auto id = of.closed()) closing.push_back(*id);
                    });
                },
                now_);
        });
        for (const peer_id id : closing)
            memory_.watch([&] { engine_.on_closed(id, now_); });
    }
}

bool client::answer() {
    bool any = false;
    core::frame in;
    fault why;
    std::size_t hint = 0;
    while (core::cut_frame(input_, version_, 1 << 20, in, why, hint) == core::frame_status::complete) {
        any = true;
        packet p;
        REQUIRE(!core::decode(in, version_, role::client, p));
        std::vector<packet> replies;
        if (const auto* const m = std::get_if<packets::publish>(&p)) {
            got.emplace_back(m->payload);
            if (m->qos == qos::at_least_once) replies.emplace_back(packets::puback{m->id, {}, {}});
            if (m->qos == qos::exactly_once) replies.emplace_back(packets::pubrec{m->id, {}, {}});
        } else if (const auto* const ack = std::get_if<packets::puback>(&p)) {
            if (!is_failure(ack->reason)) acknowledged.insert(unacknowledged_[to_number(ack->id)]);
        } else if (const auto* const rec = std::get_if<packets::pubrec>(&p)) {
            if (!is_failure(rec->reason)) {
                acknowledged.insert(unacknowledged_[to_number(rec->id)]);
                replies.emplace_back(packets::pubrel{rec->id, {}, {}});
            }
        } else if (const auto* const rel = std::get_if<packets::pubrel>(&p)) {
            replies.emplace_back(packets::pubcomp{rel->id, {}, {}});
        }
        input_.erase(0, in.packet.size());
        for (const packet& reply : replies)
            send(reply);
    }
    return any;
}

struct outcome {
    std::uint64_t allocations = 0;
    bool failed = false;
    unsigned dropped = 0;  ///< clients whose connection was closed on them, a bit each
    std::int64_t leaked = 0;
    std::string trouble;  ///< what must not be
};

/// The script. Payloads are told apart, so that losses and repetitions are seen.
outcome perform(bool durable, std::uint64_t first, std::uint64_t count) {
    outcome out;
    test::failing_memory memory(first, count);
    {
        const std::string long_text(300, 'x');
        world w(memory, durable);
        std::deque<client> clients;
        const auto add = [&](const char* name, protocol_version version) -> client& {
            return clients.emplace_back(w, name, version);
        };
        // Everybody hears what the others' packets have brought.
        const auto everybody = [&] {
            for (bool again = true; again;) {
                again = false;
                for (client& c : clients)
                    again |= c.answer();
            }
        };
        constexpr auto v3 = protocol_version::v3_1_1;
        constexpr auto v5 = protocol_version::v5;

        client& watcher = add("watcher", v5);
        watcher.connect(true, 3600);
        watcher.subscribe({{.filter = "house/#", .qos = qos::exactly_once}}, 17);
        client& sender = add("sender", v3);
        sender.connect(true, 0);

        client& busy = add("busy", v5);
        const will last{.topic = "wills/busy", .payload = "gone", .qos = qos::at_least_once, .retain = true};
        busy.connect(false, 3600, &last);
        busy.subscribe({{.filter = "a/+/a-level-that-is-longer-than-fourteen-bytes/#", .qos = qos::at_least_once},
                        {.filter = "exact/topic", .qos = qos::exactly_once},
                        {.filter = "$share/workers/jobs/+", .qos = qos::at_least_once},
                        {.filter = "wills/+", .qos = qos::exactly_once}},
                       5);
        client& worker = add("worker", v3);
        worker.connect(false, 0);
        worker.subscribe({{.filter = "$share/workers/jobs/+", .qos = qos::exactly_once},
                          {.filter = "a/#", .qos = qos::exactly_once},
                          {.filter = "wills/#", .qos = qos::at_least_once}});

        int number = 0;
        const auto house = [&] {
            for (const qos q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
                sender.publish("house/" + std::to_string(number % 3), "h" + std::to_string(number) + long_text, q);
                ++number;
            }
            everybody();
        };
        house();
        for (int i = 0; i < 6; ++i) {
            busy.publish("jobs/" + std::to_string(i), "job", static_cast<qos>(i % 3));
            worker.publish("a/1/a-level-that-is-longer-than-fourteen-bytes/x", "deep", static_cast<qos>(i % 3));
            everybody();
        }
        busy.publish("a/kept", "retained", qos::at_least_once, true);
        busy.publish("exact/topic", std::string(5000, 'y'), qos::exactly_once, true);
        everybody();
        client& late = add("late", v5);
        late.connect(true, 0);
        late.subscribe({{.filter = "a/+", .qos = qos::at_least_once}, {.filter = "exact/#", .qos = qos::exactly_once}});
        everybody();
        house();
        worker.leave();
        for (int i = 0; i < 4; ++i)
            busy.publish("a/queued", "q" + std::to_string(i), qos::exactly_once);
        everybody();
        client& again = add("worker", v3);
        again.connect(false, 0);
        everybody();
        client& taker = add("busy", v5);  // a take-over
        taker.connect(false, 60);
        everybody();
        house();
        late.send(packets::unsubscribe{packet_id{900}, {"a/+", "nothing"}, {}});
        w.pass(11s);  // $SYS
        taker.leave();
        w.pass(120s);  // its session expires
        late.publish("a/kept", "", qos::at_most_once, true);
        late.disconnect();
        house();

        for (std::size_t i = 0; i < clients.size(); ++i)
            out.dropped |= clients[i].was_dropped ? 1U << i : 0U;
        if (!watcher.was_dropped && !sender.was_dropped) {
            for (const std::string& payload : sender.acknowledged) {
                if (std::count(watcher.got.begin(), watcher.got.end(), payload) == 0) out.trouble = "lost " + payload;
            }
        }
        for (const std::string& payload : watcher.got) {
            if (std::count(watcher.got.begin(), watcher.got.end(), payload) > 1) out.trouble = "twice " + payload;
        }

        // The broker is as good as before.
        out.failed = memory.has_failed();
        out.allocations = memory.count();
        memory.stop();
        if (first == 0 || out.failed) {
            client& one = add("one", v5);
            one.connect(true, 0);
            one.subscribe({{.filter = "after/+", .qos = qos::exactly_once}});
            client& other = add("other", v3);
            other.connect(true, 0);
            for (int i = 0; i < 6; ++i)
                other.publish("after/" + std::to_string(i % 2), "p" + std::to_string(i), static_cast<qos>(i % 3));
            everybody();
            if (one.got != std::vector<std::string>{"p0", "p1", "p2", "p3", "p4", "p5"})
                out.trouble = "not served after";
            if (other.acknowledged.size() != 4) out.trouble = "not acknowledged after";
        }
        for (const char* const name : {"watcher", "sender", "busy", "worker", "late", "one", "other"}) {
            client wipe(w, name, v3);
            wipe.connect(true, 0);
            wipe.disconnect();
        }
        clients.clear();
        const broker_counters left = w.count();
        if (left.connections != 0) out.trouble = "connections are left";
        if (left.sessions != 0) out.trouble = std::to_string(left.sessions) + " sessions are left";
        if (left.subscriptions != 0) out.trouble = "subscriptions are left";
    }
    return out;
}

// In a thread of its own: what the library keeps by thread for later is no leak, and goes with it.
outcome play(bool durable, std::uint64_t first, std::uint64_t count) {
    const std::int64_t living = test::living_allocations();
    outcome out = std::async(std::launch::async, perform, durable, first, count).get();
    out.leaked = test::living_allocations() - living;
    return out;
}

void fail_each(bool durable, std::uint64_t count) {
    const outcome usual = play(durable, 0, 0);
    REQUIRE_MESSAGE(usual.trouble.empty(), usual.trouble);
    REQUIRE(usual.allocations > 500);
    std::uint64_t failures = 0;
    std::uint64_t losses = 0;
    for (std::uint64_t k = 1;; ++k) {
        CAPTURE(k);
        const outcome now = play(durable, k, count);
        if (!now.failed) {
            CHECK(k > usual.allocations);
            break;
        }
        ++failures;
        REQUIRE_MESSAGE(now.trouble.empty(), now.trouble);
        const auto more = static_cast<std::uint64_t>(std::popcount(now.dropped & ~usual.dropped));
        losses += more;
        REQUIRE(more <= count);
        REQUIRE(now.leaked == 0);
    }
    MESSAGE("allocations that failed: ", failures, ", connections lost: ", losses);
}

}  // namespace

TEST_CASE("out of memory: any one allocation costs at most one connection, and nothing acknowledged") {
    fail_each(false, 1);
}

TEST_CASE("out of memory: the same with a store") { fail_each(true, 1); }

TEST_CASE("out of memory: three in a row") { fail_each(true, 3); }
