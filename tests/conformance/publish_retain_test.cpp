// Section 3.3.1.3: retained messages.
#include "conformance/broker_world.hpp"

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

// What a client that subscribes now gets.
std::string retained_by(broker_world& world, protocol_version version, std::string_view filter) {
    auto& peer = world.connect(version, "late");
    CHECK(peer.subscribe(filter) == reason_code::granted_qos_2);
    const std::string got = peer.messages();
    peer.leave();
    return got;
}

std::string handled(broker_world& world, broker_peer& peer, retain_handling handling, std::string_view filter = "t") {
    (void)world;
    CHECK_FALSE(is_failure(peer.subscribe({.filter = filter, .qos = qos::exactly_once, .retain_handling = handling})));
    return peer.messages();
}

constexpr protocol_version v5 = protocol_version::v5;

}  // namespace

TEST_CASE(
    "5.0/MQTT-3.3.1-5 3.1.1/MQTT-3.3.1-5: a message with RETAIN is stored with its QoS and takes the place of the last "
    "one") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& publisher = world.connect(version, "publisher");
        CHECK(retained_by(world, version, "t") == "");
        for (const qos q : every_qos) {
            CHECK_FALSE(is_failure(publisher.publish("t", "kept " + name(q), q, true)));
            CHECK(world.engine.count().retained == 1);
            CHECK(retained_by(world, version, "t") == "t=kept " + name(q) + " q" + name(q) + " retain");
            CHECK(retained_by(world, version, "#") == "t=kept " + name(q) + " q" + name(q) + " retain");
            CHECK(retained_by(world, version, "u") == "");
        }
    }
}

TEST_CASE("3.1.1/MQTT-3.3.1-6: a new subscription gets the last retained message of each topic that matches") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& publisher = world.connect(version, "publisher");
        for (const char* const topic : {"a", "a/b", "a/c", "a/b/c", "b/a", "$x/a"}) {
            CHECK_FALSE(is_failure(publisher.publish(topic, "old", qos::at_most_once, true)));
            CHECK_FALSE(is_failure(publisher.publish(topic, "new", qos::at_least_once, true)));
        }
        CHECK(retained_by(world, version, "a/b") == "a/b=new q1 retain");
        CHECK(retained_by(world, version, "+") == "a=new q1 retain");
        CHECK(retained_by(world, version, "$x/#") == "$x/a=new q1 retain");
        const auto count = [&](std::string_view filter) {
            auto& peer = world.connect(version, "late");
            CHECK(peer.subscribe(filter, qos::at_most_once) == reason_code::success);
            return peer.count();
        };
        CHECK(count("a/+") == 2);
        CHECK(count("a/#") == 4);
        CHECK(count("#") == 5);
        CHECK(count("+/a") == 1);
        CHECK(count("nothing/#") == 0);
    }
}

TEST_CASE("3.1.1/MQTT-3.3.1-7: a retained message at QoS 0 takes the place of one at a higher QoS") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& publisher = world.connect(version, "publisher");
        CHECK_FALSE(is_failure(publisher.publish("t", "two", qos::exactly_once, true)));
        CHECK_FALSE(is_failure(publisher.publish("t", "zero", qos::at_most_once, true)));
        CHECK(retained_by(world, version, "t") == "t=zero q0 retain");
    }
}

TEST_CASE(
    "3.1.1/MQTT-3.3.1-8 3.1.1/MQTT-3.3.1-9: RETAIN is 1 on what comes with a subscription, 0 on what comes later") {
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& subscriber = world.connect(version, "subscriber");
        CHECK(subscriber.subscribe("t") == reason_code::granted_qos_2);
        auto& publisher = world.connect(version, "publisher");
        for (const qos q : every_qos) {
            for (const bool retain : {true, false}) {
                CHECK_FALSE(is_failure(publisher.publish("t", "x", q, retain)));
                CHECK(subscriber.messages() == "t=x q" + name(q));
            }
            CHECK(retained_by(world, version, "t") == "t=x q" + name(q) + " retain");
        }
    }
}

TEST_CASE(
    "5.0/MQTT-3.3.1-6 5.0/MQTT-3.3.1-7 3.1.1/MQTT-3.3.1-10 3.1.1/MQTT-3.3.1-11: RETAIN with an empty payload "
    "deletes, is passed on and not stored") {
    for (const protocol_version version : every_version) {
        for (const qos q : every_qos) {
            broker_world world;
            auto& subscriber = world.connect(version, "subscriber");
            CHECK(subscriber.subscribe("#") == reason_code::granted_qos_2);
            auto& publisher = world.connect(version, "publisher");
            CHECK(publisher.publish("t", "x", qos::at_least_once, true) == reason_code::success);
            CHECK(publisher.publish("other", "y", qos::at_least_once, true) == reason_code::success);
            CHECK(subscriber.messages() == "t=x q1, other=y q1");

            CHECK(publisher.publish("t", "", q, true) == reason_code::success);
            CHECK(subscriber.messages() == "t= q" + name(q));
            CHECK(world.engine.count().retained == 1);
            CHECK(retained_by(world, version, "#") == "other=y q1 retain");

            // where there is none
            CHECK(publisher.publish("never", "", q, true) == reason_code::success);
            CHECK(subscriber.messages() == "never= q" + name(q));
            CHECK(retained_by(world, version, "never") == "");
            CHECK(world.engine.count().retained == 1);
        }
    }
}

TEST_CASE("5.0/MQTT-3.3.1-8 3.1.1/MQTT-3.3.1-12: a message without RETAIN is not stored and changes nothing that is") {
    for (const protocol_version version : every_version) {
        for (const qos q : every_qos) {
            broker_world world;
            auto& publisher = world.connect(version, "publisher");
            CHECK_FALSE(is_failure(publisher.publish("t", "x", q)));
            CHECK(world.engine.count().retained == 0);
            CHECK(retained_by(world, version, "t") == "");
            CHECK_FALSE(is_failure(publisher.publish("t", "kept", qos::at_least_once, true)));
            CHECK_FALSE(is_failure(publisher.publish("t", "x", q)));
            CHECK_FALSE(is_failure(publisher.publish("t", "", q)));
            CHECK(retained_by(world, version, "t") == "t=kept q1 retain");
        }
    }
}

// ---- Retain Handling

TEST_CASE("5.0/MQTT-3.3.1-9: with Retain Handling 0 each SUBSCRIBE brings the retained messages") {
    broker_world world;
    world.publish("t", "kept", qos::at_least_once, true);
    auto& peer = world.connect(v5, "c");
    for (int i = 0; i != 3; ++i)
        CHECK(handled(world, peer, retain_handling::send) == "t=kept q1 retain");
    CHECK(handled(world, peer, retain_handling::send, "+") == "t=kept q1 retain");
    CHECK(handled(world, peer, retain_handling::send, "$share/g/t") == "");
}

TEST_CASE("5.0/MQTT-3.3.1-10: with Retain Handling 1 only a new subscription brings the retained messages") {
    broker_world world;
    world.publish("t", "kept", qos::at_least_once, true);
    auto& peer = world.connect(broker_world::resuming(v5, "c"));
    CHECK(handled(world, peer, retain_handling::send_if_new) == "t=kept q1 retain");
    CHECK(handled(world, peer, retain_handling::send_if_new) == "");
    CHECK(handled(world, peer, retain_handling::send_if_new, "+") == "t=kept q1 retain");  // another filter
    peer.cut();
    auto& again = world.connect(broker_world::resuming(v5, "c"));
    CHECK(handled(world, again, retain_handling::send_if_new) == "");
    CHECK(again.unsubscribe("t") == reason_code::success);
    CHECK(handled(world, again, retain_handling::send_if_new) == "t=kept q1 retain");
    CHECK(handled(world, again, retain_handling::send_if_new, "$share/g/t") == "");
}

TEST_CASE("5.0/MQTT-3.3.1-11: with Retain Handling 2 no SUBSCRIBE brings retained messages") {
    broker_world world;
    world.publish("t", "kept", qos::at_least_once, true);
    auto& peer = world.connect(v5, "c");
    for (int i = 0; i != 2; ++i)
        CHECK(handled(world, peer, retain_handling::do_not_send) == "");
    world.publish("t", "live", qos::at_least_once, true);
    CHECK(peer.messages() == "t=live q1");
}

// ---- Retain As Published

TEST_CASE("5.0/MQTT-3.3.1-12 5.0/MQTT-3.3.1-13: RETAIN is passed on with Retain As Published, and is 0 without") {
    broker_world world;
    auto& keeps = world.connect(v5, "keeps");
    CHECK(keeps.subscribe({.filter = "t", .qos = qos::exactly_once, .retain_as_published = true}) ==
          reason_code::granted_qos_2);
    auto& drops = world.connect(v5, "drops");
    CHECK(drops.subscribe({.filter = "t", .qos = qos::exactly_once}) == reason_code::granted_qos_2);
    auto& publisher = world.connect(v5, "publisher");
    for (const qos q : every_qos) {
        for (const bool retain : {true, false}) {
            CHECK(publisher.publish("t", "x", q, retain) == reason_code::success);
            CHECK(keeps.messages() == "t=x q" + name(q) + (retain ? " retain" : ""));
            CHECK(drops.messages() == "t=x q" + name(q));
        }
    }
    // while the subscriber is away, too
    auto& away = world.connect(broker_world::resuming(v5, "away"));
    CHECK(away.subscribe({.filter = "u/+", .qos = qos::at_least_once, .retain_as_published = true}) ==
          reason_code::granted_qos_1);
    away.cut();
    CHECK(publisher.publish("u/1", "x", qos::at_least_once, true) == reason_code::success);
    CHECK(publisher.publish("u/2", "x", qos::at_least_once, false) == reason_code::success);
    CHECK(world.connect(broker_world::resuming(v5, "away")).messages() == "u/1=x q1 retain, u/2=x q1");
}
