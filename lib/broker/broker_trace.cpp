#include "broker/broker_trace.hpp"

#include "broker/broker_state.hpp"

#include <algorithm>
#include <utility>

namespace martlet::broker_impl {
namespace {

std::string number(packet_id id) { return std::to_string(to_number(id)); }
std::string number(reason_code reason) { return std::to_string(static_cast<unsigned>(reason)); }

/// As CONNACK has it on the wire.
unsigned return_code(reason_code reason, protocol_version version) noexcept {
    if (version == protocol_version::v5) return static_cast<unsigned>(reason);
    switch (reason) {
        case reason_code::success: return 0;
        case reason_code::unsupported_protocol_version: return 1;
        case reason_code::client_identifier_not_valid: return 2;
        case reason_code::bad_user_name_or_password: return 4;
        case reason_code::not_authorized: return 5;
        default: return 3;
    }
}

/// "Received PUBACK from ID (Mid: 1, RC:0)"; PUBREC and PUBREL come without the code.
template <packet_type Type>
std::string received_ack(const packets::publish_ack<Type>& what, const std::string& who, bool with_code) {
    std::string line = "Received " + std::string(to_string(Type)) + " from " + who + " (Mid: " + number(what.id);
    if (with_code) line += ", RC:" + number(what.reason);
    return line + ')';
}

/// "Sending PUBACK to ID (m1, rc0)"; PUBREL and PUBCOMP go without the code.
template <packet_type Type>
std::string sent_ack(const packets::publish_ack<Type>& what, const std::string& who, bool with_code) {
    std::string line = "Sending " + std::string(to_string(Type)) + " to " + who + " (m" + number(what.id);
    if (with_code) line += ", rc" + number(what.reason);
    return line + ')';
}

}  // namespace

packet_trace::packet_trace(std::function<void(std::string_view)> write, std::function<std::string()> client_id)
    : write_(std::move(write)), client_id_(std::move(client_id)) {}

void packet_trace::look_at(way& w, role receiver, std::string_view bytes) {
    if (w.is_lost) return;
    w.bytes.offer(bytes);
    core::frame frame;
    fault why;
    for (;;) {
        const auto status = w.bytes.next(version_, core::remaining_length_max + 5, frame, why);
        if (status == core::frame_status::incomplete) break;
        packet what;
        if (status == core::frame_status::complete) why = core::decode(frame, version_, receiver, what);
        if (status == core::frame_status::faulty || why) {  // the broker itself says what is wrong
            w.is_lost = true;
            return w.bytes.clear();
        }
        if (const auto* const connect = std::get_if<packets::connect>(&what)) version_ = connect->version;
        receiver == role::broker ? tell_received(what) : tell_sent(what);
    }
    w.bytes.keep_rest();
}

const std::string& packet_trace::who() {
    if (who_.empty()) who_ = escaped(client_id_());
    return who_;
}

void packet_trace::tell_publish(std::string_view verb, const packets::publish& what) {
    const auto flag = [](bool on) { return on ? '1' : '0'; };
    std::string line(verb);
    line.append(who()).append(" (d") += flag(what.dup);
    line.append(", q").append(std::to_string(to_number(what.qos))).append(", r") += flag(what.retain);
    line.append(", m").append(number(what.id)).append(", '").append(escaped(what.topic)).append("', ... (");
    line.append(std::to_string(what.payload.size())).append(" bytes))");
    write(line);
}

void packet_trace::tell_received(const packet& what) {
    const auto from = [&](std::string_view name) { return "Received " + std::string(name) + " from " + who(); };
    if (const auto* const connect = std::get_if<packets::connect>(&what)) {
        who_ = escaped(connect->client_id);
        will_ = "No will message specified.";
        if (const auto& will = connect->will) {
            will_ = "Will message specified (" + std::to_string(will->payload.size()) + " bytes) (r" +
                    std::to_string(will->retain) + ", q" + std::to_string(to_number(will->qos)) + ").\n\t" +
                    escaped(will->topic);
        }
    } else if (const auto* const publish = std::get_if<packets::publish>(&what)) {
        tell_publish("Received PUBLISH from ", *publish);
    } else if (const auto* const puback = std::get_if<packets::puback>(&what)) {
        write(received_ack(*puback, who(), true));
    } else if (const auto* const pubrec = std::get_if<packets::pubrec>(&what)) {
        write(received_ack(*pubrec, who(), false));
    } else if (const auto* const pubrel = std::get_if<packets::pubrel>(&what)) {
        write(received_ack(*pubrel, who(), false));
    } else if (const auto* const pubcomp = std::get_if<packets::pubcomp>(&what)) {
        write(received_ack(*pubcomp, who(), true));
    } else if (const auto* const subscribe = std::get_if<packets::subscribe>(&what)) {
        write(from("SUBSCRIBE"));
        for (const subscription_request& one : subscribe->subscriptions) {
            const std::string level = std::to_string(to_number(one.qos));
            write("\t" + escaped(one.filter) + " (QoS " + level + ")");
            write(who() + ' ' + level + ' ' + escaped(one.filter));
        }
    } else if (const auto* const unsubscribe = std::get_if<packets::unsubscribe>(&what)) {
        write(from("UNSUBSCRIBE"));
        for (const std::string_view filter : unsubscribe->filters) {
            write("\t" + escaped(filter));
            write(who() + ' ' + escaped(filter));
        }
    } else {
        write(from(to_string(type_of(what))));
    }
}

void packet_trace::tell_sent(const packet& what) {
    const auto to = [&](std::string_view name) { return "Sending " + std::string(name) + " to " + who(); };
    if (const auto* const connack = std::get_if<packets::connack>(&what)) {
        if (connack->reason == reason_code::success) {
            for (std::string_view rest = will_; !rest.empty();) {
                const std::string_view line = rest.substr(0, rest.find('\n'));
                rest.remove_prefix(std::min(line.size() + 1, rest.size()));
                write(std::string(line));
            }
        }
        write(to("CONNACK") + " (" + std::to_string(connack->session_present) + ", " +
              std::to_string(return_code(connack->reason, version_)) + ')');
    } else if (const auto* const publish = std::get_if<packets::publish>(&what)) {
        tell_publish("Sending PUBLISH to ", *publish);
    } else if (const auto* const puback = std::get_if<packets::puback>(&what)) {
        write(sent_ack(*puback, who(), true));
    } else if (const auto* const pubrec = std::get_if<packets::pubrec>(&what)) {
        write(sent_ack(*pubrec, who(), true));
    } else if (const auto* const pubrel = std::get_if<packets::pubrel>(&what)) {
        write(sent_ack(*pubrel, who(), false));
    } else if (const auto* const pubcomp = std::get_if<packets::pubcomp>(&what)) {
        write(sent_ack(*pubcomp, who(), false));
    } else if (const auto* const disconnect = std::get_if<packets::disconnect>(&what)) {
        write(to("DISCONNECT") + " (rc" + number(disconnect->reason) + ')');
    } else {
        write(to(to_string(type_of(what))));
    }
}

net::io_result traced_transport::read_some(std::span<char> into) noexcept {
    const net::io_result got = inner_->read_some(into);
    if (got.bytes != 0) trace_.received({into.data(), got.bytes});
    return got;
}

net::io_result traced_transport::write_some(std::span<const std::string_view> from) noexcept {
    const net::io_result put = inner_->write_some(from);
    std::size_t left = put.bytes;
    for (const std::string_view part : from) {
        if (left == 0) break;
        trace_.sent(part.substr(0, left));
        left -= std::min(left, part.size());
    }
    return put;
}

}  // namespace martlet::broker_impl
