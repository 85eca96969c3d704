#include "broker/router.hpp"

#include "unit/broker/wire.hpp"

#include <algorithm>
#include <list>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::broker_test;

TEST_CASE("router: a message reaches subscribers of every version") {
    for (const auto from : all_versions) {
        for (const auto to : all_versions) {
            for (const auto q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
                world w;
                wire_client publisher(w, from);
                wire_client subscriber(w, to);
                publisher.connect("p");
                subscriber.connect("s");
                CHECK(subscriber.subscribe("a/+", q) == static_cast<reason_code>(q));

                publisher.publish("a/b", "hello", q);
                const auto p = subscriber.get<packets::publish>();
                CHECK(p.topic == "a/b");
                CHECK(p.payload == "hello");
                CHECK(p.qos == q);
                CHECK(!p.retain);
                CHECK(!p.dup);
                CHECK(!subscriber.has_packet());
                if (q == qos::at_least_once) CHECK(publisher.get<packets::puback>().reason == reason_code::success);
                if (q == qos::exactly_once) CHECK(publisher.get<packets::pubrec>().reason == reason_code::success);
                CHECK(!publisher.has_packet());
            }
        }
    }
}

TEST_CASE("MQTT-3.8.4-8: the QoS of a delivery is the lower of published and granted") {
    for (const auto published : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        for (const auto granted : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
            world w;
            wire_client client(w, protocol_version::v5);
            client.connect("c");
            client.subscribe("t", granted);
            wire_client publisher(w, protocol_version::v3_1_1);
            publisher.connect("p");
            publisher.publish("t", "x", published);
            CHECK(client.get<packets::publish>().qos == std::min(published, granted));
        }
    }
}

TEST_CASE("MQTT-3.3.1-3: DUP and RETAIN of the publisher are not passed on") {
    world w;
    wire_client client(w, protocol_version::v3_1_1);
    client.connect("c");
    client.subscribe("t", qos::exactly_once);
    packets::publish p;
    p.topic = "t";
    p.qos = qos::at_least_once;
    p.id = packet_id{7};
    p.dup = true;
    p.retain = true;
    p.payload = "x";
    client.send(p);
    const auto got = client.get<packets::publish>();
    CHECK(!got.dup);
    CHECK(!got.retain);
    CHECK(got.qos == qos::at_least_once);
}

TEST_CASE("MQTT-3.3.2-15 to -20: properties of a message arrive unchanged, user properties in order") {
    for (const auto q : {qos::at_most_once, qos::at_least_once}) {
        for (const bool with_identifier : {false, true}) {
            world w;
            wire_client publisher(w, protocol_version::v5);
            wire_client subscriber(w, protocol_version::v5);
            publisher.connect("p");
            subscriber.connect("s");
            subscriber.subscribe("t", q, with_identifier ? 9 : 0);
            const std::vector<user_property> pairs{{"b", "1"}, {"a", "2"}, {"b", "1"}};
            message_properties properties;
            properties.payload_format_indicator = payload_format::utf8;
            properties.content_type = "text/plain";
            properties.response_topic = "r/t";
            properties.correlation_data = std::string_view("\0\1", 2);
            properties.user_properties = pairs;

            publisher.publish("t", "x", q, false, properties);
            const auto p = subscriber.get<packets::publish>();
            CHECK(p.properties == properties);
            CHECK(p.subscription_identifiers.size() == (with_identifier ? 1 : 0));
        }
    }
}

TEST_CASE("MQTT-3.3.4-4: overlapping subscriptions bring one copy with all identifiers") {
    world w;
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    client.subscribe("a/#", qos::at_most_once, 2);
    client.subscribe("a/+", qos::exactly_once, 3);
    client.publish("a/b", "x", qos::exactly_once);
    const auto p = client.get<packets::publish>();
    CHECK(p.qos == qos::exactly_once);
    std::vector<std::uint32_t> ids;
    for (const auto id : p.subscription_identifiers)
        ids.push_back(id);
    std::sort(ids.begin(), ids.end());
    CHECK(ids == std::vector<std::uint32_t>{2, 3});
    client.get<packets::pubrec>();
    CHECK(!client.has_packet());
}

TEST_CASE("MQTT-3.8.3-3: No Local keeps a client's own messages away, at every QoS") {
    for (const auto q : {qos::at_most_once, qos::at_least_once}) {
        world w;
        wire_client one(w, protocol_version::v5);
        wire_client two(w, protocol_version::v5);
        one.connect("one");
        two.connect("two");
        one.subscribe("t", q, 0, {.no_local = true});
        one.publish("t", "mine", q);
        two.publish("t", "yours", q);
        if (q == qos::at_least_once) {
            CHECK(one.get<packets::puback>().reason == reason_code::no_matching_subscribers);
        }
        CHECK(one.payloads() == std::vector<std::string>{"yours"});
    }
}

TEST_CASE("MQTT-3.3.1-13: Retain As Published keeps the flag, also when the packet could be passed on as it came") {
    for (const bool retain : {false, true}) {
        world w;
        wire_client client(w, protocol_version::v5);
        client.connect("c");
        client.subscribe("t", qos::at_most_once, 0, {.retain_as_published = true});
        client.publish("t", "x", qos::at_most_once, retain);
        CHECK(client.get<packets::publish>().retain == retain);
    }
}

TEST_CASE("router: topic aliases of a publisher mean nothing to its subscribers") {
    world w;
    wire_client publisher(w, protocol_version::v5);
    wire_client subscriber(w, protocol_version::v5);
    CHECK(publisher.connect("p").properties.topic_alias_maximum == 10);
    subscriber.connect("s");
    subscriber.subscribe("#");
    packets::publish p;
    p.topic = "long/topic";
    p.payload = "1";
    p.topic_alias = 3;
    publisher.send(p);
    p.topic = "";
    p.payload = "2";
    publisher.send(p);
    for (const char* payload : {"1", "2"}) {
        const auto got = subscriber.get<packets::publish>();
        CHECK(got.topic == "long/topic");
        CHECK(got.payload == payload);
        CHECK(!got.topic_alias);
    }
}

TEST_CASE("router: aliases are used towards clients that allow them, when the option says so") {
    world w({.topic_alias_maximum_out = 5});
    wire_client client(w, protocol_version::v5);
    packets::connect c;
    c.properties.topic_alias_maximum = 5;
    client.connect("c", c);
    client.subscribe("#", qos::exactly_once);
    wire_client publisher(w, protocol_version::v5);
    publisher.connect("p");
    for (const auto q : {qos::at_most_once, qos::at_least_once, qos::exactly_once})
        publisher.publish("t", "x", q);
    const auto first = client.get<packets::publish>();
    CHECK(first.topic == "t");
    CHECK(first.topic_alias == 1);
    for (int i = 0; i < 2; ++i) {
        const auto next = client.get<packets::publish>();
        CHECK(next.topic == "");
        CHECK(next.topic_alias == 1);
    }
}

TEST_CASE("router: a changed subscription counts for the very next message of the same read") {
    world w;
    wire_client client(w, protocol_version::v3_1_1);
    client.connect("c");
    packets::publish p;
    p.topic = "t";
    p.payload = "1";
    packets::publish q = p;
    q.payload = "2";
    packets::publish r = p;
    r.payload = "3";
    client.send(p, packets::subscribe{packet_id{1}, {{.filter = "t"}}, {}}, q,
                packets::unsubscribe{packet_id{2}, {"t"}, {}}, r);
    client.get<packets::suback>();
    CHECK(client.get<packets::publish>().payload == "2");
    client.get<packets::unsuback>();
    CHECK(!client.has_packet());
}

TEST_CASE("router: large payloads go to many subscribers unharmed") {
    world w;
    const std::string payload(100'000, 'z');
    std::vector<std::unique_ptr<wire_client>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(std::make_unique<wire_client>(w, all_versions[i % 3]));
        clients.back()->connect("c" + std::to_string(i));
        clients.back()->subscribe("t", static_cast<qos>(i % 2));
    }
    wire_client publisher(w, protocol_version::v5);
    publisher.connect("p");
    for (const auto q : {qos::at_most_once, qos::at_least_once})
        publisher.publish("t", payload, q);
    for (auto& client : clients)
        CHECK(client->payloads() == std::vector<std::string>{payload, payload});
}

TEST_CASE("MQTT-4.5.0-1: a session without a connection gets QoS 1 and 2 later, QoS 0 only if told to") {
    for (const bool keep : {false, true}) {
        world w({.queue_qos_0 = keep});
        packets::connect c;
        c.clean_start = false;
        {
            wire_client client(w, protocol_version::v3_1_1);
            client.connect("c", c);
            client.subscribe("t", qos::exactly_once);
        }
        wire_client publisher(w, protocol_version::v5);
        publisher.connect("p");
        publisher.publish("t", "0", qos::at_most_once);
        publisher.publish("t", "1", qos::at_least_once);
        publisher.publish("t", "2", qos::exactly_once);

        wire_client again(w, protocol_version::v3_1_1);
        CHECK(again.connect("c", c).session_present);
        CHECK(again.payloads() ==
              (keep ? std::vector<std::string>{"0", "1", "2"} : std::vector<std::string>{"1", "2"}));
    }
}

TEST_CASE("router: the queue of a session without a connection is bounded, and what is dropped is counted") {
    world w({.queue_count_max = 3});
    packets::connect c;
    c.clean_start = false;
    {
        wire_client client(w, protocol_version::v3_1_1);
        client.connect("c", c);
        client.subscribe("t", qos::at_least_once);
    }
    wire_client publisher(w, protocol_version::v5);
    publisher.connect("p");
    for (int i = 0; i < 5; ++i)
        publisher.publish("t", std::to_string(i), qos::at_least_once);
    CHECK(w.engine.count().routed.dropped_queue == 2);
    wire_client again(w, protocol_version::v3_1_1);
    again.connect("c", c);
    CHECK(again.payloads() == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE("router: a receiver whose output is full gets no QoS 0, others do, and it is counted") {
    world w({.output_bytes_max = 1'000});
    wire_client slow(w, protocol_version::v3_1_1);
    wire_client quick(w, protocol_version::v3_1_1);
    wire_client publisher(w, protocol_version::v3_1_1);
    slow.connect("slow");
    quick.connect("quick");
    publisher.connect("p");
    slow.subscribe("t");
    quick.subscribe("t");
    slow.room = 0;
    const std::string payload(100, 'x');
    for (int i = 0; i < 100; ++i)
        publisher.publish("t", payload);
    CHECK(quick.payloads().size() == 100);
    CHECK(w.engine.out(slow.id())->size() < 1'200);
    slow.unblock(std::size_t(-1));
    const auto got = slow.payloads().size();
    CHECK(got == 10);
    CHECK(w.engine.count().routed.dropped_full == 100 - got);
}

TEST_CASE("router: with stop_reading nothing is lost; the publisher is not read until the receiver has caught up") {
    for (const auto q : {qos::at_most_once, qos::at_least_once}) {
        world w({.queue_count_max = 20, .output_bytes_max = 1'000, .on_full = full_policy::stop_reading});
        wire_client slow(w, protocol_version::v3_1_1);
        wire_client publisher(w, protocol_version::v3_1_1);
        packets::connect c;
        slow.connect("slow", c);
        publisher.connect("p");
        slow.subscribe("t", q);
        slow.room = 0;
        packets::publish p;
        p.topic = "t";
        p.qos = q;
        const std::string payload(100, 'x');
        p.payload = payload;
        // In one read, so that the rest of it has to be kept.
        std::string bytes;
        constexpr int count = 3'000;
        for (int i = 1; i <= count; ++i) {
            if (q == qos::at_least_once) p.id = packet_id{static_cast<std::uint16_t>(i)};
            const packet any(p);
            const auto size = core::encoded_size(any, protocol_version::v3_1_1);
            bytes.resize(bytes.size() + size);
            core::encode(any, protocol_version::v3_1_1, bytes.data() + bytes.size() - size);
        }
        publisher.send_bytes(bytes);
        CHECK(!publisher.reading);
        CHECK(w.engine.count().routed.deliveries < 1'100);
        // The publisher's silence is not its fault.
        w.pass(20s);
        CHECK(!publisher.closed);

        int got = 0;
        slow.unblock(std::size_t(-1));
        while (slow.has_packet()) {
            const auto message = slow.get<packets::publish>();
            ++got;
            slow.acknowledge(message);
        }
        CHECK(got == count);
        CHECK(publisher.reading);
        CHECK(w.engine.count().routed.dropped_full + w.engine.count().routed.dropped_queue == 0);
    }
}

TEST_CASE("router: with stop_reading a receiver that takes nothing at all is closed after the stall timeout") {
    world w({.output_bytes_max = 1'000, .on_full = full_policy::stop_reading, .stall_timeout = 5s});
    wire_client slow(w, protocol_version::v5);
    wire_client publisher(w, protocol_version::v5);
    slow.connect("slow", {.keep_alive = 0});
    publisher.connect("p");
    slow.subscribe("t");
    slow.room = 0;
    for (int i = 0; i < 30 && publisher.reading; ++i)
        publisher.publish("t", std::string(100, 'x'));
    CHECK(!publisher.reading);
    w.pass(4s);
    CHECK(!publisher.reading);
    w.pass(2s);
    CHECK(publisher.reading);
    CHECK(w.engine.count().sessions_connected == 1);
}

TEST_CASE("MQTT-3.1.2-24, -25: what is too large for a client is dropped for it, and the rest flows on") {
    world w;
    wire_client small(w, protocol_version::v5);
    packets::connect c;
    c.properties.maximum_packet_size = 60;
    small.connect("small", c);
    small.subscribe("t", qos::exactly_once);
    wire_client publisher(w, protocol_version::v5);
    publisher.connect("p");
    for (const auto q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        publisher.publish("t", std::string(100, 'x'), q);
        publisher.publish("t", "ok", q);
    }
    CHECK(small.payloads() == std::vector<std::string>{"ok", "ok", "ok"});
    CHECK(w.engine.count().routed.dropped_other == 3);
}

TEST_CASE("MQTT-4.8.2: shared subscriptions share, and keep off a member whose output is full") {
    world w({.output_bytes_max = 1'000});
    wire_client one(w, protocol_version::v5);
    wire_client two(w, protocol_version::v3_1_1);
    wire_client plain(w, protocol_version::v5);
    one.connect("one");
    two.connect("two");
    plain.connect("plain");
    one.subscribe("$share/g/t", qos::at_least_once, 5);
    two.subscribe("$share/g/t");
    plain.subscribe("t");
    wire_client publisher(w, protocol_version::v5);
    publisher.connect("p");
    for (int i = 0; i < 10; ++i)
        publisher.publish("t", std::to_string(i));
    CHECK(plain.payloads().size() == 10);
    const auto first = one.get<packets::publish>();
    CHECK(*first.subscription_identifiers.begin() == 5);
    CHECK(one.payloads().size() == 4);
    CHECK(two.payloads().size() == 5);

    two.room = 0;
    for (int i = 0; i < 100; ++i)
        publisher.publish("t", std::string(90, 'x'));
    CHECK(one.payloads().size() > 85);
    CHECK(w.engine.count().routed.dropped_full == 0);
}

TEST_CASE("router: 20,000 topics pass through the cache, and changes of subscriptions are seen through it") {
    world w;
    wire_client client(w, protocol_version::v3_1_1);
    client.connect("c");
    client.subscribe("+/x");
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 20'000; ++i)
            client.publish("t" + std::to_string(i) + "/x", std::to_string(i));
        int next = 0;
        bool in_order = true;
        while (client.has_packet()) {
            const auto p = client.get<packets::publish>();
            in_order &= p.payload == std::to_string(next) && p.topic == "t" + std::to_string(next) + "/x";
            ++next;
        }
        CHECK(in_order);
        CHECK(next == 20'000);
        client.subscribe("other" + std::to_string(round));
    }
}

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
