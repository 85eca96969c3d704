#include "differential/streams.hpp"

#include <martlet/core/codec.hpp>

#include <algorithm>
#include <string_view>
#include <utility>
#include <variant>

namespace martlet::differential {
namespace {

using namespace std::string_view_literals;

// Encoding validates nothing: fields out of range are written as they are. Empty: it cannot be written.
std::string encoded(const packet& p, protocol_version version) {
    std::string out(core::encoded_size(p, version), '\0');
    if (!out.empty()) core::encode(p, version, out.data());
    return out;
}

std::string length_field(std::size_t length, std::size_t bytes_min) {
    std::string out(4, '\0');
    out.resize(static_cast<std::size_t>(core::encode_variable_byte_integer(length, out.data()) - out.data()));
    while (out.size() < bytes_min) {  // longer than necessary
        out.back() = static_cast<char>(out.back() | '\x80');
        out += '\0';
    }
    return out;
}

}  // namespace

stream_maker::stream_maker(std::uint64_t seed)
    : dice_(seed),
      version_(std::array{protocol_version::v5, protocol_version::v5, protocol_version::v3_1_1,
                          protocol_version::v3_1}[dice_.below(4)]),
      prefix_("s" + std::to_string(seed) + '/'),
      // No other seed's, if a byte of it is spoilt.
      client_id_("c" + std::to_string(seed) + '-' + std::to_string(seed * 2'654'435'761U % 9'973)) {}

std::string_view stream_maker::keep(std::string text) { return texts_.emplace_back(std::move(text)); }

std::string stream_maker::topic() {
    constexpr std::array levels{"a"sv, "b"sv, "a/b"sv, "a/b/c"sv, "a//c"sv, "$x"sv};
    return prefix_ + std::string(levels[dice_.below(levels.size())]);
}

std::string stream_maker::filter() {
    constexpr std::array levels{"a"sv, "b"sv, "+"sv, "#"sv, "a/+"sv, "a/#"sv, "+/b"sv, "+/+/c"sv};
    const std::string plain = prefix_ + std::string(levels[dice_.below(levels.size())]);
    if (dice_.chance(12)) return "$share/" + client_id_ + '/' + plain;
    if (dice_.chance(20)) return prefix_ + "a#";
    return plain;
}

user_property_list stream_maker::user_properties() {
    return dice_.coin() ? user_property_list() : user_property_list(pairs_);
}

message_properties stream_maker::properties_of_message() {
    message_properties p;
    if (version_ != protocol_version::v5 || dice_.coin()) return p;
    if (dice_.coin()) p.payload_format_indicator = static_cast<payload_format>(dice_.below(2));
    if (dice_.coin()) p.message_expiry_interval = 1'000;
    if (dice_.coin()) p.content_type = "text";
    if (dice_.coin()) p.response_topic = keep(topic());
    if (dice_.coin()) p.correlation_data = "\x00\xFF"sv;
    p.user_properties = user_properties();
    return p;
}

std::string stream_maker::connect(bool clean_start) {
    packets::connect c;
    c.version = version_;
    c.clean_start = clean_start;
    c.client_id = dice_.chance(10) ? std::string_view() : client_id_;
    if (dice_.coin()) {
        will& w = c.will.emplace();
        w.topic = keep(topic());
        w.payload = "gone";
        w.qos = static_cast<qos>(dice_.below(3));
        w.retain = dice_.chance(4);
        w.properties = properties_of_message();
    }
    if (dice_.chance(3)) c.user_name = "user";
    if (c.user_name && dice_.coin()) c.password = "password";
    if (version_ == protocol_version::v5) {
        auto& p = c.properties;
        if (dice_.coin()) p.session_expiry_interval = dice_.coin() ? 100 : 0;
        if (dice_.chance(3)) p.receive_maximum = static_cast<std::uint16_t>(dice_.below(4));
        if (dice_.chance(3))
            p.maximum_packet_size = static_cast<std::uint32_t>(dice_.chance(4) ? dice_.below(60) : 10'000);
        if (dice_.coin()) p.topic_alias_maximum = static_cast<std::uint16_t>(dice_.below(3));
        if (dice_.chance(3)) p.request_problem_information = dice_.coin();
        if (dice_.chance(3)) p.request_response_information = dice_.coin();
        if (dice_.chance(12)) p.authentication_method = "unknown";
        if (p.authentication_method && dice_.coin()) p.authentication_data = "data";
        p.user_properties = user_properties();
    }
    std::string bytes = encoded(c, version_);
    return dice_.chance(8) ? spoilt(std::move(bytes)) : bytes;
}

std::string stream_maker::next() {
    std::string bytes;
    packet p;
    while (bytes.empty()) {
        p = any_packet();
        bytes = encoded(p, version_);
    }
    if (dice_.chance(3)) return spoilt(std::move(bytes));
    // Brokers may hand on a message of QoS 2 as soon as it comes, or with PUBREL (MQTT 5 figure 4.3): mostly both at once.
    if (const auto* const m = std::get_if<packets::publish>(&p);
        m != nullptr && m->qos == qos::exactly_once && !dice_.chance(8)) {
        bytes += encoded(packets::pubrel{m->id, {}, {}}, version_);
    }
    return bytes;
}

packet stream_maker::any_packet() {
    constexpr packet_id unknown{60'000};
    switch (dice_.below(20)) {
        case 0: return ack<packet_type::puback>(unknown);
        case 1: return ack<packet_type::pubrec>(unknown);
        case 2: return ack<packet_type::pubcomp>(unknown);
        case 3:
        case 4: return ack<packet_type::pubrel>(id());
        case 5: {
            packets::unsubscribe u{id(), {keep(filter())}, {}};
            if (dice_.coin()) u.filters.push_back(keep(filter()));
            u.properties.user_properties = user_properties();
            return u;
        }
        case 6: return packets::pingreq{};
        case 7: {
            packets::disconnect d;
            if (dice_.coin()) d.reason = reason_code::disconnect_with_will;
            if (dice_.coin()) d.properties.session_expiry_interval = 100;
            if (dice_.chance(4)) d.properties.reason_string = "bye";
            return d;
        }
        case 8:
            if (dice_.coin()) return dice_.next(version_, role::broker);  // what only a broker may send
            {
                const packet p = dice_.next(version_, role::client);
                // Not one with a shared filter that sessions of other seeds have, too.
                return std::holds_alternative<packets::subscribe>(p) ? packet(subscribe()) : p;
            }
        case 9:
        case 10:
        case 11:
        case 12: return subscribe();
        default: return publish();
    }
}

packets::publish stream_maker::publish() {
    packets::publish p;
    p.topic = keep(topic());
    constexpr std::array payloads{"", "one", "\xFF\xFE", "three and more"};
    p.payload = payloads[dice_.below(payloads.size())];
    p.qos = static_cast<qos>(dice_.below(3));
    p.retain = dice_.chance(3);
    if (p.qos != qos::at_most_once) {
        p.id = id();
        p.dup = dice_.chance(4);
    }
    if (version_ != protocol_version::v5) return p;
    if (dice_.chance(4)) p.topic_alias = static_cast<std::uint16_t>(dice_.below(4));
    if (p.topic_alias && dice_.chance(3)) p.topic = {};
    p.properties = properties_of_message();
    return p;
}

packets::subscribe stream_maker::subscribe() {
    packets::subscribe s;
    s.id = id();
    for (auto left = 1 + dice_.below(2); left != 0; --left) {
        auto& one = s.subscriptions.emplace_back();
        one.filter = keep(filter());
        one.qos = static_cast<qos>(dice_.below(3));
        if (version_ != protocol_version::v5) continue;
        one.no_local = dice_.chance(4);
        one.retain_as_published = dice_.chance(4);
        one.retain_handling = static_cast<retain_handling>(dice_.below(3));
    }
    if (version_ == protocol_version::v5) {
        if (dice_.chance(4)) s.properties.subscription_identifier = static_cast<std::uint32_t>(dice_.below(3));
        s.properties.user_properties = user_properties();
    }
    return s;
}

template <packet_type Type>
packets::publish_ack<Type> stream_maker::ack(packet_id of) {
    packets::publish_ack<Type> p;
    p.id = of;
    if (version_ == protocol_version::v5 && dice_.chance(4)) p.properties.reason_string = "why";
    return p;
}

// One thing is wrong with it, anywhere, or seems to be.
std::string stream_maker::spoilt(std::string bytes) {
    std::size_t body_at = 2;
    while ((bytes[body_at - 1] & '\x80') != 0)
        ++body_at;
    char first = bytes.front();
    std::string body = bytes.substr(body_at);
    std::size_t length = body.size();
    std::size_t length_bytes = 0;
    switch (dice_.below(12)) {
        case 0: first = static_cast<char>(first ^ (1 << dice_.below(4))); break;   // flags
        case 1: first = static_cast<char>(first ^ (16 << dice_.below(4))); break;  // type
        case 2: length_bytes = 2 + static_cast<std::size_t>(dice_.below(4)); break;
        case 3: length += 1 + static_cast<std::size_t>(dice_.below(3)); break;
        case 4: length -= std::min<std::size_t>(length, 1 + dice_.below(3)); break;
        default: spoil(body); length = body.size();
    }
    return first + length_field(length, length_bytes) + body;
}

void stream_maker::spoil(std::string& body) {
    const auto at = static_cast<std::size_t>(dice_.below(body.size() + 1));
    const auto few = static_cast<std::size_t>(1 + dice_.below(4));
    if (at == body.size() || body.empty()) {
        body.append(few, static_cast<char>(dice_.below(256)));
        return;
    }
    constexpr std::array telling{'\x00', '\x01', '\x02', '\x7F', '\x80', '\xFF', '+', '#'};
    switch (dice_.below(5)) {
        case 0: body[at] = static_cast<char>(body[at] ^ (1 << dice_.below(8))); break;
        case 1: body[at] = telling[dice_.below(telling.size())]; break;
        case 2: body.erase(at, few); break;
        case 3: body.insert(at, few, telling[dice_.below(telling.size())]); break;
        default: body.insert(at, body.substr(at, 3 * few)); break;  // the same twice
    }
}

}  // namespace martlet::differential
