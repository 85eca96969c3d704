// Requests of the application: each subscribes to its reply topic if nobody has yet, publishes, and waits for the reply
// that has its Correlation Data. MQTT 5 §4.10.
#include "client/turn.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace martlet::detail {

namespace {

constexpr std::size_t channels_max = 8;  // idle ones beyond are given up

std::string hexadecimal(std::uint64_t number) {
    std::string text(16, '0');
    for (auto at = text.rbegin(); at != text.rend(); ++at, number >>= 4)
        *at = "0123456789abcdef"[number & 15];
    return text;
}

}  // namespace

void client_core::request(request_ptr<request_arguments> arguments, completion<receive_signature> handler) {
    auto op = prepare<request_operation>(operation_kind::request, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), arguments = std::move(arguments)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        started.request = std::make_unique<request_state>(std::move(arguments->state));
        if (!self->begin(std::move(op), arguments->timeout)) return t.finish();
        if (arguments->error) {
            started.fail(arguments->error);
            self->ready(started);
        } else if (self->engine_.has_ended()) {
            started.fail(errc::not_running);
            self->ready(started);
        } else if (started.request->reply_topic.empty() && self->options_.request_response_information &&
                   !self->engine_.info()) {
            self->homeless_requests_.push_back(&started);  // the server may name a topic
        } else {
            self->start_request(started);
        }
        t.finish();
    });
}

// The client's own reply topic, chosen once.
const std::string& client_core::own_reply_topic() {
    if (!own_reply_topic_.empty()) return own_reply_topic_;
    std::string base = options_.reply_topic;
    if (base.empty() && engine_.info()) base = engine_.info()->response_information;
    if (base.empty() || !is_valid_topic_name(base)) {
        const auto& id = engine_.info() ? engine_.info()->client_id : options_.client_id;
        base = id.empty() || !is_valid_topic_name(id) ? "replies" : "replies/" + id;
    }
    own_reply_topic_ = base + '/' + hexadecimal(random_seed_);
    return own_reply_topic_;
}

void client_core::start_request(operation& op) {
    const bool is_own = op.request->reply_topic.empty();
    auto* const channel = open_channel(is_own ? own_reply_topic() : op.request->reply_topic, is_own);
    op.request->channel = channel;
    channel->add_unsent(op);
    serve_channel(*channel);
}

request_channel* client_core::open_channel(const std::string& topic, bool is_own) {
    for (const auto& one : channels_) {
        if (one->topic() == topic) return one.get();
    }
    if (channels_.size() >= channels_max) {
        std::erase_if(channels_, [&](const auto& one) {
            if (one->is_own() || !one->is_idle()) return false;
            one->stream()->channel = nullptr;
            engine_.close(one->stream());
            return true;
        });
    }
    auto replies = std::make_shared<stream>(inbox_limits{});
    replies->filters.push_back(topic);
    replies->requests.push_back(
        {replies->filters.front(), qos::exactly_once, false, false, retain_handling::do_not_send});
    channels_.push_back(std::make_unique<request_channel>(topic, replies, is_own));
    auto* const made = channels_.back().get();
    replies->channel = made;
    if (const auto error = engine_.subscribe(replies, 0)) {
        replies->phase = stream_state::phase_type::ended;
        replies->end_reason = error;
    }
    return made;
}

// What is asked for goes out once replies can come back; replies go to those who asked.
void client_core::serve_channel(request_channel& channel) {
    auto& from = *channel.stream();
    const bool in_order = engine_.info() && engine_.info()->version != protocol_version::v5;
    if (!from.granted.empty() && from.phase == stream_state::phase_type::open) {
        for (auto* const op : channel.take_unsent())
            send_request(channel, *op, in_order);
    }
    bool has_taken = false;
    while (!from.box.empty()) {
        auto reply = from.box.take();
        engine_.acknowledge_taken(&from);
        has_taken = true;
        if (auto* const op = channel.take(reply, in_order)) {
            (void)pending_.take(op->token);
            static_cast<request_operation*>(op)->succeed({}, std::move(reply));
            ready(*op);
        } else {
            ++replies_late_;
        }
    }
    if (has_taken) engine_.after_take(&from);
    if (from.phase == stream_state::phase_type::open) return;
    while (auto* const op = channel.take_any()) {
        (void)pending_.take(op->token);
        op->fail(from.end_reason);
        ready(*op);
    }
    from.channel = nullptr;
    std::erase_if(channels_, [&](const auto& one) { return one.get() == &channel; });
}

void client_core::send_request(request_channel& channel, operation& op, bool in_order) {
    auto& state = *op.request;
    const auto fail = [&](error_code why) {
        op.fail(why);
        ready(op);
    };
    if (in_order && state.reply_topic.empty()) return fail(errc::version_not_supported);
    if (!in_order) {
        auto properties = state.what.message->properties();
        if (properties.correlation_data)
            state.correlation = *properties.correlation_data;
        else
            state.correlation = hexadecimal(++last_correlation_);
        properties.correlation_data = state.correlation;
        if (!properties.response_topic) properties.response_topic = channel.topic();
        const auto& plain = *state.what.message;
        state.what.message = core::outgoing_message::create(plain.topic(), plain.payload(), plain.qos(), plain.retain(),
                                                            properties, plain.expires_at());
    }
    if (!channel.add_sent(op, in_order)) return fail(errc::property_invalid);
    bool is_done = false;
    state.what.who = pending_.add(op);
    const auto error = engine_.publish(std::move(state.what), is_done);
    if (!error && !is_done) return;
    (void)pending_.take(op.token);
    if (!error) return;
    channel.remove(op);
    fail(error);
}

// The request was delivered, or not; only its reply ends it well.
void client_core::settle_request(operation& op, const operation_outcome& outcome) {
    auto error = outcome.error;
    if (!error && outcome.reason == reason_code::no_matching_subscribers) error = outcome.reason;  // nobody will answer
    if (!error) return;
    op.request->channel->remove(op);
    op.fail(error);
    ready(op);
}

void client_core::withdraw_request(operation& op) noexcept {
    std::erase(homeless_requests_, &op);
    if (op.request->channel != nullptr) op.request->channel->remove(op);
}

// After every turn: subscriptions that were granted or refused since.
void client_core::serve_requests() {
    if (!homeless_requests_.empty() && engine_.info()) {
        for (auto* const op : std::exchange(homeless_requests_, {}))
            start_request(*op);
    }
    // serve_channel may remove its channel.
    for (std::size_t i = channels_.size(); i-- != 0;)
        serve_channel(*channels_[i]);
}

}  // namespace martlet::detail
