#include "packet_log.hpp"

#include "failure.hpp"

namespace martlet::cli {
namespace {

template <class... Ts>
struct overloaded : Ts... {
    using Ts::operator()...;
};
template <class... Ts>
overloaded(Ts...) -> overloaded<Ts...>;  // clang 14 does not deduce it by itself

std::string number(packet_id id) { return std::to_string(to_number(id)); }
std::string number(qos q) { return std::to_string(to_number(q)); }
std::string number(reason_code r) { return std::to_string(static_cast<int>(r)); }

std::string publish_text(const packets::publish& p, packet_id id) {
    return "PUBLISH (d" + std::string(p.dup ? "1" : "0") + ", q" + number(p.qos) + ", r" + (p.retain ? "1" : "0") +
           ", m" + number(id) + ", '" + std::string(p.topic.empty() ? "(null)" : p.topic) + "', ... (" +
           std::to_string(p.payload.size()) + " bytes))";
}

unsigned option_bits(const subscription_request& s) {
    return (s.no_local ? 4u : 0u) | (s.retain_as_published ? 8u : 0u) | static_cast<unsigned>(s.retain_handling) << 4;
}

std::string subscribe_text(const packets::subscribe& p, const subscription_request& s) {
    static constexpr std::string_view hex = "0123456789abcdef";
    const unsigned bits = option_bits(s);
    return "SUBSCRIBE (Mid: " + number(p.id) + ", Topic: " + std::string(s.filter) + ", QoS: " + number(s.qos) +
           ", Options: 0x" + hex[bits >> 4] + hex[bits & 15] + ")";
}

template <packet_type Type>
std::string received_text(const packets::publish_ack<Type>& p) {
    std::string text = std::string(to_string(Type)) + " (Mid: " + number(p.id);
    if (Type == packet_type::puback || Type == packet_type::pubcomp) text += ", RC:" + number(p.reason);
    return text + ")";
}

template <packet_type Type>
std::string sent_text(const packets::publish_ack<Type>& p) {
    std::string text = std::string(to_string(Type)) + " (m" + number(p.id);
    if (Type == packet_type::puback || Type == packet_type::pubrec) text += ", rc" + number(p.reason);
    return text + ")";
}

}  // namespace

void packet_log::on_sent(const packet& p, protocol_version, std::size_t) {
    std::visit(overloaded{
                   [&](const packets::publish& x) {
                       const bool counted = counts_qos_0_ && x.qos == qos::at_most_once;
                       tell("sending " + publish_text(x, counted ? packet_id{++count_} : x.id));
                   },
                   [&](const packets::subscribe& x) {
                       count_ = to_number(x.id);
                       for (const subscription_request& s : x.subscriptions)
                           tell("sending " + subscribe_text(x, s));
                   },
                   [&](const packets::unsubscribe& x) {
                       for (const std::string_view filter : x.filters) {
                           tell("sending UNSUBSCRIBE (Mid: " + number(x.id) + ", Topic: " + std::string(filter) + ")");
                       }
                   },
                   [&](const packets::puback& x) { tell("sending " + sent_text(x)); },
                   [&](const packets::pubrec& x) { tell("sending " + sent_text(x)); },
                   [&](const packets::pubrel& x) { tell("sending " + sent_text(x)); },
                   [&](const packets::pubcomp& x) { tell("sending " + sent_text(x)); },
                   [&](const auto&) { tell("sending " + std::string(to_string(type_of(p)))); },
               },
               p);
}

void packet_log::on_received(const packet& p, protocol_version version, std::size_t) {
    std::visit(overloaded{
                   [&](const packets::connack& x) {
                       if (x.properties.assigned_client_identifier)
                           client_id_ = *x.properties.assigned_client_identifier;
                       tell("received CONNACK (" + std::to_string(connack_code(x.reason, version)) + ")");
                   },
                   [&](const packets::publish& x) { tell("received " + publish_text(x, x.id)); },
                   [&](const packets::suback& x) {
                       tell("received SUBACK");
                       std::string line = "Subscribed (mid: " + number(x.id) + "):";
                       for (std::size_t i = 0; i < x.reasons.size(); ++i) {
                           line.append(i == 0 ? " " : ", ").append(number(x.reasons[i]));
                       }
                       out_(line);
                   },
                   [&](const packets::puback& x) { tell("received " + received_text(x)); },
                   [&](const packets::pubrec& x) { tell("received " + received_text(x)); },
                   [&](const packets::pubrel& x) { tell("received " + received_text(x)); },
                   [&](const packets::pubcomp& x) { tell("received " + received_text(x)); },
                   [&](const auto&) { tell("received " + std::string(to_string(type_of(p)))); },
               },
               p);
}

void packet_log::tell(std::string_view what) {
    std::string line = "Client ";
    line.append(client_id_.empty() ? "(null)" : client_id_).append(" ").append(what);
    out_(line);
}

}  // namespace martlet::cli
