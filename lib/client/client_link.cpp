// Links come and go: dialling, losing, trying again, leaving. What is said on them stands in client_connect.cpp.
#include "client/client_engine.hpp"
#include "client/redirect.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::detail {

namespace {

constexpr std::size_t hops_max = 8;  // redirections without a connection in between

}  // namespace

// -- life cycle

error_code client_engine::start() {
    if (is_running()) return errc::already_running;
    if (const auto error = check_options()) return error;

    moved_endpoints_.clear();
    detours_.clear();
    hops_ = 0;
    reconnect_.emplace(options_.reconnect, endpoints().size(), random_seed_++);
    if (!version_is_known_) version_ = options_.version.value_or(protocol_version::v5);
    version_is_known_ = version_is_known_ || options_.version.has_value();
    connected_before_ = false;
    session_expected_ = has_stored_session_;
    has_stored_session_ = false;
    is_draining_ = false;
    dial_now();
    return {};
}

error_code client_engine::disconnect(const disconnect_options& options, std::string reason_string,
                                     std::vector<owned_user_property> properties) {
    for (const auto& [name, value] : properties) {
        if (!is_valid_utf8_string(name) || !is_valid_utf8_string(value)) return errc::string_invalid;
    }
    if (!is_running() || state_ == state::leaving) return errc::not_running;
    farewell_ = options;
    farewell_.user_properties = {};  // views of the caller's
    farewell_text_ = std::move(reason_string);
    farewell_properties_ = std::move(properties);
    is_draining_ = true;
    if (!options.drain) leave();
    settle();
    return {};
}

// Everything that is to be said is said, or need not be.
void client_engine::leave() {
    if (state_ != state::open) return finish({});
    disconnect_properties properties;
    properties.session_expiry_interval = farewell_.session_expiry_interval;
    if (!properties.session_expiry_interval && options_.session != session_mode::resume && session_expiry() != 0) {
        properties.session_expiry_interval = 0;  // nobody will come back to it
    }
    if (!farewell_text_.empty()) properties.reason_string = farewell_text_;
    std::vector<user_property> said;
    for (const auto& [name, value] : farewell_properties_)
        said.push_back({name, value});
    properties.user_properties = said;
    connection_->disconnect(farewell_.reason, properties);
    state_ = state::leaving;
    actions_.push_back({link_action::kind_type::close, {}, {}, {}, 0, {}});
}

// The run is over. Session, queue and streams stay for the next one.
void client_engine::finish(error_code error) {
    if (!is_running()) return;
    if (state_ != state::waiting) actions_.push_back({link_action::kind_type::cut, {}, {}, {}, 0, {}});
    detach_connection();
    state_ = state::ended;
    retry_at_ = never;
    question_ = 0;
    outcome(std::exchange(reauthentication_, 0), errc::not_running);
    for (auto& [id, r] : requests_) {
        if (r.is_renewal || r.who == 0) continue;
        outcome(r.who, errc::not_running);
        if (r.stream) end(r.stream, errc::not_running);
    }
    std::erase_if(requests_, [](const auto& entry) { return entry.second.who != 0; });
    tell(client_event::kind_type::stopped, error, store_error_text_);
    actions_.push_back({link_action::kind_type::finished, {}, {}, error, 0, {}});
    settle();
}

// -- dialling

void client_engine::dial(std::chrono::milliseconds delay) {
    if (delay.count() == 0) return dial_now();
    state_ = state::waiting;
    retry_at_ = present_.steady + delay;
    client_event e;
    e.kind = client_event::kind_type::retry_in;
    e.delay = delay;
    push_event(std::move(e));
}

void client_engine::dial_now() {
    retry_at_ = never;
    dial_started_ = present_.steady;
    has_credentials_ = false;
    has_first_data_ = false;
    tell(client_event::kind_type::connecting);
    prepare();
}

void client_engine::on_dial_failed(error_code error, std::string detail) {
    if (state_ != state::dialing) return;
    if (error == boost::system::errc::timed_out) error = errc::connect_timeout;
    link_ended(error, std::move(detail), link_action::kind_type::cut, is_fatal_failure(error));
    settle();
}

void client_engine::on_dialed(bool tls_session_resumed) {
    tls_session_resumed_ = tls_session_resumed;
    if (state_ != state::dialing) return;
    state_ = state::handshake;
    send_connect();
}

void client_engine::on_refused(const packets::connack& connack) {
    --unanswered_;  // and the session is as it was
    const auto reason = connack.reason;
    const bool has_older = version_ == protocol_version::v5 || !client_id_.empty();  // 3.1 needs a client id
    if (reason == reason_code::unsupported_protocol_version && has_older && try_other_version(reason)) return;
    link_ended(reason, std::string(connack.properties.reason_string.value_or("")), link_action::kind_type::abandon,
               is_fatal_refusal(reason), std::string(connack.properties.server_reference.value_or("")));
}

void client_engine::on_server_disconnect(const packets::disconnect& packet) {
    // Also a DISCONNECT with reason 0 was not asked for.
    const error_code cause =
        is_failure(packet.reason) ? make_error_code(packet.reason) : make_error_code(errc::connection_closed);
    link_ended(cause, std::string(packet.properties.reason_string.value_or("")), link_action::kind_type::abandon,
               is_fatal_disconnect(packet.reason), std::string(packet.properties.server_reference.value_or("")));
}

void client_engine::on_failed(const core::event& e) {
    // A server of an older version may answer our CONNECT in a form that is none in ours.
    const bool may_be_old = state_ == state::handshake && version_ == protocol_version::v5;
    if (may_be_old && e.error != errc::connect_timeout && try_other_version(e.error)) return;
    std::string text(e.why.text);
    if (!e.why.rule.empty()) text.append(" [").append(e.why.rule).append("]");
    const bool is_dead = e.error == errc::keep_alive_timeout || e.error == errc::connect_timeout;
    link_ended(e.error, std::move(text), is_dead ? link_action::kind_type::cut : link_action::kind_type::abandon,
               false);
}

void client_engine::on_link_closed(error_code error, std::string detail) {
    if (!is_linked_) return;
    if (state_ == state::leaving) {
        finish({});
        return;
    }
    if (state_ != state::handshake && state_ != state::open) return;
    if (!error) error = errc::connection_closed;
    // A server that does not know MQTT 5 may just hang up.
    const bool hung_up =
        state_ == state::handshake && version_ == protocol_version::v5 && error == errc::connection_closed;
    if (!(hung_up && try_other_version(error))) {
        link_ended(error, std::move(detail), link_action::kind_type::cut, is_fatal_failure(error));
    }
    settle();
}

// -- after a link

bool client_engine::try_other_version(error_code because) {
    if (version_is_known_ || version_ == protocol_version::v3_1 || options_.authentication) return false;
    version_ = version_ == protocol_version::v5 ? protocol_version::v3_1_1 : protocol_version::v3_1;
    detach_connection();
    actions_.push_back({link_action::kind_type::abandon, {}, {}, {}, 0, {}});
    client_event e;
    e.kind = client_event::kind_type::version_changed;
    e.url = to_string(where());
    e.cause = because;
    e.info.version = version_;
    push_event(std::move(e));
    dial_now();
    return true;
}

void client_engine::link_ended(error_code cause, std::string text, link_action::kind_type how, bool fatal,
                               std::string reference) {
    const bool was_open = state_ == state::open;
    const bool has_link = state_ != state::dialing && state_ != state::preparing;
    if (has_link) actions_.push_back({how, {}, {}, {}, 0, {}});
    detach_connection();
    question_ = 0;
    outcome(std::exchange(reauthentication_, 0), cause);
    if (was_open)
        count_loss(cause);
    else
        ++totals_.connect_failures;
    // What looked like an old server may have been restarting.
    if (!version_is_known_) version_ = protocol_version::v5;

    client_event e;
    e.kind = was_open ? client_event::kind_type::lost : client_event::kind_type::connect_failed;
    e.url = to_string(where());
    e.cause = cause;
    e.text = std::move(text);
    e.info.server_reference = reference;
    push_event(std::move(e));

    state_ = state::dialing;  // so that finish() ends a run
    if (fatal) return finish(cause);
    if (was_open && !options_.reconnect.enabled) return finish(cause);

    const auto like = where();
    const auto next_detour = !was_open && !detours_.empty();
    if (!detours_.empty()) detours_.erase(detours_.begin());
    if (options_.follow_server_reference && !reference.empty()) {
        const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(present_.steady - opened_);
        const auto delay = was_open ? reconnect_->after_loss(lasted).delay : std::chrono::milliseconds(0);
        if (follow(cause, reference, like, delay)) return;
    }
    if (next_detour && !detours_.empty()) return dial_now();
    detours_.clear();
    try_again(cause, was_open);
}

void client_engine::try_again(error_code cause, bool was_open) {
    const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(present_.steady - opened_);
    const auto next = was_open ? reconnect_->after_loss(lasted) : reconnect_->after_failure();
    const bool round_is_over = next.endpoint == 0;
    if (!was_open && round_is_over &&
        (!options_.reconnect.enabled || (!options_.reconnect.before_first_connect && !connected_before_))) {
        return finish(cause);
    }
    dial(next.delay);
}

// The server knows a better one. False if it is not one of the two reasons that say so, names nobody, or if we are sent
// about in a circle.
bool client_engine::follow(error_code cause, std::string_view reference, const endpoint& like,
                           std::chrono::milliseconds delay) {
    const bool has_moved = cause == reason_code::server_moved;
    if (!has_moved && cause != reason_code::use_another_server) return false;
    if (++hops_ > hops_max) return false;
    auto targets = parse_server_reference(reference, like);
    if (targets.empty()) return false;
    client_event e;
    e.kind = client_event::kind_type::redirected;
    e.url = to_string(targets.front());
    e.cause = cause;
    push_event(std::move(e));
    if (has_moved) {
        // For the rest of the run; the servers that we were told about stay the last resort.
        targets.insert(targets.end(), given_endpoints_.begin(), given_endpoints_.end());
        moved_endpoints_ = std::move(targets);
        detours_.clear();
        reconnect_.emplace(options_.reconnect, moved_endpoints_.size(), random_seed_++);
    } else {
        detours_ = std::move(targets);
    }
    dial(delay);
    return true;
}

const endpoint& client_engine::where() const noexcept {
    return detours_.empty() ? endpoints()[reconnect_->endpoint()] : detours_.front();
}

void client_engine::count_loss(error_code cause) noexcept {
    if (cause.category() == reason_category())
        ++totals_.lost_by_server;
    else if (cause == errc::keep_alive_timeout)
        ++totals_.lost_by_silence;
    else if (cause == errc::malformed_packet || cause == errc::protocol_error)
        ++totals_.lost_by_protocol;
    else
        ++totals_.lost_by_network;
}

void client_engine::detach_connection() {
    if (!std::exchange(is_linked_, false)) return;
    const auto& count = connection_->count();
    totals_.packets_sent += count.packets_sent + count.messages_sent;
    totals_.packets_received += count.packets_received;
    totals_.messages_sent += count.messages_sent;
    totals_.messages_received += count.messages_received;
    totals_.messages_dropped_out += count.messages_dropped;
    totals_.bytes_sent += connection_->out().consumed();
    for (auto& [id, r] : requests_)
        r.is_sent = false;
    for (const auto who : std::exchange(waiting_for_room_, {}))
        outcome(who, {});
    for (const auto who : std::exchange(pings_, {}))
        outcome(who, errc::not_connected);
    is_reauthenticating_ = false;
    is_reading_ = true;
    is_blocked_hard_ = false;
}

void client_engine::release_link() {
    if (connection_ && !is_linked_) connection_->on_closed();
}

}  // namespace martlet::detail
