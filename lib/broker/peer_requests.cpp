// SUBSCRIBE and UNSUBSCRIBE, and the retained messages that a subscription brings. MQTT 5 §3.8 to §3.11, §3.3.1.3.
#include "broker/broker_state.hpp"
#include "broker/peer.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::broker_impl {

namespace {

/// Topics looked at for one session in one turn.
constexpr std::size_t retained_steps_max = 20'000;

}  // namespace

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
            if (!state_->may_receive(*session, message->topic())) continue;
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

}  // namespace martlet::broker_impl
