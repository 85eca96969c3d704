// Mosquitto's words for what a connection carries, as its version 2.0 writes them.
#include "broker/broker_trace.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace martlet;
using broker_impl::packet_trace;

namespace {

class world {
public:
    template <class Packet>
    void received(const Packet& what) {
        const std::string bytes = encoded(what);
        for (const char byte : bytes)  // in whatever pieces it comes
            trace.received({&byte, 1});
    }
    template <class Packet>
    void sent(const Packet& what) {
        trace.sent(encoded(what));
    }
    /// The lines since the last call.
    std::string take() { return std::exchange(lines, {}); }

    protocol_version version = protocol_version::v5;
    std::string lines;
    packet_trace trace{[this](std::string_view line) { lines.append(line) += '\n'; }, [] { return "auto-1"; }};

private:
    template <class Packet>
    std::string encoded(const Packet& what) {
        const packet p = what;
        std::string bytes(core::encoded_size(p, version), '\0');
        core::encode(p, version, bytes.data());
        return bytes;
    }
};

packets::connect connect(std::string_view id, protocol_version version) {
    packets::connect p;
    p.version = version;
    p.client_id = id;
    return p;
}

template <class Ack>
Ack ack(int id, reason_code reason = reason_code::success) {
    Ack a;
    a.id = static_cast<packet_id>(id);
    a.reason = reason;
    return a;
}

}  // namespace

TEST_CASE("a connection begins: CONNACK with what was said of the will") {
    world w;
    w.received(connect("subber", protocol_version::v5));
    CHECK(w.take().empty());
    w.sent(packets::connack{});
    CHECK(w.take() == "No will message specified.\nSending CONNACK to subber (0, 0)\n");

    world with;
    with.version = protocol_version::v3_1_1;
    auto c = connect("willy", protocol_version::v3_1_1);
    c.will = will{"w/t", "xx", qos::at_least_once, true, {}, {}};
    with.received(c);
    packets::connack resumed;
    resumed.session_present = true;
    with.sent(resumed);
    CHECK(with.take() == "Will message specified (2 bytes) (r1, q1).\n\tw/t\nSending CONNACK to willy (1, 0)\n");

    world refused;
    refused.version = protocol_version::v3_1_1;
    refused.received(connect("", protocol_version::v3_1_1));
    packets::connack no;
    no.reason = reason_code::not_authorized;
    refused.sent(no);
    CHECK(refused.take() == "Sending CONNACK to auto-1 (0, 5)\n");
}

TEST_CASE("messages and their acknowledgements, both ways") {
    world w;
    w.received(connect("me", protocol_version::v5));
    packets::publish p;
    p.topic = "a/b";
    p.payload = "hello";
    p.retain = true;
    w.received(p);
    CHECK(w.take() == "Received PUBLISH from me (d0, q0, r1, m0, 'a/b', ... (5 bytes))\n");
    p.qos = qos::exactly_once;
    p.id = packet_id{2};
    p.retain = false;
    p.dup = true;
    w.sent(p);
    CHECK(w.take() == "Sending PUBLISH to me (d1, q2, r0, m2, 'a/b', ... (5 bytes))\n");

    w.sent(ack<packets::puback>(1));
    w.sent(ack<packets::pubrec>(1, reason_code::quota_exceeded));
    w.sent(ack<packets::pubrel>(2));
    w.sent(ack<packets::pubcomp>(1));
    CHECK(w.take() ==
          "Sending PUBACK to me (m1, rc0)\nSending PUBREC to me (m1, rc151)\nSending PUBREL to me (m2)\n"
          "Sending PUBCOMP to me (m1)\n");
    w.received(ack<packets::puback>(1));
    w.received(ack<packets::pubrec>(2));
    w.received(ack<packets::pubrel>(1));
    w.received(ack<packets::pubcomp>(2));
    CHECK(w.take() ==
          "Received PUBACK from me (Mid: 1, RC:0)\nReceived PUBREC from me (Mid: 2)\nReceived PUBREL from me (Mid: 1)\n"
          "Received PUBCOMP from me (Mid: 2, RC:0)\n");
}

TEST_CASE("the rest: subscriptions with their filters, pings, the end") {
    world w;
    w.received(connect("me", protocol_version::v5));
    packets::subscribe s;
    s.id = packet_id{1};
    s.subscriptions = {{"a/#", qos::exactly_once}, {"b"}};
    w.received(s);
    packets::suback granted;
    granted.id = packet_id{1};
    granted.reasons = {reason_code::granted_qos_2, reason_code::success};
    w.sent(granted);
    packets::unsubscribe u;
    u.id = packet_id{2};
    u.filters = {"y"};
    w.received(u);
    w.received(packets::pingreq{});
    w.sent(packets::pingresp{});
    w.received(packets::disconnect{});
    CHECK(w.take() ==
          "Received SUBSCRIBE from me\n\ta/# (QoS 2)\nme 2 a/#\n\tb (QoS 0)\nme 0 b\nSending SUBACK to me\n"
          "Received UNSUBSCRIBE from me\n\ty\nme y\nReceived PINGREQ from me\nSending PINGRESP to me\n"
          "Received DISCONNECT from me\n");
}

TEST_CASE("a client cannot write lines of its own into the log, nor go on after nonsense") {
    world w;
    w.received(connect("a\nb", protocol_version::v5));
    packets::publish p;
    p.topic = "x\ny";
    w.received(p);
    CHECK(w.take() == "Received PUBLISH from a\\x0ab (d0, q0, r0, m0, 'x\\x0ay', ... (0 bytes))\n");
    w.trace.received("\xF0\xFF\xFF\xFF\xFF\xFF");
    w.received(p);
    CHECK(w.take().empty());
}
