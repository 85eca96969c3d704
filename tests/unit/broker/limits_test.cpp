// The bounds of a broker that are not a single peer's: memory, addresses, versions, names; and what a stop tells.
#include "unit/broker/wire.hpp"

#include <list>
#include <map>

using namespace martlet;
using namespace martlet::broker_test;

namespace {

using list = std::vector<std::string>;

packets::connect kept() {
    packets::connect c;
    c.properties.session_expiry_interval = 1'000;
    return c;
}

}  // namespace

TEST_CASE(
    "limits: above memory_max nothing more is kept, nobody is told otherwise, and all goes on when there is room") {
    broker_options options;
    options.memory_max = 100'000;
    world w(options);
    wire_client sleeper(w, protocol_version::v5);
    sleeper.connect("sleeper", kept());
    sleeper.subscribe("#", qos::at_least_once);
    sleeper.drop();

    wire_client from(w, protocol_version::v5);
    from.connect("from");
    const std::string payload(10'000, 'x');
    int kept_count = 0;
    for (int i = 0; i < 20; ++i) {
        from.publish("t", payload, qos::at_least_once);
        const auto reason = from.get<packets::puback>().reason;
        CHECK((reason == reason_code::success || reason == reason_code::quota_exceeded));
        kept_count += reason == reason_code::success;
    }
    CHECK(kept_count >= 8);
    CHECK(kept_count <= 10);
    CHECK(w.engine.count().routed.dropped_memory == static_cast<std::uint64_t>(20 - kept_count));
    CHECK(w.engine.count().memory < 120'000);

    wire_client old(w, protocol_version::v3_1_1);
    CHECK(old.connect("old").reason == reason_code::server_unavailable);

    wire_client awake(w, protocol_version::v5);
    packets::connect resume = kept();
    resume.clean_start = false;
    awake.connect("sleeper", resume);
    int delivered = 0;
    while (awake.has_packet()) {
        awake.acknowledge(awake.get<packets::publish>());
        ++delivered;
    }
    CHECK(delivered == kept_count);
    CHECK(w.engine.count().memory < 1'000);
    from.publish("t", payload, qos::at_least_once);
    CHECK(from.get<packets::puback>().reason == reason_code::success);
}

TEST_CASE("limits: a client of MQTT 3.1.1 is not told that a message was kept when memory is full") {
    broker_options options;
    options.memory_max = 100'000;
    world w(options);
    wire_client sleeper(w, protocol_version::v5), from(w, protocol_version::v3_1_1);
    sleeper.connect("sleeper", kept());
    sleeper.subscribe("#", qos::at_least_once);
    sleeper.drop();
    from.connect("from");
    int acknowledged = 0;
    for (int i = 0; i < 20 && !from.closed; ++i) {
        from.publish("t", std::string(10'000, 'x'), qos::at_least_once);
        acknowledged += from.has_packet() && (from.get<packets::puback>(), true);
    }
    CHECK(from.closed);
    CHECK(w.engine.count().queued == static_cast<std::size_t>(acknowledged));
}

TEST_CASE("limits: a message shared by many sessions counts once") {
    world w;
    std::list<wire_client> clients;
    for (int i = 0; i < 50; ++i) {
        auto& c = clients.emplace_back(w, protocol_version::v5);
        c.connect(std::to_string(i), kept());
        c.subscribe("#", qos::at_least_once);
        c.drop();
    }
    wire_client from(w, protocol_version::v5);
    from.connect("from");
    from.publish("t", std::string(100'000, 'x'), qos::at_least_once);
    CHECK(w.engine.count().queued == 50);
    CHECK(w.engine.count().memory > 100'000);
    CHECK(w.engine.count().memory < 110'000);
}

TEST_CASE("limits: an address has so many connections, and so many that are not accepted yet") {
    broker_options options;
    options.connections_per_address_max = 3;
    options.handshakes_per_address_max = 2;
    options.allow_anonymous_remote = true;
    world w(options);
    const peer_info here{"192.0.2.1:4711", false};
    const peer_info other{"192.0.2.2:4711", false};
    std::vector<peer_id> open;
    const auto connect = [&](peer_id id) {
        packets::connect c;
        const std::string name = "c" + std::to_string(open.size());
        c.client_id = name;
        std::string bytes(core::encoded_size(packet(c), protocol_version::v5), '\0');
        core::encode(packet(c), protocol_version::v5, bytes.data());
        static_cast<void>(w.engine.receive(id, bytes, w.now));
    };
    for (int i = 0; i < 2; ++i) {
        REQUIRE(w.engine.admits(here));
        open.push_back(w.engine.peer_opened(here, nullptr, w.now));
    }
    CHECK_FALSE(w.engine.admits(here));
    CHECK(w.engine.admits(other));
    CHECK(w.engine.admits({"192.0.2.1:1", true}));

    connect(open[0]);
    REQUIRE(w.engine.admits(here));
    open.push_back(w.engine.peer_opened(here, nullptr, w.now));
    connect(open[1]);
    connect(open[2]);
    CHECK_FALSE(w.engine.admits(here));  // three connections
    w.engine.on_closed(open[0], w.now);
    CHECK(w.engine.admits(here));
    w.engine.on_closed(open[1], w.now);
    w.engine.on_closed(open[2], w.now);
    CHECK(w.engine.count().connections == 0);
    for (int i = 0; i < 100'000; ++i)
        w.engine.on_closed(w.engine.peer_opened({"192.0.2." + std::to_string(i) + ":1", false}, nullptr, w.now), w.now);
    CHECK(w.engine.admits(here));
}

// A client of MQTT 3.1.1 cannot be told how many it may have open. Whatever it sends, a PUBCOMP means that the message
// has been delivered; who may not have so many open is closed, with a reason in the log.
TEST_CASE("limits: 50 QoS 2 messages at once from a client of 3.1.1 that ignores the limit") {
    for (const std::uint16_t receive_maximum : {std::uint16_t{65'535}, std::uint16_t{50}, std::uint16_t{20}}) {
        CAPTURE(receive_maximum);
        std::string why;
        broker_options options;
        options.receive_maximum = receive_maximum;
        options.on_violation = [&](const violation& v) { why = v.text; };
        world w(options);
        wire_client to(w, protocol_version::v3_1_1);
        to.connect("to");
        to.subscribe("t", qos::exactly_once);
        wire_client from(w, protocol_version::v3_1_1);
        from.connect("from");
        for (int i = 1; i <= 50 && !from.closed; ++i)
            from.publish("t", std::to_string(i), qos::exactly_once);
        // the acknowledgements come all at once, behind the last PUBLISH
        std::vector<packet_id> received;
        while (from.has_packet())
            received.push_back(from.get<packets::pubrec>().id);
        for (const packet_id id : received)
            from.send(packets::pubrel{id, {}, {}});
        std::size_t completed = 0;
        while (from.has_packet()) {
            from.get<packets::pubcomp>();
            ++completed;
        }
        const std::vector<std::string> payloads = to.payloads();
        const std::size_t delivered = payloads.size();
        for (std::size_t i = 0; i < delivered; ++i)
            CHECK(payloads[i] == std::to_string(i + 1));
        CHECK(completed <= delivered);
        if (receive_maximum >= 50) {
            CHECK_FALSE(from.closed);
            CHECK(completed == 50);
            CHECK(delivered == 50);
        } else {
            CHECK(from.closed);
            CHECK(completed == 0);
            CHECK(delivered == 20);  // they were acknowledged by PUBREC
            CHECK_FALSE(why.empty());
        }
    }
}

TEST_CASE("limits: versions, client id prefixes and payload sizes") {
    broker_options options;
    options.protocol_versions = {.v3_1 = false, .v3_1_1 = true, .v5 = true};
    options.client_id_prefixes = {"dev-", "app-"};
    options.payload_size_max = 10;
    world w(options);
    {
        wire_client c(w, protocol_version::v3_1);
        CHECK(c.connect("dev-1").reason == reason_code::unsupported_protocol_version);
    }
    {
        wire_client c(w, protocol_version::v5);
        CHECK(c.connect("x-1").reason == reason_code::client_identifier_not_valid);
    }
    wire_client c(w, protocol_version::v5);
    CHECK(c.connect("app-1").reason == reason_code::success);
    c.publish("t", "0123456789");
    CHECK_FALSE(c.has_packet());
    c.publish("t", "0123456789x");
    CHECK(c.get<packets::disconnect>().reason == reason_code::packet_too_large);
    CHECK(c.closed);
}

TEST_CASE("limits: wills reach everybody when the broker stops, whoever is told first") {
    world w;
    wire_client first(w, protocol_version::v5), mortal(w, protocol_version::v5), last(w, protocol_version::v5);
    first.connect("first");
    first.subscribe("will");
    packets::connect c;
    c.will = will{};
    c.will->topic = "will";
    c.will->payload = "gone";
    mortal.connect("mortal", c);
    last.connect("last");
    last.subscribe("will");
    w.engine.shut_down(w.now);
    w.flush();
    for (wire_client* each : {&first, &last}) {
        CHECK(each->get<packets::publish>().payload == "gone");
        CHECK(each->get<packets::disconnect>().reason == reason_code::server_shutting_down);
        CHECK_FALSE(each->has_packet());
    }
}

TEST_CASE("limits: a client's violations are told by their statement") {
    broker_options options;
    list told;
    options.on_violation = [&](const violation& v) {
        told.push_back(std::string(v.client_id) + " " + std::string(v.rule));
    };
    world w(options);
    wire_client c(w, protocol_version::v5);
    c.connect("c");
    packets::connect again;
    again.client_id = "c";
    c.send(again);
    CHECK(told == list{"c MQTT-3.1.0-2"});
}

TEST_CASE("sys_topics: mosquitto's names, retained, told again only when they change") {
    broker_options options;
    options.sys_interval = 10s;
    world w(options);
    w.pass(1ms);
    wire_client c(w, protocol_version::v5);
    c.connect("c");
    c.subscribe("$SYS/#");
    std::map<std::string, std::string> values;
    const auto take = [&] {
        std::size_t count = 0;
        for (; c.has_packet(); ++count) {
            const auto p = c.get<packets::publish>();
            values[std::string(p.topic)] = p.payload;
        }
        return count;
    };
    const std::size_t all = take();
    CHECK(values["$SYS/broker/uptime"] == "0 seconds");
    for (const char* name : {"version", "clients/total", "clients/connected", "clients/maximum", "messages/received",
                             "messages/sent", "publish/messages/dropped", "subscriptions/count", "bytes/received",
                             "retained messages/count", "load/messages/received/1min", "heap/current"}) {
        CAPTURE(name);
        CHECK(values.contains(std::string("$SYS/broker/") + name));
    }
    c.publish("t", "12345");
    w.pass(10s);
    CHECK(take() < all - 10);  // what has not changed is not told
    CHECK(values["$SYS/broker/uptime"] == "10 seconds");
    CHECK(values["$SYS/broker/clients/connected"] == "1");
    CHECK(values["$SYS/broker/subscriptions/count"] == "1");
    CHECK(values["$SYS/broker/publish/messages/received"] == "1");
    CHECK(values["$SYS/broker/publish/bytes/received"] == "5");
}

TEST_CASE("limits: the name in a client certificate has to be one that a user could have") {
    world w;
    const auto connect = [&](std::string identity) {
        wire_client c(w, protocol_version::v5, peer_info{"test:1", true, std::move(identity), true});
        return c.connect("device").reason;
    };
    CHECK(connect("pump 7") == reason_code::success);
    CHECK(connect("m\xc3\xbcller") == reason_code::success);
    CHECK(connect("") == reason_code::not_authorized);
    CHECK(connect("a/+") == reason_code::not_authorized);
    CHECK(connect("#") == reason_code::not_authorized);
    CHECK(connect(std::string("root\0.evil", 10)) == reason_code::not_authorized);
    CHECK(connect("\xc0\xafroot") == reason_code::not_authorized);
    CHECK(connect("\xed\xa0\x80") == reason_code::not_authorized);
}
