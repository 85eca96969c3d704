// SUBSCRIBE and UNSUBSCRIBE: asked for at any time, sent when there is a connection, sent again when the connection was
// lost before the answer, and renewed when the server lost the session.
#include "client/client_engine.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::detail {

namespace {

constexpr std::uint32_t identifier_max = 268'435'455;

error_code check_filter(const subscription_request& one) noexcept {
    if (!is_valid_topic_filter(one.filter)) return errc::topic_filter_invalid;
    if (one.no_local && split_shared_filter(one.filter)) return errc::option_invalid;  // [MQTT-3.8.3-4]
    return {};
}

error_code check_properties(const std::vector<owned_user_property>& properties) noexcept {
    for (const auto& [name, value] : properties) {
        if (!is_valid_utf8_string(name) || !is_valid_utf8_string(value)) return errc::string_invalid;
    }
    return {};
}

}  // namespace

bool client_engine::is_identifier_taken(std::uint32_t identifier) const noexcept {
    return std::any_of(routes_.streams().begin(), routes_.streams().end(),
                       [&](const auto& stream) { return stream->identifier == identifier; });
}

// -- asking

error_code client_engine::subscribe(const stream_state_ptr& stream, token who) {
    if (state_ == state::ended || state_ == state::leaving || is_draining_) return errc::not_running;
    if (stream->requests.empty()) return errc::topic_filter_invalid;  // [MQTT-3.8.3-2]
    for (const auto& one : stream->requests) {
        if (const auto error = check_filter(one)) return error;
    }
    if (const auto error = check_properties(stream->user_properties)) return error;

    if (stream->identifier > identifier_max) return errc::option_invalid;
    if (stream->identifier == 0) {
        stream->identifier = choose_identifier(*stream);
    } else if (is_identifier_taken(stream->identifier)) {
        return errc::option_invalid;
    } else {
        has_given_identifiers_ = true;
        stream->has_given_identifier = true;
    }
    stream->live.assign(stream->filters.size(), true);
    routes_.add(stream);  // from now on: messages may come before the SUBACK [MQTT-3.8.4-1]
    claim_unclaimed(stream);
    requests_.emplace(next_request_++, request{who, stream, {}, {}});
    send_requests();
    settle();
    return {};
}

error_code client_engine::unsubscribe(std::vector<std::string> filters, std::vector<owned_user_property> properties,
                                      token who) {
    if (state_ == state::ended || state_ == state::leaving || is_draining_) return errc::not_running;
    if (filters.empty()) return errc::topic_filter_invalid;  // [MQTT-3.10.3-2]
    for (const auto& filter : filters) {
        if (!is_valid_topic_filter(filter)) return errc::topic_filter_invalid;
    }
    if (const auto error = check_properties(properties)) return error;
    requests_.emplace(next_request_++, request{who, nullptr, std::move(filters), std::move(properties)});
    send_requests();
    settle();
    return {};
}

void client_engine::close(const stream_state_ptr& stream) {
    if (stream->phase != stream_state::phase_type::open) {
        give_back(*stream);
        return settle();
    }
    std::erase_if(requests_, [&](const auto& entry) { return entry.second.stream == stream && !entry.second.is_sent; });
    const bool is_asked_for = !stream->granted.empty() || std::any_of(requests_.begin(), requests_.end(), [&](auto& e) {
        return e.second.stream == stream;
    });

    std::vector<std::string> filters;
    if (options_.session != session_mode::resume && is_running() && is_asked_for) {
        for (std::size_t i = 0; i < stream->filters.size(); ++i) {
            if (!stream->live[i]) continue;
            if (routes_.find_filter(stream->filters[i], stream.get()) == nullptr) filters.push_back(stream->filters[i]);
        }
    }
    for (auto& [id, r] : requests_) {
        if (r.stream == stream) r.who = 0;
    }
    if (filters.empty()) {
        end(stream, errc::subscription_ended);
        give_back(*stream);
    } else {
        stream->phase = stream_state::phase_type::leaving;
        stream->end_reason = errc::subscription_ended;
        give_back(*stream);
        requests_.emplace(next_request_++, request{0, nullptr, std::move(filters), {}});
        send_requests();
    }
    settle();
}

// -- sending

void client_engine::send_requests() {
    if (!is_open()) return;
    for (auto at = requests_.begin(); at != requests_.end();) {
        auto& r = at->second;
        if (r.is_sent) {
            ++at;
            continue;
        }
        const auto error = send(at->first, r);
        if (error == errc::queue_full) return;  // no packet id is free: when one is
        if (!error) {
            r.is_sent = true;
            ++at;
            continue;
        }
        if (r.stream) end(r.stream, error);
        if (r.is_renewal) tell(client_event::kind_type::resubscribe_refused, error, r.stream->filters.front());
        outcome(r.who, error);
        at = requests_.erase(at);
    }
}

error_code client_engine::send(std::uint64_t id, request& r) {
    std::vector<user_property> properties;
    if (!r.stream) {
        for (const auto& [name, value] : r.properties)
            properties.push_back({name, value});
        packets::unsubscribe packet;
        packet.filters.assign(r.filters.begin(), r.filters.end());
        packet.properties.user_properties = properties;
        return connection_->unsubscribe(std::move(packet), id);
    }
    const auto& stream = *r.stream;
    for (const auto& [name, value] : stream.user_properties)
        properties.push_back({name, value});
    packets::subscribe packet;
    for (std::size_t i = 0; i < stream.requests.size(); ++i) {
        if (r.is_renewal && !stream.live[i]) continue;
        auto wanted = stream.requests[i];
        if (r.may_exist && wanted.retain_handling == retain_handling::send) {
            wanted.retain_handling = retain_handling::send_if_new;  // retained messages came with the first one
        }
        packet.subscriptions.push_back(wanted);
    }
    packet.properties.user_properties = properties;
    if (connection_->peer().subscription_identifier_available) {
        packet.properties.subscription_identifier = stream.identifier;
    }
    return connection_->subscribe(std::move(packet), id);
}

void client_engine::renew_subscriptions(bool may_exist) {
    std::erase_if(requests_, [](const auto& entry) { return entry.second.is_renewal; });
    renewals_ = 0;
    renewed_filters_ = 0;
    for (const auto& stream : routes_.streams()) {
        if (stream->phase != stream_state::phase_type::open || stream->granted.empty()) continue;
        requests_.emplace(next_request_++, request{0, stream, {}, {}, false, true, may_exist});
        ++renewals_;
    }
}

// -- answers

void client_engine::on_suback(std::uint64_t id, const packets::suback& suback) {
    const auto at = requests_.find(id);
    if (at == requests_.end()) return;
    const auto r = std::move(at->second);
    requests_.erase(at);
    auto& stream = *r.stream;

    if (!r.is_renewal) stream.granted = suback.reasons;
    std::size_t next = 0;
    error_code first_refusal;
    for (std::size_t i = 0; i < stream.filters.size(); ++i) {
        if (r.is_renewal && !stream.live[i]) continue;
        const auto reason = suback.reasons[next++];
        stream.granted[i] = reason;
        if (!is_failure(reason)) {
            ++renewed_filters_;
            store_subscription(stream, i);
            continue;
        }
        forget_subscription(stream.filters[i]);
        stream.live[i] = false;
        if (!first_refusal) first_refusal = reason;
        if (r.is_renewal) tell(client_event::kind_type::resubscribe_refused, reason, stream.filters[i]);
    }
    routes_.changed();

    const bool is_refused = !stream.has_live_filter();
    if (is_refused) end(r.stream, first_refusal);
    outcome(r.who, is_refused ? first_refusal : error_code(), reason_code::success, suback.reasons);
    if (r.is_renewal && --renewals_ == 0) {
        client_event e;
        e.kind = client_event::kind_type::resubscribed;
        e.count = renewed_filters_;
        push_event(std::move(e));
    }
    send_requests();
}

void client_engine::on_unsuback(std::uint64_t id, const packets::unsuback& unsuback) {
    const auto at = requests_.find(id);
    if (at == requests_.end()) return;
    auto r = std::move(at->second);
    requests_.erase(at);
    auto reasons = unsuback.reasons;
    reasons.resize(r.filters.size(), reason_code::success);  // before MQTT 5 there are none
    for (std::size_t i = 0; i < r.filters.size(); ++i) {
        if (is_failure(reasons[i])) continue;
        forget_subscription(r.filters[i]);
        unsubscribed(r.filters[i]);
    }
    outcome(r.who, {}, reason_code::success, std::move(reasons));
    send_requests();
}

// The server has forgotten this filter: every stream that has it loses it.
void client_engine::unsubscribed(std::string_view filter) {
    const std::vector<stream_state_ptr> streams(routes_.streams().begin(), routes_.streams().end());
    for (const auto& stream : streams) {
        // A SUBSCRIBE that is still under way was sent later than this UNSUBSCRIBE.
        const bool is_pending =
            std::any_of(requests_.begin(), requests_.end(), [&](const auto& e) { return e.second.stream == stream; });
        if (is_pending && stream->granted.empty()) continue;
        for (std::size_t i = 0; i < stream->filters.size(); ++i) {
            if (stream->filters[i] == filter) stream->live[i] = false;
        }
        if (!stream->has_live_filter()) end(stream, errc::subscription_ended);
    }
    routes_.changed();
}

// The stream gets no more messages; those in it can still be taken.
void client_engine::end(const stream_state_ptr& stream, error_code why) {
    if (stream->phase == stream_state::phase_type::ended) return;
    if (stream->phase == stream_state::phase_type::open) stream->end_reason = why;
    stream->phase = stream_state::phase_type::ended;
    // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the routes may hold the last reference
    const auto keep = stream;
    routes_.remove(*keep);
    wake(keep);
}

// The user has let go of the stream: what was not taken counts as not received.
void client_engine::give_back(stream_state& stream) {
    for (const auto& m : stream.box.drain()) {
        if (m.receipt() == 0) continue;
        // With a session to be resumed the server sends it again; else nobody will ever want it.
        if (options_.session != session_mode::resume)
            acknowledge(m.receipt(), reason_code::implementation_specific_error);
    }
    note_room(stream);
}

}  // namespace martlet::detail
