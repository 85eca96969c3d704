#include "broker/retained.hpp"

#include <algorithm>
#include <cassert>
#include <new>

namespace martlet::broker_impl {

retained::retained(std::uint64_t seed, const retained_limits& limits) : tree_(string_hash(seed)), limits_(limits) {
    values_.resize(1);
}

retained::~retained() { assert(cursors_.empty()); }

bool retained::put(const core::message_ref& message) {
    auto node = topic_tree::root;
    level_reader levels(message->topic());
    try {
        for (std::string_view level; levels.next(level);) {
            if (values_.size() <= tree_.bound()) values_.resize(tree_.bound() + 1);
            node = tree_.add(node, level);
        }
        if (message->expires()) make_expiry_room();
    } catch (const std::bad_alloc&) {
        if (!values_[node].message) clear_node(node);
        throw;
    }
    // from here on nothing can fail

    const core::message_ref old = values_[node].message;
    const std::size_t bytes = bytes_ - (old ? old->cost() : 0) + message->cost();
    if (bytes > limits_.bytes_max || (!old && count_ >= limits_.count_max)) {
        clear_node(node);
        return false;
    }
    bytes_ = bytes;
    count_ += !old;
    values_[node] = {message, ++last_number_};
    if (message->expires()) push_expiry({*message->expires_at(), last_number_, node});
    return true;
}

bool retained::erase(std::string_view topic) {
    const auto node = find_node(topic);
    if (node == none || !values_[node].message) return false;
    clear_node(node);
    return true;
}

core::message_ref retained::find(std::string_view topic) const {
    const auto node = find_node(topic);
    return node == none ? core::message_ref() : values_[node].message;
}

topic_tree::node_id retained::find_node(std::string_view topic) const {
    auto node = topic_tree::root;
    level_reader levels(topic);
    for (std::string_view level; node != none && levels.next(level);)
        node = tree_.child(node, level);
    return node;
}

// Forgets the message, if there is one, and the nodes that lead to nothing any more.
void retained::clear_node(topic_tree::node_id node) {
    if (values_[node].message) {
        bytes_ -= values_[node].message->cost();
        --count_;
        values_[node] = {};
    }
    while (node != topic_tree::root && tree_.is_leaf(node) && !values_[node].message) {
        const auto parent = tree_.parent(node);
        for (cursor* c : cursors_) {
            if (c->at_ == node) c->leave();
        }
        tree_.remove(node);
        node = parent;
    }
}

// ---- expiry

namespace {

constexpr auto later = [](const auto& a, const auto& b) { return a.at != b.at ? a.at > b.at : a.number > b.number; };

}  // namespace

bool retained::is_current(const expiry& e) const noexcept { return values_[e.node].number == e.number; }

void retained::make_expiry_room() {
    if (expiries_.size() > 2 * count_ + 64) {
        std::erase_if(expiries_, [this](const expiry& old) { return !is_current(old); });
        std::make_heap(expiries_.begin(), expiries_.end(), later);
    }
    if (expiries_.size() == expiries_.capacity()) expiries_.reserve(2 * expiries_.size() + 16);
}

void retained::push_expiry(const expiry& e) noexcept {
    expiries_.push_back(e);
    std::push_heap(expiries_.begin(), expiries_.end(), later);
}

bool retained::take_expired(unix_time now, topic_tree::node_id& node) {
    while (!expiries_.empty() && expiries_.front().at <= now) {
        const expiry first = expiries_.front();
        std::pop_heap(expiries_.begin(), expiries_.end(), later);
        expiries_.pop_back();
        if (!is_current(first)) continue;
        node = first.node;
        return true;
    }
    return false;
}

// ---- cursor

retained::cursor::cursor(retained& of, std::string_view filter)
    : of_(&of), filter_(filter), last_number_(of.last_number_) {
    level_reader levels(filter_);
    for (std::string_view level; levels.next(level);)
        levels_.push_back(level);
    if (levels_.back() == "#") {
        ends_in_hash_ = true;
        levels_.pop_back();
    }
    of.cursors_.push_back(this);
}

retained::cursor::~cursor() { std::erase(of_->cursors_, this); }

core::message_ref retained::cursor::next(unix_time now, std::size_t& steps) {
    while (at_ != none && steps > 0) {
        --steps;
        const bool matches = ends_in_hash_ ? depth_ >= levels_.size() && depth_ > 0 : depth_ == levels_.size();
        const value found = matches ? of_->values_[at_] : value{};
        enter();
        if (found.message && found.number <= last_number_ && !found.message->expired(now)) return found.message;
    }
    return {};
}

void retained::cursor::enter() {
    auto child = none;
    if (depth_ < levels_.size() && levels_[depth_] != "+") {
        child = of_->tree_.child(at_, levels_[depth_]);
    } else if (depth_ < levels_.size() || ends_in_hash_) {
        child = visible(of_->tree_.first_child(at_), depth_);
    }
    if (child == none) return leave();
    at_ = child;
    ++depth_;
}

void retained::cursor::leave() {
    for (; depth_ > 0; --depth_, at_ = of_->tree_.parent(at_)) {
        if (depth_ <= levels_.size() && levels_[depth_ - 1] != "+") continue;
        const auto sibling = visible(of_->tree_.next_sibling(at_), depth_ - 1);
        if (sibling != none) {
            at_ = sibling;
            return;
        }
    }
    at_ = none;
}

// `child` or the first sibling behind it that a wildcard at level `level` may match: in the first one none with '$'
// [MQTT-4.7.2-1].
topic_tree::node_id retained::cursor::visible(topic_tree::node_id child, std::size_t level) const {
    while (level == 0 && child != none && of_->tree_.level(child).starts_with('$')) {
        child = of_->tree_.next_sibling(child);
    }
    return child;
}

}  // namespace martlet::broker_impl
