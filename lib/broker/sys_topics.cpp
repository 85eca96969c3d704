#include "broker/sys_topics.hpp"

#include "broker/broker_state.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace martlet::broker_impl {

namespace {

/// Two digits behind the point, as mosquitto prints loads.
std::string fixed(double value) {
    const auto hundredths = static_cast<std::uint64_t>(std::llround(value * 100));
    std::string text = std::to_string(hundredths / 100) + '.';
    text += static_cast<char>('0' + hundredths / 10 % 10);
    text += static_cast<char>('0' + hundredths % 10);
    return text;
}

}  // namespace

void sys_topics::publish(broker_state& state) {
    const steady_time now = state.now.steady;
    next_ = now + interval_;
    const double seconds = last_ == steady_time{} ? 0 : std::chrono::duration<double>(now - last_).count();
    last_ = now;

    const auto number = [&](const char* name, std::uint64_t value) { tell(state, name, std::to_string(value)); };
    const traffic_counters traffic = state.present_traffic();
    const router::counters& routed = state.router.count();
    const std::size_t sessions = state.table.count();
    const std::size_t memory = state.memory->bytes + state.unsent;
    memory_max_ = std::max(memory_max_, memory);
    std::size_t queued = 0;
    std::size_t queued_bytes = 0;
    std::size_t in_flight = 0;
    state.table.for_each([&](const client_session& session) {
        queued += session.state.queue_count();
        queued_bytes += session.state.queue_bytes();
        in_flight += session.state.sent.publish_count();
    });

    tell(state, "version", "martlet");
    tell(state, "uptime",
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now - started_).count()) + " seconds");
    number("clients/total", sessions);
    number("clients/connected", state.open_count);
    number("clients/active", state.open_count);
    number("clients/disconnected", sessions - std::min(sessions, state.open_count));
    number("clients/inactive", sessions - std::min(sessions, state.open_count));
    number("clients/maximum", std::max(clients_max_, sessions));
    number("clients/expired", state.table.expired_count());
    number("messages/received", traffic.packets_received);
    number("messages/sent", traffic.packets_sent);
    number("messages/stored", state.kept.count() + queued);
    number("messages/inflight", in_flight);
    number("store/messages/count", state.kept.count() + queued);
    number("store/messages/bytes", state.kept.bytes() + queued_bytes);
    number("retained messages/count", state.kept.count());
    number("subscriptions/count", state.filters.count());
    number("shared_subscriptions/count", state.filters.shared_count());
    number("publish/messages/received", traffic.publishes_received);
    number("publish/messages/sent", traffic.publishes_sent);
    number("publish/messages/dropped",
           routed.dropped_full + routed.dropped_queue + routed.dropped_other + routed.dropped_memory);
    number("publish/messages/dropped/full", routed.dropped_full);
    number("publish/messages/dropped/queue", routed.dropped_queue);
    number("publish/messages/dropped/memory", routed.dropped_memory);
    number("publish/messages/dropped/other", routed.dropped_other);
    number("publish/bytes/received", traffic.payload_bytes_received);
    number("publish/bytes/sent", routed.delivered_bytes);
    number("bytes/received", traffic.bytes_received);
    number("bytes/sent", traffic.bytes_sent);
    number("heap/current", memory);
    number("heap/maximum", memory_max_);
    tell_load(state, "load/messages/received", traffic.packets_received, seconds);
    tell_load(state, "load/messages/sent", traffic.packets_sent, seconds);
    tell_load(state, "load/publish/received", traffic.publishes_received, seconds);
    tell_load(state, "load/publish/sent", traffic.publishes_sent, seconds);
    tell_load(state, "load/publish/dropped",
              routed.dropped_full + routed.dropped_queue + routed.dropped_other + routed.dropped_memory, seconds);
    tell_load(state, "load/bytes/received", traffic.bytes_received, seconds);
    tell_load(state, "load/bytes/sent", traffic.bytes_sent, seconds);
    tell_load(state, "load/connections", state.connections_accepted, seconds);
}

void sys_topics::tell(broker_state& state, const std::string& name, std::string value) {
    std::string& before = told_[name];
    if (before == value) return;
    before = std::move(value);
    state.router.publish(state.make_message("$SYS/broker/" + name, before, qos::exactly_once, true), nullptr);
}

void sys_topics::tell_load(broker_state& state, const std::string& name, std::uint64_t total, double seconds) {
    load& l = loads_[name];
    const auto since = static_cast<double>(total - std::exchange(l.last, total));
    constexpr std::array<std::pair<const char*, double>, 3> windows = {{{"/1min", 1}, {"/5min", 5}, {"/15min", 15}}};
    for (std::size_t i = 0; i < windows.size(); ++i) {
        if (seconds > 0) {
            const double kept = std::exp(-seconds / (60 * windows[i].second));
            l.rates[i] = l.rates[i] * kept + since * 60 / seconds * (1 - kept);
        }
        tell(state, name + windows[i].first, fixed(l.rates[i]));
    }
}

}  // namespace martlet::broker_impl
