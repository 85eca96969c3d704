// Chapter 1: strings, string pairs, variable byte integers.
#include "conformance/conformance.hpp"

#include <functional>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

// A field of a packet that is a string, and how the packet is made.
struct field {
    const char* name;
    role receiver;
    bool only_v5;
    std::function<packet(std::string_view)> make;
};

// The connection that most of the packets come by has an Authentication Method, so that AUTH is legal.
packets::connect connect_for(const core_script& peer) {
    packets::connect packet = peer.default_connect();
    if (peer.is_v5()) packet.properties.authentication_method = "m";
    return packet;
}

packets::connack connack_for(const core_script& peer) {
    packets::connack packet;
    if (peer.is_v5()) packet.properties.authentication_method = "m";
    return packet;
}

template <class Packet>
Packet explained(Packet packet, std::string_view reason_string) {
    packet.properties.reason_string = reason_string;
    return packet;
}

std::vector<field> string_fields() {
    using namespace packets;
    constexpr packet_id id{7};
    std::vector<field> fields;
    const auto add = [&](const char* name, role receiver, bool only_v5, std::function<packet(std::string_view)> make) {
        fields.push_back({name, receiver, only_v5, std::move(make)});
    };
    const auto add_connect = [&](const char* name, bool only_v5, std::function<void(connect&, std::string_view)> set) {
        add(name, role::broker, only_v5, [set](std::string_view text) {
            connect packet;
            packet.client_id = "c";
            packet.keep_alive = 0;
            set(packet, text);
            return packet;
        });
    };
    const auto add_will = [&](const char* name, bool only_v5, std::function<void(will&, std::string_view)> set) {
        add_connect(name, only_v5, [set](connect& packet, std::string_view text) {
            packet.will.emplace();
            packet.will->topic = "w";
            set(*packet.will, text);
        });
    };
    const auto add_connack = [&](const char* name, std::function<void(connack_properties&, std::string_view)> set) {
        add(name, role::client, true, [set](std::string_view text) {
            connack packet;
            set(packet.properties, text);
            return packet;
        });
    };

    add_connect("Client Identifier", false, [](connect& p, std::string_view t) { p.client_id = t; });
    add_connect("User Name", false, [](connect& p, std::string_view t) { p.user_name = t; });
    add_connect("Authentication Method", true,
                [](connect& p, std::string_view t) { p.properties.authentication_method = t; });
    add_will("Will Topic", false, [](will& w, std::string_view t) { w.topic = t; });
    add_will("Will Content Type", true, [](will& w, std::string_view t) { w.properties.content_type = t; });
    add_will("Will Response Topic", true, [](will& w, std::string_view t) { w.properties.response_topic = t; });
    add_connack("Assigned Client Identifier",
                [](connack_properties& p, std::string_view t) { p.assigned_client_identifier = t; });
    add_connack("Reason String of CONNACK", [](connack_properties& p, std::string_view t) { p.reason_string = t; });
    add_connack("Response Information", [](connack_properties& p, std::string_view t) { p.response_information = t; });
    add_connack("Server Reference", [](connack_properties& p, std::string_view t) { p.server_reference = t; });

    for (const role receiver : both_roles) {
        add("Topic Name", receiver, false, [](std::string_view t) { return publish{.topic = t, .payload = "x"}; });
        add("Content Type", receiver, true,
            [](std::string_view t) { return publish{.topic = "t", .properties = {.content_type = t}}; });
        add("Response Topic", receiver, true,
            [](std::string_view t) { return publish{.topic = "t", .properties = {.response_topic = t}}; });
        add("Reason String of PUBACK", receiver, true, [=](std::string_view t) { return explained(puback{id}, t); });
        add("Reason String of PUBREC", receiver, true, [=](std::string_view t) { return explained(pubrec{id}, t); });
        add("Reason String of PUBREL", receiver, true, [=](std::string_view t) { return explained(pubrel{id}, t); });
        add("Reason String of PUBCOMP", receiver, true, [=](std::string_view t) { return explained(pubcomp{id}, t); });
        add("Reason String of DISCONNECT", receiver, true,
            [](std::string_view t) { return explained(disconnect{}, t); });
        add("Reason String of AUTH", receiver, true, [=](std::string_view t) {
            auth packet = explained(auth{}, t);
            packet.reason =
                receiver == role::broker ? reason_code::reauthenticate : reason_code::continue_authentication;
            packet.properties.authentication_method = "m";
            return packet;
        });
    }
    add("Topic Filter of SUBSCRIBE", role::broker, false, [=](std::string_view t) { return subscribe{id, {{t}}, {}}; });
    add("Topic Filter of UNSUBSCRIBE", role::broker, false, [=](std::string_view t) {
        return unsubscribe{id, {t}, {}};
    });
    add("Reason String of SUBACK", role::client, true, [=](std::string_view t) {
        return explained(suback{id, {reason_code::success}, {}}, t);
    });
    add("Reason String of UNSUBACK", role::client, true, [=](std::string_view t) {
        return explained(unsuback{id, {reason_code::success}, {}}, t);
    });
    return fields;
}

// The end under test gets the packet, on a connection that is open unless the packet is CONNECT or CONNACK.
void hand_over(core_script& peer, const packet& what) {
    if (type_of(what) == packet_type::connect) {
        auto connect = std::get<packets::connect>(what);
        connect.version = peer.version();
        peer.begin();
        peer.send(connect);
    } else if (type_of(what) == packet_type::connack) {
        peer.begin();
        (void)peer.take<packets::connect>();
        peer.send(what);
    } else {
        REQUIRE(peer.open(connect_for(peer), connack_for(peer)));
        peer.send(what);
    }
}

// Every string field of every packet is given to its receiver. Accepted: no fault. Refused: as a Malformed Packet by the
// rule, and the connection closes.
void check_all_fields(std::string_view text, bool is_valid, std::string_view rule_v5 = {},
                      std::string_view rule_v3 = {}) {
    CAPTURE(hex(text));
    for (const protocol_version version : every_version) {
        for (const field& f : string_fields()) {
            if (f.only_v5 && version != protocol_version::v5) continue;
            CAPTURE(name(version));
            CAPTURE(std::string(f.name));
            CAPTURE(name(f.receiver));
            core_script peer(f.receiver, version);
            const packet what = f.make(text);
            hand_over(peer, what);
            if (is_valid) {
                CHECK(peer.fault_rule() == "");
                continue;
            }
            REQUIRE(peer.subject.faults.size() == 1);
            CHECK(peer.subject.faults[0].reason == reason_code::malformed_packet);
            const std::string_view rule = version == protocol_version::v5 ? rule_v5 : rule_v3;
            if (!rule.empty()) CHECK(peer.fault_rule() == rule);
            CHECK(peer.is_closed());
            if (type_of(what) == packet_type::connack || (version != protocol_version::v5)) {
                CHECK(peer.is_silent());
            } else if (type_of(what) == packet_type::connect) {
                CHECK(peer.take<packets::connack>().reason == reason_code::malformed_packet);
            } else {
                CHECK(peer.take<packets::disconnect>().reason == reason_code::malformed_packet);
            }
        }
    }
}

}  // namespace

TEST_CASE("5.0/MQTT-1.5.4-1 3.1.1/MQTT-1.5.3-1: ill-formed UTF-8 in any string field closes the connection") {
    for (const std::string_view bad : {
             "\x80"sv,              // a continuation byte alone
             "a\xC3"sv,             // cut short
             "\xC3("sv,             // no continuation byte
             "\xC0\xAF"sv,          // "/", overlong
             "\xE0\x80\xAF"sv,      //
             "\xF0\x80\x80\xAF"sv,  //
             "\xED\xA0\x80"sv,      // U+D800
             "\xED\xBF\xBF"sv,      // U+DFFF
             "\xF4\x90\x80\x80"sv,  // U+110000
             "\xFE"sv,
         }) {
        check_all_fields(bad, false);
    }
    for (const std::string_view good : {
             "\xC2\x80"sv,          // U+0080
             "\xDF\xBF"sv,          // U+07FF
             "\xE0\xA0\x80"sv,      // U+0800
             "\xED\x9F\xBF"sv,      // U+D7FF
             "\xEE\x80\x80"sv,      // U+E000
             "\xF0\x90\x80\x80"sv,  // U+10000
             "\xF4\x8F\xBF\xBF"sv,  // U+10FFFF
             "A\xF0\xAA\x9B\x94"sv  // the standard's own example
         }) {
        check_all_fields(good, true);
    }
}

TEST_CASE("5.0/MQTT-1.5.4-2 3.1.1/MQTT-1.5.3-2: U+0000 in any string field closes the connection") {
    for (const std::string_view bad : {"\0"sv, "a\0"sv, "\0a"sv, "abcdefgh\0ijklmnopqrst"sv}) {
        check_all_fields(bad, false, "MQTT-1.5.4-2", "MQTT-1.5.3-2");
    }
}

TEST_CASE("5.0/MQTT-1.5.4-3 3.1.1/MQTT-1.5.3-3: EF BB BF is the character U+FEFF wherever it stands, and is kept") {
    for (const std::string_view text : {"\xEF\xBB\xBF"sv, "\xEF\xBB\xBF/t"sv, "t/\xEF\xBB\xBF"sv,
                                        "a\xEF\xBB\xBF"
                                        "b"sv}) {
        check_all_fields(text, true);
        for (const protocol_version version : every_version) {
            for (const role receiver : both_roles) {
                core_script peer(receiver, version);
                REQUIRE(peer.open());
                peer.send(packets::publish{.topic = text, .payload = text});
                REQUIRE(peer.subject.messages.size() == 1);
                CHECK(peer.subject.messages[0].topic == text);
                CHECK(peer.subject.messages[0].payload == text);
            }
        }
        CHECK(topic_matches(text, text));
    }
    CHECK_FALSE(topic_matches("\xEF\xBB\xBFt", "t"));
    CHECK_FALSE(topic_matches("t", "\xEF\xBB\xBFt"));
}

TEST_CASE("5.0/MQTT-1.5.5-1: a variable byte integer is written in the fewest bytes") {
    constexpr std::pair<std::uint32_t, const char*> table[] = {
        {1, "01"},
        {127, "7F"},
        {128, "80 01"},
        {16'383, "FF 7F"},
        {16'384, "80 80 01"},
        {2'097'151, "FF FF 7F"},
        {2'097'152, "80 80 80 01"},
        {268'435'455, "FF FF FF 7F"},
    };
    for (const auto& [value, form] : table) {
        CAPTURE(value);
        // Subscription Identifier
        packets::subscribe subscribe{packet_id{1}, {{"t"}}, {}};
        subscribe.properties.subscription_identifier = value;
        CHECK(hex(encode(subscribe, protocol_version::v5)).find("0B " + std::string(form) + " 00 01 74") !=
              std::string::npos);
        // Remaining Length
        if (value < 3 || value > 20'000'000) continue;
        const std::string payload(value - 4, 'x');
        if (value >= 4) {
            const std::string publish =
                encode(packets::publish{.topic = "t", .payload = payload}, protocol_version::v5);
            const auto size_of_length = bytes(form).size();
            CHECK(hex(std::string_view(publish).substr(1, size_of_length)) == form);
            CHECK(publish.size() == 1 + size_of_length + value);
        }
    }
    // Property Length 127 and 128: a User Property takes five bytes and its texts.
    for (const auto& [text_size, form] : {std::pair(122, "7F"), std::pair(123, "80 01")}) {
        const std::string text(static_cast<std::size_t>(text_size), 'x');
        const std::vector<user_property> pairs{{text, ""}};
        packets::publish publish{.topic = "t"};
        publish.properties.user_properties = pairs;
        const std::string encoded = encode(publish, protocol_version::v5);
        CHECK(hex(encoded).find("00 01 74 " + std::string(form) + " 26") != std::string::npos);
    }
}

TEST_CASE("5.0/MQTT-1.5.5-1: an overlong variable byte integer is a Malformed Packet, and so is one of five bytes") {
    struct attempt {
        role receiver;
        const char* bytes;
    };
    for (const auto& [receiver, text] : {
             attempt{role::broker, "C0 80 00"},           // Remaining Length 0
             attempt{role::broker, "C0 80 80 80 00"},     //
             attempt{role::broker, "C0 80 80 80 80 00"},  // a fifth byte
             attempt{role::broker, "30 FF FF FF FF 01"},  //
             attempt{role::client, "D0 80 00"},           //
             attempt{role::client, "30 84 80 00 00 01 't' 00"},
             attempt{role::broker, "30 05 00 01 't' 80 00"},                 // Property Length
             attempt{role::broker, "30 08 00 01 't' 80 80 80 80 00"},        //
             attempt{role::broker, "82 0A 00 01 03 0B 81 00 00 01 't' 00"},  // Subscription Identifier
             attempt{role::client, "30 07 00 01 't' 03 0B 81 00"},           //
             attempt{role::broker, "30 0A 00 01 't' 06 A6 00 00 00 00 00"},  // property identifier 26
         }) {
        CAPTURE(std::string(text));
        core_script peer(receiver, protocol_version::v5);
        REQUIRE(peer.open());
        peer.send(text);
        check_refused(peer, reason_code::malformed_packet);
    }
}

TEST_CASE("5.0/MQTT-1.5.7-1: name and value of a User Property are well-formed strings") {
    struct maker {
        role receiver;
        std::function<packet(user_property_list)> make;
    };
    const auto with = [](auto packet, user_property_list pairs) {
        packet.properties.user_properties = pairs;
        return packet;
    };
    constexpr packet_id id{7};
    using namespace packets;
    std::vector<maker> makers{
        {role::broker, [&](user_property_list p) { return with(connect{.keep_alive = 0, .client_id = "c"}, p); }},
        {role::broker,
         [&](user_property_list p) {
             connect packet{.keep_alive = 0, .client_id = "c"};
             packet.will.emplace().topic = "w";
             packet.will->properties.user_properties = p;
             return packet;
         }},
        {role::broker,
         [&](user_property_list p) {
             return with(subscribe{id, {{"t"}}, {}}, p);
         }},
        {role::broker,
         [&](user_property_list p) {
             return with(unsubscribe{id, {"t"}, {}}, p);
         }},
        {role::client, [&](user_property_list p) { return with(connack{}, p); }},
        {role::client,
         [&](user_property_list p) {
             return with(suback{id, {reason_code::success}, {}}, p);
         }},
        {role::client,
         [&](user_property_list p) {
             return with(unsuback{id, {reason_code::success}, {}}, p);
         }},
    };
    for (const role receiver : both_roles) {
        makers.push_back({receiver, [&](user_property_list p) { return with(publish{.topic = "t"}, p); }});
        makers.push_back({receiver, [&](user_property_list p) { return with(puback{id}, p); }});
        makers.push_back({receiver, [&](user_property_list p) { return with(pubrec{id}, p); }});
        makers.push_back({receiver, [&](user_property_list p) { return with(pubrel{id}, p); }});
        makers.push_back({receiver, [&](user_property_list p) { return with(pubcomp{id}, p); }});
        makers.push_back({receiver, [&](user_property_list p) { return with(disconnect{}, p); }});
        makers.push_back({receiver, [&, receiver](user_property_list p) {
                              auth packet = with(auth{}, p);
                              packet.reason = receiver == role::broker ? reason_code::reauthenticate
                                                                       : reason_code::continue_authentication;
                              packet.properties.authentication_method = "m";
                              return packet;
                          }});
    }
    const std::vector<std::vector<user_property>> bad{{{"\xFF", "value"}},
                                                      {{"name", "\xED\xA0\x80"}},
                                                      {{"\0"sv, "value"}},
                                                      {{"name", "a\0b"sv}},
                                                      {{"good", "good"}, {"name", "\xC0\x80"}}};
    const std::vector<user_property> good{{"", ""}, {"n\xC3\xA4me", "\xEF\xBB\xBF"}, {"n\xC3\xA4me", "twice"}};
    for (const auto& [receiver, make] : makers) {
        CAPTURE(name(receiver));
        CAPTURE(to_string(type_of(make(good))));
        core_script accepting(receiver, protocol_version::v5);
        hand_over(accepting, make(good));
        CHECK(accepting.fault_rule() == "");
        for (const auto& pairs : bad) {
            core_script peer(receiver, protocol_version::v5);
            hand_over(peer, make(pairs));
            REQUIRE(peer.subject.faults.size() == 1);
            CHECK(peer.subject.faults[0].reason == reason_code::malformed_packet);
            CHECK(peer.is_closed());
        }
    }
}
