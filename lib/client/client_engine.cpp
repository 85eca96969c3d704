// Links come and go: dialling, the handshake, losing, trying again, leaving. What is asked for stands in
// client_requests.cpp, what is received in client_delivery.cpp.
#include "client/client_engine.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <span>
#include <utility>

namespace martlet::detail {

namespace {

constexpr std::uint32_t for_ever = 0xFFFF'FFFF;
constexpr std::uint32_t fresh_session_expiry = 3600;  // seconds: an outage that a fresh session survives
constexpr std::uint16_t inflight_limit = 65'000;      // some packet ids are left for SUBSCRIBE and UNSUBSCRIBE

core::queue_limits session_limits(const client_options& options) noexcept {
    auto limits = options.queue;
    limits.keep_qos_0 = true;  // async_publish waits for a connection; publish() looks at the option itself
    return limits;
}

std::uint32_t session_expiry_of(const client_options& options) noexcept {
    if (options.session_expiry) {
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(options.session_expiry->count(), 0, for_ever));
    }
    if (options.session == session_mode::resume) return for_ever;
    return options.reconnect.enabled ? fresh_session_expiry : 0;
}

std::vector<user_property> views_of(const std::vector<owned_user_property>& owned) {
    std::vector<user_property> views;
    views.reserve(owned.size());
    for (const auto& [name, value] : owned)
        views.push_back({name, value});
    return views;
}

bool are_valid(const std::vector<owned_user_property>& properties) noexcept {
    return std::all_of(properties.begin(), properties.end(),
                       [](const auto& p) { return is_valid_utf8_string(p.first) && is_valid_utf8_string(p.second); });
}

constexpr std::size_t binary_size_max = 65'535;

error_code check_will(const will_options& will) noexcept {
    if (!is_valid_topic_name(will.topic)) return errc::topic_invalid;
    if (will.payload.size() > binary_size_max) return errc::option_invalid;
    if (will.delay.count() < 0 || will.delay.count() > for_ever) return errc::option_invalid;
    if (will.content_type && !is_valid_utf8_string(*will.content_type)) return errc::string_invalid;
    if (will.response_topic && !is_valid_topic_name(*will.response_topic)) return errc::property_invalid;
    if (will.correlation_data && will.correlation_data->size() > binary_size_max) return errc::property_invalid;
    if (!are_valid(will.user_properties)) return errc::string_invalid;
    return {};
}

will view_of(const will_options& from, const std::vector<user_property>& user_properties) noexcept {
    will to;
    to.topic = from.topic;
    to.payload = from.payload;
    to.qos = from.qos;
    to.retain = from.retain;
    if (from.delay.count() != 0) to.will_delay_interval = static_cast<std::uint32_t>(from.delay.count());
    to.properties.payload_format_indicator = from.payload_format_indicator;
    to.properties.message_expiry_interval = from.message_expiry_interval;
    if (from.content_type) to.properties.content_type = *from.content_type;
    if (from.response_topic) to.properties.response_topic = *from.response_topic;
    if (from.correlation_data) to.properties.correlation_data = *from.correlation_data;
    to.properties.user_properties = user_properties;
    return to;
}

}  // namespace

client_engine::client_engine(const client_options& options, std::uint64_t random_seed)
    : options_(options),
      journal_(options.store != nullptr),
      session_(journal_, core::session_key{1}, session_limits(options)),
      random_seed_(random_seed),
      client_id_(options.client_id),
      unclaimed_(options.unclaimed) {}

// -- life cycle

error_code client_engine::start() {
    if (is_running()) return errc::already_running;
    if (const auto error = check_options()) return error;

    if (!reconnect_) reconnect_.emplace(options_.reconnect, endpoints_.size(), random_seed_);
    reconnect_->restart();
    if (!version_is_known_) version_ = options_.version.value_or(protocol_version::v5);
    version_is_known_ = version_is_known_ || options_.version.has_value();
    connected_before_ = false;
    session_expected_ = false;
    is_draining_ = false;
    dial_now();
    return {};
}

error_code client_engine::check_options() {
    if (options_.urls.empty()) return errc::url_invalid;
    endpoints_.clear();
    for (const auto& url : options_.urls) {
        auto parsed = parse_endpoint(url);
        if (!parsed) return parsed.error();
        endpoints_.push_back(*std::move(parsed));
    }
    if (!is_valid_utf8_string(options_.client_id)) return errc::client_id_invalid;
    if (options_.client_id.empty()) {
        const bool needs_id =
            options_.version == protocol_version::v3_1 ||
            (options_.session == session_mode::resume && options_.version == protocol_version::v3_1_1);
        if (needs_id) return errc::client_id_invalid;
    }
    if (options_.user_name && !is_valid_utf8_string(*options_.user_name)) return errc::string_invalid;
    if (options_.password && options_.password->size() > binary_size_max) return errc::option_invalid;
    if (options_.password && !options_.user_name && options_.version && *options_.version != protocol_version::v5) {
        return errc::option_invalid;  // [MQTT-3.1.2-22] of 3.1.1
    }
    const auto keep_alive = options_.keep_alive.count();
    if (keep_alive < 0 || keep_alive > 65'535) return errc::option_invalid;
    if (options_.receive_maximum == 0 || options_.packet_size_max == 0 || options_.inflight_max == 0) {
        return errc::option_invalid;
    }
    if (options_.connect_timeout.count() <= 0 || options_.reconnect.delay_min.count() < 0) return errc::option_invalid;
    if (!are_valid(options_.user_properties)) return errc::string_invalid;
    if (options_.will) return check_will(*options_.will);
    return {};
}

error_code client_engine::disconnect(const disconnect_options& options, std::string reason_string) {
    if (!is_running() || state_ == state::leaving) return errc::not_running;
    farewell_ = options;
    farewell_text_ = std::move(reason_string);
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
    if (!properties.session_expiry_interval && options_.session == session_mode::fresh &&
        session_expiry_of(options_) != 0) {
        properties.session_expiry_interval = 0;  // nobody will come back to it
    }
    if (!farewell_text_.empty()) properties.reason_string = farewell_text_;
    connection_->disconnect(farewell_.reason, properties);
    state_ = state::leaving;
    actions_.push_back({link_action::kind_type::close, {}, {}, {}});
}

// The run is over. Session, queue and streams stay for the next one.
void client_engine::finish(error_code error) {
    if (!is_running()) return;
    if (state_ != state::waiting) actions_.push_back({link_action::kind_type::cut, {}, {}, {}});
    detach_connection();
    state_ = state::ended;
    retry_at_ = never;
    for (auto& [id, r] : requests_) {
        if (r.is_renewal || r.who == 0) continue;
        outcome(r.who, errc::not_running);
        if (r.stream) end(r.stream, errc::not_running);
    }
    std::erase_if(requests_, [](const auto& entry) { return entry.second.who != 0; });
    tell(client_event::kind_type::stopped, error);
    actions_.push_back({link_action::kind_type::finished, {}, {}, error});
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
    state_ = state::dialing;
    retry_at_ = never;
    dial_started_ = present_.steady;
    tell(client_event::kind_type::connecting);
    actions_.push_back(
        {link_action::kind_type::dial, endpoints_[reconnect_->endpoint()], options_.connect_timeout, {}});
}

void client_engine::on_dial_failed(error_code error, std::string detail) {
    if (state_ != state::dialing) return;
    if (error == boost::system::errc::timed_out) error = errc::connect_timeout;
    link_ended(error, std::move(detail), link_action::kind_type::cut, false);
    settle();
}

void client_engine::on_dialed() {
    if (state_ != state::dialing) return;
    state_ = state::handshake;
    send_connect();
}

void client_engine::send_connect() {
    const bool is_v5 = version_ == protocol_version::v5;
    core::connection_limits limits;
    limits.packet_size_max = options_.packet_size_max;
    limits.receive_maximum = is_v5 ? options_.receive_maximum : std::uint16_t{65'535};  // 3.x has none to announce
    limits.topic_alias_maximum = options_.topic_alias_maximum;
    limits.topic_alias_maximum_out = options_.topic_alias_maximum_out;
    limits.inflight_max = std::min(options_.inflight_max, inflight_limit);
    const auto dialled = std::chrono::duration_cast<std::chrono::milliseconds>(present_.steady - dial_started_);
    limits.handshake_timeout = std::max(options_.connect_timeout - dialled, std::chrono::milliseconds(100));
    connection_.emplace(role::client, limits, pool_, present_);
    is_linked_ = true;
    observed_in_.clear();
    observed_out_ = 0;

    const auto& where = endpoints_[reconnect_->endpoint()];
    const auto properties = views_of(options_.user_properties);
    std::vector<user_property> will_properties;
    packets::connect packet;
    packet.version = version_;
    // Before MQTT 5 a fresh session is clean on every connection: the server would keep any other one for ever.
    packet.clean_start = options_.session == session_mode::fresh && (!is_v5 || !connected_before_);
    if (!is_v5 && client_id_.empty()) packet.clean_start = true;  // [MQTT-3.1.3-7] of 3.1.1
    packet.keep_alive = static_cast<std::uint16_t>(options_.keep_alive.count());
    packet.client_id = client_id_;
    if (options_.user_name)
        packet.user_name = *options_.user_name;
    else if (where.user_name)
        packet.user_name = *where.user_name;
    if (options_.password)
        packet.password = *options_.password;
    else if (where.password)
        packet.password = *where.password;
    if (!is_v5 && !packet.user_name) packet.password.reset();
    if (options_.will) {
        will_properties = views_of(options_.will->user_properties);
        packet.will = view_of(*options_.will, will_properties);
    }
    if (is_v5) {
        const auto expiry = session_expiry_of(options_);
        if (expiry != 0) packet.properties.session_expiry_interval = expiry;
        packet.properties.user_properties = properties;
        if (options_.request_response_information) packet.properties.request_response_information = true;
    }
    connection_->connect(packet, session_);
    settle();
}

// -- the connection speaks

bool client_engine::on_bytes(std::string_view bytes) {
    if (!is_linked_) return true;
    totals_.bytes_received += bytes.size();
    if (options_.observer) {
        observed_in_.offer(bytes);
        core::frame frame;
        fault why;
        packet decoded;
        while (observed_in_.next(connection_->version(), options_.packet_size_max, frame, why) ==
               core::frame_status::complete) {
            if (core::decode(frame, connection_->version(), role::client, decoded)) continue;
            options_.observer->on_received(decoded, connection_->version(), frame.packet.size());
        }
        observed_in_.keep_rest();
    }
    connection_->receive(bytes);
    handle_events();
    connection_->keep_rest();
    settle();
    return is_reading_;
}

void client_engine::handle_events() {
    while (is_linked_ && (connection_->is_closing() || may_read()) && connection_->next_event(event_))
        handle(event_);
}

void client_engine::handle(core::event& e) {
    switch (e.kind) {
        case core::event_kind::message_received: return deliver(e);
        case core::event_kind::publish_done: return outcome(e.who, e.error, e.reason);
        case core::event_kind::connected: return on_connected(std::get<packets::connack>(e.other));
        case core::event_kind::refused: return on_refused(std::get<packets::connack>(e.other));
        case core::event_kind::subscribe_done: return on_suback(e.who, std::get<packets::suback>(e.other));
        case core::event_kind::unsubscribe_done: return on_unsuback(e.who, std::get<packets::unsuback>(e.other));
        case core::event_kind::pong_received: totals_.round_trip = e.elapsed; return;
        case core::event_kind::disconnect_received: return on_server_disconnect(std::get<packets::disconnect>(e.other));
        case core::event_kind::failed: return on_failed(e);
        case core::event_kind::auth_received:  // we never offer a method
        case core::event_kind::connect_received:
        case core::event_kind::subscribe_received:
        case core::event_kind::unsubscribe_received:
        case core::event_kind::ping_received: return;
    }
}

void client_engine::on_connected(const packets::connack& connack) {
    const auto& peer = connection_->peer();
    const auto& p = connack.properties;
    auto& info = info_.emplace();
    info.url = to_string(endpoints_[reconnect_->endpoint()]);
    info.version = connection_->version();
    info.session_present = connack.session_present;
    info.reason = connack.reason;
    if (p.assigned_client_identifier) client_id_ = *p.assigned_client_identifier;
    info.client_id = client_id_;
    info.keep_alive = connection_->keep_alive();
    info.session_expiry_interval =
        p.session_expiry_interval.value_or(info.version == protocol_version::v5 ? session_expiry_of(options_) : 0);
    info.receive_maximum = peer.receive_maximum;
    info.packet_size_max = peer.packet_size_max;
    info.topic_alias_maximum = peer.topic_alias_maximum;
    info.maximum_qos = peer.maximum_qos;
    info.retain_available = peer.retain_available;
    info.wildcard_subscription_available = peer.wildcard_subscription_available;
    info.subscription_identifier_available = peer.subscription_identifier_available;
    info.shared_subscription_available = peer.shared_subscription_available;
    info.reason_string = p.reason_string.value_or("");
    info.response_information = p.response_information.value_or("");
    info.server_reference = p.server_reference.value_or("");
    for (const auto& one : p.user_properties)
        info.user_properties.emplace_back(one.name, one.value);

    state_ = state::open;
    version_is_known_ = true;
    opened_ = present_.steady;
    is_reading_ = true;
    ++totals_.connects;

    client_event e;
    e.kind = client_event::kind_type::connected;
    e.url = info.url;
    e.info = info;
    push_event(std::move(e));

    const bool has_session = connack.session_present || (version_ == protocol_version::v3_1 && session_expected_);
    if (!has_session) {
        if (session_expected_) tell(client_event::kind_type::session_lost);
        shared_receipts_.clear();
        renew_subscriptions();
    }
    connected_before_ = true;
    session_expected_ =
        version_ == protocol_version::v5 ? info.session_expiry_interval != 0 : options_.session == session_mode::resume;
    if (journal_.on()) {
        journal_.record(core::session_row{session_.key(), client_id_, info.session_expiry_interval, {}, version_});
    }
    send_requests();
}

void client_engine::on_refused(const packets::connack& connack) {
    const auto reason = connack.reason;
    if (reason == reason_code::unsupported_protocol_version && try_other_version()) return;
    link_ended(reason, std::string(connack.properties.reason_string.value_or("")), link_action::kind_type::abandon,
               is_fatal_refusal(reason));
}

void client_engine::on_server_disconnect(const packets::disconnect& packet) {
    // Also a DISCONNECT with reason 0 was not asked for.
    const error_code cause =
        is_failure(packet.reason) ? make_error_code(packet.reason) : make_error_code(errc::connection_closed);
    link_ended(cause, std::string(packet.properties.reason_string.value_or("")), link_action::kind_type::abandon,
               is_fatal_disconnect(packet.reason));
}

void client_engine::on_failed(const core::event& e) {
    // A server of an older version may answer our CONNECT in a form that is none in ours.
    if (state_ == state::handshake && e.error != errc::connect_timeout && try_other_version()) return;
    std::string text(e.why.text);
    if (!e.why.rule.empty()) text.append(" [").append(e.why.rule).append("]");
    const bool is_dead = e.error == errc::keep_alive_timeout || e.error == errc::connect_timeout;
    link_ended(e.error, std::move(text), is_dead ? link_action::kind_type::cut : link_action::kind_type::abandon,
               false);
}

void client_engine::on_link_closed(error_code error) {
    if (!is_linked_) return;
    if (state_ == state::leaving) {
        finish({});
        return;
    }
    if (state_ != state::handshake && state_ != state::open) return;
    if (!error) error = errc::connection_closed;
    // A server that does not know MQTT 5 may just hang up.
    const bool hung_up = state_ == state::handshake && error == errc::connection_closed;
    if (!(hung_up && try_other_version())) link_ended(error, {}, link_action::kind_type::cut, false);
    settle();
}

// -- after a link

bool client_engine::try_other_version() {
    if (version_is_known_ || version_ != protocol_version::v5) return false;
    version_ = protocol_version::v3_1_1;
    detach_connection();
    actions_.push_back({link_action::kind_type::abandon, {}, {}, {}});
    client_event e;
    e.kind = client_event::kind_type::version_changed;
    e.info.version = version_;
    push_event(std::move(e));
    dial_now();
    return true;
}

void client_engine::link_ended(error_code cause, std::string text, link_action::kind_type how, bool fatal) {
    const bool was_open = state_ == state::open;
    if (state_ != state::dialing) actions_.push_back({how, {}, {}, {}});
    detach_connection();
    if (!was_open) ++totals_.connect_failures;
    if (!version_is_known_) version_ = protocol_version::v5;  // what looked like an old server may have been restarting

    client_event e;
    e.kind = was_open ? client_event::kind_type::lost : client_event::kind_type::connect_failed;
    e.url = to_string(endpoints_[reconnect_->endpoint()]);
    e.cause = cause;
    e.text = std::move(text);
    push_event(std::move(e));

    state_ = state::dialing;  // so that finish() ends a run
    const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(present_.steady - opened_);
    const auto next = was_open ? reconnect_->after_loss(lasted) : reconnect_->after_failure();
    const bool round_is_over = next.endpoint == 0;
    if (fatal) return finish(cause);
    if (was_open && !options_.reconnect.enabled) return finish(cause);
    if (!was_open && round_is_over &&
        (!options_.reconnect.enabled || (!options_.reconnect.before_first_connect && !connected_before_))) {
        return finish(cause);
    }
    dial(next.delay);
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
    is_reading_ = true;
    is_blocked_hard_ = false;
}

void client_engine::release_link() {
    if (connection_ && !is_linked_) connection_->on_closed();
}

// -- time and the store

steady_time client_engine::next_deadline() const noexcept {
    if (state_ == state::waiting) return retry_at_;
    if (state_ == state::handshake || state_ == state::open) return connection_->next_deadline();
    return never;
}

void client_engine::on_deadline() {
    if (present_.steady < next_deadline()) return;
    if (state_ == state::waiting) {
        dial_now();
    } else {
        connection_->on_deadline();
        handle_events();
    }
    settle();
}

void client_engine::on_committed(std::uint64_t number) {
    journal_.on_committed(number);
    if (is_linked_) connection_->on_committed();
    settle();
}

void client_engine::on_store_failed(error_code error) { finish(error); }

// -- publishing

error_code client_engine::publish(core::outgoing what, bool& sent_at_once) {
    sent_at_once = false;
    if (state_ == state::ended || state_ == state::leaving || is_draining_) return errc::not_running;
    const auto who = what.who;
    const bool expires = what.message->expires();
    if (!is_open()) {
        if (what.qos == qos::at_most_once && who == 0 && !options_.queue.keep_qos_0) return errc::not_connected;
        if (!session_.enqueue(std::move(what))) return errc::queue_full;
        settle();
        return {};
    }
    if (const auto error = connection_->check(what)) return error;
    const bool is_qos_0 = what.qos == qos::at_most_once;
    if (is_qos_0 && who == 0 && connection_->out().size() >= output_size_max) return errc::queue_full;
    switch (connection_->send(std::move(what))) {
        case core::send_result::dropped: return expires ? errc::message_expired : errc::queue_full;
        case core::send_result::queued: break;
        case core::send_result::sent:
            if (!is_qos_0) break;
            if (who != 0 && connection_->out().size() >= output_size_max)
                waiting_for_room_.push_back(who);
            else
                sent_at_once = true;
            break;
    }
    settle();
    return {};
}

error_code client_engine::publish_qos_0(std::string_view topic, std::string_view payload, bool retain,
                                        const message_properties& properties) {
    if (topic.empty() || topic != last_topic_) {
        if (!is_valid_topic_name(topic)) return errc::topic_invalid;
        last_topic_.assign(topic);
    }
    if (is_draining_) return errc::not_running;
    if (retain && !connection_->peer().retain_available) return errc::retain_not_supported;
    if (connection_->out().size() >= output_size_max) return errc::queue_full;
    if (connection_->send_qos_0(topic, payload, retain, properties) != core::send_result::sent) {
        return errc::packet_too_large;
    }
    if (options_.observer) observe_output();
    return {};
}

void client_engine::on_output_drained() {
    for (const auto who : std::exchange(waiting_for_room_, {}))
        outcome(who, {});
    settle();
}

// -- output

// After every input and command: what has become possible by it.
void client_engine::settle() {
    core::completion done;
    while (session_.take_completion(done))
        outcome(done.who, done.error, done.reason);
    if (is_draining_ && farewell_.drain && is_running() && state_ != state::leaving && session_.queue_count() == 0 &&
        session_.sent.publish_count() == 0) {
        leave();
    }
    if (const auto dropped = session_.dropped_count(); dropped != told_dropped_) {
        client_event e;
        e.kind = client_event::kind_type::queue_dropped;
        e.count = dropped - std::exchange(told_dropped_, dropped);
        push_event(std::move(e));
    }
    if (state_ == state::open) update_reading();
    if (is_blocked_hard_ && awaits_reply()) report_blocked_ = true;
    if (options_.observer) observe_output();
}

void client_engine::outcome(token who, error_code error, reason_code reason, std::vector<reason_code> reasons) {
    if (who == 0) return;
    if (!error && is_failure(reason)) error = reason;
    outcomes_.push_back({who, error, reason, std::move(reasons)});
}

bool client_engine::take_action(link_action& into) {
    if (actions_.empty()) return false;
    into = std::move(actions_.front());
    actions_.pop_front();
    return true;
}

bool client_engine::take_event(client_event& into) {
    if (events_.empty()) return false;
    into = std::move(events_.front());
    events_.pop_front();
    return true;
}

void client_engine::take_outcomes(std::vector<operation_outcome>& into) {
    into.clear();
    into.swap(outcomes_);
}

void client_engine::tell(client_event::kind_type kind, error_code cause, std::string text) {
    client_event e;
    e.kind = kind;
    if (reconnect_ && !endpoints_.empty()) e.url = to_string(endpoints_[reconnect_->endpoint()]);
    e.cause = cause;
    e.text = std::move(text);
    push_event(std::move(e));
}

void client_engine::push_event(client_event&& e) {
    if (events_.size() == events_max) events_.pop_front();
    events_.push_back(std::move(e));
}

void client_engine::observe_output() {
    if (!connection_) return;  // also when it is not linked any more: a last DISCONNECT
    auto& out = connection_->out();
    // What was written meanwhile stood at the front. `observed_out_` counts from the beginning of the connection.
    const auto appended = static_cast<std::size_t>(out.consumed()) + out.size();
    if (appended <= observed_out_) return;

    std::vector<std::string_view> views(out.size() / 4096 * 2 + 64);
    views.resize(out.gather(views));
    std::string bytes;
    for (const auto view : views)
        bytes.append(view);
    auto skip = observed_out_ - std::min(observed_out_, static_cast<std::size_t>(out.consumed()));
    observed_out_ = appended;

    core::frame frame;
    fault why;
    std::size_t hint = 0;
    packet decoded;
    while (core::cut_frame(std::string_view(bytes).substr(skip), connection_->version(), 268'435'460, frame, why,
                           hint) == core::frame_status::complete) {
        skip += frame.packet.size();
        if (core::decode(frame, connection_->version(), role::broker, decoded)) continue;
        options_.observer->on_sent(decoded, connection_->version(), frame.packet.size());
    }
}

client_statistics client_engine::statistics() const {
    auto s = totals_;
    if (is_linked_) {
        const auto& count = connection_->count();
        s.packets_sent += count.packets_sent + count.messages_sent;
        s.packets_received += count.packets_received;
        s.messages_sent += count.messages_sent;
        s.messages_received += count.messages_received;
        s.messages_dropped_out += count.messages_dropped;
        s.bytes_sent += connection_->out().consumed();
    }
    s.messages_dropped_out += session_.dropped_count();
    s.queued = session_.queue_count();
    s.queued_bytes = session_.queue_bytes();
    s.in_flight = session_.sent.publish_count();
    s.unacknowledged = session_.received.unacknowledged();
    s.connected = is_open();
    return s;
}

}  // namespace martlet::detail
