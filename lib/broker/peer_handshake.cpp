// How a client of the broker begins and ends: CONNECT, AUTH, DISCONNECT. MQTT 5 §3.1, §3.14, §3.15, §4.12.
#include "broker/broker_state.hpp"
#include "broker/peer.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::broker_impl {

namespace {

// A certificate's name, or a key's, becomes a user's: what no CONNECT could say, or a right could take for a wildcard, is
// none.
bool is_user_name(std::string_view identity) noexcept {
    return is_valid_utf8_string(identity) && identity.find_first_of("+#") == std::string_view::npos;
}

/// What mosquitto's log calls a version: 1 is 3.1, 2 is 3.1.1.
std::string mosquitto_number(protocol_version version) {
    return version == protocol_version::v5 ? "5" : version == protocol_version::v3_1_1 ? "2" : "1";
}

}  // namespace

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
        wanted.will = stored_will{state_->make_message(w.topic, w.payload, w.qos, w.retain, w.properties, lifetime),
                                  w.will_delay_interval.value_or(0)};
    }

    if (info_.identity_is_user_name && connection.authentication_method().empty()) {
        if (info_.identity.empty()) return refuse(reason_code::not_authorized, "a client certificate is needed");
        if (!is_user_name(info_.identity)) return refuse(reason_code::not_authorized, "not the name of a user");
        wanted.user_name = info_.identity;
        return grant({});
    }
    if (state_->options.authenticator != nullptr) {
        return ask(authentication_step::connect, packet.password, packet.properties.authentication_data.value_or(""));
    }
    if (!connection.authentication_method().empty())
        return refuse(reason_code::bad_authentication_method);  // [MQTT-4.12.0-1]
    if (!info_.local && !state_->options.allow_anonymous_remote) {
        return refuse(reason_code::not_authorized, "anonymous clients of other machines are not allowed");
    }
    grant({});
}

reason_code peer::check_connect(const packets::connect& packet) const {
    const broker_options& options = state_->options;
    const bool v5 = packet.version == protocol_version::v5;
    if (!options.protocol_versions.has(packet.version)) return reason_code::unsupported_protocol_version;
    // Who has a session may come for what waits in it, which makes room.
    if (state_->is_memory_full() && state_->table.find(packet.client_id) == nullptr) {
        return v5 ? reason_code::quota_exceeded : reason_code::server_unavailable;
    }
    if (state_->is_store_behind()) return v5 ? reason_code::server_busy : reason_code::server_unavailable;
    if (state_->open_count >= options.connections_max) {
        return v5 ? reason_code::quota_exceeded : reason_code::server_unavailable;
    }
    if (packet.client_id.empty()) {
        if (packet.version == protocol_version::v3_1 || !options.allow_empty_client_id ||
            (!v5 && !packet.clean_start)) {  // [MQTT-3.1.3-8] of 3.1.1
            return reason_code::client_identifier_not_valid;
        }
    }
    const auto has_prefix = [&](const std::string& prefix) { return packet.client_id.starts_with(prefix); };
    if (!packet.client_id.empty() && !options.client_id_prefixes.empty() &&
        std::none_of(options.client_id_prefixes.begin(), options.client_id_prefixes.end(), has_prefix)) {
        return reason_code::client_identifier_not_valid;
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
    if (!connection.authentication_method().empty()) request.method = connection.authentication_method();
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
        if (rights != nullptr && state_->options.sessions_belong_to_users && existing->is_user_known &&
            existing->user_name != wanted.user_name) {
            return refuse(reason_code::client_identifier_not_valid, "this client identifier is another user's");
        }
        if (peer* const old = existing->peer) {  // [MQTT-3.1.4-3]
            state_->with_memory(*old, [&] {
                old->connection.disconnect(reason_code::session_taken_over);
                old->settle();
            });
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
    ++state_->open_count;
    // Routes leave out who may not receive: they are of the user who had the session before.
    if (rights != nullptr && begun.present && session->user_name != wanted.user_name) state_->filters.invalidate();
    session->user_name = wanted.user_name;
    session->is_user_known = true;
    session->address = info_.address;
    session->local = info_.local;
    session->listener = info_.listener;
    state_->table.set_will(*session, std::move(wanted.will));
    state_->filters.set_connected(session->index, true);
    state_->addresses.on_accepted(info_.address, info_.local);
    is_counted_handshake_ = false;
    state_->sys.on_connected(state_->open_count);
    ++state_->connections_accepted;
    if (begun.present && rights != nullptr) recheck_session();

    reply.session_present = begun.present;
    if (wanted.lower_expiry_told) reply.properties.session_expiry_interval = wanted.expiry_interval;
    if (!answer.data.empty() && !connection.authentication_method().empty())
        reply.properties.authentication_data = answer.data;
    if (!answer.reason_string.empty()) reply.properties.reason_string = answer.reason_string;
    if (connection.peer().request_response_information && state_->options.response_information) {
        reply.properties.response_information = *state_->options.response_information;
    }
    connection.accept(session->state, reply);
    if (state_->logs(log_level::notice)) {
        state_->log(log_level::notice,
                    "New client connected from " + escaped(info_.address) + " as " + escaped(session->client_id) +
                        " (p" + mosquitto_number(connection.version()) + ", c" + std::to_string(wanted.clean_start) +
                        ", k" + std::to_string(wanted.keep_alive) +
                        (wanted.user_name.empty() ? "" : ", u'" + escaped(wanted.user_name) + "'") + ").");
    }
    connecting_.reset();
    settle();
}

// Rights may have been taken away: since they were granted, or while the client was gone.
void peer::recheck_session() {
    std::vector<std::string> lost;
    state_->filters.for_each(session->index, [&](std::string_view filter, const subscription_options&) {
        const auto shared = split_shared_filter(filter);
        if (!state_->options.authenticator->may_subscribe(info(), shared ? shared->filter : filter)) {
            lost.emplace_back(filter);
        }
    });
    for (const std::string& filter : lost) {
        state_->filters.erase(session->index, filter);
        std::erase_if(session->walks, [&](const auto& walk) { return walk->cursor.filter() == filter; });
        if (state_->journal.on()) state_->journal.record(core::erase_subscription{session->state.key(), filter});
    }
    session->state.drop_queued([&](std::string_view topic) { return !state_->may_receive(*session, topic); });
}

void peer::apply_rights() {
    if (ended_ || session == nullptr) return;
    if (!state_->options.authenticator->may_stay(info())) {
        if (state_->logs(log_level::notice)) {
            state_->log(log_level::notice, "Client " + escaped(session->client_id) + " [" + escaped(info_.address) +
                                               "] disconnected: not authorized any more");
        }
        connection.disconnect(reason_code::not_authorized);
    } else {
        recheck_session();
    }
    settle();
}

void peer::on_disconnect(const packets::disconnect& packet) {
    has_disconnected_ = true;
    if (state_->logs(log_level::notice)) {
        const bool is_plain = packet.reason == reason_code::success;
        state_->log(log_level::notice,
                    "Client " + escaped(info().client_id) + " [" + escaped(info_.address) + "] disconnected" +
                        (is_plain ? std::string(".") : ": " + std::string(to_string(packet.reason))));
    }
    if (session == nullptr) return;
    if (packet.reason == reason_code::success) state_->table.discard_will(*session);  // [MQTT-3.14.4-3]
    if (const auto expiry = packet.properties.session_expiry_interval) {
        state_->table.set_expiry(*session, std::min(*expiry, state_->options.session_expiry_max));
    }
}

}  // namespace martlet::broker_impl
