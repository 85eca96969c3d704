// What CONNECT says, and what CONNACK answers. MQTT 5 §3.1, 3.2.
#include "client/client_engine.hpp"

#include <martlet/enhanced_authentication.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::detail {

namespace {

constexpr std::uint32_t for_ever = 0xFFFF'FFFF;
constexpr std::uint32_t fresh_session_expiry = 3600;  // seconds: an outage that a fresh session survives
constexpr std::uint16_t inflight_limit = 65'000;      // some packet ids are left for SUBSCRIBE and UNSUBSCRIBE

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

error_code check_will(const will_options& will) noexcept {
    if (!is_valid_topic_name(will.topic)) return errc::topic_invalid;
    if (will.payload.size() > core::binary_size_max) return errc::option_invalid;
    if (will.delay.count() < 0 || will.delay.count() > for_ever) return errc::option_invalid;
    if (will.content_type && !is_valid_utf8_string(*will.content_type)) return errc::string_invalid;
    if (will.response_topic && !is_valid_topic_name(*will.response_topic)) return errc::property_invalid;
    if (will.correlation_data && will.correlation_data->size() > core::binary_size_max) return errc::property_invalid;
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

std::uint32_t client_engine::session_expiry() const noexcept {
    if (options_.session_expiry) {
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(options_.session_expiry->count(), 0, for_ever));
    }
    if (options_.session == session_mode::resume) return for_ever;
    if (options_.session == session_mode::clean) return 0;
    return options_.reconnect.enabled ? fresh_session_expiry : 0;
}
error_code client_engine::check_options() {
    if (options_.urls.empty()) return errc::url_invalid;
    given_endpoints_.clear();
    for (const auto& url : options_.urls) {
        auto parsed = parse_endpoint(url);
        if (!parsed) return parsed.error();
        given_endpoints_.push_back(*std::move(parsed));
    }
    if (!is_valid_utf8_string(options_.client_id)) return errc::client_id_invalid;
    if (options_.client_id.empty()) {
        const bool needs_id =
            options_.version == protocol_version::v3_1 ||
            (options_.session == session_mode::resume && options_.version == protocol_version::v3_1_1);
        if (needs_id) return errc::client_id_invalid;
    }
    if (options_.user_name && !is_valid_utf8_string(*options_.user_name)) return errc::string_invalid;
    if (options_.password && options_.password->size() > core::binary_size_max) return errc::option_invalid;
    if (options_.password && !options_.user_name && options_.version && *options_.version != protocol_version::v5) {
        return errc::option_invalid;  // [MQTT-3.1.2-22] of 3.1.1
    }
    if (options_.authentication) {
        if (options_.version && *options_.version != protocol_version::v5) return errc::option_invalid;
        const auto method = options_.authentication->method();
        if (method.empty() || !is_valid_utf8_string(method)) return errc::string_invalid;
    }
    if (!options_.reply_topic.empty() && !is_valid_topic_name(options_.reply_topic)) return errc::topic_invalid;
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

    const auto& server = where();
    const auto properties = views_of(options_.user_properties);
    std::vector<user_property> will_properties;
    packets::connect packet;
    packet.version = version_;
    // Before MQTT 5 a fresh session is clean on every connection: the server would keep any other one for ever.
    packet.clean_start = options_.session == session_mode::clean ||
                         (options_.session == session_mode::fresh && (!is_v5 || !connected_before_));
    if (!is_v5 && client_id_.empty()) packet.clean_start = true;  // [MQTT-3.1.3-7] of 3.1.1
    packet.keep_alive = static_cast<std::uint16_t>(options_.keep_alive.count());
    packet.client_id = client_id_;
    const auto choose = [](const auto&... sources) {
        std::optional<std::string_view> chosen;
        (void)((sources && (chosen = *sources, true)) || ...);
        return chosen;
    };
    if (options_.credentials_source) {
        packet.user_name = choose(credentials_.user_name);
        packet.password = choose(credentials_.password);
    } else {
        packet.user_name = choose(options_.user_name, server.user_name);
        packet.password = choose(options_.password, server.password);
    }
    if (!is_v5 && !packet.user_name) packet.password.reset();
    if (options_.will) {
        will_properties = views_of(options_.will->user_properties);
        packet.will = view_of(*options_.will, will_properties);
    }
    if (is_v5) {
        const auto expiry = session_expiry();
        if (expiry != 0) packet.properties.session_expiry_interval = expiry;
        packet.properties.user_properties = properties;
        if (options_.authentication) {
            packet.properties.authentication_method = options_.authentication->method();
            if (!first_data_.empty()) packet.properties.authentication_data = first_data_;
        }
        if (options_.request_response_information) packet.properties.request_response_information = true;
        if (!options_.request_problem_information) packet.properties.request_problem_information = false;
    }
    connection_->connect(packet, session_);
    ++unanswered_;
    settle();
}

void client_engine::on_connected(const packets::connack& connack) {
    if (options_.authentication) {
        const auto data = connack.properties.authentication_data.value_or("");
        if (!options_.authentication->finish(data)) return end_authentication(errc::authentication_failed);
    }
    note_server(connack);
    state_ = state::open;
    version_is_known_ = true;
    opened_ = present_.steady;
    hops_ = 0;
    is_reading_ = true;
    ++totals_.connects;

    client_event e;
    e.kind = client_event::kind_type::connected;
    e.url = info_->url;
    e.info = *info_;
    push_event(std::move(e));

    const bool has_session = connack.session_present || (version_ == protocol_version::v3_1 && session_expected_);
    if (!has_session) {
        if (session_expected_) tell(client_event::kind_type::session_lost);
        shared_receipts_.clear();
        forget_subscriptions();
        renew_subscriptions(false);
    } else if (unanswered_ > 1) {
        // An earlier CONNECT whose CONNACK did not come may have begun this session: one without our subscriptions,
        // and with other messages behind the ids.
        session_.received.forget_qos_1();
        renew_subscriptions(true);
    }
    unanswered_ = 0;
    connected_before_ = true;
    session_expected_ = version_ == protocol_version::v5 ? info_->session_expiry_interval != 0
                                                         : options_.session == session_mode::resume;
    record_session(info_->session_expiry_interval);
    send_requests();
}

void client_engine::note_server(const packets::connack& connack) {
    const auto& peer = connection_->peer();
    const auto& p = connack.properties;
    auto& info = info_.emplace();
    info.url = to_string(where());
    info.version = connection_->version();
    info.session_present = connack.session_present;
    info.tls_session_resumed = tls_session_resumed_;
    info.reason = connack.reason;
    if (p.assigned_client_identifier) client_id_ = *p.assigned_client_identifier;
    info.client_id = client_id_;
    info.keep_alive = connection_->keep_alive();
    info.session_expiry_interval =
        p.session_expiry_interval.value_or(info.version == protocol_version::v5 ? session_expiry() : 0);
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
}

}  // namespace martlet::detail
