#include "core/properties.hpp"

#include "support/bytes.hpp"
#include "support/decoded.hpp"
#include "support/packet_generator.hpp"

#include <doctest/doctest.h>

#include <array>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace martlet;
using namespace martlet::core;
using martlet::test::bytes;
using martlet::test::hex;
using martlet::test::verdict;

namespace {

// MQTT 5 §2.2.2.2, table 2-4, with the sections of the single packets: CT CONNECT, W Will Properties, CA CONNACK,
// P PUBLISH, PA PR PL PC its acknowledgements, S SUBSCRIBE, SA SUBACK, U UNSUBSCRIBE, UA UNSUBACK, D DISCONNECT, A AUTH;
// <c from a client, <s from a server.
struct allowed {
    unsigned id;
    const char* value;
    std::string_view packets;
    std::string_view repeatable = "";
};

constexpr std::string_view everywhere =
    " CT W CA P<c P<s PA<c PA<s PR<c PR<s PL<c PL<s PC<c PC<s S SA U UA D<c D<s A<c A<s ";

constexpr std::array properties{
    allowed{0x01, "01", " P<c P<s W "},
    allowed{0x02, "00 00 00 0A", " P<c P<s W "},
    allowed{0x03, "00 01 'x'", " P<c P<s W "},
    allowed{0x08, "00 01 'x'", " P<c P<s W "},
    allowed{0x09, "00 02 FF 00", " P<c P<s W "},
    allowed{0x0B, "FF FF FF 7F", " S P<s ", " P<s "},
    allowed{0x11, "FF FF FF FF", " CT CA D<c "},
    allowed{0x12, "00 01 'x'", " CA "},
    allowed{0x13, "00 00", " CA "},
    allowed{0x15, "00 01 'm'", " CT CA A<c A<s "},
    allowed{0x16, "00 02 FF 00", " CT CA A<c A<s "},
    allowed{0x17, "00", " CT "},
    allowed{0x18, "00 00 00 0A", " W "},
    allowed{0x19, "01", " CT "},
    allowed{0x1A, "00 01 'x'", " CA "},
    allowed{0x1C, "00 01 'x'", " CA D<s "},
    allowed{0x1F, "00 01 'x'", " CA PA<c PA<s PR<c PR<s PL<c PL<s PC<c PC<s SA UA D<c D<s A<c A<s "},
    allowed{0x21, "00 01", " CT CA "},
    allowed{0x22, "00 00", " CT CA "},
    allowed{0x23, "00 01", " P<c P<s "},
    allowed{0x24, "01", " CA "},
    allowed{0x25, "00", " CA "},
    allowed{0x26, "00 01 'n' 00 01 'v'", everywhere, everywhere},
    allowed{0x27, "00 00 00 01", " CT CA "},
    allowed{0x28, "00", " CA "},
    allowed{0x29, "00", " CA "},
    allowed{0x2A, "00", " CA "},
};

// A packet around a property section.
struct carrier {
    std::string_view name;
    role sender;
    const char* first_byte;
    const char* before;
    const char* after;
};

constexpr std::array carriers{
    carrier{" CT ", role::client, "10", "00 04 'MQTT' 05 02 00 3C", "00 01 'a'"},
    carrier{" W ", role::client, "10", "00 04 'MQTT' 05 06 00 3C 00 00 01 'a'", "00 01 't' 00 00"},
    carrier{" CA ", role::broker, "20", "00 00", ""},
    carrier{" P<c ", role::client, "30", "00 01 't'", "'hi'"},
    carrier{" P<s ", role::broker, "30", "00 01 't'", "'hi'"},
    carrier{" PA<c ", role::client, "40", "00 0A 00", ""},
    carrier{" PA<s ", role::broker, "40", "00 0A 00", ""},
    carrier{" PR<c ", role::client, "50", "00 0A 00", ""},
    carrier{" PR<s ", role::broker, "50", "00 0A 00", ""},
    carrier{" PL<c ", role::client, "62", "00 0A 00", ""},
    carrier{" PL<s ", role::broker, "62", "00 0A 00", ""},
    carrier{" PC<c ", role::client, "70", "00 0A 00", ""},
    carrier{" PC<s ", role::broker, "70", "00 0A 00", ""},
    carrier{" S ", role::client, "82", "00 0A", "00 01 'f' 00"},
    carrier{" SA ", role::broker, "90", "00 0A", "00"},
    carrier{" U ", role::client, "A2", "00 0A", "00 01 'f'"},
    carrier{" UA ", role::broker, "B0", "00 0A", "00"},
    carrier{" D<c ", role::client, "E0", "00", ""},
    carrier{" D<s ", role::broker, "E0", "00", ""},
    carrier{" A<c ", role::client, "F0", "18", ""},
    carrier{" A<s ", role::broker, "F0", "18", ""},
};

void append_variable_byte_integer(std::string& out, std::size_t value) {
    std::array<char, 4> buffer{};
    out.append(buffer.data(), encode_variable_byte_integer(value, buffer.data()));
}

std::string packet_with(const carrier& c, const std::string& section) {
    std::string body = bytes(c.before);
    append_variable_byte_integer(body, section.size());
    body += section + bytes(c.after);
    std::string packet = bytes(c.first_byte);
    append_variable_byte_integer(packet, body.size());
    return packet + body;
}

std::string verdict_of(const carrier& c, const std::string& section) {
    const std::string packet = packet_with(c, section);
    const role receiver = c.sender == role::client ? role::broker : role::client;
    return verdict(test::decode(packet, protocol_version::v5, receiver));
}

std::string property_bytes(const allowed& p) { return static_cast<char>(p.id) + bytes(p.value); }

// What a section needs beside this property: AUTH must have a method, and data too needs one.
std::string companions(const carrier& c, unsigned id) {
    const bool is_auth = c.name.starts_with(" A<");
    const bool takes_data = is_auth || c.name == " CT " || c.name == " CA ";
    return id != 0x15 && (is_auth || (id == 0x16 && takes_data)) ? bytes("15 00 01 'm'") : "";
}

bool is_in(std::string_view name, std::string_view list) { return list.find(name) != std::string_view::npos; }

// The same packet from the other side, as the list calls it.
std::string other_side(std::string_view name) {
    std::string out(name);
    if (const auto at = out.find('<'); at != std::string::npos) out[at + 1] = out[at + 1] == 'c' ? 's' : 'c';
    return out;
}

const carrier& carrier_named(std::string_view name) {
    for (const carrier& c : carriers) {
        if (c.name == name) return c;
    }
    throw "no such carrier";
}

const carrier& first_carrier_of(const allowed& p) {
    for (const carrier& c : carriers) {
        if (is_in(c.name, p.packets)) return c;
    }
    throw "no such carrier";
}

}  // namespace

TEST_CASE("properties: each is taken in the packets that may carry it, and malformed in all others") {
    for (const carrier& c : carriers) {
        for (const allowed& p : properties) {
            CAPTURE(c.name);
            CAPTURE(p.id);
            const std::string result = verdict_of(c, companions(c, p.id) + property_bytes(p));
            if (is_in(c.name, p.packets)) {
                CHECK(result == "ok");
            } else if (is_in(other_side(c.name), p.packets)) {
                CHECK(result.substr(0, 2) == "82");
            } else {
                CHECK(result == "81");
            }
        }
    }
}

TEST_CASE("MQTT-3.3.4-6: a client's PUBLISH has no Subscription Identifier") {
    CHECK(verdict_of(carrier_named(" P<c "), bytes("0B 01")) == "82 MQTT-3.3.4-6");
}

TEST_CASE("MQTT-3.14.2-2: a server's DISCONNECT has no Session Expiry Interval") {
    CHECK(verdict_of(carrier_named(" D<s "), bytes("11 00 00 00 00")) == "82 MQTT-3.14.2-2");
}

TEST_CASE("properties: a second one is a Protocol Error, where it is not a list") {
    for (const carrier& c : carriers) {
        for (const allowed& p : properties) {
            if (!is_in(c.name, p.packets)) continue;
            CAPTURE(c.name);
            CAPTURE(p.id);
            const std::string twice = companions(c, p.id) + property_bytes(p) + property_bytes(p);
            CHECK(verdict_of(c, twice) == (is_in(c.name, p.repeatable) ? "ok" : "82"));
        }
    }
}

TEST_CASE("properties: an identifier that is unknown, or not in one byte, is malformed") {
    for (const carrier& c : carriers) {
        CAPTURE(c.name);
        for (unsigned id = 0; id < 0x100; ++id) {
            bool is_known = false;
            for (const allowed& p : properties)
                is_known = is_known || p.id == id;
            if (is_known) continue;
            CAPTURE(id);
            CHECK(verdict_of(c, static_cast<char>(id) + bytes("00 00 00 00 00")) == "81");
        }
    }
    CHECK(verdict_of(carrier_named(" W "), bytes("81 00 01")) == "81");  // 1, in two bytes
}

TEST_CASE("properties: one that is cut short is malformed") {
    for (const allowed& p : properties) {
        const carrier& c = first_carrier_of(p);
        const std::string whole = property_bytes(p);
        for (std::size_t size = 1; size < whole.size(); ++size) {
            CAPTURE(p.id);
            CAPTURE(size);
            const std::string result = verdict_of(c, companions(c, p.id) + whole.substr(0, size));
            CHECK(result.substr(0, 2) == "81");
        }
    }
}

TEST_CASE("properties: strings are well-formed UTF-8 without U+0000") {
    for (const allowed& p : properties) {
        const bool is_string = std::string_view(p.value) == "00 01 'x'" || p.id == 0x15;
        if (!is_string) continue;
        CAPTURE(p.id);
        const carrier& c = first_carrier_of(p);
        const std::string_view rule = p.id == 0x03   ? "81 MQTT-3.3.2-19"
                                      : p.id == 0x08 ? "81 MQTT-3.3.2-13"
                                                     : "81 MQTT-1.5.4-1";
        const std::string id(1, static_cast<char>(p.id));
        CHECK(verdict_of(c, companions(c, p.id) + id + bytes("00 03 'a' C0 80")) == rule);
        CHECK(verdict_of(c, companions(c, p.id) + id + bytes("00 03 'a' 00 'b'")) == "81 MQTT-1.5.4-2");
        CHECK(verdict_of(c, companions(c, p.id) + id + bytes("00 04 'a' EF BB BF")) == "ok");
    }
}

TEST_CASE("MQTT-1.5.7-1: name and value of a User Property are well-formed UTF-8") {
    for (const carrier& c : carriers) {
        CAPTURE(c.name);
        const std::string before = companions(c, 0x26) + '\x26';
        CHECK(verdict_of(c, before + bytes("00 00 00 00")) == "ok");
        CHECK(verdict_of(c, before + bytes("00 01 FF 00 01 'v'")) == "81 MQTT-1.5.7-1");
        CHECK(verdict_of(c, before + bytes("00 01 'n' 00 01 FF")) == "81 MQTT-1.5.7-1");
        CHECK(verdict_of(c, before + bytes("00 01 00 00 01 'v'")) == "81 MQTT-1.5.4-2");
        CHECK(verdict_of(c, before + bytes("00 01 'n' 00 01 00")) == "81 MQTT-1.5.4-2");
    }
}

TEST_CASE("properties: a value outside of its range is a Protocol Error, for a Topic Alias 0x94") {
    struct row {
        const char* section;
        std::string_view packets;
        const char* verdict;
    };
    for (const row& row : {
             row{"01 02", " P<c P<s W ", "82"},
             row{"01 FF", " P<c P<s W ", "82"},
             row{"0B 00", " S P<s ", "82"},
             row{"0B 80 00", " S P<s ", "81 MQTT-1.5.5-1"},
             row{"0B FF FF FF FF 01", " S P<s ", "81 MQTT-1.5.5-1"},
             row{"17 02", " CT ", "82"},
             row{"19 02", " CT ", "82"},
             row{"21 00 00", " CT CA ", "82"},
             row{"23 00 00", " P<c P<s ", "94 MQTT-3.3.2-8"},
             row{"24 02", " CA ", "82"},
             row{"25 02", " CA ", "82"},
             row{"27 00 00 00 00", " CT CA ", "82"},
             row{"28 02", " CA ", "82"},
             row{"29 02", " CA ", "82"},
             row{"2A 02", " CA ", "82"},
             // the edges that are legal
             row{"01 00", " P<c P<s W ", "ok"},
             row{"0B 01", " S P<s ", "ok"},
             row{"17 01", " CT ", "ok"},
             row{"21 FF FF", " CT CA ", "ok"},
             row{"23 FF FF", " P<c P<s ", "ok"},
             row{"24 00", " CA ", "ok"},
             row{"27 FF FF FF FF", " CT CA ", "ok"},
         }) {
        CAPTURE(row.section);
        for (const carrier& c : carriers) {
            CAPTURE(c.name);
            if (is_in(c.name, row.packets)) CHECK(verdict_of(c, bytes(row.section)) == row.verdict);
        }
    }
}

TEST_CASE("MQTT-3.3.2-14: a Response Topic has no wildcards, and is not empty") {
    for (const std::string_view name : {" P<c ", " P<s ", " W "}) {
        const carrier& c = carrier_named(name);
        CHECK(verdict_of(c, bytes("08 00 03 'a/+'")) == "82 MQTT-3.3.2-14");
        CHECK(verdict_of(c, bytes("08 00 01 '#'")) == "82 MQTT-3.3.2-14");
        CHECK(verdict_of(c, bytes("08 00 00")) == "82 MQTT-4.7.3-1");
        CHECK(verdict_of(c, bytes("08 00 03 'a/$'")) == "ok");
    }
}

TEST_CASE("properties: Authentication Data without a method is a Protocol Error") {
    for (const std::string_view name : {" CT ", " CA ", " A<c ", " A<s "}) {
        CHECK(verdict_of(carrier_named(name), bytes("16 00 01 FF")).substr(0, 2) == "82");
    }
}

TEST_CASE("properties: their length must be in its shortest form and end within the packet") {
    CHECK(verdict(test::decode(bytes("90 05 00 0A 80 00 00"), protocol_version::v5, role::client)) ==
          "81 MQTT-1.5.5-1");
    CHECK(verdict(test::decode(bytes("90 04 00 0A 02 00"), protocol_version::v5, role::client)) == "81");
    CHECK(verdict(test::decode(bytes("90 02 00 0A"), protocol_version::v5, role::client)) == "81 MQTT-1.5.5-1");
    CHECK(verdict(test::decode(bytes("90 03 00 0A FF"), protocol_version::v5, role::client)) == "81 MQTT-1.5.5-1");
}

TEST_CASE("properties: those of CONNACK stand in the members of their names") {
    const std::string in = packet_with(
        carrier_named(" CA "),
        bytes("11 00 00 00 01  12 00 01 'i'  13 00 02  15 00 01 'm'  16 00 01 'd'  1A 00 01 'r'  1C 00 01 's'  1F 00 "
              "01 'w'"
              "21 00 03  22 00 04  24 01  25 00  26 00 01 'n' 00 01 'v'  27 00 00 00 05  28 00  29 01  2A 00"));
    const test::decoded out = test::decode(in, protocol_version::v5, role::client);
    REQUIRE(verdict(out) == "ok");

    const connack_properties& p = std::get<packets::connack>(out.packet).properties;
    CHECK(p.session_expiry_interval == 1U);
    CHECK(p.assigned_client_identifier == "i");
    CHECK(p.server_keep_alive == std::uint16_t{2});
    CHECK(p.authentication_method == "m");
    CHECK(p.authentication_data == "d");
    CHECK(p.response_information == "r");
    CHECK(p.server_reference == "s");
    CHECK(p.reason_string == "w");
    CHECK(p.receive_maximum == std::uint16_t{3});
    CHECK(p.topic_alias_maximum == std::uint16_t{4});
    CHECK(p.maximum_qos == qos::at_least_once);
    CHECK(p.retain_available == false);
    CHECK(p.maximum_packet_size == 5U);
    CHECK(p.wildcard_subscription_available == false);
    CHECK(p.subscription_identifier_available == true);
    CHECK(p.shared_subscription_available == false);
    REQUIRE(p.user_properties.size() == 1);
    CHECK(*p.user_properties.begin() == user_property{"n", "v"});
}

TEST_CASE("properties: those of CONNECT and of its will stand in the members of their names") {
    const std::string in = bytes(
        "10 4E  00 04 'MQTT' 05 06 00 3C"
        "1C  11 00 00 00 01  15 00 01 'm'  16 00 01 'd'  17 00  19 01  21 00 03  22 00 04"
        "    27 00 00 00 05"
        "00 01 'a'"
        "1D  18 00 00 00 09  01 01  02 00 00 00 08  03 00 01 'c'  08 00 01 'r'  09 00 01 'k'"
        "    26 00 00 00 00  "
        "00 01 't'  00 01 'p'");
    const test::decoded out = test::decode(in, protocol_version::v5, role::broker);
    REQUIRE(verdict(out) == "ok");

    const auto& connect = std::get<packets::connect>(out.packet);
    const connect_properties& p = connect.properties;
    CHECK(p.session_expiry_interval == 1U);
    CHECK(p.authentication_method == "m");
    CHECK(p.authentication_data == "d");
    CHECK(p.request_problem_information == false);
    CHECK(p.request_response_information == true);
    CHECK(p.receive_maximum == std::uint16_t{3});
    CHECK(p.topic_alias_maximum == std::uint16_t{4});
    CHECK(p.maximum_packet_size == 5U);

    REQUIRE(connect.will);
    const message_properties& w = connect.will->properties;
    CHECK(connect.will->will_delay_interval == 9U);
    CHECK(w.payload_format_indicator == payload_format::utf8);
    CHECK(w.message_expiry_interval == 8U);
    CHECK(w.content_type == "c");
    CHECK(w.response_topic == "r");
    CHECK(w.correlation_data == "k");
    CHECK(w.user_properties.size() == 1);
}

TEST_CASE("user_property_list: keeps order and repeats, whether it comes from an array or from bytes") {
    constexpr std::array pairs{user_property{"b", "1"}, user_property{"a", "2"}, user_property{"b", "1"}};
    const user_property_list given(pairs);
    // between other properties
    const std::string section = bytes(
        "26 00 01 'b' 00 01 '1'  01 01  26 00 01 'a' 00 01 '2'  03 00 02 '&&'"
        "26 00 01 'b' 00 01 '1'  02 00 00 00 26");
    const user_property_list received = user_property_list::encoded(section, 3);

    CHECK(std::vector(received.begin(), received.end()) == std::vector(pairs.begin(), pairs.end()));
    CHECK(std::vector(given.begin(), given.end()) == std::vector(pairs.begin(), pairs.end()));
    CHECK(given == received);
    CHECK(received == given);

    auto it = received.begin();
    CHECK((it++)->name == "b");
    CHECK(it->value == "2");

    constexpr std::array reordered{pairs[1], pairs[0], pairs[2]};
    CHECK_FALSE(received == user_property_list(reordered));
    CHECK_FALSE(received == user_property_list());
    CHECK_FALSE(user_property_list(std::span(pairs).first(2)) == received);
    CHECK(user_property_list().begin() == user_property_list().end());
}

TEST_CASE("subscription_identifier_list: the same from an array and from bytes") {
    constexpr std::array<std::uint32_t, 3> numbers{268'435'455, 1, 128};
    const subscription_identifier_list given(numbers);
    const std::string section = bytes("0B FF FF FF 7F  23 00 0B  0B 01  26 00 01 0B 00 00  0B 80 01");
    const subscription_identifier_list received = subscription_identifier_list::encoded(section, 3);

    CHECK(std::vector(received.begin(), received.end()) == std::vector(numbers.begin(), numbers.end()));
    CHECK(given == received);

    auto it = received.begin();
    CHECK(*it++ == 268'435'455U);
    CHECK(*it == 1U);
    CHECK_FALSE(received == subscription_identifier_list());
}

TEST_CASE("property lists: end early, and within their bytes, if the bytes are not what they were") {
    const std::string whole = bytes("26 00 01 'a' 00 01 '2'  0B 05  26 00 01 'b' 00 01 '1'");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::string section = whole.substr(0, size);  // its own allocation, for AddressSanitizer
        std::size_t pairs = 0;
        std::size_t numbers = 0;
        for ([[maybe_unused]] const user_property& pair : user_property_list::encoded(section, 2))
            ++pairs;
        for ([[maybe_unused]] const auto number : subscription_identifier_list::encoded(section, 1))
            ++numbers;
        CHECK(pairs == (size >= 7 ? 1 : 0));
        CHECK(numbers == (size >= 9 ? 1 : 0));
    }
    const std::string unknown = bytes("7F 26 00 01 'a' 00 01 '2'");
    const user_property_list none = user_property_list::encoded(unknown, 1);
    CHECK(none.begin() == none.end());
}

TEST_CASE("message_properties: survive being kept in encoded form, with and without their expiry") {
    test::packet_generator generator(5);
    for (int i = 0; i < 500; ++i) {
        message_properties p = generator.properties_of_message();
        for (const bool with_expiry : {true, false}) {
            std::string section(encoded_size(p, with_expiry), '\0');
            CHECK(encode(p, with_expiry, section.data()) == section.data() + section.size());
            if (!with_expiry) p.message_expiry_interval.reset();
            CHECK(decode_message_properties(section) == p);
        }
        generator.forget();
    }
    CHECK(encoded_size(message_properties{}, true) == 0);
}

TEST_CASE("message_properties: are encoded as the specification shows them") {
    constexpr std::array pairs{user_property{"n", "v"}};
    message_properties p;
    p.payload_format_indicator = payload_format::utf8;
    p.message_expiry_interval = 10;
    p.content_type = "c";
    p.response_topic = "r";
    p.correlation_data = std::string_view("\0", 1);
    p.user_properties = pairs;

    std::string section(encoded_size(p, true), '\0');
    encode(p, true, section.data());

    CHECK(hex(section) ==
          hex(bytes("01 01  02 00 00 00 0A  03 00 01 'c'  08 00 01 'r'  09 00 01 00  26 00 01 'n' 00 01 'v'")));
}

TEST_CASE("encoded_size: is 0 for a property that does not fit") {
    const std::string too_long(65'536, 'x');
    constexpr std::array<std::uint32_t, 1> too_large{268'435'456};
    const std::array pairs{user_property{"n", too_long}};
    packets::publish publish;
    publish.topic = "t";
    CHECK(encoded_size(publish, protocol_version::v5) > 0);

    packets::publish p = publish;
    p.properties.content_type = too_long;
    CHECK(encoded_size(p, protocol_version::v5) == 0);
    CHECK(encoded_size(p, protocol_version::v3_1_1) > 0);  // which leaves it out
    CHECK(encoded_size(p.properties, true) == 0);

    p = publish;
    p.properties.user_properties = pairs;
    CHECK(encoded_size(p, protocol_version::v5) == 0);

    p = publish;
    p.subscription_identifiers = subscription_identifier_list(too_large);
    CHECK(encoded_size(p, protocol_version::v5) == 0);
}
