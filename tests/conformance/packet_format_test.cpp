// Chapter 2: fixed header, packet identifiers, property length.
#include "conformance/conformance.hpp"

#include <algorithm>
#include <set>

using namespace martlet;
using namespace martlet::test;

namespace {

// A legal packet of each type, with nothing optional.
std::vector<packet> all_packets() {
    using namespace packets;
    constexpr packet_id id{10};
    auth again;
    again.reason = reason_code::continue_authentication;
    again.properties.authentication_method = "m";
    return {connect{.keep_alive = 60, .client_id = "a"},
            connack{},
            publish{.topic = "a/b", .payload = "hi", .qos = qos::at_least_once, .id = id},
            puback{id},
            pubrec{id},
            pubrel{id},
            pubcomp{id},
            subscribe{id, {{"a/b", qos::at_least_once}}, {}},
            suback{id, {reason_code::granted_qos_1}, {}},
            unsubscribe{id, {"a/b"}, {}},
            unsuback{id, {reason_code::success}, {}},
            pingreq{},
            pingresp{},
            disconnect{},
            again};
}

bool may_come(packet_type type, role receiver, protocol_version version) {
    using enum packet_type;
    const bool v5 = version == protocol_version::v5;
    switch (type) {
        case connect:
        case subscribe:
        case unsubscribe:
        case pingreq: return receiver == role::broker;
        case connack:
        case suback:
        case unsuback:
        case pingresp: return receiver == role::client;
        case disconnect: return v5 || receiver == role::broker;
        case auth: return v5;
        default: return true;
    }
}

unsigned fixed_flags(packet_type type) {
    using enum packet_type;
    return type == pubrel || type == subscribe || type == unsubscribe ? 2 : 0;
}

}  // namespace

TEST_CASE("5.0/MQTT-2.1.3-1 3.1.1/MQTT-2.2.2-1: reserved flags are sent with their fixed value") {
    for (const protocol_version version : every_version) {
        for (const packet& p : all_packets()) {
            if (type_of(p) == packet_type::publish) continue;
            packet what = p;
            if (auto* const connect = std::get_if<packets::connect>(&what)) connect->version = version;
            const std::string encoded = encode(what, version);
            CAPTURE(name(version));
            CAPTURE(to_string(type_of(p)));
            if (type_of(p) == packet_type::auth && version != protocol_version::v5) {
                CHECK(encoded.empty());
                continue;
            }
            const auto first = static_cast<unsigned char>(encoded.at(0));
            CHECK((first >> 4) == static_cast<int>(type_of(p)));
            CHECK((first & 0xFU) == fixed_flags(type_of(p)));
        }
    }

    // The acknowledgements have an encoder of their own; and all that a client says in a session.
    for (const protocol_version version : every_version) {
        core_script peer(role::client, version);
        peer.begin();
        CHECK(peer.next().starts_with("10 "));
        peer.send(packets::connack{});
        (void)peer.publish("t", "x", qos::exactly_once);
        CHECK(peer.next().starts_with("34 "));
        peer.send("50 02 00 01");
        CHECK(peer.next() == "62 02 00 01");
        peer.send(packets::publish{.topic = "t", .qos = qos::at_least_once, .id = packet_id{9}});
        CHECK(peer.next() == "40 02 00 09");
        peer.send(packets::publish{.topic = "t", .qos = qos::exactly_once, .id = packet_id{9}});
        CHECK(peer.next() == "50 02 00 09");
        peer.send("62 02 00 09");
        CHECK(peer.next() == "70 02 00 09");
        CHECK_FALSE(peer.subject.connection->subscribe({{}, {{"t"}}, {}}, 1));
        CHECK_FALSE(peer.subject.connection->unsubscribe({{}, {"t"}, {}}, 2));
        peer.subject.connection->ping();
        peer.subject.connection->disconnect();
        peer.run();
        CHECK(peer.next().starts_with("82 "));
        CHECK(peer.next().starts_with("A2 "));
        CHECK(peer.next() == "C0 00");
        CHECK(peer.next() == "E0 00");
    }
}

TEST_CASE("5.0/MQTT-2.1.3-1 3.1.1/MQTT-2.2.2-2: other reserved flags close the connection") {
    for (const protocol_version version : since_v3_1_1) {
        for (const role receiver : both_roles) {
            for (const packet& p : all_packets()) {
                const packet_type type = type_of(p);
                if (type == packet_type::publish || !may_come(type, receiver, version)) continue;
                packet what = p;
                if (auto* const connect = std::get_if<packets::connect>(&what)) connect->version = version;
                for (unsigned flags = 0; flags != 16; ++flags) {
                    if (flags == fixed_flags(type)) continue;
                    CAPTURE(name(version));
                    CAPTURE(name(receiver));
                    CAPTURE(to_string(type));
                    CAPTURE(flags);
                    core_script peer(receiver, version);
                    const bool begins = type == packet_type::connect || type == packet_type::connack;
                    if (begins) {
                        peer.begin();
                        peer.forget();
                    } else {
                        auto connect = peer.default_connect();
                        packets::connack connack;
                        if (peer.is_v5()) {
                            connect.properties.authentication_method = "m";
                            connack.properties.authentication_method = "m";
                        }
                        REQUIRE(peer.open(connect, connack));
                    }
                    std::string bytes = encode(what, version);
                    bytes[0] = static_cast<char>((static_cast<unsigned char>(bytes[0]) & 0xF0U) | flags);
                    peer.send_bytes(bytes);
                    CHECK(peer.is_closed());
                    REQUIRE(peer.subject.faults.size() == 1);
                    CHECK(peer.subject.faults[0].reason == reason_code::malformed_packet);
                    if (version == protocol_version::v5 && !begins) {
                        CHECK(peer.take<packets::disconnect>().reason == reason_code::malformed_packet);
                    }
                    CHECK(peer.is_silent());
                }
            }
        }
    }
}

TEST_CASE("3.1.1/MQTT-2.3.1-1: packet identifier 0 is a violation") {
    for (const protocol_version version : every_version) {
        const bool v5 = version == protocol_version::v5;
        struct attempt {
            role receiver;
            const char* v3;
            const char* v5;
        };
        for (const auto& [receiver, in_v3, in_v5] : {
                 attempt{role::broker, "82 06 00 00 00 01 't' 01", "82 07 00 00 00 00 01 't' 01"},
                 attempt{role::broker, "A2 05 00 00 00 01 't'", "A2 06 00 00 00 00 01 't'"},
                 attempt{role::broker, "32 06 00 01 't' 00 00 'x'", "32 07 00 01 't' 00 00 00 'x'"},
                 attempt{role::broker, "34 06 00 01 't' 00 00 'x'", "34 07 00 01 't' 00 00 00 'x'"},
                 attempt{role::client, "32 06 00 01 't' 00 00 'x'", "32 07 00 01 't' 00 00 00 'x'"},
                 attempt{role::client, "34 06 00 01 't' 00 00 'x'", "34 07 00 01 't' 00 00 00 'x'"},
                 attempt{role::client, "90 03 00 00 01", "90 04 00 00 00 01"},
             }) {
            CAPTURE(name(version));
            CAPTURE(std::string(in_v3));
            core_script peer(receiver, version);
            REQUIRE(peer.open());
            peer.send(v5 ? in_v5 : in_v3);
            check_refused(peer, reason_code::protocol_error);
            CHECK(peer.subject.messages.empty());
        }
    }
}

TEST_CASE("5.0/MQTT-2.2.1-2 3.1.1/MQTT-2.3.1-5: PUBLISH at QoS 0 has no packet identifier") {
    for (const protocol_version version : every_version) {
        const bool v5 = version == protocol_version::v5;
        const char* const form = v5 ? "30 08 00 03 61 2F 62 00 68 69" : "30 07 00 03 61 2F 62 68 69";
        for (const role subject : both_roles) {
            CAPTURE(name(version));
            CAPTURE(name(subject));
            core_script peer(subject, version);
            REQUIRE(peer.open());
            (void)peer.publish("a/b", "hi", qos::at_most_once);
            CHECK(peer.next() == form);
            CHECK(peer.subject.connection->send_qos_0("a/b", "hi", false) == core::send_result::sent);
            peer.run();
            CHECK(peer.next() == form);

            peer.send(form);
            REQUIRE(peer.subject.messages.size() == 1);
            CHECK(peer.subject.messages[0].payload == "hi");
            CHECK(peer.is_silent());
        }
        CHECK(hex(encode(packets::publish{.topic = "a/b", .payload = "hi", .id = packet_id{5}}, version)) == form);
    }
}

TEST_CASE("5.0/MQTT-2.2.1-3 3.1.1/MQTT-2.3.1-2: a client gives each new exchange an id that no other one uses") {
    for (const protocol_version version : every_version) {
        CAPTURE(name(version));
        core_script peer(role::client, version);
        REQUIRE(peer.open());
        std::set<std::uint16_t> used;
        for (int i = 0; i != 1000; ++i) {
            switch (i % 4) {
                case 0:
                    (void)peer.publish("t", "x", qos::at_least_once);
                    CHECK(used.insert(to_number(peer.take<packets::publish>().id)).second);
                    break;
                case 1:
                    (void)peer.publish("t", "x", qos::exactly_once);
                    CHECK(used.insert(to_number(peer.take<packets::publish>().id)).second);
                    break;
                case 2:
                    REQUIRE_FALSE(peer.subject.connection->subscribe({{}, {{"t"}}, {}}, 1));
                    peer.run();
                    CHECK(used.insert(to_number(peer.take<packets::subscribe>().id)).second);
                    break;
                default:
                    REQUIRE_FALSE(peer.subject.connection->unsubscribe({{}, {"t"}, {}}, 1));
                    peer.run();
                    CHECK(used.insert(to_number(peer.take<packets::unsubscribe>().id)).second);
                    break;
            }
        }
        CHECK_FALSE(used.contains(0));
    }
}

namespace {

// A subject publishes and is acknowledged at once until all other ids have had their turn, twice over. The ids that it
// took.
std::set<std::uint16_t> ids_of_a_round(core_script& peer) {
    std::set<std::uint16_t> ids;
    for (int i = 0; i != 2 * 65'536; ++i) {
        (void)peer.publish("t", "", qos::at_least_once);
        const auto id = to_number(peer.take<packets::publish>().id);
        ids.insert(id);
        const char ack[] = {0x40, 2, static_cast<char>(id >> 8), static_cast<char>(id)};
        peer.send_bytes({ack, sizeof ack});
    }
    return ids;
}

}  // namespace

TEST_CASE(
    "3.1.1/MQTT-2.3.1-3 5.0/MQTT-2.2.1-3: an id is free again after PUBACK, PUBCOMP, SUBACK, UNSUBACK, not before") {
    core_script peer(role::client, protocol_version::v3_1_1);
    REQUIRE(peer.open());
    (void)peer.publish("t", "1", qos::at_least_once);
    (void)peer.publish("t", "2", qos::exactly_once);
    (void)peer.publish("t", "3", qos::exactly_once);
    REQUIRE_FALSE(peer.subject.connection->subscribe({{}, {{"t"}}, {}}, 1));
    REQUIRE_FALSE(peer.subject.connection->unsubscribe({{}, {"t"}, {}}, 1));
    peer.run();
    peer.send("50 02 00 03");  // PUBREC does not free it
    peer.forget();
    const std::set<std::uint16_t> held{1, 2, 3, 4, 5};

    auto ids = ids_of_a_round(peer);
    CHECK(ids.size() > 40'000);
    for (const auto id : held)
        CHECK_FALSE(ids.contains(id));
    CHECK_FALSE(ids.contains(0));

    peer.send("40 02 00 01");
    peer.send("50 02 00 02");
    peer.send("70 02 00 02");
    peer.send("70 02 00 03");
    peer.send("90 03 00 04 00");
    peer.send("B0 02 00 05");
    peer.forget();
    ids = ids_of_a_round(peer);
    CHECK(ids.size() == 65'535);
    CHECK_FALSE(ids.contains(0));
}

TEST_CASE("3.1.1/MQTT-2.3.1-3 3.1.1/MQTT-2.3.1-4 5.0/MQTT-2.2.1-4: a packet that is sent again keeps its id") {
    for (const protocol_version version : every_version) {
        for (const role subject : both_roles) {
            CAPTURE(name(version));
            CAPTURE(name(subject));
            core_script peer(subject, version);
            packets::connect connect = peer.default_connect();
            connect.clean_start = false;
            packets::connack present;
            present.session_present = version != protocol_version::v3_1;
            peer.subject.session_known = true;
            REQUIRE(peer.open(connect, present));
            for (int i = 0; i != 3; ++i)
                (void)peer.publish("t", "x", qos::at_least_once);
            (void)peer.publish("t", "y", qos::exactly_once);
            (void)peer.publish("t", "z", qos::exactly_once);
            peer.send("40 02 00 01");
            peer.send("50 02 00 05");
            peer.forget();

            REQUIRE(peer.open(connect, present));
            std::vector<std::string> heard;
            while (!peer.is_silent())
                heard.push_back(peer.next());
            const bool v5 = version == protocol_version::v5;
            std::sort(heard.begin(), heard.end());
            CHECK(heard == std::vector<std::string>{v5 ? "3A 07 00 01 74 00 02 00 78" : "3A 06 00 01 74 00 02 78",
                                                    v5 ? "3A 07 00 01 74 00 03 00 78" : "3A 06 00 01 74 00 03 78",
                                                    v5 ? "3C 07 00 01 74 00 04 00 79" : "3C 06 00 01 74 00 04 79",
                                                    "62 02 00 05"});
            (void)peer.publish("t", "x", qos::at_least_once);
            const auto next = to_number(peer.take<packets::publish>().id);
            CHECK((next == 1 || next > 5));
        }
    }
}

TEST_CASE(
    "5.0/MQTT-2.2.1-4 3.1.1/MQTT-2.3.1-4: a server's ids are free, not 0, and free again after PUBACK or PUBCOMP") {
    core_script peer(role::broker, protocol_version::v5);
    REQUIRE(peer.open());
    (void)peer.publish("t", "1", qos::at_least_once);
    (void)peer.publish("t", "2", qos::exactly_once);
    (void)peer.publish("t", "3", qos::exactly_once);
    peer.send("50 02 00 03");
    peer.forget();

    auto ids = ids_of_a_round(peer);
    CHECK(ids.size() > 40'000);
    for (std::uint16_t id = 0; id != 4; ++id)
        CHECK_FALSE(ids.contains(id));

    peer.send("40 02 00 01");
    peer.send("50 03 00 02 80");  // a PUBREC that refuses frees it
    peer.send("70 02 00 03");
    peer.forget();
    ids = ids_of_a_round(peer);
    CHECK(ids.size() == 65'535);
    CHECK_FALSE(ids.contains(0));
}

TEST_CASE("5.0/MQTT-2.2.1-5 3.1.1/MQTT-2.3.1-6: acknowledgements repeat the packet identifier of their PUBLISH") {
    for (const protocol_version version : every_version) {
        for (const role subject : both_roles) {
            CAPTURE(name(version));
            CAPTURE(name(subject));
            core_script peer(subject, version);
            REQUIRE(peer.open());
            peer.send(packets::publish{.topic = "t", .qos = qos::at_least_once, .id = packet_id{0x1234}});
            CHECK(peer.next() == "40 02 12 34");
            peer.send(packets::publish{.topic = "t", .qos = qos::exactly_once, .id = packet_id{0xFFFF}});
            peer.send(packets::publish{.topic = "t", .qos = qos::exactly_once, .id = packet_id{0x0102}});
            CHECK(peer.next() == "50 02 FF FF");
            CHECK(peer.next() == "50 02 01 02");
            peer.send("62 02 01 02");
            peer.send("62 02 FF FF");
            CHECK(peer.next() == "70 02 01 02");
            CHECK(peer.next() == "70 02 FF FF");

            for (int i = 0; i != 300; ++i)
                (void)peer.publish("t", "", qos::exactly_once);
            peer.forget();
            peer.send("50 02 01 2A");
            CHECK(peer.next() == "62 02 01 2A");
            peer.send("50 02 00 07");
            CHECK(peer.next() == "62 02 00 07");
        }
    }
}

TEST_CASE("5.0/MQTT-2.2.2-1: without properties the Property Length is 0, and left out only in the short forms") {
    constexpr const char* forms[] = {"10 0E 00 04 4D 51 54 54 05 02 00 3C 00 00 01 61",
                                     "20 03 00 00 00",
                                     "32 0A 00 03 61 2F 62 00 0A 00 68 69",
                                     "40 02 00 0A",
                                     "50 02 00 0A",
                                     "62 02 00 0A",
                                     "70 02 00 0A",
                                     "82 09 00 0A 00 00 03 61 2F 62 01",
                                     "90 04 00 0A 00 01",
                                     "A2 08 00 0A 00 00 03 61 2F 62",
                                     "B0 04 00 0A 00 00",
                                     "C0 00",
                                     "D0 00",
                                     "E0 00",
                                     "F0 06 18 04 15 00 01 6D"};
    const std::vector<packet> packets = all_packets();
    for (std::size_t i = 0; i != packets.size(); ++i)
        CHECK(hex(encode(packets[i], protocol_version::v5)) == forms[i]);

    packets::connect with_will{.keep_alive = 60, .client_id = "a"};
    with_will.will.emplace().topic = "w";
    CHECK(hex(encode(with_will, protocol_version::v5)) ==
          "10 14 00 04 4D 51 54 54 05 06 00 3C 00 00 01 61 00 00 01 77 00 00");
    CHECK(hex(encode(packets::puback{packet_id{10}, reason_code::not_authorized, {}}, protocol_version::v5)) ==
          "40 03 00 0A 87");
    CHECK(hex(encode(packets::disconnect{reason_code::disconnect_with_will, {}}, protocol_version::v5)) == "E0 01 04");

    // Each of them is understood by its receiver, as is the long form of the short ones.
    for (const packet& p : packets) {
        const role receiver = may_come(type_of(p), role::broker, protocol_version::v5) ? role::broker : role::client;
        CHECK(verdict(decode(encode(p, protocol_version::v5), protocol_version::v5, receiver)) == "ok");
    }
    for (const char* const form : {"40 03 00 0A 00", "40 04 00 0A 00 00", "50 04 00 0A 00 00", "62 04 00 0A 00 00",
                                   "70 04 00 0A 00 00", "E0 01 00", "E0 02 00 00"}) {
        CHECK(verdict(decode(bytes(form), protocol_version::v5, role::broker)) == "ok");
    }
    // A packet whose Property Length is missing is malformed.
    for (const char* const form :
         {"10 0C 00 04 4D 51 54 54 05 02 00 3C 00 01", "30 03 00 01 74", "82 02 00 0A", "A2 02 00 0A", "F0 01 18"}) {
        CHECK(decode(bytes(form), protocol_version::v5, role::broker).why.reason == reason_code::malformed_packet);
    }
    CHECK(decode(bytes("20 02 00 00"), protocol_version::v5, role::client).why.reason == reason_code::malformed_packet);
}
