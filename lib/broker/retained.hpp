// Retained messages: the last one of each topic, found by filter. MQTT 5 §3.3.1.3.
//
// Topics stand in a tree by level, so a filter's literal levels are look-ups and only its wildcards walk. A walk is a
// cursor that gives one message after the other and can rest in between for as long as it likes: a '#' over a million
// topics costs its subscriber's connection one output buffer at a time, and no snapshot.
#pragma once

#include "broker/topic_tree.hpp"

#include <martlet/core/outgoing_message.hpp>
#include <martlet/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::broker_impl {

struct retained_limits {
    std::size_t count_max = 10'000'000;
    std::size_t bytes_max = std::size_t{1} << 30;  ///< by outgoing_message::cost()
};

class retained {
public:
    class cursor;

    explicit retained(std::uint64_t seed, const retained_limits& limits = {});
    retained(const retained&) = delete;
    retained& operator=(const retained&) = delete;
    ~retained();

    /// Replaces the topic's message. At a limit the new one is not kept, and neither is the old one, which would be
    /// stale: false.
    bool put(const core::message_ref& message);
    /// False if there was none.
    bool erase(std::string_view topic);
    /// Forgets what has expired; calls `f(topic)` before each.
    template <class F>
    void expire(unix_time now, F&& f);
    void expire(unix_time now) {
        expire(now, [](std::string_view) {});
    }

    [[nodiscard]] core::message_ref find(std::string_view topic) const;
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    /// When the next message expires; unix_time::max() if none does.
    [[nodiscard]] unix_time next_expiry() const noexcept {
        return expiries_.empty() ? unix_time::max() : expiries_.front().at;
    }

private:
    static constexpr topic_tree::node_id none = topic_tree::none;
    struct value {
        core::message_ref message;
        std::uint64_t number = 0;  // rises with each put()
    };
    struct expiry {
        unix_time at;
        std::uint64_t number;
        topic_tree::node_id node;
    };

    [[nodiscard]] topic_tree::node_id find_node(std::string_view topic) const;
    void clear_node(topic_tree::node_id node);
    void make_expiry_room();  // for one more
    void push_expiry(const expiry& e) noexcept;
    [[nodiscard]] bool is_current(const expiry& e) const noexcept;
    [[nodiscard]] bool take_expired(unix_time now, topic_tree::node_id& node);

    topic_tree tree_;
    std::vector<value> values_;
    std::vector<expiry> expiries_;  // heap, earliest first; entries of messages that are gone are skipped
    std::vector<cursor*> cursors_;
    retained_limits limits_;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t last_number_ = 0;
};

/// A walk over the retained messages of a filter, in the order in which their topics were first used. Must not outlive
/// `of`. Messages stored after its creation are left out: their subscriber gets them as they come.
class retained::cursor {
public:
    /// `filter` is valid and not shared.
    cursor(retained& of, std::string_view filter);
    cursor(const cursor&) = delete;
    cursor& operator=(const cursor&) = delete;
    ~cursor();

    /// The next message, or null: when done(), or after `steps` topics were looked at without a match.
    [[nodiscard]] core::message_ref next(unix_time now, std::size_t& steps);
    [[nodiscard]] bool done() const noexcept { return at_ == none; }
    [[nodiscard]] std::string_view filter() const noexcept { return filter_; }

private:
    friend class retained;
    void enter();  // on to the first child that fits, else leave()
    void leave();  // on to the next sibling that fits, of this node or of one above
    [[nodiscard]] topic_tree::node_id visible(topic_tree::node_id child, std::size_t level) const;

    retained* of_;
    std::string filter_;
    std::vector<std::string_view> levels_;  // without a last '#'
    bool ends_in_hash_ = false;
    topic_tree::node_id at_ = topic_tree::root;  // to be visited next
    std::size_t depth_ = 0;                      // of at_
    std::uint64_t last_number_;
};

template <class F>
void retained::expire(unix_time now, F&& f) {
    topic_tree::node_id node = none;
    while (take_expired(now, node)) {
        const core::message_ref message = values_[node].message;
        clear_node(node);
        f(message->topic());
    }
}

}  // namespace martlet::broker_impl
