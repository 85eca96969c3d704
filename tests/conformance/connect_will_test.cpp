// Section 3.1.2.5 and what CONNECT says of the will.
#include "conformance/broker_world.hpp"

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

packets::connect with_will(protocol_version version, qos q = qos::at_least_once, bool retain = false) {
    auto hello = broker_world::hello(version, "c");
    hello.will.emplace().topic = "w";
    hello.will->payload = "gone";
    hello.will->qos = q;
    hello.will->retain = retain;
    return hello;
}

broker_peer& watcher_of(broker_world& world, protocol_version version) {
    auto& watcher = world.connect(version, "watcher");
    CHECK(watcher.subscribe("w") == reason_code::granted_qos_2);
    return watcher;
}

// How a connection may end but by a DISCONNECT with reason 0.
struct ending {
    const char* name;
    std::function<void(broker_world&, broker_peer&)> happen;
};

std::vector<ending> endings(protocol_version version) {
    std::vector<ending> all{
        {"cut", [](broker_world&, broker_peer& peer) { peer.cut(); }},
        {"malformed packet", [](broker_world&, broker_peer& peer) { peer.send("F1 00"); }},
        {"protocol error", [](broker_world&, broker_peer& peer) { peer.send("D0 00"); }},
        {"in the middle of a packet",
         [](broker_world&, broker_peer& peer) {
             peer.send("30 10 00 01 't'");
             peer.cut();
         }},
        {"keep-alive", [](broker_world& world, broker_peer&) { world.advance(15s); }},
        {"take-over",
         [](broker_world& world, broker_peer& peer) { (void)world.connect(broker_world::hello(peer.version(), "c")); }},
    };
    if (version == protocol_version::v5) {
        all.push_back({"DISCONNECT 0x04", [](broker_world&, broker_peer& peer) {
                           peer.send(packets::disconnect{reason_code::disconnect_with_will, {}});
                       }});
        all.push_back({"DISCONNECT 0x80", [](broker_world&, broker_peer& peer) {
                           peer.send(packets::disconnect{reason_code::unspecified_error, {}});
                       }});
    }
    return all;
}

}  // namespace

TEST_CASE("5.0/MQTT-3.1.2-7 5.0/MQTT-3.1.2-8 3.1.1/MQTT-3.1.2-8: the will is published however the connection ends") {
    for (const protocol_version version : every_version) {
        for (const ending& how : endings(version)) {
            for (const bool durable : {false, true}) {
                CAPTURE(name(version));
                CAPTURE(std::string(how.name));
                broker_world world({}, durable);
                auto& watcher = watcher_of(world, version);
                auto hello = with_will(version);
                hello.keep_alive = 10;
                auto& peer = world.connect(hello);
                CHECK(watcher.is_silent());
                how.happen(world, peer);
                CHECK(watcher.messages() == "w=gone q1");
            }
        }
    }
}

TEST_CASE(
    "5.0/MQTT-3.1.2-8 5.0/MQTT-3.1.2-10 5.0/MQTT-3.14.4-3 3.1.1/MQTT-3.1.2-8 3.1.1/MQTT-3.1.2-10 "
    "3.1.1/MQTT-3.14.4-3: DISCONNECT throws the will away") {
    for (const protocol_version version : every_version) {
        for (const bool kept : {false, true}) {
            CAPTURE(name(version));
            broker_world world;
            auto& watcher = watcher_of(world, version);
            auto hello = with_will(version);
            if (kept) {
                hello.clean_start = false;
                if (version == protocol_version::v5) {
                    hello.properties.session_expiry_interval = 100;
                    hello.will->will_delay_interval = 10;
                }
            }
            world.connect(hello).leave();
            world.advance(1h);
            CHECK(watcher.is_silent());

            // nor does it come back with the session
            hello.will.reset();
            world.connect(hello).cut();
            world.advance(1h);
            CHECK(watcher.is_silent());
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.2-10 3.1.1/MQTT-3.1.2-10: a will is published once") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& watcher = watcher_of(world, version);
        auto hello = with_will(version);
        hello.clean_start = false;
        if (version == protocol_version::v5) hello.properties.session_expiry_interval = 100;
        world.connect(hello).cut();
        CHECK(watcher.messages() == "w=gone q1");
        world.advance(1h);
        hello.will.reset();
        world.connect(hello).cut();
        world.advance(1h);
        CHECK(watcher.is_silent());
    }
}

TEST_CASE("3.1.1/MQTT-3.1.2-12: without the Will Flag nothing is published, however the connection ends") {
    for (const protocol_version version : every_version) {
        for (const ending& how : endings(version)) {
            CAPTURE(std::string(how.name));
            broker_world world;
            auto& watcher = world.connect(version, "watcher");
            CHECK(watcher.subscribe("#") == reason_code::granted_qos_2);
            auto hello = broker_world::hello(version, "c");
            hello.keep_alive = 10;
            how.happen(world, world.connect(hello));
            world.advance(1h);
            CHECK(watcher.is_silent());
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.2-14 3.1.1/MQTT-3.1.2-16: without Will Retain the will is not retained") {
    for (const protocol_version version : every_version) {
        for (const qos q : every_qos) {
            broker_world world;
            auto& watcher = watcher_of(world, version);
            auto& publisher = world.connect(version, "publisher");
            CHECK(!is_failure(publisher.publish("w", "before", qos::at_most_once, true)));
            CHECK(watcher.messages() == "w=before q0");
            world.connect(with_will(version, q)).cut();
            CHECK(watcher.messages() == "w=gone q" + name(q));
            auto& later = world.connect(version, "later");
            CHECK(later.subscribe("w") == reason_code::granted_qos_2);
            CHECK(later.messages() == "w=before q0 retain");
        }
    }
}

TEST_CASE("5.0/MQTT-3.1.2-15 3.1.1/MQTT-3.1.2-17: with Will Retain the will is retained") {
    for (const protocol_version version : every_version) {
        for (const qos q : every_qos) {
            broker_world world;
            auto& watcher = watcher_of(world, version);
            world.connect(with_will(version, q, true)).cut();
            CHECK(watcher.messages() == "w=gone q" + name(q));
            auto& later = world.connect(version, "later");
            CHECK(later.subscribe("w") == reason_code::granted_qos_2);
            CHECK(later.messages() == "w=gone q" + name(q) + " retain");
        }
    }
}

// ---- Will Delay Interval

TEST_CASE("5.0/MQTT-3.1.2-8: the will waits for its delay or for the end of the session, whichever is first") {
    struct expectation {
        std::uint32_t delay;
        std::uint32_t expiry;
        std::chrono::seconds after;
    };
    for (const auto& [delay, expiry, after] :
         {expectation{10, 100, 10s}, expectation{100, 10, 10s}, expectation{10, 10, 10s}, expectation{10, 0, 0s},
          expectation{0, 100, 0s}}) {
        CAPTURE(delay);
        CAPTURE(expiry);
        broker_world world;
        auto& watcher = watcher_of(world, protocol_version::v5);
        auto hello = with_will(protocol_version::v5);
        hello.will->will_delay_interval = delay;
        hello.properties.session_expiry_interval = expiry;
        world.connect(hello).cut();
        if (after != 0s) {
            world.advance(after - 1ms);
            CHECK(watcher.is_silent());
            world.advance(1ms);
        }
        CHECK(watcher.messages() == "w=gone q1");
        world.advance(1h);
        CHECK(watcher.is_silent());
    }
}

TEST_CASE(
    "5.0/MQTT-3.1.3-9 5.0/MQTT-3.1.2-8: a connection that resumes the session before the delay is over cancels the "
    "will") {
    broker_world world;
    auto& watcher = watcher_of(world, protocol_version::v5);
    auto hello = with_will(protocol_version::v5);
    hello.clean_start = false;
    hello.will->will_delay_interval = 10;
    hello.properties.session_expiry_interval = 100;
    world.connect(hello).cut();
    world.advance(9s);
    auto& again = world.connect(hello);
    CHECK(world.connack.session_present);
    world.advance(1h);
    CHECK(watcher.is_silent());

    // A take-over in time cancels, too; one that begins anew ends the session, and with it the wait.
    auto& taken_over = world.connect(hello);
    CHECK(again.is_closed());
    world.advance(1h);
    CHECK(watcher.is_silent());
    hello.clean_start = true;
    (void)world.connect(hello);
    CHECK(taken_over.is_closed());
    CHECK(watcher.messages() == "w=gone q1");

    // Too late: it was published.
    hello.clean_start = false;
    world.connect(hello).cut();
    world.advance(10s);
    CHECK(watcher.messages() == "w=gone q1");
    (void)world.connect(hello);
    CHECK(watcher.is_silent());
}

TEST_CASE("5.0/MQTT-3.1.3-10: the will's properties are published, User Properties in their order") {
    broker_world world;
    auto& watcher = watcher_of(world, protocol_version::v5);
    const std::vector<user_property> pairs{{"b", "1"}, {"a", "2"}, {"b", "1"}, {"", ""}, {"a", "1"}};
    auto hello = with_will(protocol_version::v5);
    auto& properties = hello.will->properties;
    properties.user_properties = pairs;
    properties.payload_format_indicator = payload_format::utf8;
    properties.content_type = "text/plain";
    properties.response_topic = "answer";
    properties.correlation_data = "\0\xFF"sv;
    properties.message_expiry_interval = 60;
    world.connect(hello).cut();
    const auto got = watcher.message();
    CHECK(got.properties == properties);
    CHECK(std::vector<user_property>(got.properties.user_properties.begin(), got.properties.user_properties.end()) ==
          pairs);
}

// ---- wills that the server cannot publish

TEST_CASE("5.0/MQTT-3.2.2-12: a Will QoS above the server's Maximum QoS is refused") {
    for (const qos maximum : {qos::at_most_once, qos::at_least_once}) {
        broker_options options;
        options.maximum_qos = maximum;
        for (const qos q : every_qos) {
            broker_world world(options);
            auto& peer = world.dial(protocol_version::v5);
            peer.send(with_will(protocol_version::v5, q));
            const auto connack = peer.take<packets::connack>();
            CHECK(connack.reason == (q > maximum ? reason_code::qos_not_supported : reason_code::success));
            CHECK(peer.is_closed() == (q > maximum));
        }
    }
}

TEST_CASE("5.0/MQTT-3.2.2-13: Will Retain is refused where nothing is retained") {
    broker_options options;
    options.retain_available = false;
    for (const bool retain : {true, false}) {
        broker_world world(options);
        auto& peer = world.dial(protocol_version::v5);
        peer.send(with_will(protocol_version::v5, qos::at_most_once, retain));
        CHECK(peer.take<packets::connack>().reason ==
              (retain ? reason_code::retain_not_supported : reason_code::success));
        CHECK(peer.is_closed() == retain);
    }
}
