#include "support/packet_generator.hpp"

#include <array>
#include <stdexcept>

namespace martlet::test {
namespace {

using namespace std::string_view_literals;

// Reason codes by packet and sender, from the tables of each packet's own section.
constexpr auto connack_reasons =
    "\x00\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8A\x8C\x90\x95\x97\x99\x9A\x9B\x9C\x9D\x9F"sv;
constexpr auto connack_reasons_v3 = "\x00\x84\x85\x86\x87\x88"sv;
constexpr auto received_reasons_of_client = "\x00\x80\x83\x87\x90\x91\x97\x99"sv;
constexpr auto received_reasons_of_server = "\x00\x10\x80\x83\x87\x90\x91\x97\x99"sv;
constexpr auto released_reasons = "\x00\x92"sv;
constexpr auto suback_reasons = "\x00\x01\x02\x80\x83\x87\x8F\x91\x97\x9E\xA1\xA2"sv;
constexpr auto suback_reasons_v3_1_1 = "\x00\x01\x02\x80"sv;
constexpr auto suback_reasons_v3_1 = "\x00\x01\x02"sv;
constexpr auto unsuback_reasons = "\x00\x11\x80\x83\x87\x8F\x91"sv;
constexpr auto disconnect_reasons_of_client = "\x00\x04\x80\x81\x82\x83\x90\x93\x94\x95\x96\x97\x98\x99"sv;
constexpr auto disconnect_reasons_of_server =
    "\x00\x80\x81\x82\x83\x87\x89\x8B\x8D\x8E\x8F\x90\x93\x94\x95\x96\x97\x98\x99\x9A\x9B\x9C\x9D\x9E\x9F\xA0\xA1\xA2"sv;
constexpr auto auth_reasons_of_client = "\x18\x19"sv;
constexpr auto auth_reasons_of_server = "\x00\x18"sv;

}  // namespace

bool may_send(role sender, packet_type type, protocol_version version) {
    using enum packet_type;
    switch (type) {
        case connect:
        case subscribe:
        case unsubscribe:
        case pingreq: return sender == role::client;
        case connack:
        case suback:
        case unsuback:
        case pingresp: return sender == role::broker;
        case disconnect: return sender == role::client || version == protocol_version::v5;
        case auth: return version == protocol_version::v5;
        case publish:
        case puback:
        case pubrec:
        case pubrel:
        case pubcomp: return true;
    }
    return false;
}

packet packet_generator::next(packet_type type, protocol_version version, role sender) {
    using enum packet_type;
    const auto received_reasons = sender == role::client ? received_reasons_of_client : received_reasons_of_server;
    switch (type) {
        case connect: return this->connect(version);
        case connack: return this->connack(version);
        case publish: return this->publish(version, sender);
        case puback: return publish_ack<puback>(version, received_reasons);
        case pubrec: return publish_ack<pubrec>(version, received_reasons);
        case pubrel: return publish_ack<pubrel>(version, released_reasons);
        case pubcomp: return publish_ack<pubcomp>(version, released_reasons);
        case subscribe: return this->subscribe(version);
        case suback: return this->suback(version);
        case unsubscribe: return this->unsubscribe(version);
        case unsuback: return this->unsuback(version);
        case pingreq: return packets::pingreq{};
        case pingresp: return packets::pingresp{};
        case disconnect: return this->disconnect(version, sender);
        case auth: return this->auth(sender);
    }
    throw std::invalid_argument("no such packet type");
}

packet packet_generator::next(protocol_version version, role sender) {
    while (true) {
        const auto type = static_cast<packet_type>(1 + below(15));
        if (may_send(sender, type, version)) return next(type, version, sender);
    }
}

void packet_generator::forget() {
    texts_.clear();
    pairs_.clear();
    numbers_.clear();
}

// splitmix64: the distributions of the standard library differ between its vendors.
std::uint64_t packet_generator::random() {
    std::uint64_t z = state_ += 0x9E37'79B9'7F4A'7C15;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    return z ^ (z >> 31);
}

std::uint64_t packet_generator::below(std::uint64_t bound) { return random() % bound; }

std::string_view packet_generator::keep(std::string text) { return texts_.emplace_back(std::move(text)); }

// Mostly small, now and then across the limits of a length field's bytes, rarely the longest.
std::size_t packet_generator::size() {
    switch (below(64)) {
        case 0: return 65'535;
        case 1: return 16'380 + below(10);
        case 2:
        case 3:
        case 4: return 120 + below(20);
        default: return below(20);
    }
}

// One character, of as many bytes as chance wants.
void packet_generator::append_character(std::string& out) {
    const auto continuation = [&](std::uint64_t code_point, unsigned shift) {
        out += static_cast<char>(0x80 | ((code_point >> shift) & 0x3F));
    };
    std::uint64_t code_point = 0;
    switch (below(4)) {
        case 0: out += static_cast<char>(1 + below(0x7F)); break;
        case 1:
            code_point = 0x80 + below(0x800 - 0x80);
            out += static_cast<char>(0xC0 | code_point >> 6);
            continuation(code_point, 0);
            break;
        case 2:
            code_point = 0x800 + below(0x1'0000 - 0x800 - 0x800);
            if (code_point >= 0xD800) code_point += 0x800;  // no surrogates
            out += static_cast<char>(0xE0 | code_point >> 12);
            continuation(code_point, 6);
            continuation(code_point, 0);
            break;
        default:
            code_point = 0x1'0000 + below(0x10'0000);
            out += static_cast<char>(0xF0 | code_point >> 18);
            continuation(code_point, 12);
            continuation(code_point, 6);
            continuation(code_point, 0);
            break;
    }
}

std::string_view packet_generator::text() {
    const std::size_t limit = size();
    const bool is_ascii = !chance(4);
    std::string out;
    while (out.size() < limit) {
        if (is_ascii || limit - out.size() < 4) {
            out += static_cast<char>('a' + below(26));
        } else {
            append_character(out);
        }
    }
    return keep(std::move(out));
}

std::string_view packet_generator::binary() {
    std::string out(size(), '\0');
    for (char& c : out)
        c = static_cast<char>(below(256));
    return keep(std::move(out));
}

std::string_view packet_generator::level() {
    constexpr std::array levels{"a"sv, "sensors"sv, "7"sv, ""sv, "$x"sv, "\xC3\xA4"sv, "state of the pump"sv};
    return levels[below(levels.size())];
}

std::string_view packet_generator::topic_name() {
    std::string out(1, static_cast<char>('a' + below(26)));
    for (std::uint64_t i = below(6); i > 0; --i)
        out.append("/").append(level());
    return keep(std::move(out));
}

std::string_view packet_generator::topic_filter() {
    std::string out = chance(8) ? "$share/group/" : "";
    out += coin() ? "+" : "x";
    for (std::uint64_t i = below(6); i > 0; --i)
        out.append("/").append(chance(4) ? "+" : level());
    if (chance(4)) out += "/#";
    return keep(std::move(out));
}

std::uint16_t packet_generator::u16_above(std::uint16_t least) {
    if (chance(8)) return 0xFFFF;
    if (chance(8)) return least;
    return static_cast<std::uint16_t>(least + below(0x1'0000U - least));
}

std::uint32_t packet_generator::u32() {
    if (chance(8)) return 0xFFFF'FFFF;
    if (chance(8)) return 0;
    return static_cast<std::uint32_t>(random());
}

std::uint32_t packet_generator::subscription_identifier() {
    constexpr std::array<std::uint32_t, 8> edges{1, 127, 128, 16'383, 16'384, 2'097'151, 2'097'152, 268'435'455};
    return coin() ? edges[below(edges.size())] : static_cast<std::uint32_t>(1 + below(268'435'455));
}

reason_code packet_generator::one_of(std::string_view codes) {
    return static_cast<reason_code>(codes[below(codes.size())]);
}

user_property_list packet_generator::user_properties() {
    if (coin()) return {};
    std::vector<user_property>& pairs = pairs_.emplace_back();
    for (std::uint64_t i = below(4); i > 0; --i)
        pairs.push_back({text(), text()});
    return pairs;
}

message_properties packet_generator::properties_of_message() {
    message_properties p;
    maybe(p.payload_format_indicator, [&] { return static_cast<payload_format>(below(2)); });
    maybe(p.message_expiry_interval, [&] { return u32(); });
    maybe(p.content_type, [&] { return text(); });
    maybe(p.response_topic, [&] { return topic_name(); });
    maybe(p.correlation_data, [&] { return binary(); });
    p.user_properties = user_properties();
    return p;
}

ack_properties packet_generator::properties_of_ack() {
    ack_properties p;
    if (coin()) return p;  // often none at all, for the short forms
    maybe(p.reason_string, [&] { return text(); });
    p.user_properties = user_properties();
    return p;
}

packets::connect packet_generator::connect(protocol_version version) {
    const bool is_v5 = version == protocol_version::v5;
    packets::connect p;
    p.version = version;
    p.bridge = !is_v5 && coin();
    p.clean_start = coin();
    p.keep_alive = u16_above(0);
    p.client_id = text();
    if (coin()) {
        will& w = p.will.emplace();
        w.topic = topic_name();
        w.payload = binary();
        w.qos = any_qos();
        w.retain = coin();
        if (is_v5) {
            maybe(w.will_delay_interval, [&] { return u32(); });
            w.properties = properties_of_message();
        }
    }
    maybe(p.user_name, [&] { return text(); });
    if (is_v5 || p.user_name) maybe(p.password, [&] { return binary(); });
    if (is_v5) {
        connect_properties& properties = p.properties;
        maybe(properties.session_expiry_interval, [&] { return u32(); });
        maybe(properties.receive_maximum, [&] { return u16_above(1); });
        maybe(properties.maximum_packet_size, [&] { return u32() | 1U; });
        maybe(properties.topic_alias_maximum, [&] { return u16_above(0); });
        maybe(properties.request_response_information, [&] { return coin(); });
        maybe(properties.request_problem_information, [&] { return coin(); });
        maybe(properties.authentication_method, [&] { return text(); });
        if (properties.authentication_method) maybe(properties.authentication_data, [&] { return binary(); });
        properties.user_properties = user_properties();
    }
    return p;
}

packets::connack packet_generator::connack(protocol_version version) {
    packets::connack p;
    p.reason = one_of(version == protocol_version::v5 ? connack_reasons : connack_reasons_v3);
    p.session_present = version != protocol_version::v3_1 && p.reason == reason_code::success && coin();
    if (version == protocol_version::v5) {
        connack_properties& properties = p.properties;
        maybe(properties.session_expiry_interval, [&] { return u32(); });
        maybe(properties.receive_maximum, [&] { return u16_above(1); });
        maybe(properties.maximum_qos, [&] { return static_cast<qos>(below(2)); });
        maybe(properties.retain_available, [&] { return coin(); });
        maybe(properties.maximum_packet_size, [&] { return u32() | 1U; });
        maybe(properties.assigned_client_identifier, [&] { return text(); });
        maybe(properties.topic_alias_maximum, [&] { return u16_above(0); });
        maybe(properties.reason_string, [&] { return text(); });
        maybe(properties.wildcard_subscription_available, [&] { return coin(); });
        maybe(properties.subscription_identifier_available, [&] { return coin(); });
        maybe(properties.shared_subscription_available, [&] { return coin(); });
        maybe(properties.server_keep_alive, [&] { return u16_above(0); });
        maybe(properties.response_information, [&] { return text(); });
        maybe(properties.server_reference, [&] { return text(); });
        maybe(properties.authentication_method, [&] { return text(); });
        if (properties.authentication_method) maybe(properties.authentication_data, [&] { return binary(); });
        properties.user_properties = user_properties();
    }
    return p;
}

packets::publish packet_generator::publish(protocol_version version, role sender) {
    packets::publish p;
    p.topic = topic_name();
    p.payload = binary();
    p.qos = any_qos();
    p.retain = coin();
    if (p.qos != qos::at_most_once) {
        p.dup = coin();
        p.id = id();
    }
    if (version != protocol_version::v5 || chance(4)) return p;
    maybe(p.topic_alias, [&] { return u16_above(1); });
    if (p.topic_alias && coin()) p.topic = {};
    if (sender == role::broker && coin()) {
        std::vector<std::uint32_t>& numbers = numbers_.emplace_back();
        for (std::uint64_t i = below(4); i > 0; --i)
            numbers.push_back(subscription_identifier());
        p.subscription_identifiers = subscription_identifier_list(numbers);
    }
    p.properties = properties_of_message();
    return p;
}

template <packet_type Type>
packets::publish_ack<Type> packet_generator::publish_ack(protocol_version version, std::string_view reasons) {
    packets::publish_ack<Type> p;
    p.id = id();
    if (version == protocol_version::v5) {
        p.reason = one_of(reasons);
        p.properties = properties_of_ack();
    }
    return p;
}

packets::subscribe packet_generator::subscribe(protocol_version version) {
    const bool is_v5 = version == protocol_version::v5;
    packets::subscribe p;
    p.id = id();
    for (std::uint64_t i = 1 + below(4); i > 0; --i) {
        subscription_request& s = p.subscriptions.emplace_back();
        s.filter = topic_filter();
        s.qos = any_qos();
        if (is_v5) {
            s.no_local = !s.filter.starts_with("$share/") && coin();
            s.retain_as_published = coin();
            s.retain_handling = static_cast<retain_handling>(below(3));
        }
    }
    if (is_v5) {
        maybe(p.properties.subscription_identifier, [&] { return subscription_identifier(); });
        p.properties.user_properties = user_properties();
    }
    return p;
}

packets::suback packet_generator::suback(protocol_version version) {
    const auto reasons = version == protocol_version::v5       ? suback_reasons
                         : version == protocol_version::v3_1_1 ? suback_reasons_v3_1_1
                                                               : suback_reasons_v3_1;
    packets::suback p;
    p.id = id();
    for (std::uint64_t i = 1 + below(4); i > 0; --i)
        p.reasons.push_back(one_of(reasons));
    if (version == protocol_version::v5) p.properties = properties_of_ack();
    return p;
}

packets::unsubscribe packet_generator::unsubscribe(protocol_version version) {
    packets::unsubscribe p;
    p.id = id();
    for (std::uint64_t i = 1 + below(4); i > 0; --i)
        p.filters.push_back(topic_filter());
    if (version == protocol_version::v5) p.properties.user_properties = user_properties();
    return p;
}

packets::unsuback packet_generator::unsuback(protocol_version version) {
    packets::unsuback p;
    p.id = id();
    if (version == protocol_version::v5) {
        for (std::uint64_t i = 1 + below(4); i > 0; --i)
            p.reasons.push_back(one_of(unsuback_reasons));
        p.properties = properties_of_ack();
    }
    return p;
}

packets::disconnect packet_generator::disconnect(protocol_version version, role sender) {
    packets::disconnect p;
    if (version != protocol_version::v5) return p;
    p.reason = one_of(sender == role::client ? disconnect_reasons_of_client : disconnect_reasons_of_server);
    if (coin()) return p;
    if (sender == role::client) maybe(p.properties.session_expiry_interval, [&] { return u32(); });
    if (sender == role::broker) maybe(p.properties.server_reference, [&] { return text(); });
    maybe(p.properties.reason_string, [&] { return text(); });
    p.properties.user_properties = user_properties();
    return p;
}

packets::auth packet_generator::auth(role sender) {
    packets::auth p;
    p.reason = one_of(sender == role::client ? auth_reasons_of_client : auth_reasons_of_server);
    p.properties.authentication_method = text();
    maybe(p.properties.authentication_data, [&] { return binary(); });
    maybe(p.properties.reason_string, [&] { return text(); });
    p.properties.user_properties = user_properties();
    return p;
}

}  // namespace martlet::test
