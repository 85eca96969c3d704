#include "broker/peer.hpp"

#include "broker/broker_state.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

namespace martlet::broker_impl {

namespace {

/// Retained messages wait while so much is unsent, so that a million of them cost one buffer at a time.
constexpr std::size_t retained_output_max = 256 * 1024;
/// Topics looked at for one session in one turn.
constexpr std::size_t retained_steps_max = 20'000;

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 256)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7F) {
            out += c;
        } else {
            constexpr std::string_view digits = "0123456789abcdef";
            out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
        }
    }
    return out;
}

}  // namespace

/// What a CONNECT asked for, kept while the authenticator thinks.
struct peer::connect_data {
    std::string client_id;
    std::string user_name;
    std::optional<stored_will> will;
    std::uint32_t expiry_interval = 0;
    std::uint16_t keep_alive = 0;
    bool clean_start = true;
    bool lower_expiry_told = false;
};

peer::peer(broker_state& state, peer_id id, peer_info info, void* owner)
    : connection(role::broker, state.limits, state.buffers, state.now),
      state_(&state),
      id_(id),
      owner_(owner),
      info_(std::move(info)) {
    state.schedule(*this);
}

peer::~peer() = default;

// ---- input

void peer::receive(std::string_view bytes) {
    connection.receive(bytes);
    run();
    connection.keep_rest();
}

void peer::on_deadline() {
    if (!ended_) {
        connection.on_deadline();
        if (stall_at_ <= state_->now.steady) {
            if (backlog() >= stall_backlog_) {
                connection.fail({reason_code::quota_exceeded, {}, "it does not take what it subscribed to"});
            } else {
                stall_at_ = state_->now.steady + state_->options.stall_timeout;
                stall_backlog_ = backlog();
            }
        }
        run();
    }
}

void peer::on_committed() {
    if (ended_) return;
    connection.on_committed();
    run();  // CONNACK may have left: the client's next packets have waited for it
}

void peer::on_drained() {
    needs_drain = false;
    if (ended_) return;
    if (std::exchange(resumes_, false)) {
        run();
        return connection.keep_rest();
    }
    send_retained();
    let_publishers_go();
    settle();
}

void peer::shut_down() {
    if (ended_) return;
    connection.disconnect(reason_code::server_shutting_down);
    settle();
}

void peer::on_closed() {
    if (!ended_ && session != nullptr && state_->logs(log_level::notice)) {
        state_->log(log_level::notice, "Client " + escaped(session->client_id) + " [" + escaped(info_.address) +
                                           "] closed its connection.");
    }
    connection.on_closed();
    end();
}

// Everything that the peer has sent, unless a receiver of its messages cannot follow.
void peer::run() {
    core::event& event = state_->event;
    // Who sends and does not take the answers is not read any more; QoS 0 alone cannot bring it so far.
    const std::size_t own_output_max = 2 * state_->options.output_bytes_max;
    while (waiting_for_ == 0 && connection.next_event(event)) {
        if (connection.out().size() >= own_output_max) [[unlikely]]
            wait_for(*this);
        if (event.kind != core::event_kind::message_received) {
            on_event(event);
            continue;
        }
        const reason_code reason = state_->router.publish(*this, event.message, event.packet);
        if (event.number == 0) continue;
        const bool told =
            connection.version() == protocol_version::v5 &&
            (reason != reason_code::no_matching_subscribers || state_->options.tell_no_matching_subscribers);
        connection.acknowledge(event.number, told ? reason : reason_code::success);
    }
    settle();
}

// What follows from whatever has happened.
void peer::settle() {
    if (session != nullptr) {
        if (!session->walks.empty()) send_retained();
        if (!waiters_.empty()) let_publishers_go();
    }
    if (connection.is_closing()) {
        end();
        mark_dirty();
    } else if (connection.out().size() != flushed_size) {
        mark_dirty();
    }
    if (session != nullptr && forward_class == 0 && connection.is_open()) {
        const bool uses_aliases =
            state_->limits.topic_alias_maximum_out != 0 && connection.peer().topic_alias_maximum != 0;
        forward_class = uses_aliases ? std::uint8_t{0} : version_class;
    }
    state_->schedule(*this);
}

// Lets the session go; the transport may still have to write the last packet.
void peer::end() {
    if (ended_) return;
    ended_ = true;
    connection.detach();
    forward_class = 0;
    last_route.reset();
    connecting_.reset();
    if (client_session* const let_go = std::exchange(session, nullptr)) {
        --state_->open_count;
        state_->table.release(*let_go, state_->now);
    }
    let_publishers_go();
    if (auto* const rights = state_->options.authenticator.get()) rights->forget(static_cast<std::uint64_t>(id_));
}

steady_time peer::next_deadline() const noexcept {
    return ended_ ? never : std::min(connection.next_deadline(), stall_at_);
}

client_info peer::info() const noexcept {
    client_info who;
    who.client_id = session != nullptr ? std::string_view(session->client_id)
                    : connecting_      ? std::string_view(connecting_->client_id)
                                       : std::string_view();
    who.user_name = session != nullptr ? std::string_view(session->user_name)
                    : connecting_      ? std::string_view(connecting_->user_name)
                                       : std::string_view();
    who.address = info_.address;
    who.local = info_.local;
    who.version = connection.version();
    return who;
}

// ---- events

void peer::on_event(core::event& event) {
    using kind = core::event_kind;
    switch (event.kind) {
        case kind::connect_received: return on_connect(std::get<packets::connect>(event.other));
        case kind::auth_received: return on_auth(std::get<packets::auth>(event.other));
        case kind::subscribe_received: return on_subscribe(std::get<packets::subscribe>(event.other));
        case kind::unsubscribe_received: return on_unsubscribe(std::get<packets::unsubscribe>(event.other));
        case kind::disconnect_received: return on_disconnect(std::get<packets::disconnect>(event.other));
        case kind::failed:
            if (state_->logs(log_level::notice)) {
                std::string line =
                    "Client " + escaped(info().client_id) + " [" + escaped(info_.address) + "] disconnected: ";
                line.append(event.why.text);
                if (!event.why.rule.empty()) line.append(" [").append(event.why.rule).append("]");
                state_->log(log_level::notice, line);
            }
            return;
        default: return;  // ping_received is answered; publish_done is nobody's business
    }
}

// ---- CONNECT and AUTH

void peer::on_connect(const packets::connect& packet) {
    connecting_ = std::make_unique<connect_data>();
    connect_data& wanted = *connecting_;
    version_class = packet.version == protocol_version::v5 ? 2 : 1;
    wanted.client_id = packet.client_id;
    wanted.user_name = packet.user_name.value_or("");
    if (const reason_code reason = check_connect(packet); reason != reason_code::success) return refuse(reason);

    const std::uint32_t expiry_max = state_->options.session_expiry_max;
    wanted.clean_start = packet.clean_start;
    wanted.keep_alive = packet.keep_alive;
    if (packet.version == protocol_version::v5) {
        const std::uint32_t asked = packet.properties.session_expiry_interval.value_or(0);
        wanted.expiry_interval = std::min(asked, expiry_max);
        wanted.lower_expiry_told = asked > expiry_max;
    } else {
        wanted.expiry_interval = packet.clean_start ? 0 : expiry_max;
    }
    if (packet.will) {
        const will& w = *packet.will;
        std::optional<unix_time> lifetime;
        if (const auto seconds = w.properties.message_expiry_interval) {
            lifetime = unix_time(std::chrono::seconds(*seconds));
        }
        wanted.will =
            stored_will{core::outgoing_message::create(w.topic, w.payload, w.qos, w.retain, w.properties, lifetime),
                        w.will_delay_interval.value_or(0)};
    }
    authentication_method_ = packet.properties.authentication_method.value_or("");

    if (state_->options.authenticator != nullptr) {
        return ask(authentication_step::connect, packet.password, packet.properties.authentication_data.value_or(""));
    }
    if (!authentication_method_.empty()) return refuse(reason_code::bad_authentication_method);  // [MQTT-4.12.0-1]
    if (!info_.local && !state_->options.allow_anonymous_remote) {
        return refuse(reason_code::not_authorized, "anonymous clients of other machines are not allowed");
    }
    grant({});
}

reason_code peer::check_connect(const packets::connect& packet) const {
    const broker_options& options = state_->options;
    const bool v5 = packet.version == protocol_version::v5;
    if (state_->open_count >= options.connections_max) {
        return v5 ? reason_code::quota_exceeded : reason_code::server_unavailable;
    }
    if (packet.client_id.empty()) {
        if (packet.version == protocol_version::v3_1 || !options.allow_empty_client_id ||
            (!v5 && !packet.clean_start)) {  // [MQTT-3.1.3-8] of 3.1.1
            return reason_code::client_identifier_not_valid;
        }
    }
    if (!packet.will) return reason_code::success;
    if (packet.will->qos > options.maximum_qos) return reason_code::qos_not_supported;               // [MQTT-3.2.2-12]
    if (packet.will->retain && !options.retain_available) return reason_code::retain_not_supported;  // [MQTT-3.2.2-13]
    if (topic_levels(packet.will->topic) > options.topic_levels_max) return reason_code::topic_name_invalid;
    if (packet.will->topic.starts_with("$SYS/")) return reason_code::not_authorized;
    return reason_code::success;
}

void peer::on_auth(const packets::auth& packet) {
    const auto data = packet.properties.authentication_data.value_or("");
    if (state_->options.authenticator == nullptr) return;  // it was refused at CONNECT
    ask(packet.reason == reason_code::reauthenticate ? authentication_step::reconnect : authentication_step::more, {},
        data);
}

void peer::ask(authentication_step step, std::optional<std::string_view> password, std::string_view data) {
    authentication_request request;
    request.connection = static_cast<std::uint64_t>(id_);
    request.step = step;
    request.client = info();
    request.password = password;
    if (!authentication_method_.empty()) request.method = authentication_method_;
    request.data = data;
    state_->options.authenticator->authenticate(
        request, [box = std::weak_ptr(state_->answers), id = id_](authentication_answer answer) {
            const auto open = box.lock();
            if (open == nullptr) return;
            open->answers.emplace_back(id, std::move(answer));
            if (!open->in_engine && open->wake) open->wake();
        });
}

void peer::on_answer(authentication_answer answer) {
    if (ended_ || connection.is_closing()) return;
    const bool failed = is_failure(answer.reason);
    if (connection.is_open()) {
        packets::auth reply;
        if (!answer.data.empty()) reply.properties.authentication_data = answer.data;
        if (failed) {
            connection.disconnect(answer.reason);  // [MQTT-4.12.1-2]
        } else if (answer.reason == reason_code::continue_authentication) {
            reply.reason = reason_code::continue_authentication;
            connection.send_auth(reply);
        } else {
            if (!answer.user_name.empty()) session->user_name = answer.user_name;
            last_route.reset();
            connection.send_auth(reply);
        }
    } else if (failed) {
        refuse(answer.reason, answer.reason_string);
    } else if (answer.reason == reason_code::continue_authentication) {
        packets::auth question;
        question.reason = reason_code::continue_authentication;
        if (!answer.data.empty()) question.properties.authentication_data = answer.data;
        connection.send_auth(question);
    } else if (connecting_ != nullptr) {
        grant(answer);
    }
    run();
}

void peer::refuse(reason_code reason, std::string_view why) {
    if (state_->logs(log_level::notice)) {
        state_->log(log_level::notice, "Client " + escaped(info().client_id) + " [" + escaped(info_.address) +
                                           "] refused: " + std::string(to_string(reason)));
    }
    connack_properties properties;
    if (!why.empty()) properties.reason_string = why;
    connection.refuse(reason, properties);
}

// CONNECT is accepted: the session, the will, CONNACK. MQTT 5 §3.1.4.
void peer::grant(const authentication_answer& answer) {
    connect_data& wanted = *connecting_;
    const auto* const rights = state_->options.authenticator.get();
    if (!answer.user_name.empty()) wanted.user_name = answer.user_name;
    packets::connack reply;
    if (wanted.client_id.empty()) {
        wanted.client_id = state_->choose_client_id();
        if (connection.version() == protocol_version::v5) {
            reply.properties.assigned_client_identifier = wanted.client_id;  // [MQTT-3.2.2-16]
        }
    }
    if (rights != nullptr && wanted.will &&
        !state_->options.authenticator->may_publish(info(), wanted.will->message->topic())) {
        return refuse(reason_code::not_authorized);
    }
    if (client_session* const existing = state_->table.find(wanted.client_id)) {
        if (peer* const old = existing->peer) {  // [MQTT-3.1.4-3]
            old->connection.disconnect(reason_code::session_taken_over);
            old->settle();
        }
    }
    if (state_->table.count() >= state_->options.sessions_max && state_->table.find(wanted.client_id) == nullptr) {
        return refuse(connection.version() == protocol_version::v5 ? reason_code::quota_exceeded
                                                                   : reason_code::server_unavailable);
    }

    const auto begun = state_->table.begin(wanted.client_id, wanted.clean_start, wanted.expiry_interval,
                                           connection.version(), state_->queue, state_->now);
    session = begun.session;
    session->peer = this;
    session->user_name = wanted.user_name;
    session->address = info_.address;
    session->local = info_.local;
    state_->table.set_will(*session, std::move(wanted.will));
    state_->filters.set_connected(session->index, true);
    ++state_->open_count;
    ++state_->connections_accepted;
    if (begun.present && rights != nullptr) recheck_subscriptions();

    reply.session_present = begun.present;
    if (wanted.lower_expiry_told) reply.properties.session_expiry_interval = wanted.expiry_interval;
    if (!answer.data.empty() && !authentication_method_.empty()) reply.properties.authentication_data = answer.data;
    if (!answer.reason_string.empty()) reply.properties.reason_string = answer.reason_string;
    if (connection.peer().request_response_information && state_->options.response_information) {
        reply.properties.response_information = *state_->options.response_information;
    }
    connection.accept(session->state, reply);
    if (state_->logs(log_level::notice)) {
        state_->log(log_level::notice,
                    "New client connected from " + escaped(info_.address) + " as " + escaped(session->client_id) +
                        " (p" + std::to_string(static_cast<int>(connection.version())) + ", c" +
                        std::to_string(wanted.clean_start) + ", k" + std::to_string(wanted.keep_alive) +
                        (wanted.user_name.empty() ? "" : ", u'" + escaped(wanted.user_name) + "'") + ").");
    }
    connecting_.reset();
    settle();
}

// Rights may have been taken away while the client was gone.
void peer::recheck_subscriptions() {
    std::vector<std::string> lost;
    state_->filters.for_each(session->index, [&](std::string_view filter, const subscription_options&) {
        const auto shared = split_shared_filter(filter);
        if (!state_->options.authenticator->may_subscribe(info(), shared ? shared->filter : filter)) {
            lost.emplace_back(filter);
        }
    });
    for (const std::string& filter : lost) {
        state_->filters.erase(session->index, filter);
        if (state_->journal.on()) state_->journal.record(core::erase_subscription{session->state.key(), filter});
    }
}

void peer::on_disconnect(const packets::disconnect& packet) {
    if (state_->logs(log_level::notice)) {
        state_->log(log_level::notice, "Client " + escaped(info().client_id) + " [" + escaped(info_.address) +
                                           "] disconnected: " + std::string(to_string(packet.reason)));
    }
    if (session == nullptr) return;
    if (packet.reason == reason_code::success) state_->table.discard_will(*session);  // [MQTT-3.14.4-3]
    if (const auto expiry = packet.properties.session_expiry_interval) {
        state_->table.set_expiry(*session, std::min(*expiry, state_->options.session_expiry_max));
    }
}

// ---- SUBSCRIBE and UNSUBSCRIBE

void peer::on_subscribe(const packets::subscribe& packet) {
    const std::uint32_t identifier = packet.properties.subscription_identifier.value_or(0);
    std::vector<reason_code> reasons;
    reasons.reserve(packet.subscriptions.size());
    for (const subscription_request& wanted : packet.subscriptions) {
        reason_code reason = check_filter(wanted, identifier);
        if (reason == reason_code::topic_filter_invalid && connection.version() == protocol_version::v3_1) {
            return connection.fail({reason, "MQTT-3.8.3-1", "SUBSCRIBE with an invalid Topic Filter"});
        }
        if (!is_failure(reason)) reason = subscribe(wanted, identifier);
        reasons.push_back(reason);
    }
    connection.suback(packet.id, reasons);
    send_retained();
}

reason_code peer::check_filter(const subscription_request& wanted, std::uint32_t identifier) const {
    const broker_options& options = state_->options;
    if (!is_valid_topic_filter(wanted.filter)) return reason_code::topic_filter_invalid;
    const auto shared = split_shared_filter(wanted.filter);
    const std::string_view filter = shared ? shared->filter : wanted.filter;
    if (topic_levels(filter) > options.topic_levels_max) return reason_code::topic_filter_invalid;
    for (const denied_filter& denied : options.deny_subscribe) {
        if (denied.filter == wanted.filter) return denied.reason;
    }
    if (shared && !options.shared_subscription_available) return reason_code::shared_subscriptions_not_supported;
    if (!options.wildcard_subscription_available && has_wildcard(filter)) {
        return reason_code::wildcard_subscriptions_not_supported;
    }
    if (identifier != 0 && !options.subscription_identifier_available) {
        return reason_code::subscription_identifiers_not_supported;
    }
    if (options.authenticator != nullptr && !options.authenticator->may_subscribe(info(), filter)) {
        return reason_code::not_authorized;
    }
    return reason_code::success;
}

reason_code peer::subscribe(const subscription_request& wanted, std::uint32_t identifier) {
    subscriptions& filters = state_->filters;
    const subscription_options granted{.qos = min(wanted.qos, state_->options.maximum_qos),
                                       .no_local = wanted.no_local,
                                       .retain_as_published = wanted.retain_as_published,
                                       .retain_handling = wanted.retain_handling,
                                       .identifier = identifier};
    const auto before = filters.get(session->index, wanted.filter);
    if (!before && filters.count(session->index) >= state_->options.subscriptions_per_session_max) {
        return reason_code::quota_exceeded;
    }
    if (before != granted) {
        filters.put(session->index, wanted.filter, granted);
        if (state_->journal.on()) {
            state_->journal.record(core::subscription_row{session->state.key(), std::string(wanted.filter), granted.qos,
                                                          granted.no_local, granted.retain_as_published,
                                                          granted.retain_handling, granted.identifier});
        }
    }
    const bool wants_retained = granted.retain_handling == retain_handling::send ||
                                (granted.retain_handling == retain_handling::send_if_new && !before);
    if (wants_retained && state_->kept.count() != 0 && !split_shared_filter(wanted.filter)) {
        std::erase_if(session->walks, [&](const auto& walk) { return walk->cursor.filter() == wanted.filter; });
        session->walks.push_back(
            std::make_unique<retained_walk>(state_->kept, wanted.filter, granted, state_->journal.last()));
        if (identifier != 0) {
            session->walks.back()->identifiers = new core::identifier_list(std::vector<std::uint32_t>{identifier});
        }
    }
    return static_cast<reason_code>(to_number(granted.qos));
}

void peer::on_unsubscribe(const packets::unsubscribe& packet) {
    std::vector<reason_code> reasons;
    reasons.reserve(packet.filters.size());
    for (const std::string_view filter : packet.filters) {
        const bool existed = state_->filters.erase(session->index, filter);
        reasons.push_back(existed ? reason_code::success : reason_code::no_subscription_existed);
        if (!existed) continue;
        std::erase_if(session->walks, [&](const auto& walk) { return walk->cursor.filter() == filter; });
        if (state_->journal.on()) {
            state_->journal.record(core::erase_subscription{session->state.key(), std::string(filter)});
        }
    }
    connection.unsuback(packet.id, reasons);
}

// Goes on with the retained messages that were subscribed to, as far as the connection takes them now.
void peer::send_retained() {
    if (session == nullptr || !connection.is_open()) return;
    auto& walks = session->walks;
    std::size_t steps = retained_steps_max;
    std::size_t done = 0;
    bool sent = false;
    for (; done < walks.size(); ++done) {
        retained_walk& walk = *walks[done];
        if (!state_->journal.is_committed(walk.change_number)) break;
        bool blocked = false;
        for (;;) {
            blocked = connection.out().size() >= retained_output_max || session->state.queue_count() != 0;
            if (blocked) break;
            core::message_ref message = walk.cursor.next(state_->now.wall, steps);
            if (message == nullptr) break;
            const auto q = min(message->qos(), walk.options.qos);
            static_cast<void>(connection.send({std::move(message), walk.identifiers, 0, q, true}));  // [MQTT-3.3.1-8]
            sent = true;
        }
        if (walk.cursor.done()) continue;
        // Goes on when acknowledgements come, when the output is written, or, out of steps, in the next turn.
        needs_drain = needs_drain || session->state.queue_count() == 0;
        sent |= !blocked;
        break;
    }
    if (sent) mark_dirty();
    walks.erase(walks.begin(), walks.begin() + static_cast<std::ptrdiff_t>(done));
}

// ---- slow receivers

bool peer::is_drained() const noexcept {
    return resumes_ || connection.out().size() < std::min(retained_output_max, state_->options.output_bytes_max / 2);
}

std::size_t peer::backlog() const noexcept {
    return connection.out().size() + (session != nullptr ? session->state.queue_bytes() : 0);
}

void peer::wait_for(peer& receiver) {
    auto& waiters = receiver.waiters_;
    if (std::find(waiters.begin(), waiters.end(), id_) != waiters.end()) return;
    if (waiters.empty()) {
        receiver.stall_at_ = state_->now.steady + state_->options.stall_timeout;
        receiver.stall_backlog_ = receiver.backlog();
        state_->schedule(receiver);
    }
    waiters.push_back(id_);
    receiver.needs_drain = true;
    ++waiting_for_;
    connection.set_reading(false);
}

void peer::let_publishers_go() {
    if (waiters_.empty()) return;
    if (!ended_) {
        if (connection.out().size() >= state_->options.output_bytes_max / 2) {
            needs_drain = true;
            return;
        }
        if (session->state.queue_count() > state_->queue.count_max / 2 ||
            session->state.queue_bytes() > state_->queue.bytes_max / 2) {
            return;  // acknowledgements bring us back
        }
    }
    stall_at_ = never;
    for (const peer_id id : std::exchange(waiters_, {})) {
        peer* const publisher = state_->find(id);
        if (publisher == nullptr || --publisher->waiting_for_ != 0) continue;
        publisher->connection.set_reading(true);
        publisher->mark_dirty();  // its owner reads again, and what it had sent is taken: not from inside its receiver
        publisher->needs_drain = true;
        publisher->resumes_ = true;
    }
}

}  // namespace martlet::broker_impl
