// Section 4.6: in which order messages and acknowledgements leave, also on the next connection.
#include "conformance/both_ends.hpp"
#include "conformance/broker_world.hpp"

#include <string>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

}  // namespace

TEST_CASE("5.0/MQTT-4.6.0-1 3.1.1/MQTT-4.6.0-1: what is sent again keeps the order of its first sending") {
    for_each_end([](core_script& peer) {
        std::string expected;
        for (int i = 0; i != 40; ++i) {
            (void)peer.publish("t", std::to_string(i), acknowledged_qos[i % 3 == 0]);
            if (i % 5 != 0) expected += std::to_string(i) + " ";
        }
        for (std::uint16_t id = 1; id <= 40; id = static_cast<std::uint16_t>(id + 5)) {
            const bool is_qos_2 = (id - 1) % 3 == 0;
            peer.send_bytes(ack(is_qos_2 ? packet_type::pubrec : packet_type::puback, id));
            if (is_qos_2) peer.send_bytes(ack(packet_type::pubcomp, id));
        }
        peer.forget();
        for (int round = 0; round != 3; ++round) {
            REQUIRE(peer.open_resuming(true));
            std::string heard;
            while (!peer.is_silent())
                heard.append(peer.message().payload).append(" ");
            CHECK(heard == expected);
        }
    });
}

TEST_CASE("5.0/MQTT-4.6.0-1 3.1.1/MQTT-4.6.0-1: the order holds also where the receiver takes one message at a time") {
    for (const role subject : both_roles) {
        core_script peer(subject, v5);
        auto connect = peer.default_connect();
        packets::connack connack;
        connect.clean_start = false;
        REQUIRE(peer.open(connect, connack));
        for (int i = 0; i != 5; ++i)
            (void)peer.publish("t", std::to_string(i), qos::at_least_once);
        (subject == role::broker ? connect.properties.receive_maximum : connack.properties.receive_maximum) =
            std::uint16_t{1};
        connack.session_present = true;
        peer.subject.session_known = true;
        REQUIRE(peer.open(connect, connack));
        (void)peer.publish("t", "5", qos::at_least_once);
        for (int i = 0; i != 6; ++i) {
            const auto got = peer.message();
            CHECK(got.payload == std::to_string(i));
            CHECK(got.dup == (i < 5));
            CHECK(peer.is_silent());
            peer.send(packets::puback{got.id});
        }
    }
}

TEST_CASE(
    "5.0/MQTT-4.6.0-2 5.0/MQTT-4.6.0-3 3.1.1/MQTT-4.6.0-2 3.1.1/MQTT-4.6.0-3: PUBACK and PUBREC leave in the "
    "order in which the messages came") {
    for_each_end([](core_script& peer) {
        peer.subject.acknowledge_at_once = false;
        std::string expected;
        for (std::uint16_t i = 0; i != 9; ++i) {
            const auto id = static_cast<std::uint16_t>(i * 7 % 9 + 1);  // ids say nothing about the order
            const qos q = acknowledged_qos[i % 2];
            peer.send(arriving(q, id));
            expected +=
                (i == 0 ? "" : " ") + (q == qos::at_least_once ? "40"s : "50"s) + " 02 00 0" + std::to_string(id);
        }
        CHECK(peer.is_silent());
        // The application is done with them in any order.
        std::string heard;
        for (const std::size_t at : {8u, 3u, 0u, 1u, 7u, 2u, 6u, 4u, 5u}) {
            peer.subject.connection->acknowledge(peer.subject.messages.at(at).number);
            peer.run();
            const std::string now = peer.rest();
            if (!now.empty()) heard += (heard.empty() ? "" : " ") + now;
        }
        CHECK(heard == expected);
    });
}

TEST_CASE(
    "5.0/MQTT-4.6.0-4 3.1.1/MQTT-4.6.0-4: PUBREL leaves in the order of the PUBRECs, on the next connection, too") {
    for_each_end([](core_script& peer) {
        for (int i = 0; i != 5; ++i)
            (void)peer.publish("t", "x", qos::exactly_once);
        peer.forget();
        peer.send("50 02 00 03 50 02 00 01 50 02 00 05");
        peer.send("50 02 00 02");
        CHECK(peer.rest() == "62 02 00 03 62 02 00 01 62 02 00 05 62 02 00 02");
        for (int i = 0; i != 2; ++i) {
            REQUIRE(peer.open_resuming(true));
            std::string heard;
            while (!peer.is_silent()) {
                if (peer.peek() == packet_type::publish) {
                    CHECK(peer.message().id == packet_id{4});
                } else {
                    heard += " " + peer.next();
                }
            }
            CHECK(heard == " 62 02 00 03 62 02 00 01 62 02 00 05 62 02 00 02");
        }
    });
}

TEST_CASE(
    "5.0/MQTT-4.6.0-5 5.0/MQTT-4.6.0-6 3.1.1/MQTT-4.6.0-5 3.1.1/MQTT-4.6.0-6: messages of one publisher, topic and "
    "QoS reach each subscriber in the order in which they came") {
    for (const protocol_version version : every_version) {
        for (const qos q : every_qos) {
            for (const std::uint16_t window : {std::uint16_t{65'535}, std::uint16_t{1}}) {
                CAPTURE(name(version));
                CAPTURE(name(q));
                broker_world world;
                auto hello = broker_world::resuming(version, "subscriber");
                if (version == v5) hello.properties.receive_maximum = window;
                auto* subscriber = &world.connect(hello);
                CHECK(subscriber->subscribe("t/+") == reason_code::granted_qos_2);
                auto& publisher = world.connect(version, "publisher");
                std::string expected;
                const auto publish = [&](int i) {
                    CHECK_FALSE(is_failure(publisher.publish("t/1", std::to_string(i), q)));
                    expected += (expected.empty() ? "" : " ") + std::to_string(i);
                };
                // Some arrive, some are under way when the link breaks, some come while it is gone.
                std::string order;
                const auto take = [&] {
                    while (!subscriber->is_silent()) {
                        if (subscriber->peek() == packet_type::pubrel) {
                            subscriber->send(packets::pubcomp{subscriber->take<packets::pubrel>().id});
                            continue;
                        }
                        const auto got = subscriber->message();
                        order.append(order.empty() ? "" : " ").append(got.payload);
                        subscriber->acknowledge(got);
                    }
                };
                for (int i = 0; i != 5; ++i)
                    publish(i);
                take();
                for (int i = 5; i != 10; ++i)
                    publish(i);
                if (q == qos::at_most_once) take();
                subscriber->forget();
                subscriber->cut();
                if (q != qos::at_most_once) {
                    for (int i = 10; i != 15; ++i)
                        publish(i);
                }
                subscriber = &world.connect(hello);
                for (int i = 15; i != 20; ++i)
                    publish(i);
                take();
                CHECK(order == expected);
            }
        }
    }
}
