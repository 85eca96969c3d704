#include "fuzz/owner.hpp"

#include <array>

namespace martlet::fuzz {
namespace {

core::connection_limits small_limits() {
    core::connection_limits limits;
    limits.packet_size_max = 1 << 20;
    limits.receive_maximum = 16;
    limits.topic_alias_maximum = 8;
    limits.topic_alias_maximum_out = 4;
    limits.topic_levels_max = 20;
    return limits;
}

std::string encoded(const packet& p, protocol_version version) {
    std::string out(core::encoded_size(p, version), '\0');
    if (!out.empty()) core::encode(p, version, out.data());
    return out;
}

packets::connect connect_packet(protocol_version version) {
    packets::connect packet;
    packet.version = version;
    packet.clean_start = false;
    packet.client_id = "c";
    packet.properties.authentication_method = "m";
    packet.properties.topic_alias_maximum = 3;
    packet.properties.receive_maximum = 5;
    return packet;
}

packets::connack connack_packet() {
    packets::connack packet;
    packet.session_present = true;
    packet.properties.authentication_method = "m";
    packet.properties.topic_alias_maximum = 3;
    packet.properties.receive_maximum = 5;
    return packet;
}

}  // namespace

owner::owner(const owner_options& options)
    : journal_(options.with_journal),
      session_(journal_, core::session_key{1}),
      connection_(options.own_role, small_limits(), pool_, now_),
      version_(options.version) {
    const bool is_client = options.own_role == role::client;
    const packets::connect connect = connect_packet(version_);
    if (is_client) connection_.connect(connect, session_);
    settle();
    if (options.after_handshake) receive(is_client ? encoded(connack_packet(), version_) : encoded(connect, version_));
}

void owner::receive(std::string_view bytes) {
    core::event e;
    connection_.receive(bytes);
    while (connection_.next_event(e)) {
        note(e);
        handle(e);
        settle();
    }
    settle();
    connection_.keep_rest();
}

void owner::close() {
    connection_.on_closed();
    session_.clear();
}

void owner::handle(const core::event& e) {
    const bool is_waiting = connection_.own_role() == role::broker && !connection_.is_open();
    switch (e.kind) {
        case core::event_kind::connected: return speak();
        case core::event_kind::connect_received:
            // "m" is let in at once; who brings another method has to prove it first.
            if (std::get<packets::connect>(e.other).properties.authentication_method.value_or("m") != "m") {
                return connection_.send_auth({reason_code::continue_authentication, {}});
            }
            connection_.accept(session_, {true, reason_code::success, {}});
            return speak();
        case core::event_kind::auth_received:
            if (!is_waiting) return connection_.send_auth({reason_code::continue_authentication, {}});
            connection_.accept(session_, {true, reason_code::success, {}});
            return speak();
        case core::event_kind::message_received: return connection_.acknowledge(e.number);
        case core::event_kind::subscribe_received: {
            const auto& subscribe = std::get<packets::subscribe>(e.other);
            const std::vector reasons(subscribe.subscriptions.size(), reason_code::granted_qos_1);
            return connection_.suback(subscribe.id, reasons);
        }
        case core::event_kind::unsubscribe_received: {
            const auto& unsubscribe = std::get<packets::unsubscribe>(e.other);
            const std::vector reasons(unsubscribe.filters.size(), reason_code::success);
            return connection_.unsuback(unsubscribe.id, reasons);
        }
        default: return;
    }
}

// Something of each kind, so that the peer has what to acknowledge: ids 1 and 2 await PUBACK, 3 and 4 PUBREC, 5 SUBACK
// or PUBACK, 6 UNSUBACK.
void owner::speak() {
    if (!connection_.is_open()) settle();
    for (const qos q : {qos::at_least_once, qos::at_least_once, qos::exactly_once, qos::exactly_once}) {
        const auto message = core::outgoing_message::create("a/b", "payload", q, false);
        static_cast<void>(connection_.send({message, {}, 1, q, false}));
    }
    if (connection_.own_role() == role::client) {
        packets::subscribe subscribe;
        subscribe.subscriptions = {{.filter = "a/+"}, {.filter = "b"}};
        static_cast<void>(connection_.subscribe(subscribe, 2));
        packets::unsubscribe unsubscribe;
        unsubscribe.filters = {"a/+"};
        static_cast<void>(connection_.unsubscribe(unsubscribe, 3));
        connection_.ping();
    }
    if (connection_.is_open()) static_cast<void>(connection_.send_qos_0("a/b", "payload", false));
}

// Stores and writes what is due.
void owner::settle() {
    journal_.on_committed(journal_.take().number);
    connection_.on_committed();
    std::array<std::string_view, 8> views;
    while (!connection_.out().empty()) {
        const std::size_t count = connection_.out().gather(views);
        std::size_t size = 0;
        for (std::size_t i = 0; i != count; ++i) {
            written_ += views[i];
            size += views[i].size();
        }
        connection_.out().consume(size);
    }
}

void owner::note(const core::event& e) {
    const auto number = [&](auto value) { events_ += std::to_string(static_cast<std::uint64_t>(value)) + ' '; };
    number(e.kind);
    switch (e.kind) {
        case core::event_kind::message_received:
            number(e.number);
            events_ += e.packet;
            events_ += encoded(e.message, version_);
            break;
        case core::event_kind::failed:
            number(e.why.reason);
            number(e.error.value());
            events_ += e.why.text;
            break;
        case core::event_kind::publish_done:
            number(e.who);
            number(e.reason);
            break;
        case core::event_kind::ping_received:
        case core::event_kind::pong_received: break;
        default: events_ += encoded(e.other, version_);
    }
    events_ += '\n';
}

}  // namespace martlet::fuzz
