#include <martlet/error.hpp>
#include <martlet/packets.hpp>

#include <doctest/doctest.h>

#include <array>
#include <set>
#include <string>
#include <string_view>

using namespace martlet;

namespace {

struct named_reason {
    int code;
    std::string_view name;
};

// MQTT 5 §2.4, table 2-6.
constexpr std::array reasons{
    named_reason{0x00, "Success"},
    named_reason{0x01, "Granted QoS 1"},
    named_reason{0x02, "Granted QoS 2"},
    named_reason{0x04, "Disconnect with Will Message"},
    named_reason{0x10, "No matching subscribers"},
    named_reason{0x11, "No subscription existed"},
    named_reason{0x18, "Continue authentication"},
    named_reason{0x19, "Re-authenticate"},
    named_reason{0x80, "Unspecified error"},
    named_reason{0x81, "Malformed Packet"},
    named_reason{0x82, "Protocol Error"},
    named_reason{0x83, "Implementation specific error"},
    named_reason{0x84, "Unsupported Protocol Version"},
    named_reason{0x85, "Client Identifier not valid"},
    named_reason{0x86, "Bad User Name or Password"},
    named_reason{0x87, "Not authorized"},
    named_reason{0x88, "Server unavailable"},
    named_reason{0x89, "Server busy"},
    named_reason{0x8A, "Banned"},
    named_reason{0x8B, "Server shutting down"},
    named_reason{0x8C, "Bad authentication method"},
    named_reason{0x8D, "Keep Alive timeout"},
    named_reason{0x8E, "Session taken over"},
    named_reason{0x8F, "Topic Filter invalid"},
    named_reason{0x90, "Topic Name invalid"},
    named_reason{0x91, "Packet Identifier in use"},
    named_reason{0x92, "Packet Identifier not found"},
    named_reason{0x93, "Receive Maximum exceeded"},
    named_reason{0x94, "Topic Alias invalid"},
    named_reason{0x95, "Packet too large"},
    named_reason{0x96, "Message rate too high"},
    named_reason{0x97, "Quota exceeded"},
    named_reason{0x98, "Administrative action"},
    named_reason{0x99, "Payload format invalid"},
    named_reason{0x9A, "Retain not supported"},
    named_reason{0x9B, "QoS not supported"},
    named_reason{0x9C, "Use another server"},
    named_reason{0x9D, "Server moved"},
    named_reason{0x9E, "Shared Subscriptions not supported"},
    named_reason{0x9F, "Connection rate exceeded"},
    named_reason{0xA0, "Maximum connect time"},
    named_reason{0xA1, "Subscription Identifiers not supported"},
    named_reason{0xA2, "Wildcard Subscriptions not supported"},
};

}  // namespace

TEST_CASE("reason_code: has the specification's names, and no others") {
    std::set<int> known;
    for (const named_reason& reason : reasons) {
        known.insert(reason.code);
        CHECK(to_string(static_cast<reason_code>(reason.code)) == reason.name);
        CHECK(error_code(static_cast<reason_code>(reason.code)).message() == reason.name);
    }
    for (int code = 0; code < 0x100; ++code) {
        if (known.contains(code)) continue;
        CHECK(to_string(static_cast<reason_code>(code)) == "Unknown reason code");
    }
}

TEST_CASE("reason_code: is a failure from 0x80 on") {
    CHECK_FALSE(is_failure(reason_code::success));
    CHECK_FALSE(is_failure(reason_code{0x7F}));
    CHECK(is_failure(reason_code::unspecified_error));
    CHECK(is_failure(reason_code{0xFF}));
}

TEST_CASE("error_code: what we could not do and what a peer said never compare equal") {
    const error_code ours = errc::topic_invalid;
    const error_code theirs = reason_code::granted_qos_1;
    CHECK(ours.value() == theirs.value());
    CHECK(ours != theirs);
    CHECK(ours == errc::topic_invalid);
    CHECK(theirs == reason_code::granted_qos_1);
    CHECK(std::string(ours.category().name()) == "martlet");
    CHECK(std::string(theirs.category().name()) == "mqtt");
}

TEST_CASE("error_code: only reason 0 is no error") {
    CHECK_FALSE(error_code(reason_code::success));
    CHECK(error_code(reason_code::granted_qos_1));
    CHECK(error_code(reason_code::not_authorized));
    CHECK(error_code(errc::queue_full));
}

TEST_CASE("errc: each has a sentence of its own") {
    std::set<std::string_view> sentences;
    const int last = static_cast<int>(errc::tls_certificate_required);
    for (int value = 1; value <= last; ++value) {
        CAPTURE(value);
        const std::string_view sentence = to_string(static_cast<errc>(value));
        CHECK(sentence != "unknown error");
        CHECK(sentences.insert(sentence).second);
        CHECK(error_code(static_cast<errc>(value)).message() == sentence);
    }
    CHECK(to_string(errc{}) == "unknown error");
    CHECK(to_string(static_cast<errc>(last + 1)) == "unknown error");
}

TEST_CASE("error categories: take any number") {
    CHECK(reason_category().message(-1) == "Unknown reason code");
    CHECK(reason_category().message(0x100) == "Unknown reason code");
    CHECK(reason_category().message(0x182) == "Unknown reason code");
    CHECK(errc_category().message(-1) == "unknown error");
}

TEST_CASE("fault: is one unless its reason is success") {
    CHECK_FALSE(fault{});
    CHECK(fault{reason_code::malformed_packet, "", ""});
}

TEST_CASE("packet_type: has the specification's names") {
    constexpr std::array<std::string_view, 15> names{"CONNECT",  "CONNACK", "PUBLISH",   "PUBACK",     "PUBREC",
                                                     "PUBREL",   "PUBCOMP", "SUBSCRIBE", "SUBACK",     "UNSUBSCRIBE",
                                                     "UNSUBACK", "PINGREQ", "PINGRESP",  "DISCONNECT", "AUTH"};
    for (std::size_t i = 0; i < names.size(); ++i)
        CHECK(to_string(static_cast<packet_type>(i + 1)) == names[i]);
    CHECK(to_string(packet_type{0}) == "?");
    CHECK(to_string(packet_type{16}) == "?");
}
