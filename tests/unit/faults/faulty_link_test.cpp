// The engine on a virtual clock: both ends are strings.
#include "faults/faulty_link.hpp"

#include "support/bytes.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet;
using namespace martlet::faults_impl;
using namespace std::chrono_literals;

namespace {

template <class Packet>
std::string encoded(const Packet& what, protocol_version version = protocol_version::v5) {
    const packet p = what;
    std::string bytes(core::encoded_size(p, version), '\0');
    core::encode(p, version, bytes.data());
    return bytes;
}

std::string connect(std::string_view id = "c", protocol_version version = protocol_version::v5,
                    bool clean_start = false) {
    packets::connect p;
    p.version = version;
    p.client_id = id;
    p.user_name = "joe";
    p.clean_start = clean_start;
    return encoded(p, version);
}

std::string publish(int number, qos level = qos::at_least_once, std::string_view topic = "t") {
    packets::publish p;
    p.topic = topic;
    p.payload = "payload";
    p.qos = level;
    if (level != qos::at_most_once) p.id = static_cast<packet_id>(number);
    return encoded(p);
}

std::string puback(int number, reason_code reason = reason_code::success) {
    packets::puback p;
    p.id = static_cast<packet_id>(number);
    p.reason = reason;
    return encoded(p);
}

/// A link, its rules, a clock, and what has arrived at the ends.
class world {
public:
    explicit world(const std::vector<std::string>& rules, std::uint64_t seed = 1, bool by_packets = true)
        : rules_(seed) {
        for (const std::string& one : rules)
            rules_.add(one).value();
        rules_.on_fault([this](const fault_event& e) {
            told += std::string(e.what) + (e.inbound ? " in: " : " out: ") + std::string(e.rule) + "\n";
        });
        by_packets_ = by_packets;
        reopen();
    }

    void reopen() {
        link = std::make_unique<faulty_link>(rules_.plan(), link_info{"127.0.0.1:4711", "mqtt://127.0.0.1"},
                                             by_packets_, now);
        to_broker.clear();
        to_client.clear();
        writes = 0;
    }

    void send(std::string_view bytes) {
        link->receive(flow::in, bytes, now);
        collect();
    }
    void answer(std::string_view bytes) {
        link->receive(flow::out, bytes, now);
        collect();
    }
    /// Everything that the deadlines up to then bring about.
    void pass(duration time) {
        const steady_time end = now + time;
        while (link->next_deadline() <= end) {
            now = std::max(now, link->next_deadline());
            link->on_deadline(now);
            collect();
        }
        now = end;
        link->on_deadline(now);
        collect();
    }
    void collect() {
        for (const flow f : {flow::in, flow::out}) {
            for (std::string_view due = link->due(f); !due.empty(); due = link->due(f)) {
                (f == flow::in ? to_broker : to_client).append(due);
                ++writes;
                last_write = due.size();
                link->consume(f, due.size());
            }
        }
    }

    steady_time now{1s};
    std::unique_ptr<faulty_link> link;
    std::string to_broker;
    std::string to_client;
    std::string told;
    int writes = 0;
    std::size_t last_write = 0;

    [[nodiscard]] martlet::faults& rules() noexcept { return rules_; }

private:
    martlet::faults rules_;
    bool by_packets_ = true;
};

}  // namespace

TEST_CASE("without rules everything passes as it is, in whatever pieces it comes") {
    world w({});
    const std::string all = connect() + publish(1) + publish(2);
    for (const char byte : all)
        w.send({&byte, 1});
    CHECK(w.to_broker == all);
    w.link->finish(flow::in, w.now);
    CHECK(w.link->is_over(flow::in));
    CHECK_FALSE(w.link->is_over(flow::out));
    CHECK(w.told.empty());
}

TEST_CASE("drop: the n-th, each n-th, those after; counted by what the rule looks at") {
    world w({"drop puback n=2", "drop publish every=3", "drop pingreq after=1"});
    w.send(connect() + publish(1) + publish(2) + publish(3) + publish(4));
    CHECK(w.to_broker == connect() + publish(1) + publish(2) + publish(4));
    w.answer(puback(1) + puback(2) + puback(3));
    CHECK(w.to_client == puback(1) + puback(3));
    w.to_broker.clear();
    const std::string ping = encoded(packets::pingreq{});
    w.send(ping + ping + ping);
    CHECK(w.to_broker == ping);
    CHECK(w.rules().total() == 4);
    CHECK(w.rules().counts()[2].times == 2);
    CHECK(w.told.find("PUBACK out: drop puback n=2\n") != std::string::npos);
}

TEST_CASE("rules that count see every packet, also those that an earlier rule takes") {
    world w({"drop puback n=1", "drop puback n=2"});
    w.answer(puback(1) + puback(2) + puback(3));
    CHECK(w.to_client == puback(3));
}

TEST_CASE("chance: the same seed drops the same packets") {
    const auto passed = [](std::uint64_t seed) {
        world w({"drop publish 30%"}, seed);
        for (int i = 1; i <= 200; ++i)
            w.send(publish(i));
        return w.to_broker;
    };
    CHECK(passed(1) == passed(1));
    CHECK(passed(1) != passed(2));
    const std::size_t count = passed(1).size() / publish(1).size();
    CHECK(count > 110);
    CHECK(count < 170);
}

TEST_CASE("dup: the copy of QoS 1 has DUP, that of QoS 0 has not") {
    world w({"dup in>publish"});
    w.send(connect() + publish(1));
    std::string again = publish(1);
    again[0] = static_cast<char>(again[0] | 0x08);
    CHECK(w.to_broker == connect() + publish(1) + again);
    w.to_broker.clear();
    w.send(publish(0, qos::at_most_once));
    CHECK(w.to_broker == publish(0, qos::at_most_once) + publish(0, qos::at_most_once));
}

TEST_CASE("delay: the packet and all behind it, in order") {
    world w({"delay 50ms publish n=1"});
    w.send(publish(1) + publish(2));
    CHECK(w.to_broker.empty());
    CHECK(w.link->next_deadline() == w.now + 50ms);
    w.pass(49ms);
    CHECK(w.to_broker.empty());
    w.pass(1ms);
    CHECK(w.to_broker == publish(1) + publish(2));
}

TEST_CASE("delay with a spread stays within it") {
    world w({"delay 50ms±20ms publish"});
    bool differs = false;
    for (int i = 1; i <= 40; ++i) {
        w.send(publish(i));
        const auto wait = w.link->next_deadline() - w.now;
        CHECK(wait >= 30ms);
        CHECK(wait <= 70ms);
        differs = differs || wait != duration(50ms);
        w.pass(100ms);
    }
    CHECK(differs);
}

TEST_CASE("reorder: so many overtake it, or a second passes") {
    world w({"reorder 2 publish n=1"});
    w.send(publish(1) + publish(2));
    CHECK(w.to_broker == publish(2));
    w.send(publish(3));
    CHECK(w.to_broker == publish(2) + publish(3) + publish(1));

    world alone({"reorder 2 publish n=1"});
    alone.send(publish(1));
    alone.pass(999ms);
    CHECK(alone.to_broker.empty());
    alone.pass(1ms);
    CHECK(alone.to_broker == publish(1));
}

TEST_CASE("corrupt, truncate: a bit, a tail") {
    world w({"corrupt byte=3 publish n=1", "truncate 4 publish n=2"});
    w.send(publish(1));
    CHECK(w.to_broker.size() == publish(1).size());
    int bits = 0;
    for (std::size_t i = 0; i < w.to_broker.size(); ++i) {
        const unsigned differs = static_cast<unsigned char>(w.to_broker[i]) ^ static_cast<unsigned char>(publish(1)[i]);
        if (differs != 0) CHECK(i == 3);
        bits += __builtin_popcount(differs);
    }
    CHECK(bits == 1);
    w.to_broker.clear();
    w.send(publish(2));
    CHECK(w.to_broker == publish(2).substr(0, 4));
}

TEST_CASE("split: writes of so many bytes; coalesce: one write for all") {
    world w({"split 3 out>any"});
    w.answer(puback(1) + puback(2));
    CHECK(w.to_client == puback(1) + puback(2));
    CHECK(w.writes == 3);
    world joined({"coalesce 10ms out>any"});
    joined.answer(puback(1));
    joined.pass(4ms);
    joined.answer(puback(2));
    CHECK(joined.to_client.empty());
    joined.pass(6ms);
    CHECK(joined.to_client == puback(1) + puback(2));
    CHECK(joined.writes == 1);
}

TEST_CASE("throttle: no faster than that") {
    world w({"throttle 1kB/s in>any"}, 1, false);
    w.send(std::string(1000, 'x'));
    CHECK(w.to_broker.size() == 20);
    w.pass(500ms);
    CHECK(w.to_broker.size() >= 500);
    CHECK(w.to_broker.size() <= 520);
    w.pass(500ms);
    CHECK(w.to_broker.size() == 1000);
}

TEST_CASE("stall: the direction stands still, then goes on; the other one moves") {
    world w({"stall 5s in>publish n=1"});
    w.send(connect() + publish(1) + publish(2));
    CHECK(w.to_broker.empty());  // what was before it in the same turn had not been written
    w.answer(puback(1));
    CHECK(w.to_client == puback(1));
    w.pass(4'999ms);
    CHECK(w.to_broker.empty());
    w.pass(1ms);
    CHECK(w.to_broker == connect() + publish(1) + publish(2));
}

TEST_CASE("a stalled direction is full at its bound") {
    world w({"stall 5s in>any"}, 1, false);
    while (!w.link->is_full(flow::in))
        w.send(std::string(64 * 1024, 'x'));
    CHECK(w.link->queued(flow::in) < faulty_link::queue_bytes_max + 64 * 1024);
}

TEST_CASE("refusals: the broker sees nothing, the client its reason") {
    world w({"connack rc=0x88 times=1"});
    w.send(connect() + publish(1));
    packets::connack refused;
    refused.reason = reason_code::server_unavailable;
    CHECK(w.to_client == encoded(refused));
    CHECK(w.to_broker.empty());
    CHECK(w.link->is_over(flow::in));
    CHECK(w.link->is_over(flow::out));
    w.reopen();
    w.send(connect());
    CHECK(w.to_broker == connect());

    world old({"connack rc=0x88"});
    old.send(connect("c", protocol_version::v3_1_1));
    CHECK(old.to_client == test::bytes("20 02 00 03"));

    world acks({"puback rc=0x97 topic=full", "suback rc=0x87 topic=secret/#"});
    acks.send(connect());
    acks.to_broker.clear();
    acks.send(publish(7, qos::at_least_once, "full") + publish(8, qos::exactly_once, "full") +
              publish(0, qos::at_most_once, "full") + publish(9, qos::at_least_once, "free"));
    CHECK(acks.to_broker == publish(9, qos::at_least_once, "free"));
    packets::pubrec received;
    received.id = packet_id{8};
    received.reason = reason_code::quota_exceeded;
    CHECK(acks.to_client == puback(7, reason_code::quota_exceeded) + encoded(received));
    acks.to_client.clear();
    packets::subscribe asked;
    asked.id = packet_id{3};
    asked.subscriptions = {{"a"}, {"secret/#"}};
    acks.send(encoded(asked));
    packets::suback said;
    said.id = packet_id{3};
    said.reasons = {reason_code::not_authorized, reason_code::not_authorized};
    CHECK(acks.to_client == encoded(said));
}

TEST_CASE("a PUBLISH of MQTT 3.1.1 cannot be refused: the connection ends") {
    world w({"puback rc=0x97"});
    packets::publish p;
    p.topic = "t";
    p.qos = qos::at_least_once;
    p.id = packet_id{1};
    w.send(connect("c", protocol_version::v3_1_1) + encoded(p, protocol_version::v3_1_1));
    CHECK(w.to_client.empty());
    CHECK(w.link->is_ended());
    CHECK(w.link->is_over(flow::out));
}

TEST_CASE("lose-session: CONNECT asks for a clean start") {
    world w({"lose-session times=1"});
    w.send(connect());
    CHECK(w.to_broker == connect("c", protocol_version::v5, true));
    w.reopen();
    w.send(connect("c", protocol_version::v3_1_1));
    CHECK(w.to_broker == connect("c", protocol_version::v3_1_1));
}

TEST_CASE("no-connack: it is lost, all else passes") {
    world w({"no-connack"});
    w.send(connect());
    w.answer(encoded(packets::connack{}) + puback(1));
    CHECK(w.to_client == puback(1));
}

TEST_CASE("reset comes instead of the n-th packet, and behind the one that after= counts") {
    world w({"reset publish n=2"});
    w.send(publish(1) + publish(2) + publish(3));
    CHECK(w.link->is_reset());
    CHECK(w.to_broker == publish(1));
    world behind({"reset in>publish after=2"});
    behind.send(publish(1) + publish(2) + publish(3));
    CHECK(behind.link->is_reset());
    CHECK(behind.to_broker == publish(1) + publish(2));
}

TEST_CASE("reset after bytes: exactly so many pass, wherever that is in a packet") {
    for (const bool by_packets : {true, false}) {
        for (const std::size_t count : {std::size_t{1}, std::size_t{5}, publish(1).size(), publish(1).size() + 3}) {
            world w({"reset in>any after=" + std::to_string(count) + "B"}, 1, by_packets);
            w.send(publish(1) + publish(2) + publish(3));
            CHECK(w.link->is_reset());
            CHECK(w.to_broker == (publish(1) + publish(2)).substr(0, count));
            CHECK(w.link->passed(flow::in) == count);
        }
    }
}

TEST_CASE("both directions count together where no direction is named") {
    world w({"half-close after=20B"}, 1, false);
    w.send(std::string(12, 'a'));
    w.answer(std::string(12, 'b'));
    CHECK(w.to_broker.size() + w.to_client.size() == 20);
    CHECK(w.link->is_over(flow::in));
    CHECK(w.link->is_over(flow::out));
}

TEST_CASE("a range of bytes: each connection draws its own, the same ones by the same seed; times= ends it") {
    const auto cuts = [](std::uint64_t seed) {
        world w({"reset after=100..4000B times=5"}, seed, false);
        std::vector<std::uint64_t> all;
        for (int i = 0; i < 8; ++i) {
            w.reopen();
            w.send(std::string(5000, 'x'));
            all.push_back(w.to_broker.size());
            CHECK(w.link->is_reset() == (i < 5));
        }
        return all;
    };
    const auto first = cuts(7);
    CHECK(first == cuts(7));
    CHECK(first != cuts(8));
    CHECK(first[0] != first[1]);
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(first[i] >= 100);
        CHECK(first[i] <= 4000);
    }
    CHECK(first[5] == 5000);
}

TEST_CASE("sweep: the first connection after its first byte, the next one after the next") {
    world w({"half-close sweep=1..3B in>any"}, 1, false);
    for (std::size_t i = 1; i <= 4; ++i) {
        if (i != 1) w.reopen();
        w.send("abcdef");
        CHECK(w.to_broker == std::string("abcdef").substr(0, i <= 3 ? i : 6));
        CHECK(w.link->is_over(flow::in) == (i <= 3));
        CHECK_FALSE(w.link->is_over(flow::out));
    }
}

TEST_CASE("a rule for a time: after so long, whatever travels or does not") {
    world w({"disconnect after=2s"});
    CHECK(w.link->next_deadline() == w.now + 2s);
    w.pass(1'999ms);
    CHECK_FALSE(w.link->is_ended());
    w.pass(1ms);
    CHECK(w.link->is_ended());
    CHECK(w.link->is_over(flow::in));
}

TEST_CASE("disconnect says its reason to a client of MQTT 5") {
    world w({"disconnect publish n=1 rc=0x8B"});
    w.send(connect() + publish(1));
    packets::disconnect said;
    said.reason = reason_code::server_shutting_down;
    CHECK(w.to_client == encoded(said));
    CHECK(w.link->is_over(flow::out));
    world old({"disconnect publish n=1 rc=0x8B"});
    packets::publish p;
    p.topic = "t";
    old.send(connect("c", protocol_version::v3_1_1) + encoded(p, protocol_version::v3_1_1));
    CHECK(old.to_client.empty());
    CHECK(old.link->is_over(flow::out));
}

TEST_CASE("half-open: nothing arrives, and nobody learns of the end") {
    world w({"half-open publish n=2"});
    w.send(publish(1) + publish(2) + publish(3));
    w.answer(puback(1));
    w.link->finish(flow::in, w.now);
    w.pass(1h);
    CHECK(w.to_broker.empty());  // it had not been written yet
    CHECK(w.to_client.empty());
    CHECK(w.link->is_silent(flow::in));
    CHECK_FALSE(w.link->is_over(flow::in));
    CHECK(w.link->next_deadline() == never);
}

TEST_CASE("who: client, user, address, listener, a share of the connections") {
    world w({"drop publish client=a*"});
    w.send(connect("b") + publish(1));
    CHECK(w.to_broker == connect("b") + publish(1));
    w.reopen();
    w.send(connect("abc") + publish(1));
    CHECK(w.to_broker == connect("abc"));
    world user({"drop publish user=j?e"});
    user.send(connect() + publish(1));
    CHECK(user.to_broker == connect());
    world elsewhere({"drop publish ip=10.0.0.0/8", "drop publish listener=ws*"});
    elsewhere.send(publish(1));
    CHECK(elsewhere.to_broker == publish(1));
    world here({"drop publish ip=127.0.0.0/8"});
    here.send(publish(1));
    CHECK(here.to_broker.empty());

    world some({"reset connections=30%"}, 3, false);
    int count = 0;
    for (int i = 0; i < 200; ++i) {
        some.reopen();
        some.send("x");
        count += some.link->is_reset() ? 1 : 0;
    }
    CHECK(count > 30);
    CHECK(count < 90);
}

TEST_CASE("on=TOPIC: asleep until that message passes; for=TIME: no longer than that") {
    world w({"drop publish topic=t on=test/go for=2s"});
    w.send(publish(1) + publish(2, qos::at_least_once, "test/go") + publish(3));
    CHECK(w.to_broker == publish(1) + publish(2, qos::at_least_once, "test/go"));
    w.pass(2s);
    w.send(publish(4));
    CHECK(w.to_broker == publish(1) + publish(2, qos::at_least_once, "test/go") + publish(4));
}

TEST_CASE("a topic that is an alias is known by what it stands for") {
    world w({"drop publish topic=secret"});
    packets::publish p;
    p.topic = "secret";
    p.topic_alias = 1;
    p.payload = "x";
    const std::string first = encoded(p);
    p.topic = "";
    w.send(connect() + first + encoded(p));
    CHECK(w.to_broker == connect());
}

TEST_CASE("what is no MQTT passes as bytes, and rules about packets leave it alone") {
    world w({"drop any", "split 2"});
    const std::string tls = test::bytes("16 03 01 02 00 01");
    w.send(tls);
    CHECK(w.to_broker == tls);
    CHECK(w.writes == 3);
}

TEST_CASE("the end of a sender passes on its incomplete packet") {
    world w({});
    w.send(publish(1).substr(0, 5));
    CHECK(w.to_broker.empty());
    w.link->finish(flow::in, w.now);
    w.collect();
    CHECK(w.to_broker == publish(1).substr(0, 5));
    CHECK(w.link->is_over(flow::in));
}

TEST_CASE("rules may come and go while a connection is open") {
    world w({});
    w.send(publish(1));
    const auto number = w.rules().add("drop publish").value();
    w.send(publish(2));
    w.rules().remove(number);
    w.send(publish(3));
    CHECK(w.to_broker == publish(1) + publish(3));
    CHECK(w.rules().counts()[number].times == 1);
    w.rules().add("reset after=0s times=1").value();
    w.link->on_deadline(w.now);
    CHECK(w.link->is_reset());
}
