// What a connection of the broker accepts, refuses and answers.
#include "broker/peer.hpp"

#include "unit/broker/wire.hpp"

#include <martlet/authenticator.hpp>

#include <set>

using namespace martlet;
using namespace martlet::broker_test;

namespace {

using list = std::vector<std::string>;

}  // namespace

// ---- CONNECT

TEST_CASE("MQTT-3.1.3-6 to -8: empty client ids") {
    world w;
    packets::connect keep;
    keep.clean_start = false;
    wire_client v5(w, protocol_version::v5);
    const auto ack = v5.connect("", keep);
    REQUIRE(ack.properties.assigned_client_identifier);
    CHECK(ack.properties.assigned_client_identifier->starts_with("auto-"));
    CHECK(!ack.session_present);
    wire_client other(w, protocol_version::v5);
    CHECK(other.connect("").properties.assigned_client_identifier != ack.properties.assigned_client_identifier);

    CHECK(wire_client(w, protocol_version::v3_1_1).connect("").reason == reason_code::success);
    wire_client refused(w, protocol_version::v3_1_1);
    CHECK(refused.connect("", keep).reason == reason_code::client_identifier_not_valid);
    CHECK(refused.closed);
    wire_client oldest(w, protocol_version::v3_1);
    CHECK(oldest.connect("").reason == reason_code::client_identifier_not_valid);

    world strict({.allow_empty_client_id = false});
    CHECK(wire_client(strict, protocol_version::v5).connect("").reason == reason_code::client_identifier_not_valid);
}

TEST_CASE("peer: anonymous clients of other machines are refused unless the option says otherwise") {
    for (const bool allowed : {false, true}) {
        world w({.allow_anonymous_remote = allowed});
        wire_client remote(w, protocol_version::v5, false);
        CHECK(remote.connect("r").reason == (allowed ? reason_code::success : reason_code::not_authorized));
        wire_client local(w, protocol_version::v5, true);
        CHECK(local.connect("l").reason == reason_code::success);
    }
}

TEST_CASE("MQTT-4.12.0-1: an Authentication Method that nobody knows is refused with 0x8C") {
    world w;
    packets::connect c;
    c.properties.authentication_method = "SCRAM-SHA-256";
    CHECK(wire_client(w, protocol_version::v5).connect("c", c).reason == reason_code::bad_authentication_method);
}

TEST_CASE("MQTT-3.2.2-12, -13: wills beyond what is offered are refused") {
    packets::connect c;
    c.will = will{.topic = "w", .payload = "x", .qos = qos::exactly_once};
    world low({.maximum_qos = qos::at_least_once});
    CHECK(wire_client(low, protocol_version::v5).connect("c", c).reason == reason_code::qos_not_supported);
    c.will->retain = true;
    world no_retain({.retain_available = false});
    CHECK(wire_client(no_retain, protocol_version::v5).connect("c", c).reason == reason_code::retain_not_supported);
    c.will->retain = false;
    c.will->topic = "$SYS/x";
    world w;
    CHECK(wire_client(w, protocol_version::v5).connect("c", c).reason == reason_code::not_authorized);
    const std::string deep(200, '/');
    c.will->topic = deep;
    CHECK(wire_client(w, protocol_version::v5).connect("c", c).reason == reason_code::topic_name_invalid);
}

TEST_CASE("peer: CONNACK announces the broker's limits") {
    world w({.packet_size_max = 1'000,
             .receive_maximum = 20,
             .topic_alias_maximum = 7,
             .keep_alive_max = 60,
             .response_information = "r/",
             .maximum_qos = qos::at_least_once,
             .retain_available = false,
             .wildcard_subscription_available = false,
             .subscription_identifier_available = false,
             .shared_subscription_available = false});
    packets::connect c;
    c.keep_alive = 120;
    c.properties.request_response_information = true;
    wire_client client(w, protocol_version::v5);  // what it received holds the strings
    const auto p = client.connect("c", c).properties;
    CHECK(p.maximum_packet_size == 1'000);
    CHECK(p.receive_maximum == 20);
    CHECK(p.topic_alias_maximum == 7);
    CHECK(p.server_keep_alive == 60);
    CHECK(p.response_information == "r/");
    CHECK(p.maximum_qos == qos::at_least_once);
    CHECK(p.retain_available == false);
    CHECK(p.wildcard_subscription_available == false);
    CHECK(p.subscription_identifier_available == false);
    CHECK(p.shared_subscription_available == false);
}

TEST_CASE("MQTT-3.1.0-2: a second CONNECT closes; the first packet must be CONNECT; silence ends after the timeout") {
    world w({.connect_timeout = 3s});
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    client.send(packets::connect{});
    CHECK(client.closed);
    wire_client pinging(w, protocol_version::v5);
    pinging.send(packets::pingreq{});
    CHECK(pinging.closed);
    CHECK(!pinging.has_packet());
    wire_client silent(w, protocol_version::v5);
    w.pass(2'900ms);
    CHECK(!silent.closed);
    w.pass(200ms);
    CHECK(silent.closed);
    CHECK(w.engine.count().connections == 0);
}

TEST_CASE("MQTT-3.1.4-6: nothing behind a refused CONNECT is processed") {
    world w({.allow_anonymous_remote = false});
    wire_client watcher(w, protocol_version::v5);
    watcher.connect("w");
    watcher.subscribe("#");
    wire_client client(w, protocol_version::v5, false);
    packets::publish p;
    p.topic = "t";
    p.payload = "x";
    client.send(packets::connect{}, p);
    CHECK(client.get<packets::connack>().reason == reason_code::not_authorized);
    CHECK(!watcher.has_packet());
}

TEST_CASE("peer: the number of connections is bounded") {
    world w({.connections_max = 1});
    wire_client one(w, protocol_version::v5);
    CHECK(one.connect("one").reason == reason_code::success);
    CHECK(wire_client(w, protocol_version::v5).connect("two").reason == reason_code::quota_exceeded);
    CHECK(wire_client(w, protocol_version::v3_1).connect("two").reason == reason_code::server_unavailable);
}

TEST_CASE("peer: a client that sends and takes no answers is not read beyond a bound, and closed in the end") {
    world w({.output_bytes_max = 1'000, .stall_timeout = 5s});
    wire_client client(w, protocol_version::v3_1_1);
    client.connect("c");
    client.room = 0;
    std::string pings;
    for (int i = 0; i < 10'000; ++i)
        pings += std::string("\xC0\0", 2);
    client.send_bytes(pings);
    CHECK(!client.reading);
    CHECK(w.engine.out(client.id())->size() <= 2'002);
    client.unblock(20'000);
    CHECK(client.reading);
    int answers = 0;
    for (; client.has_packet(); ++answers)
        client.get<packets::pingresp>();
    CHECK(answers == 10'000);

    client.room = 0;
    client.send_bytes(pings);
    w.pass(6s);
    CHECK(w.engine.count().sessions_connected == 0);
}

// ---- SUBSCRIBE, UNSUBSCRIBE

TEST_CASE("MQTT-3.8.4-6: SUBACK has one reason per filter, in order") {
    world w({.deny_subscribe = {{"test/nosubscribe"}, {"b", reason_code::quota_exceeded}},
             .subscriptions_per_session_max = 3});
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    const std::string deep(200, '/');
    client.send(packets::subscribe{packet_id{9},
                                   {{.filter = "a", .qos = qos::exactly_once},
                                    {.filter = "a#"},
                                    {.filter = "test/nosubscribe"},
                                    {.filter = "b"},
                                    {.filter = deep},
                                    {.filter = "$share/g/x", .qos = qos::at_least_once},
                                    {.filter = "$share/+/x"},
                                    {.filter = "+"},
                                    {.filter = "one too many"},
                                    {.filter = "a"}},
                                   {}});
    const auto ack = client.get<packets::suback>();
    CHECK(to_number(ack.id) == 9);
    CHECK(ack.reasons == std::vector<reason_code>{reason_code::granted_qos_2, reason_code::topic_filter_invalid,
                                                  reason_code::unspecified_error, reason_code::quota_exceeded,
                                                  reason_code::topic_filter_invalid, reason_code::granted_qos_1,
                                                  reason_code::topic_filter_invalid, reason_code::success,
                                                  reason_code::quota_exceeded, reason_code::success});
    CHECK(!client.closed);
}

TEST_CASE("peer: a filter that is not offered is refused in SUBACK") {
    world w({.wildcard_subscription_available = false,
             .subscription_identifier_available = false,
             .shared_subscription_available = false});
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    CHECK(client.subscribe("a/+") == reason_code::wildcard_subscriptions_not_supported);
    CHECK(client.subscribe("$share/g/a") == reason_code::shared_subscriptions_not_supported);
    CHECK(client.subscribe("a", qos::at_most_once, 4) == reason_code::subscription_identifiers_not_supported);
    CHECK(client.subscribe("a") == reason_code::success);
}

TEST_CASE("peer: 3.1.1 hears 0x80 for a refused filter, 3.1 is closed for an invalid one") {
    world w({.deny_subscribe = {{"no"}}});
    wire_client client(w, protocol_version::v3_1_1);
    client.connect("c");
    CHECK(client.subscribe("no") == reason_code::unspecified_error);
    CHECK(client.subscribe("a#") == reason_code::unspecified_error);
    wire_client oldest(w, protocol_version::v3_1);
    oldest.connect("o");
    CHECK(!is_failure(oldest.subscribe("no")));
    oldest.send(packets::subscribe{packet_id{7}, {{.filter = "a#"}}, {}});
    CHECK(oldest.closed);
}

TEST_CASE("MQTT-3.10.4-5: UNSUBACK comes for every UNSUBSCRIBE, with 0x11 for what there was not") {
    for (const auto version : all_versions) {
        world w;
        wire_client client(w, version);
        client.connect("c");
        client.subscribe("a/+");
        client.send(packets::unsubscribe{packet_id{3}, {"a/+", "a/b", "a#"}, {}});
        const auto ack = client.get<packets::unsuback>();
        CHECK(to_number(ack.id) == 3);
        if (version == protocol_version::v5) {
            CHECK(ack.reasons == std::vector<reason_code>{reason_code::success, reason_code::no_subscription_existed,
                                                          reason_code::no_subscription_existed});
        }
        client.publish("a/b", "x");
        CHECK(!client.has_packet());
    }
}

// ---- retained

TEST_CASE("MQTT-3.3.1-6, -8: a subscription brings the retained messages, with RETAIN, after its SUBACK") {
    for (const auto version : all_versions) {
        world w;
        wire_client publisher(w, version);
        publisher.connect("p");
        publisher.publish("a/1", "one", qos::exactly_once, true);
        publisher.publish("a/2", "two", qos::at_most_once, true);
        publisher.publish("a/3", "gone", qos::at_least_once, true);
        publisher.publish("a/3", "", qos::at_least_once, true);
        publisher.publish("b", "other", qos::at_least_once, true);
        publisher.publish("a/2", "not retained");
        wire_client client(w, version);
        client.connect("c");
        client.subscribe("a/+", qos::at_least_once);
        const auto one = client.get<packets::publish>();
        CHECK(one.payload == "one");
        CHECK(one.retain);
        CHECK(one.qos == qos::at_least_once);
        const auto two = client.get<packets::publish>();
        CHECK(two.payload == "two");
        CHECK(two.qos == qos::at_most_once);
        CHECK(!client.has_packet());
        CHECK(w.engine.count().retained == 3);
    }
}

TEST_CASE("MQTT-3.3.1-9 to -11: retain handling") {
    world w;
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    client.publish("t", "x", qos::at_most_once, true);
    const auto subscribe = [&](retain_handling handling) {
        client.subscribe("t", qos::at_most_once, 6, {.retain_handling = handling});
        return client.payloads();
    };
    CHECK(subscribe(retain_handling::do_not_send).empty());
    CHECK(subscribe(retain_handling::send_if_new).empty());
    CHECK(subscribe(retain_handling::send) == list{"x"});
    CHECK(subscribe(retain_handling::send) == list{"x"});
    client.send(packets::unsubscribe{packet_id{99}, {"t"}, {}});
    client.get<packets::unsuback>();
    client.subscribe("t", qos::at_most_once, 6, {.retain_handling = retain_handling::send_if_new});
    const auto p = client.get<packets::publish>();
    CHECK(p.subscription_identifiers.size() == 1);
    CHECK(client.subscribe("$share/g/t") == reason_code::success);
    CHECK(!client.has_packet());
}

TEST_CASE("peer: 50,000 retained messages reach a slow subscriber a buffer at a time, QoS 1 at its own pace") {
    for (const auto q : {qos::at_most_once, qos::at_least_once}) {
        world w;
        wire_client publisher(w, protocol_version::v3_1_1);
        publisher.connect("p");
        const std::string payload(100, 'x');
        constexpr int count = 50'000;
        for (int i = 0; i < count; ++i) {
            publisher.publish("a/" + std::to_string(i), payload, q, true);
            if (q == qos::at_least_once) publisher.get<packets::puback>();
        }
        wire_client client(w, protocol_version::v5);
        client.connect("c", {.keep_alive = 0});
        client.room = 1'000;
        client.send(packets::subscribe{packet_id{1}, {{.filter = "#", .qos = q}}, {}});
        CHECK(w.engine.out(client.id())->size() < 300'000);
        client.unblock(std::size_t(-1));
        client.get<packets::suback>();
        std::set<std::string> topics;
        while (client.has_packet()) {
            const auto p = client.get<packets::publish>();
            topics.emplace(p.topic);
            client.acknowledge(p);
        }
        CHECK(topics.size() == count);
    }
}

TEST_CASE("peer: retained messages that were not sent yet follow in the resumed session") {
    world w({.inflight_max = 10});
    wire_client publisher(w, protocol_version::v3_1_1);
    publisher.connect("p");
    for (int i = 0; i < 100; ++i)
        publisher.publish("a/" + std::to_string(i), "x", qos::at_least_once, true);
    packets::connect c;
    c.clean_start = false;
    {
        wire_client client(w, protocol_version::v3_1_1);
        client.connect("c", c);
        client.subscribe("#", qos::at_least_once);
        CHECK(client.payloads().size() == 10);
    }
    wire_client client(w, protocol_version::v3_1_1);
    client.connect("c", c);
    std::set<std::string> topics;
    while (client.has_packet()) {
        const auto p = client.get<packets::publish>();
        topics.emplace(p.topic);
        client.acknowledge(p);
    }
    CHECK(topics.size() == 100);
}

TEST_CASE("MQTT-3.3.2-6: a retained message is sent with the seconds it has left") {
    world w;
    wire_client client(w, protocol_version::v5);
    client.connect("c", {.keep_alive = 0});
    message_properties p;
    p.message_expiry_interval = 10;
    client.publish("t", "x", qos::at_most_once, true, p);
    w.pass(4s);
    client.subscribe("t");
    CHECK(client.get<packets::publish>().properties.message_expiry_interval == 6);
    w.pass(6s);
    client.subscribe("t");
    CHECK(!client.has_packet());
    CHECK(w.engine.count().retained == 0);
}

// ---- topics that begin with $

TEST_CASE("peer: nobody publishes to $SYS, and other topics that begin with $ are no wildcard's business") {
    world w;
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    client.subscribe("+/+");
    client.subscribe("$TopicA/B");
    client.subscribe("$SYS/#");
    client.publish("$SYS/x", "1", qos::at_least_once);
    CHECK(client.get<packets::puback>().reason == reason_code::not_authorized);
    client.publish("$TopicA/B", "2");
    CHECK(client.payloads() == list{"2"});
}
