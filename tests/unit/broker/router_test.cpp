#include "broker/router.hpp"

#include "unit/broker/wire.hpp"

#include <algorithm>
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
