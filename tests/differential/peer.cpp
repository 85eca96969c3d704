#include "differential/peer.hpp"

#include <martlet/core/codec.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <variant>

namespace martlet::differential {
namespace {

template <class... Functions>
struct overloaded : Functions... {
    using Functions::operator()...;
};
template <class... Functions>
overloaded(Functions...) -> overloaded<Functions...>;

std::string hex(std::uint8_t byte) {
    char text[8];
    std::snprintf(text, sizeof text, "0x%02X", byte);
    return text;
}
std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes)
        text += hex(static_cast<std::uint8_t>(c)).substr(2);
    return text;
}
std::string hex(reason_code reason) { return hex(static_cast<std::uint8_t>(reason)); }
std::string text_of(packet_id id) { return ' ' + std::to_string(to_number(id)) + ' '; }
std::string text_of(const std::vector<reason_code>& reasons) {
    std::string text;
    for (const reason_code each : reasons)
        text += ' ' + hex(each);
    return text;
}

std::string properties_of(const packets::publish& p) {
    std::string text;
    const auto& m = p.properties;
    if (m.payload_format_indicator) text += " format=" + std::to_string(static_cast<int>(*m.payload_format_indicator));
    if (m.message_expiry_interval) text += " expiry";
    if (m.content_type) text += " type=" + hex(*m.content_type);
    if (m.response_topic) text += " response=" + std::string(*m.response_topic);
    if (m.correlation_data) text += " correlation=" + hex(*m.correlation_data);
    for (const auto& [name, value] : m.user_properties)
        text += " user=" + hex(name) + ':' + hex(value);
    for (const auto id : p.subscription_identifiers)
        text += " subscription=" + std::to_string(id);
    return text;
}

}  // namespace

std::string description(const packet& p) {
    const std::string type(to_string(type_of(p)));
    return std::visit(overloaded{
                          [&](const packets::connack& c) {
                              return type + ' ' + hex(c.reason) + (c.session_present ? " session" : "") +
                                     (c.properties.assigned_client_identifier ? " assigned" : "");
                          },
                          [&](const packets::publish& m) {
                              return type + " qos=" + std::to_string(to_number(m.qos)) + (m.dup ? " dup" : "") +
                                     (m.retain ? " retain" : "") + ' ' + std::string(m.topic) +
                                     " payload=" + hex(m.payload) + properties_of(m);
                          },
                          [&](const packets::puback& a) { return type + text_of(a.id) + hex(a.reason); },
                          [&](const packets::pubrec& a) { return type + text_of(a.id) + hex(a.reason); },
                          [&](const packets::pubcomp& a) { return type + text_of(a.id) + hex(a.reason); },
                          [&](const packets::suback& a) { return type + text_of(a.id) + text_of(a.reasons).substr(1); },
                          [&](const packets::unsuback& a) {
                              return type + text_of(a.id) + (a.reasons.empty() ? "" : text_of(a.reasons).substr(1));
                          },
                          [&](const packets::disconnect& d) { return type + ' ' + hex(d.reason); },
                          [&](const auto&) { return type; },
                      },
                      p);
}

// -- connection

connection::connection(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = ::htons(port);
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) crash::fail("cannot connect");
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

connection::~connection() { ::close(socket_); }

void connection::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto size = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (size <= 0) return;  // the end is noticed by reading
        bytes.remove_prefix(static_cast<std::size_t>(size));
    }
}

void connection::send(const packet& p) {
    std::string bytes(core::encoded_size(p, version), '\0');
    core::encode(p, version, bytes.data());
    send(bytes);
}

bool connection::read(int flags) {
    std::array<char, 16'384> bytes;
    const auto size = ::recv(socket_, bytes.data(), bytes.size(), flags);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (size <= 0) {
        is_open_ = false;
        return false;
    }
    input_.append(bytes.data(), static_cast<std::size_t>(size));
    return true;
}

bool connection::read() { return read(0); }

bool connection::read_what_is_there() {
    while (is_open_ && read(MSG_DONTWAIT)) {}
    return is_open_;
}

std::optional<packet> connection::next(std::string& undecodable) {
    input_.erase(0, std::exchange(taken_, 0));
    core::frame frame;
    fault why;
    std::size_t hint = 0;
    const auto status = core::cut_frame(input_, version, core::remaining_length_max, frame, why, hint);
    if (status == core::frame_status::incomplete) return std::nullopt;
    packet p;
    if (status == core::frame_status::complete) {
        taken_ = frame.packet.size();
        if (!core::decode(frame, version, role::client, p)) return p;
    }
    if (status == core::frame_status::faulty) {  // nothing behind it can be understood
        taken_ = input_.size();
        is_open_ = false;
    }
    undecodable = hex(std::string_view(input_).substr(0, taken_));
    return std::nullopt;
}

// -- peer

peer::peer(crash::strings command, std::uint16_t port) : program_(std::move(command)), port_(port) {
    program_.start();
    while (!crash::accepts(port))
        std::this_thread::yield();
    listener_.emplace(port);
    packets::connect c;
    c.client_id = "listener";
    c.keep_alive = 0;
    listener_->send(c);
    packets::subscribe s;
    s.id = packet_id{1};
    s.subscriptions.push_back({.filter = "#", .qos = qos::exactly_once, .no_local = true, .retain_as_published = true});
    listener_->send(s);
    settle();
}

void peer::connect(protocol_version version) {
    client_.emplace(port_);
    client_->version = version;
}

void peer::set_version(protocol_version version) { client_->version = version; }

// A turn of the broker's loop: what was sent before, to whatever socket, is seen in this turn or has been.
void peer::settle() {
    listener_->send(packets::pingreq{});
    for (;;) {
        for (;;) {
            std::string undecodable;
            const auto p = listener_->next(undecodable);
            if (!p && undecodable.empty()) break;
            if (!p) {
                heard_.push_back("undecodable: " + undecodable);
                continue;
            }
            if (std::holds_alternative<packets::pingresp>(*p)) return;
            hear(*p);
        }
        if (!listener_->read()) crash::fail("the broker is gone, or has closed the listener's connection");
    }
}

void peer::hear(const packet& p) {
    if (const auto* const m = std::get_if<packets::publish>(&p)) {
        if (m->retain) retained_.emplace(m->topic);
        const bool is_other_case =
            m->topic.starts_with('s') && m->topic.find('/') != std::string_view::npos &&
            !m->topic.starts_with(prefix_) &&
            std::all_of(m->topic.begin() + 1, m->topic.begin() + static_cast<std::ptrdiff_t>(m->topic.find('/')),
                        [](char c) { return c >= '0' && c <= '9'; });
        if (!is_other_case) heard_.push_back(description(p));
        if (m->qos == qos::at_least_once) listener_->send(packets::puback{m->id, {}, {}});
        if (m->qos == qos::exactly_once) listener_->send(packets::pubrec{m->id, {}, {}});
    } else if (const auto* const rel = std::get_if<packets::pubrel>(&p)) {
        listener_->send(packets::pubcomp{rel->id, {}, {}});
    } else if (const auto* const rec = std::get_if<packets::pubrec>(&p)) {
        listener_->send(packets::pubrel{rec->id, {}, {}});
    }
}

void peer::note(outcome& out, bool answers, bool& answered) {
    client_->read_what_is_there();
    for (;;) {
        std::string undecodable;
        const auto p = client_->next(undecodable);
        if (!p && undecodable.empty()) return;
        out.said.push_back(p ? description(*p) : "undecodable: " + undecodable);
        if (!p) continue;
        if (!answers) continue;
        if (const auto* const m = std::get_if<packets::publish>(&*p)) {
            if (m->qos == qos::at_most_once) continue;
            answered = true;
            if (m->qos == qos::at_least_once) {
                client_->send(packets::puback{m->id, {}, {}});
            } else {
                client_->send(packets::pubrec{m->id, {}, {}});
            }
        } else if (const auto* const rel = std::get_if<packets::pubrel>(&*p)) {
            answered = true;
            client_->send(packets::pubcomp{rel->id, {}, {}});
        }
    }
}

outcome peer::say(std::string_view bytes, std::size_t packets_max, bool answers) {
    outcome out;
    client_->send(bytes);
    // mosquitto reads one packet of a connection in a turn.
    for (std::size_t i = 0; i != 2 + packets_max; ++i)
        settle();
    for (bool goes_on = true; goes_on;) {
        goes_on = false;
        note(out, answers, goes_on);
        if (!goes_on) break;
        settle();
        settle();
    }
    out.listened = std::exchange(heard_, {});
    out.is_open = client_->is_open();
    std::sort(out.said.begin(), out.said.end());
    std::sort(out.listened.begin(), out.listened.end());
    return out;
}

outcome peer::hang_up() {
    client_.reset();
    settle();
    settle();
    outcome out;
    out.listened = std::exchange(heard_, {});
    std::sort(out.listened.begin(), out.listened.end());
    return out;
}

void peer::publish(std::string_view topic, std::string_view payload, qos level) {
    packets::publish p;
    p.topic = topic;
    p.payload = payload;
    p.qos = level;
    if (level != qos::at_most_once) p.id = packet_id{1};
    listener_->send(p);
    settle();
    settle();
}

void peer::begin(std::string prefix) {
    prefix_ = std::move(prefix);
    for (const auto& topic : std::exchange(retained_, {})) {
        packets::publish p;
        p.topic = topic;
        p.retain = true;
        listener_->send(p);
    }
    settle();
    heard_.clear();
}

}  // namespace martlet::differential
