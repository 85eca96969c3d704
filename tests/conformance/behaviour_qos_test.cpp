// Sections 4.3 to 4.5: the exchanges of each QoS, what is sent again, and receiving; for both ends, see both_ends.hpp.
#include "conformance/both_ends.hpp"
#include "conformance/broker_world.hpp"
#include "conformance/client_script.hpp"

#include <set>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

}  // namespace

// ---- QoS 0

TEST_CASE("5.0/MQTT-4.3.1-1 3.1.1/MQTT-4.3.1-1: QoS 0 is sent with QoS 0 and DUP 0, and once") {
    for_each_end([](core_script& peer) {
        (void)peer.publish("t", "x", qos::at_most_once);
        const auto sent = peer.message();
        CHECK(sent.qos == qos::at_most_once);
        CHECK_FALSE(sent.dup);
        REQUIRE(peer.open_resuming(true));
        CHECK(peer.is_silent());
    });
}

// ---- QoS 1, sender

TEST_CASE("5.0/MQTT-4.3.2-1 5.0/MQTT-4.3.2-2 3.1.1/MQTT-4.3.2-1: QoS 1 begins with an unused id, QoS 1 and DUP 0") {
    for_each_end([](core_script& peer) {
        std::set<packet_id> open;
        for (int i = 0; i != 100; ++i) {
            (void)peer.publish("t", "x", qos::at_least_once);
            const auto sent = peer.message();
            CHECK(sent.qos == qos::at_least_once);
            CHECK_FALSE(sent.dup);
            CHECK(sent.id != packet_id::none);
            CHECK(open.insert(sent.id).second);
            if (i % 3 == 0) {
                const packet_id done = *open.begin();
                peer.send(packets::puback{done});
                open.erase(done);
            }
        }
    });
}

TEST_CASE("5.0/MQTT-4.3.2-3 3.1.1/MQTT-4.3.2-1: a QoS 1 message stays unacknowledged until its PUBACK") {
    for_each_end([](core_script& peer) {
        (void)peer.publish("t", "x", qos::at_least_once, false, 7);
        const auto first = peer.message();
        for (int i = 0; i != 3; ++i) {
            CHECK(peer.subject.publishes_done.empty());
            REQUIRE(peer.open_resuming(true));
            const auto again = peer.message();
            CHECK(again.id == first.id);
            CHECK(again.dup);
        }
        peer.send(packets::puback{packet_id{99}});  // of another
        CHECK(peer.subject.publishes_done.empty());
        peer.send(packets::puback{first.id});
        CHECK(peer.subject.publishes_done == std::vector<done>{{7, reason_code::success, {}}});
        REQUIRE(peer.open_resuming(true));
        CHECK(peer.is_silent());
    });
}

// ---- QoS 1, receiver

TEST_CASE(
    "5.0/MQTT-4.3.2-4 3.1.1/MQTT-4.3.2-2: the receiver of QoS 1 answers with PUBACK when it has taken the message") {
    for_each_end([](core_script& peer) {
        peer.subject.acknowledge_at_once = false;
        peer.send(arriving(qos::at_least_once, 0x1234));
        CHECK(peer.is_silent());
        CHECK(peer.subject.messages.size() == 1);
        peer.subject.connection->acknowledge(peer.subject.messages[0].number);
        peer.run();
        CHECK(peer.rest() == "40 02 12 34");
        peer.subject.connection->acknowledge(peer.subject.messages[0].number);
        peer.run();
        CHECK(peer.is_silent());
    });
}

TEST_CASE(
    "5.0/MQTT-4.3.2-5 3.1.1/MQTT-4.3.2-2: after PUBACK a PUBLISH with the same id is a new message, with DUP or not") {
    for_each_end([](core_script& peer) {
        for (const bool dup : {false, true, true, false}) {
            peer.send(arriving(qos::at_least_once, 5, "x", dup));
            CHECK(peer.rest() == "40 02 00 05");
        }
        CHECK(peer.subject.messages.size() == 4);
        REQUIRE(peer.open_resuming(true));
        peer.send(arriving(qos::at_least_once, 5, "x", true));
        CHECK(peer.subject.messages.size() == 5);
    });
}

// ---- QoS 2, sender

TEST_CASE("5.0/MQTT-4.3.3-1 5.0/MQTT-4.3.3-2 3.1.1/MQTT-4.3.3-1: QoS 2 begins with an unused id, QoS 2 and DUP 0") {
    for_each_end([](core_script& peer) {
        std::set<packet_id> open;
        for (int i = 0; i != 100; ++i) {
            (void)peer.publish("t", "x", qos::exactly_once);
            const auto sent = peer.message();
            CHECK(sent.qos == qos::exactly_once);
            CHECK_FALSE(sent.dup);
            CHECK(sent.id != packet_id::none);
            CHECK(open.insert(sent.id).second);
            if (i % 3 == 0) {
                peer.send(packets::pubrec{*open.begin()});  // still in use
                peer.forget();
            }
            if (i % 7 == 0) {
                peer.send(packets::pubcomp{*open.begin()});
                open.erase(open.begin());
            }
        }
    });
}

TEST_CASE("5.0/MQTT-4.3.3-3 3.1.1/MQTT-4.3.3-1: a QoS 2 PUBLISH stays unacknowledged until its PUBREC") {
    for_each_end([](core_script& peer) {
        (void)peer.publish("t", "x", qos::exactly_once, false, 7);
        const auto first = peer.message();
        for (int i = 0; i != 3; ++i) {
            REQUIRE(peer.open_resuming(true));
            const auto again = peer.message();
            CHECK(again.id == first.id);
            CHECK(again.payload == "x");
            CHECK(again.dup);
            CHECK(peer.is_silent());
        }
        CHECK(peer.subject.publishes_done.empty());
    });
}

TEST_CASE("5.0/MQTT-4.3.3-4 3.1.1/MQTT-4.3.3-1: PUBREC is answered with PUBREL of the same id") {
    for_each_end([](core_script& peer) {
        for (int i = 0; i != 3; ++i)
            (void)peer.publish("t", "x", qos::exactly_once);
        peer.forget();
        for (const std::uint16_t id : {std::uint16_t{2}, std::uint16_t{3}, std::uint16_t{1}}) {
            peer.send(packets::pubrec{packet_id{id}});
            CHECK(peer.rest() == "62 02 00 0" + std::to_string(id));
        }
        peer.send(packets::pubrec{packet_id{2}});  // again
        CHECK(peer.rest() == "62 02 00 02");
    });
    // A PUBREC that refuses ends the exchange.
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        REQUIRE(peer.open_resuming(false));
        (void)peer.publish("t", "x", qos::exactly_once, false, 7);
        peer.forget();
        peer.send_bytes(ack(packet_type::pubrec, 1, 0x97));
        CHECK(peer.is_silent());
        CHECK(peer.subject.publishes_done == std::vector<done>{{7, reason_code::quota_exceeded, {}}});
        CHECK(peer.subject.session->sent.count() == 0);
        REQUIRE(peer.open_resuming(true));
        CHECK(peer.is_silent());
    }
}

TEST_CASE("5.0/MQTT-4.3.3-5 3.1.1/MQTT-4.3.3-1: PUBREL stays unacknowledged until its PUBCOMP") {
    for_each_end([](core_script& peer) {
        (void)peer.publish("t", "x", qos::exactly_once, false, 7);
        peer.send(packets::pubrec{packet_id{1}});
        peer.forget();
        for (int i = 0; i != 3; ++i) {
            CHECK(peer.subject.publishes_done.empty());
            REQUIRE(peer.open_resuming(true));
            CHECK(peer.rest() == "62 02 00 01");
        }
        peer.send(packets::pubcomp{packet_id{1}});
        CHECK(peer.subject.publishes_done == std::vector<done>{{7, reason_code::success, {}}});
        REQUIRE(peer.open_resuming(true));
        CHECK(peer.is_silent());
    });
}

TEST_CASE("5.0/MQTT-4.3.3-6 3.1.1/MQTT-4.3.3-1: after PUBREL the PUBLISH is never sent again") {
    for_each_end([](core_script& peer) {
        (void)peer.publish("t", "x", qos::exactly_once);
        peer.send(packets::pubrec{packet_id{1}});
        peer.forget();
        peer.send(packets::pubrec{packet_id{1}});
        CHECK(peer.rest() == "62 02 00 01");
        for (int i = 0; i != 3; ++i) {
            REQUIRE(peer.open_resuming(true));
            while (!peer.is_silent())
                CHECK(peer.next().starts_with("62 "));
        }
        // nor when the other side begins anew
        REQUIRE(peer.open_resuming(false));
        while (!peer.is_silent())
            CHECK(peer.next().starts_with("62 "));
    });
}

TEST_CASE("5.0/MQTT-4.3.3-7: a QoS 2 message that was sent does not expire any more") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        REQUIRE(peer.open_resuming(false));
        for (const char* const payload : {"unanswered", "released"}) {
            const auto message = core::outgoing_message::create("t", payload, qos::exactly_once, false, {},
                                                                peer.now.wall + std::chrono::seconds(10));
            CHECK(peer.subject.connection->send({message, {}, 0, qos::exactly_once, false}) == core::send_result::sent);
        }
        peer.run();
        CHECK(peer.count() == 2);
        peer.forget();
        peer.send(packets::pubrec{packet_id{2}});
        peer.forget();
        peer.advance(1h);
        // on this connection
        peer.send(packets::pubcomp{packet_id{2}});
        // and on the next one
        REQUIRE(peer.open_resuming(true));
        const auto again = peer.message();
        CHECK(again.payload == "unanswered");
        CHECK(again.dup);
        peer.send(packets::pubrec{again.id});
        CHECK(peer.rest() == "62 02 00 01");
    }
}

// ---- QoS 2, receiver

TEST_CASE(
    "5.0/MQTT-4.3.3-8 3.1.1/MQTT-4.3.3-2: the receiver of QoS 2 answers with PUBREC when it has taken the message") {
    for_each_end([](core_script& peer) {
        peer.subject.acknowledge_at_once = false;
        peer.send(arriving(qos::exactly_once, 0x1234));
        CHECK(peer.is_silent());
        peer.subject.connection->acknowledge(peer.subject.messages.at(0).number);
        peer.run();
        CHECK(peer.rest() == "50 02 12 34");
    });
}

TEST_CASE("5.0/MQTT-4.3.3-9: after a PUBREC that refuses a PUBLISH with that id is a new message") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        peer.subject.acknowledge_at_once = false;
        REQUIRE(peer.open_resuming(false));
        for (std::size_t i = 1; i != 4; ++i) {
            peer.send(arriving(qos::exactly_once, 5, "x", i > 1));
            REQUIRE(peer.subject.messages.size() == i);
            peer.subject.connection->acknowledge(peer.subject.messages.back().number, reason_code::quota_exceeded);
            peer.run();
            CHECK(peer.rest() == "50 03 00 05 97");
        }
    }
}

TEST_CASE("3.1.1/MQTT-4.3.3-2: before MQTT 5 there is no refusal: what is not wanted is not handed over twice either") {
    for (const protocol_version version : {protocol_version::v3_1, protocol_version::v3_1_1}) {
        for (const role subject : both_roles) {
            core_script peer(subject, version);
            peer.subject.acknowledge_at_once = false;
            REQUIRE(peer.open_resuming(false));
            peer.send(arriving(qos::exactly_once, 5));
            peer.subject.connection->acknowledge(peer.subject.messages.at(0).number, reason_code::quota_exceeded);
            peer.run();
            CHECK(peer.rest() == "50 02 00 05");
            peer.send(arriving(qos::exactly_once, 5, "x", true));
            CHECK(peer.rest() == "50 02 00 05");
            CHECK(peer.subject.messages.size() == 1);
        }
    }
}

TEST_CASE(
    "5.0/MQTT-4.3.3-10 3.1.1/MQTT-4.3.3-2: until PUBREL a repeated PUBLISH gets PUBREC again and goes no further") {
    for_each_end([](core_script& peer) {
        for (int i = 0; i != 3; ++i) {
            peer.send(arriving(qos::exactly_once, 5, "x", i != 0));
            CHECK(peer.rest() == "50 02 00 05");
        }
        CHECK(peer.subject.messages.size() == 1);
        REQUIRE(peer.open_resuming(true));
        peer.send(arriving(qos::exactly_once, 5, "x", true));
        CHECK(peer.rest() == "50 02 00 05");
        CHECK(peer.subject.messages.size() == 1);
        // other ids are other messages
        peer.send(arriving(qos::exactly_once, 6));
        CHECK(peer.rest() == "50 02 00 06");
        CHECK(peer.subject.messages.size() == 2);
    });
    // through a broker, with a client that forgets nothing
    for (const protocol_version version : every_version) {
        broker_world world;
        auto& subscriber = world.connect(version, "subscriber");
        CHECK(subscriber.subscribe("t") == reason_code::granted_qos_2);
        auto& publisher = world.connect(broker_world::resuming(version, "publisher"));
        publisher.send(arriving(qos::exactly_once, 5));
        publisher.send(arriving(qos::exactly_once, 5, "x", true));
        CHECK(publisher.rest() == "50 02 00 05 50 02 00 05");
        publisher.cut();
        auto& again = world.connect(broker_world::resuming(version, "publisher"));
        again.send(arriving(qos::exactly_once, 5, "x", true));
        CHECK(again.rest() == "50 02 00 05");
        CHECK(subscriber.messages() == "t=x q2");
    }
}

TEST_CASE("5.0/MQTT-4.3.3-11 3.1.1/MQTT-4.3.3-2: PUBREL is answered with PUBCOMP of the same id, known or not") {
    for_each_end([](core_script& peer) {
        peer.send(arriving(qos::exactly_once, 5));
        peer.send(arriving(qos::exactly_once, 6));
        peer.forget();
        peer.send("62 02 00 06");
        CHECK(peer.rest() == "70 02 00 06");
        peer.send("62 02 00 05");
        CHECK(peer.rest() == "70 02 00 05");
        for (const char* const unknown : {"62 02 00 05", "62 02 00 63"}) {
            peer.send(unknown);
            const std::string answer = peer.rest();
            CHECK(answer.ends_with(peer.is_v5() ? " 92" : std::string(unknown).substr(9)));
            CHECK(answer.starts_with("70 "));
            CHECK(answer.substr(6, 5) == std::string(unknown).substr(6));
        }
        CHECK_FALSE(peer.is_closed());
    });
}

TEST_CASE("5.0/MQTT-4.3.3-12 3.1.1/MQTT-4.3.3-2: after PUBCOMP a PUBLISH with that id is a new message") {
    for_each_end([](core_script& peer) {
        for (std::size_t i = 1; i != 4; ++i) {
            peer.send(arriving(qos::exactly_once, 5, "x", i == 2));
            peer.send("62 02 00 05");
            CHECK(peer.rest() == "50 02 00 05 70 02 00 05");
            CHECK(peer.subject.messages.size() == i);
        }
    });
}

TEST_CASE("5.0/MQTT-4.3.3-13: the exchange of QoS 2 is completed also for a message that has expired") {
    broker_world world;
    auto& subscriber = world.connect(broker_world::resuming(v5, "subscriber"));
    CHECK(subscriber.subscribe("t") == reason_code::granted_qos_2);
    subscriber.cut();
    auto& publisher = world.connect(v5, "publisher");
    auto message = arriving(qos::exactly_once, 5);
    for (const std::uint32_t interval : {0u, 10u}) {
        message.properties.message_expiry_interval = interval;
        publisher.send(message);
        CHECK(publisher.rest() == "50 02 00 05");
        world.advance(11s);
        publisher.send(message);  // again
        CHECK(publisher.rest() == "50 02 00 05");
        publisher.send("62 02 00 05");
        CHECK(publisher.rest() == "70 02 00 05");
    }
    CHECK(world.connect(broker_world::resuming(v5, "subscriber")).is_silent());

    core_script client(role::client, v5);
    client.subject.acknowledge_at_once = false;
    REQUIRE(client.open_resuming(false));
    client.send(message);
    client.advance(11s);
    client.subject.connection->acknowledge(client.subject.messages.at(0).number);
    client.run();
    CHECK(client.rest() == "50 02 00 05");
    client.send("62 02 00 05");
    CHECK(client.rest() == "70 02 00 05");
}

// ---- 4.4: sending again

TEST_CASE(
    "5.0/MQTT-4.4.0-1 3.1.1/MQTT-4.4.0-1: what is unacknowledged is sent again on the next connection, with its ids") {
    for_each_end([](core_script& peer) {
        (void)peer.publish("t", "one", qos::at_least_once);
        (void)peer.publish("t", "two", qos::exactly_once);
        (void)peer.publish("t", "released", qos::exactly_once);
        (void)peer.publish("t", "done", qos::at_least_once);
        (void)peer.publish("t", "complete", qos::exactly_once);
        peer.send("50 02 00 03");
        peer.send("40 02 00 04");
        peer.send("50 02 00 05");
        peer.send("70 02 00 05");
        peer.forget();
        for (int i = 0; i != 2; ++i) {
            REQUIRE(peer.open_resuming(true));
            std::multiset<std::string> heard;
            while (!peer.is_silent()) {
                if (peer.peek() == packet_type::pubrel) {
                    heard.insert("PUBREL " + std::to_string(to_number(peer.take<packets::pubrel>().id)));
                } else {
                    const auto again = peer.message();
                    CHECK(again.dup);
                    heard.insert(std::string(again.payload) + " " + std::to_string(to_number(again.id)));
                }
            }
            CHECK(heard == std::multiset<std::string>{"PUBREL 3", "one 1", "two 2"});
        }
    });
}

TEST_CASE("5.0/MQTT-4.4.0-1: on a live connection nothing is sent twice") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        REQUIRE(peer.open_resuming(false));
        (void)peer.publish("t", "one", qos::at_least_once);
        (void)peer.publish("t", "two", qos::exactly_once);
        (void)peer.publish("t", "released", qos::exactly_once);
        peer.send("50 02 00 03");
        peer.forget();
        for (int i = 0; i != 48; ++i) {
            peer.advance(30min);
            peer.send(packets::publish{.topic = "t"});
            CHECK(peer.is_silent());
        }
    }
    for (const protocol_version version : since_v3_1_1) {
        broker_world world;
        auto& peer = world.connect(version, "c");
        CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
        world.publish("t", "x", qos::at_least_once);
        world.publish("t", "x", qos::exactly_once);
        CHECK(peer.count() == 2);
        world.advance(24h);
        CHECK(peer.count() == 2);
    }
}

TEST_CASE("5.0/MQTT-4.4.0-2: PUBACK and PUBREC that refuse count as acknowledgements") {
    for (const role subject : both_roles) {
        for (const unsigned reason : {0x80u, 0x87u, 0x97u, 0x99u}) {
            core_script peer(subject, v5);
            REQUIRE(peer.open_resuming(false));
            (void)peer.publish("t", "one", qos::at_least_once, false, 7);
            (void)peer.publish("t", "two", qos::exactly_once, false, 8);
            peer.forget();
            peer.send_bytes(ack(packet_type::puback, 1, reason));
            peer.send_bytes(ack(packet_type::pubrec, 2, reason));
            const reason_code said{static_cast<std::uint8_t>(reason)};
            CHECK(peer.subject.publishes_done == std::vector<done>{{7, said, {}}, {8, said, {}}});
            CHECK(peer.is_silent());
            REQUIRE(peer.open_resuming(true));
            CHECK(peer.is_silent());
        }
    }
}

// ---- 4.5: receiving

TEST_CASE("5.0/MQTT-4.5.0-2 3.1.1/MQTT-4.5.0-2: a client acknowledges also what its application does not want") {
    for (const protocol_version version : since_v3_1_1) {
        CAPTURE(name(version));
        const bool is_v5 = version == v5;
        client_options options;
        options.client_id = "c";
        options.keep_alive = 0s;
        options.unclaimed = {.count_max = 0, .bytes_max = 0};
        client_script peer(options, version);
        peer.open();
        // No subscription of ours matches.
        peer.send(arriving(qos::at_least_once, 1));
        CHECK(peer.next().substr(0, 11) == (is_v5 ? "40 03 00 01" : "40 02 00 01"));
        peer.send(arriving(qos::exactly_once, 2));
        CHECK(peer.next().substr(0, 11) == (is_v5 ? "50 03 00 02" : "50 02 00 02"));
        if (!is_v5) {
            peer.send("62 02 00 02");
            CHECK(peer.next() == "70 02 00 02");
        }
        peer.forget();

        // The application has let go of its subscription, with a message in it and with others under way.
        const auto stream = peer.subscribe("t");
        peer.send(arriving(qos::at_least_once, 3));
        CHECK(peer.is_silent());
        peer.engine.close(stream);
        peer.run();
        CHECK(peer.rest().find(is_v5 ? "40 03 00 03" : "40 02 00 03") != std::string::npos);
        peer.send(arriving(qos::at_least_once, 4));
        CHECK(peer.rest() == "40 02 00 04");
        peer.send(arriving(qos::exactly_once, 5));
        CHECK(peer.rest() == "50 02 00 05");
        peer.send("62 02 00 05");
        CHECK(peer.rest() == "70 02 00 05");
    }
}
