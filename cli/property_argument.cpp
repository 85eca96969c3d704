#include "property_argument.hpp"

#include "payload_text.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <strings.h>

namespace martlet::cli {
namespace {

/// Packets as bits. Acknowledgements and AUTH are known, so that the complaint can say what is wrong.
enum packet_bit : unsigned {
    connect = 1u << 0,
    connack = 1u << 1,
    publish = 1u << 2,
    acknowledgement = 1u << 3,
    subscribe = 1u << 4,
    unsubscribe = 1u << 5,
    disconnect = 1u << 6,
    auth = 1u << 7,
    will = 1u << 8,
    every_packet = (1u << 9) - 1,
};

struct packet_name {
    const char* name;
    packet_bit bit;
};
constexpr auto packets = std::to_array<packet_name>({
    {"connect", connect},
    {"connack", connack},
    {"publish", publish},
    {"puback", acknowledgement},
    {"pubrec", acknowledgement},
    {"pubrel", acknowledgement},
    {"pubcomp", acknowledgement},
    {"subscribe", subscribe},
    {"suback", acknowledgement},
    {"unsubscribe", unsubscribe},
    {"unsuback", acknowledgement},
    {"disconnect", disconnect},
    {"auth", auth},
    {"will", will},
});

enum class kind { number, text, binary, pair };

enum class property {
    payload_format_indicator,
    message_expiry_interval,
    content_type,
    response_topic,
    correlation_data,
    subscription_identifier,
    session_expiry_interval,
    authentication_method,
    authentication_data,
    request_problem_information,
    will_delay_interval,
    request_response_information,
    server_only,
    reason_string,
    receive_maximum,
    topic_alias_maximum,
    topic_alias,
    user_property,
    maximum_packet_size,
};

struct rule {
    const char* name;
    property id;
    unsigned allowed;  ///< packets that may carry it
    unsigned built;    ///< packets where the client's interface lets us set it
    kind type;
    std::uint32_t low = 0;
    std::uint32_t high = 0xFFFF'FFFF;
};
// clang-format off
constexpr auto rules = std::to_array<rule>({
    {"payload-format-indicator", property::payload_format_indicator, publish | will, publish | will, kind::number, 0, 1},
    {"message-expiry-interval", property::message_expiry_interval, publish | will, publish | will, kind::number},
    {"content-type", property::content_type, publish | will, publish | will, kind::text},
    {"response-topic", property::response_topic, publish | will, publish | will, kind::text},
    {"correlation-data", property::correlation_data, publish | will, publish | will, kind::binary},
    {"subscription-identifier", property::subscription_identifier, publish | subscribe, subscribe, kind::number, 1, 268'435'455},
    {"session-expiry-interval", property::session_expiry_interval, connect | connack | disconnect, connect | disconnect, kind::number},
    {"authentication-method", property::authentication_method, connect | connack | auth, connect, kind::text},
    {"authentication-data", property::authentication_data, connect | connack | auth, connect, kind::binary},
    {"request-problem-information", property::request_problem_information, connect, connect, kind::number, 0, 1},
    {"will-delay-interval", property::will_delay_interval, will, will, kind::number},
    {"request-response-information", property::request_response_information, connect, connect, kind::number, 0, 1},
    {"reason-string", property::reason_string, connack | acknowledgement | disconnect | auth, disconnect, kind::text},
    {"receive-maximum", property::receive_maximum, connect | connack, connect, kind::number, 1, 65'535},
    {"topic-alias-maximum", property::topic_alias_maximum, connect | connack, connect, kind::number, 0, 65'535},
    {"topic-alias", property::topic_alias, publish, publish, kind::number, 1, 65'535},
    {"user-property", property::user_property, every_packet, connect | publish | subscribe | unsubscribe | disconnect | will, kind::pair},
    {"maximum-packet-size", property::maximum_packet_size, connect | connack, connect, kind::number, 1},
    {"server-reference", property::server_only, connack | disconnect, 0, kind::text},
    {"assigned-client-identifier", property::server_only, connack, 0, kind::text},
    {"server-keep-alive", property::server_only, connack, 0, kind::number, 0, 65'535},
    {"response-information", property::server_only, connack, 0, kind::text},
    {"maximum-qos", property::server_only, connack, 0, kind::number, 0, 1},
    {"retain-available", property::server_only, connack, 0, kind::number, 0, 1},
    {"wildcard-subscription-available", property::server_only, connack, 0, kind::number, 0, 1},
    {"subscription-identifier-available", property::server_only, connack, 0, kind::number, 0, 1},
    {"shared-subscription-available", property::server_only, connack, 0, kind::number, 0, 1},
});
// clang-format on

void store_message_property(property id, std::string_view text, std::uint32_t number, message_properties& out) {
    switch (id) {
        case property::payload_format_indicator:
            out.payload_format_indicator = payload_format{static_cast<std::uint8_t>(number)};
            break;
        case property::message_expiry_interval: out.message_expiry_interval = number; break;
        case property::content_type: out.content_type = text; break;
        case property::response_topic: out.response_topic = text; break;
        case property::correlation_data: out.correlation_data = text; break;
        default: break;  // topic-alias: the client uses aliases by itself as far as the broker allows
    }
}

void store_connect_property(property id, std::string_view text, std::uint32_t number, property_arguments& out) {
    switch (id) {
        case property::authentication_method: out.authentication_method = text; break;
        case property::authentication_data: out.authentication_data = text; break;
        case property::session_expiry_interval: out.session_expiry_interval = number; break;
        case property::receive_maximum: out.receive_maximum = static_cast<std::uint16_t>(number); break;
        case property::topic_alias_maximum: out.topic_alias_maximum = static_cast<std::uint16_t>(number); break;
        case property::maximum_packet_size: out.maximum_packet_size = number; break;
        case property::request_problem_information: out.request_problem_information = number != 0; break;
        case property::request_response_information: out.request_response_information = number != 0; break;
        default: break;
    }
}

void store(packet_bit packet, property id, std::string_view text, std::uint32_t number, property_arguments& out) {
    switch (packet) {
        case connect: store_connect_property(id, text, number, out); break;
        case publish: store_message_property(id, text, number, out.publish); break;
        case will:
            if (id == property::will_delay_interval) out.will_delay_interval = number;
            store_message_property(id, text, number, out.will);
            break;
        case subscribe: out.subscription_identifier = number; break;
        case disconnect:
            if (id == property::session_expiry_interval) out.disconnect_session_expiry_interval = number;
            if (id == property::reason_string) out.disconnect_reason_string = text;
            break;
        default: break;
    }
}

void store_pair(packet_bit packet, user_property pair, property_arguments& out) {
    switch (packet) {
        case connect: out.connect_user_properties.emplace_back(pair.name, pair.value); break;
        case publish: out.publish_user_properties.push_back(pair); break;
        case will: out.will_user_properties.push_back(pair); break;
        case subscribe: out.subscribe_user_properties.push_back(pair); break;
        case unsubscribe: out.unsubscribe_user_properties.push_back(pair); break;
        case disconnect: out.disconnect_user_properties.push_back(pair); break;
        default: break;
    }
}

/// What is wrong with a value, or nothing. `number` gets the number.
std::string check_value(const rule& r, const char* value, profile p, std::uint32_t& number) {
    const std::string_view text = value;
    switch (r.type) {
        case kind::number: {
            const std::int64_t parsed =
                p == profile::mosquitto ? std::strtoll(value, nullptr, 10) : parse_integer(text).value_or(-1);
            if (parsed < r.low || parsed > r.high) {
                return "Property value (" + (p == profile::mosquitto ? std::to_string(parsed) : std::string(text)) +
                       ") out of range for property " + r.name + ".\n";
            }
            number = static_cast<std::uint32_t>(parsed);
            return {};
        }
        case kind::text:
        case kind::pair:
            if (text.size() > 65'535) break;
            if (!is_valid_utf8_string(text)) return std::string("Malformed UTF-8 in property ") + r.name + ".\n";
            if (r.id == property::response_topic && !is_valid_topic_name(text)) {
                return "Invalid response topic '" + std::string(text) + "', does it contain '+' or '#'?";
            }
            return {};
        case kind::binary:
            if (text.size() > 65'535) break;
            return {};
    }
    return std::string("Property value too long for property ") + r.name + ".\n";
}

}  // namespace

bool read_property(command_line& in, property_arguments& out) {
    static constexpr const char* too_few = "--property argument given but not enough arguments specified.\n";

    const std::span<char* const> words = in.rest();
    if (words.size() < 3) return in.fail(too_few);
    const char* const packet_word = words[0];
    const char* const name_word = words[1];

    const auto packet = std::find_if(packets.begin(), packets.end(),
                                     [&](const packet_name& p) { return strcasecmp(p.name, packet_word) == 0; });
    if (packet == packets.end()) return in.fail("Invalid command given in --property argument.\n");
    const auto r = std::find_if(rules.begin(), rules.end(),
                                [&](const rule& candidate) { return strcasecmp(candidate.name, name_word) == 0; });
    if (r == rules.end()) return in.fail("Invalid property name given in --property argument.\n");

    const auto complain = [&](const char* verb) {
        return in.fail(std::string(name_word) + " property not " + verb + " for " + packet_word +
                       " in --property argument.\n");
    };
    if ((r->allowed & packet->bit) == 0) return complain("allowed");
    if (r->type == kind::pair && words.size() < 4) return in.fail(too_few);
    if ((r->built & packet->bit) == 0) return complain("supported");

    const std::size_t last = r->type == kind::pair ? 3 : 2;
    std::uint32_t number = 0;
    for (std::size_t i = 2; i <= last; ++i) {
        std::string complaint = check_value(*r, words[i], in.profile(), number);
        if (!complaint.empty()) return in.fail(std::move(complaint));
    }
    if (r->type == kind::pair) {
        store_pair(packet->bit, {words[2], words[3]}, out);
    } else if (r->type == kind::binary && in.profile() == profile::native) {
        std::string complaint;
        auto bytes = decode_value(words[2], complaint);
        if (!bytes) return in.fail(complaint);
        if (bytes->size() > 65'535)
            return in.fail(std::string("Property value too long for property ") + r->name + ".");
        store(packet->bit, r->id, out.kept.emplace_back(std::move(*bytes)), number, out);
    } else {
        store(packet->bit, r->id, words[2], number, out);
    }
    out.any = true;
    in.skip(last + 1);
    return true;
}

}  // namespace martlet::cli
