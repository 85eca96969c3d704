// The life of a connection: packets in, events out, deadlines, faults. What the packets mean stands beside it:
// handshake.cpp (CONNECT, CONNACK, AUTH, DISCONNECT), delivery.cpp (PUBLISH and its acknowledgements), requests.cpp
// (SUBSCRIBE, UNSUBSCRIBE).
#include "core/packet_set.hpp"
#include "core/reasons.hpp"

#include <martlet/core/connection.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace martlet::core {

connection::connection(role own_role, const connection_limits& limits, buffer_pool& pool,
                       const instant& present) noexcept
    : present_(&present),
      limits_(limits),
      out_(pool),
      last_received_(present.steady),
      last_sent_(present.steady),
      started_(present.steady),
      role_(own_role) {}

connection::~connection() = default;

// ---- input

bool connection::next_event(event& out) {
    for (;;) {
        if (session_ != nullptr) {
            completion done;
            if (session_->take_completion(done)) {
                out.kind = event_kind::publish_done;
                out.who = done.who;
                out.error = done.error;
                out.reason = done.reason;
                return true;
            }
        }
        if (late_ != late::nobody) [[unlikely]] {
            out.kind = event_kind::failed;
            out.why = fault_of(late_);
            out.error = late_ == late::handshake ? errc::connect_timeout : errc::keep_alive_timeout;
            late_ = late::nobody;
            return true;
        }
        if (state_ == connection_state::closing) return false;
        // A CONNECT that is not answered yet holds back everything behind it but AUTH [MQTT-3.1.4-6].
        if (role_ == role::broker && state_ == connection_state::connecting && !authenticating_) return false;

        if (input_.in_place().size() >= 4) {
            const unsigned type = static_cast<unsigned char>(input_.in_place()[0]) >> 4U;
            if (type - 4 < 4) take_acknowledgements();  // PUBACK to PUBCOMP
        }
        const bool first = role_ == role::broker && state_ == connection_state::idle;
        frame in;
        fault why;
        switch (input_.next(first ? protocol_version::v3_1_1 : version_,
                            first ? limits_.first_packet_size_max : limits_.packet_size_max, in, why)) {
            case frame_status::incomplete: return false;
            case frame_status::faulty: return fail(why, out);
            case frame_status::complete: break;
        }
        ++counters_.packets_received;
        if (on_packet(in, out)) return true;
    }
}

bool connection::on_packet(const frame& in, event& out) {
    if (state_ != connection_state::open) return on_other(in, out);
    switch (in.type) {
        case packet_type::publish: return on_publish(in, out);
        case packet_type::puback:
        case packet_type::pubrec:
        case packet_type::pubrel:
        case packet_type::pubcomp: {
            packets::puback ack;  // all four have the same fields
            if (const fault why = decode_ack(in, version_, role_, ack)) return fail(why, out);
            switch (in.type) {
                case packet_type::puback: return on_puback(ack, out);
                case packet_type::pubrec: return on_pubrec(ack, out);
                case packet_type::pubrel: return on_pubrel(ack.id);
                default: return on_pubcomp(ack, out);
            }
        }
        case packet_type::pingreq:
            if (role_ != role::broker || !in.body.empty()) break;
            write(packets::pingresp{});
            out.kind = event_kind::ping_received;
            return true;
        default: break;
    }
    return on_other(in, out);
}

bool connection::on_other(const frame& in, event& out) {
    // Before the session is open only the handshake's packets may come.
    if (role_ == role::broker && state_ == connection_state::idle && in.type != packet_type::connect) {
        return fail({reason_code::protocol_error, "MQTT-3.1.0-1", "the first packet is not CONNECT"}, out);
    }
    if (role_ == role::broker && state_ == connection_state::connecting && in.type != packet_type::auth &&
        in.type != packet_type::disconnect) {
        return fail({reason_code::protocol_error, "MQTT-3.1.2-30", "only AUTH may follow before CONNACK"}, out);
    }
    if (role_ == role::client && state_ == connection_state::connecting && in.type != packet_type::connack &&
        in.type != packet_type::auth) {
        return fail({reason_code::protocol_error, "MQTT-3.2.0-1", "a packet before CONNACK"}, out);
    }
    if (const fault why = decode(in, version_, role_, out.other)) {
        if (in.type == packet_type::connect && state_ == connection_state::idle) {
            refuse_faulty_connect(in, why);
            out.kind = event_kind::failed;
            out.why = why;
            out.error = errc::protocol_error;
            return true;
        }
        return fail(why, out);
    }
    switch (in.type) {
        case packet_type::connect: return on_connect(in, out);
        case packet_type::connack: return on_connack(out);
        case packet_type::subscribe: out.kind = event_kind::subscribe_received; return true;
        case packet_type::unsubscribe: out.kind = event_kind::unsubscribe_received; return true;
        case packet_type::suback: return on_suback(out);
        case packet_type::unsuback: return on_unsuback(out);
        case packet_type::pingresp:
            if (ping_sent_ == never) return false;  // not asked for: harmless
            out.kind = event_kind::pong_received;
            out.elapsed = present_->steady - ping_sent_;
            ping_sent_ = never;
            return true;
        case packet_type::disconnect: return on_disconnect(out);
        case packet_type::auth: return on_auth(out);
        default: return fail({reason_code::protocol_error, "MQTT-2.1.2", "a packet that must not flow this way"}, out);
    }
}

void connection::detach() {
    if (session_ == nullptr) return;
    session_->on_closed();
    session_ = nullptr;
}

void connection::on_closed() {
    detach();
    state_ = connection_state::closing;
    late_ = late::nobody;
    held_.clear();
    input_.clear();
    out_.clear();
}

// ---- faults

bool connection::fail(const fault& why, event& out) {
    close_with(why);
    out.kind = event_kind::failed;
    out.why = why;
    out.error = why.reason == reason_code::malformed_packet ? errc::malformed_packet : errc::protocol_error;
    return true;
}

void connection::fail(const fault& why) { close_with(why); }

void connection::fail_late(late what) {
    close_with(fault_of(what));
    late_ = what;
}

fault connection::fault_of(late what) const noexcept {
    if (what == late::keep_alive) {
        return {reason_code::keep_alive_timeout, "MQTT-3.1.2-22",
                "nothing was received for longer than keep-alive allows"};
    }
    return {reason_code::keep_alive_timeout, "MQTT-3.1.4",
            role_ == role::broker ? "no complete CONNECT in time" : "no CONNACK in time"};
}

void connection::close_with(const fault& why) {
    if (state_ == connection_state::closing) return;
    // The peer is told why where the protocol has a packet for it; else the connection just closes. A client's
    // DISCONNECT of 3.x would be a clean one and cost it its will, so it sends none.
    if (state_ == connection_state::open && version_ == protocol_version::v5) {
        const reason_code reason = reason_for(packet_from(role_, packet_type::disconnect), why.reason);
        packet p = packets::disconnect{reason, {{}, why.text, {}, {}}};
        if (strip_to_fit(p)) write(p);
    } else if (role_ == role::broker && state_ == connection_state::connecting) {
        packet p = packets::connack{false, reason_for(sets::connack, why.reason), {}};
        if (strip_to_fit(p)) write(p);
    }
    held_.clear();
    state_ = connection_state::closing;
}

// ---- deadlines

steady_time connection::ping_deadline() const noexcept {
    using namespace std::chrono;
    if (role_ != role::client || keep_alive_ == 0 || state_ != connection_state::open) return never;
    if (ping_sent_ == never) return last_sent_ + seconds(keep_alive_);
    if (!reading_) return never;  // we do not look: its answer may be waiting
    // A dead link is found within 1.5 times the interval; anything received since the PINGREQ is a sign of life.
    return std::max(ping_sent_, last_received_) + milliseconds(500) * keep_alive_;
}

steady_time connection::next_deadline() const noexcept {
    using namespace std::chrono;
    switch (state_) {
        case connection_state::idle: return role_ == role::broker ? started_ + limits_.handshake_timeout : never;
        case connection_state::connecting: return started_ + limits_.handshake_timeout;
        case connection_state::closing: return never;
        case connection_state::open: break;
    }
    if (role_ == role::client) return ping_deadline();
    if (keep_alive_ == 0 || !reading_) return never;
    return last_received_ + milliseconds(1500) * keep_alive_;  // [MQTT-3.1.2-22]
}

void connection::on_deadline() {
    if (present_->steady < next_deadline()) return;
    if (state_ != connection_state::open) return fail_late(late::handshake);
    if (role_ == role::client && ping_sent_ == never) return ping();
    fail_late(late::keep_alive);
}

void connection::ping() {
    if (state_ != connection_state::open) return;  // nothing follows a DISCONNECT [MQTT-3.14.4-1]
    write(packets::pingreq{});
    if (ping_sent_ == never) ping_sent_ = present_->steady;
}

void connection::set_reading(bool reading) noexcept {
    if (reading && !reading_) {
        last_received_ = present_->steady;
        if (ping_sent_ != never) ping_sent_ = present_->steady;
    }
    reading_ = reading;
}

// ---- output

void connection::write(const packet& p) {
    const std::size_t size = encoded_size(p, version_);
    assert(size != 0);
    char* const at = out_.reserve(size);
    encode(p, version_, at);
    out_.commit(size);
    last_sent_ = present_->steady;
    ++counters_.packets_sent;
}

namespace {

// Reason String and User Properties go before a packet is too large, or where the client does not want them
// [MQTT-3.1.2-29], [MQTT-3.4.2-2]. True if there was something to take away.
template <class Properties>
bool strip(Properties& properties, bool all) noexcept {
    if constexpr (requires { properties.user_properties; }) {
        if (!properties.user_properties.empty()) {
            properties.user_properties = {};
            if (!all) return true;
        }
    }
    if constexpr (requires { properties.reason_string; }) {
        if (properties.reason_string) {
            properties.reason_string.reset();
            return true;
        }
    }
    return false;
}

template <class Visitor>
bool visit_explained(packet& p, Visitor&& visitor) {
    return std::visit(
        [&](auto& alternative) {
            using type = std::remove_cvref_t<decltype(alternative)>;
            constexpr bool ours = std::is_same_v<type, packets::connack> || std::is_same_v<type, packets::disconnect> ||
                                  std::is_same_v<type, packets::puback> || std::is_same_v<type, packets::pubrec> ||
                                  std::is_same_v<type, packets::pubrel> || std::is_same_v<type, packets::pubcomp> ||
                                  std::is_same_v<type, packets::suback> || std::is_same_v<type, packets::unsuback> ||
                                  std::is_same_v<type, packets::auth>;
            if constexpr (ours) return visitor(alternative.properties);
            return false;
        },
        p);
}

}  // namespace

bool connection::strip_to_fit(packet& p) const {
    const bool explains = std::holds_alternative<packets::connack>(p) || std::holds_alternative<packets::disconnect>(p);
    if (role_ == role::broker && !peer_.request_problem_information && !explains) {
        visit_explained(p, [](auto& properties) { return strip(properties, true); });
    }
    for (;;) {
        const std::size_t size = encoded_size(p, version_);
        if (size != 0 && fits(size)) return true;
        if (!visit_explained(p, [](auto& properties) { return strip(properties, false); })) return false;
    }
}

std::string connection::encode_to_string(const packet& p) const {
    std::string bytes(encoded_size(p, version_), '\0');
    encode(p, version_, bytes.data());
    return bytes;
}

}  // namespace martlet::core
