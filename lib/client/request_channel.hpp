// Request and response: where replies come in, and which request each belongs to. MQTT 5 §4.10.
#pragma once

#include "client/completion.hpp"

#include <martlet/core/outgoing_message.hpp>

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace martlet::detail {

class request_channel;

/// What a request operation carries until its reply is there.
struct request_state {
    core::outgoing what;      // without Response Topic and Correlation Data of ours
    std::string reply_topic;  // given by the user, or empty
    std::string correlation;  // key in the channel
    request_channel* channel = nullptr;
};

/// One reply topic: its subscription and the requests that wait. With Correlation Data a reply finds its request;
/// without (before MQTT 5) replies come in the order of the requests.
class request_channel {
public:
    request_channel(std::string topic, stream_ptr stream, bool is_own)
        : topic_(std::move(topic)), stream_(std::move(stream)), is_own_(is_own) {}

    [[nodiscard]] const std::string& topic() const noexcept { return topic_; }
    [[nodiscard]] const stream_ptr& stream() const noexcept { return stream_; }
    /// The client's own reply topic, which it keeps.
    [[nodiscard]] bool is_own() const noexcept { return is_own_; }
    [[nodiscard]] bool is_idle() const noexcept { return unsent_.empty() && sent_.empty() && in_order_.empty(); }

    /// Waits for the subscription.
    void add_unsent(operation& op) { unsent_.push_back(&op); }
    [[nodiscard]] std::deque<operation*> take_unsent() noexcept { return std::exchange(unsent_, {}); }
    /// Its PUBLISH is on its way. False if the same Correlation Data is in use.
    [[nodiscard]] bool add_sent(operation& op, bool in_order);
    /// The request that the reply is for, removed; null if none waits for it.
    [[nodiscard]] operation* take(const message& reply, bool in_order) noexcept;
    /// Any request, removed; null if there is none.
    [[nodiscard]] operation* take_any() noexcept;
    void remove(operation& op) noexcept;

private:
    std::string topic_;
    stream_ptr stream_;
    bool is_own_;
    std::deque<operation*> unsent_;
    std::unordered_map<std::string, operation*> sent_;  // by Correlation Data
    std::deque<operation*> in_order_;                   // before MQTT 5
};

}  // namespace martlet::detail
