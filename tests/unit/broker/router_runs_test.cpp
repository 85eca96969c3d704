// Plain messages many at a time: runs at QoS 0, rows at QoS 1 and 2.
#include "broker/router.hpp"
#include "unit/broker/wire.hpp"

#include <algorithm>
#include <list>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::broker_test;

TEST_CASE(
    "router: runs of plain messages reach each kind of receiver whole and in order, also where sockets are full") {
    for (const auto version : all_versions) {
        world w({.queue_qos_0 = true});
        wire_client publisher(w, version);
        publisher.connect("p");
        std::list<wire_client> receivers;
        const auto add = [&](protocol_version v, std::string_view id, std::uint32_t identifier,
                             packets::connect c) -> auto& {
            auto& r = receivers.emplace_back(w, v);
            r.connect(id, c);
            r.subscribe("a/#", qos::at_most_once, identifier);
            return r;
        };
        packets::connect narrow;
        narrow.properties.maximum_packet_size = 100;
        packets::connect kept;
        kept.properties.session_expiry_interval = 1'000;
        add(protocol_version::v3_1_1, "plain", 0, {});
        add(protocol_version::v5, "plain 5", 0, {});
        add(protocol_version::v5, "identified", 7, {});
        auto& slow = add(version, "slow", 0, {});
        auto& small = add(protocol_version::v5, "small", 0, narrow);
        auto& sleeper = add(protocol_version::v5, "sleeper", 0, kept);
        sleeper.drop();
        slow.room = 30'000;

        // Runs of one topic, of changing ones, of changing sizes, with packets between that are not plain.
        std::vector<std::string> sent;
        std::string bytes;
        for (int i = 0; i < 2'000; ++i) {
            packets::publish p;
            const std::string topic = i % 500 < 400 ? "a/b" : "a/" + std::to_string(i % 3);
            const std::string payload = std::to_string(i) + std::string(i % 7 == 0 ? 200 : 20, 'x');
            p.topic = topic;
            p.payload = payload;
            if (i % 97 == 0) {
                p.qos = qos::at_least_once;
                p.id = packet_id{static_cast<std::uint16_t>(i + 1)};
            }
            bytes += publisher.bytes_of(p);
            sent.push_back(payload);
        }
        for (std::size_t at = 0; at < bytes.size(); at += 65'536)
            publisher.send_and_flush(bytes.substr(at, 65'536));
        slow.unblock(std::size_t(-1));

        std::vector<std::string> fitting;
        for (const auto& payload : sent)
            if (payload.size() < 90) fitting.push_back(payload);
        for (auto& r : receivers) {
            if (&r == &sleeper) continue;
            CHECK(r.payloads() == (&r == &small ? fitting : sent));
        }
        wire_client again(w, protocol_version::v5);
        kept.clean_start = false;
        again.connect("sleeper", kept);
        CHECK(again.payloads() == sent);
        const auto counted = w.engine.count();
        CHECK(counted.routed.dropped_full == 0);
        CHECK(counted.traffic.publishes_received == sent.size());
        CHECK(counted.routed.deliveries == 5 * sent.size() + fitting.size());
    }
}

namespace {

/// A subscriber that acknowledges whatever comes, and what it has got: each message once.
struct acknowledging {
    acknowledging(world& w, protocol_version version, std::string_view id, qos granted, packets::connect c = {})
        : client(w, version) {
        client.connect(id, c);
        client.subscribe("a/#", granted);
    }
    void take() {
        while (client.has_packet()) {
            if (client.peek() == packet_type::pubrel) {
                client.send(packets::pubcomp{client.get<packets::pubrel>().id, {}, {}});
                continue;
            }
            const auto p = client.get<packets::publish>();
            CHECK_FALSE(p.dup);
            CHECK_FALSE(p.retain);
            got.emplace_back(p.topic).append("=").append(p.payload);
            client.acknowledge(p);
        }
    }
    wire_client client;
    std::vector<std::string> got;
};

}  // namespace

TEST_CASE(
    "router: rows of plain messages at QoS 1 and 2 reach each kind of receiver once, in order, and are acknowledged") {
    for (const auto version : all_versions) {
        world w({.inflight_max = 300});
        wire_client publisher(w, version);
        publisher.connect("p");
        packets::connect slow, narrow;
        slow.properties.receive_maximum = 7;
        narrow.properties.maximum_packet_size = 100;
        std::list<acknowledging> receivers;
        for (const auto q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
            const std::string id = std::to_string(static_cast<int>(q));
            receivers.emplace_back(w, protocol_version::v3_1_1, "same " + id, q);
            receivers.emplace_back(w, protocol_version::v5, "other " + id, q);
            receivers.emplace_back(w, protocol_version::v5, "slow " + id, q, slow);
        }
        acknowledging& small = receivers.emplace_back(w, protocol_version::v5, "small", qos::exactly_once, narrow);

        // Rows of one topic and of changing ones, of all QoS, with packets between that are not plain.
        std::vector<std::string> sent, fitting;
        std::vector<packet_id> acked, received;
        std::string bytes;
        for (std::uint16_t i = 1; i <= 3'000; ++i) {
            packets::publish p;
            const std::string topic = i % 500 < 400 ? "a/b" : "a/" + std::to_string(i % 3);
            p.qos = qos{static_cast<std::uint8_t>(i % 1'000 < 450 ? 1 : i % 1'000 < 900 ? 2 : i % 3)};
            const std::string payload =
                (p.qos == qos::at_most_once ? "0-" : "+") + std::to_string(i) + std::string(i % 7 == 0 ? 200 : 20, 'x');
            p.topic = topic;
            p.payload = payload;
            if (p.qos != qos::at_most_once) p.id = packet_id{i};
            p.dup = p.qos != qos::at_most_once && i % 89 == 0;
            if (p.qos == qos::at_least_once) acked.push_back(p.id);
            if (p.qos == qos::exactly_once) received.push_back(p.id);
            bytes += publisher.bytes_of(p);
            sent.push_back(topic + "=" + payload);
            if (payload.size() < 90) fitting.push_back(sent.back());
        }
        const std::size_t piece = version == protocol_version::v3_1 ? 65'536 : 4'567;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            publisher.send_and_flush(bytes.substr(at, piece));
            for (auto& r : receivers)
                r.take();
        }
        // QoS 0 does not wait for the acknowledgements of what was sent before it [MQTT-4.6.0-5].
        const auto by_kind = [](std::vector<std::string> all) {
            std::stable_partition(all.begin(), all.end(), [](auto& m) { return m.find("=0-") == std::string::npos; });
            return all;
        };
        for (auto& r : receivers)
            CHECK(by_kind(r.got) == by_kind(&r == &small ? fitting : sent));

        // In the order of arrival, each kind by itself.
        std::vector<packet_id> got_acked, got_received, completed;
        std::string releases;
        while (publisher.has_packet()) {
            if (publisher.peek() == packet_type::puback) {
                got_acked.push_back(publisher.get<packets::puback>().id);
            } else {
                got_received.push_back(publisher.get<packets::pubrec>().id);
                releases += publisher.bytes_of(packets::pubrel{got_received.back(), {}, {}});
            }
        }
        CHECK(got_acked == acked);
        CHECK(got_received == received);
        publisher.send_bytes(releases);
        while (publisher.has_packet())
            completed.push_back(publisher.get<packets::pubcomp>().id);
        CHECK(completed == received);
        CHECK(w.engine.count().traffic.publishes_received == sent.size());
        CHECK(w.engine.count().queued == 0);
    }
}

TEST_CASE("MQTT-4.3.3-10: in a row, too, a repeated QoS 2 message goes nowhere and is answered again") {
    world w;
    wire_client publisher(w, protocol_version::v3_1_1);
    publisher.connect("p");
    acknowledging subscriber(w, protocol_version::v3_1_1, "s", qos::exactly_once);
    const auto message = [&](std::uint16_t id, std::string_view payload) {
        packets::publish p;
        p.topic = "a/b";
        p.payload = payload;
        p.qos = qos::exactly_once;
        p.id = packet_id{id};
        return publisher.bytes_of(p);
    };
    publisher.send_bytes(message(1, "one") + message(2, "two") + message(1, "one") + message(3, "three"));
    for (const packet_id id : {packet_id{1}, packet_id{2}, packet_id{1}, packet_id{3}})
        CHECK(publisher.get<packets::pubrec>().id == id);
    // An id that is free again stands for another message, in the same read as well.
    publisher.send_bytes(publisher.bytes_of(packets::pubrel{packet_id{1}, {}, {}}) + message(1, "four") +
                         message(2, "two"));
    CHECK(publisher.get<packets::pubcomp>().id == packet_id{1});
    for (const packet_id id : {packet_id{1}, packet_id{2}})
        CHECK(publisher.get<packets::pubrec>().id == id);
    subscriber.take();
    CHECK(subscriber.got == std::vector<std::string>{"a/b=one", "a/b=two", "a/b=three", "a/b=four"});
}

TEST_CASE("router: topics go on together only as long as their receivers are the same") {
    for (const auto version : all_versions) {
        world w;
        wire_client publisher(w, version), all(w, version), some(w, version);
        publisher.connect("p");
        all.connect("all");
        some.connect("some");
        all.subscribe("+/t");
        some.subscribe("1/t");
        some.subscribe("3/t", qos::at_least_once);
        std::vector<std::string> to_all, to_some, got;
        const auto take = [&] {
            while (some.has_packet()) {
                if (some.peek() == packet_type::unsuback) {
                    static_cast<void>(some.get<packets::unsuback>());
                } else {
                    got.emplace_back(some.get<packets::publish>().payload);
                }
            }
        };
        for (int round = 0; round < 6; ++round) {
            take();
            if (round == 2) some.subscribe("4/t");
            std::string bytes;
            for (int i = 0; i < 500; ++i) {
                const std::string topic = std::to_string(i * i % 7) + "/t";
                const std::string payload = std::to_string(round * 1'000 + i);
                packets::publish p;
                p.topic = topic;
                p.payload = payload;
                bytes += publisher.bytes_of(p);
                to_all.push_back(payload);
                if (topic == "1/t" || (topic == "4/t" && round >= 2)) to_some.push_back(payload);
            }
            publisher.send_and_flush(bytes);
            if (round == 4) {
                packets::unsubscribe u;
                u.id = packet_id{77};
                u.filters = {"3/t"};
                some.send(u);
            }
        }
        take();
        CHECK(all.payloads() == to_all);
        CHECK(got == to_some);
    }
}

TEST_CASE("router: a topic that is not valid ends a run, and with it the connection") {
    world w;
    wire_client subscriber(w, protocol_version::v3_1_1), publisher(w, protocol_version::v3_1_1);
    subscriber.connect("s");
    subscriber.subscribe("#");
    publisher.connect("p");
    packets::publish p;
    p.topic = "good";
    p.payload = "1";
    std::string bytes = publisher.bytes_of(p) + publisher.bytes_of(p);
    p.topic = "bad/#";
    bytes += publisher.bytes_of(p);
    p.topic = "good";
    bytes += publisher.bytes_of(p);
    publisher.send_and_flush(bytes);
    CHECK(publisher.closed);
    CHECK(subscriber.payloads() == std::vector<std::string>{"1", "1"});
}

TEST_CASE("router: a publisher takes a breath while all receivers are behind, of a millisecond at most") {
    for (const auto q : {qos::at_most_once, qos::at_least_once}) {
        world w;
        wire_client slow(w, protocol_version::v3_1_1), quick(w, protocol_version::v3_1_1);
        wire_client publisher(w, protocol_version::v3_1_1);
        slow.connect("slow");
        quick.connect("quick");
        publisher.connect("p");
        slow.subscribe("t", q);
        slow.room = 0;
        std::string bytes;
        packets::publish p;
        p.topic = "t";
        p.qos = q;
        const std::string payload(200, 'x');
        p.payload = payload;
        for (std::uint16_t i = 1; i <= 2'500; ++i) {
            if (q != qos::at_most_once) p.id = packet_id{i};
            bytes += publisher.bytes_of(p);
        }
        publisher.send_and_flush(bytes);
        publisher.send_and_flush(bytes);
        CHECK(!publisher.reading);
        w.pass(1ms);
        CHECK(publisher.reading);

        publisher.send_and_flush(bytes);
        CHECK(!publisher.reading);
        slow.unblock(std::size_t(-1));
        while (slow.has_packet())
            slow.acknowledge(slow.get<packets::publish>());
        CHECK(publisher.reading);

        // One who keeps up is not made to wait for one who does not.
        slow.room = 0;
        quick.subscribe("t");
        for (int i = 0; i < 3; ++i) {
            publisher.send_and_flush(bytes);
            CHECK(publisher.reading);
        }
    }
}
