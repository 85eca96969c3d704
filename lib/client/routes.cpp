#include "client/routes.hpp"

#include <martlet/topic.hpp>

#include <algorithm>

namespace martlet::detail {

namespace {

bool filter_matches(std::string_view filter, std::string_view topic) noexcept {
    if (const auto shared = split_shared_filter(filter)) filter = shared->filter;
    return topic_matches(filter, topic);
}

void add_once(std::vector<stream_state_ptr>& to, const stream_state_ptr& stream) {
    if (std::find(to.begin(), to.end(), stream) == to.end()) to.push_back(stream);
}

}  // namespace

void routes::add(const stream_state_ptr& stream) {
    for (const auto& filter : stream->filters)
        has_rivals_ = has_rivals_ || find_filter(filter) != nullptr;
    streams_.push_back(stream);
    by_identifier_[stream->identifier] = stream;
    cache_is_valid_ = false;
}

void routes::remove(const stream_state& stream) {
    const auto at = std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) { return s.get() == &stream; });
    if (at == streams_.end()) return;
    by_identifier_.erase(stream.identifier);
    streams_.erase(at);
    matches_.clear();
    cache_is_valid_ = false;
    if (streams_.empty()) has_rivals_ = false;
}

std::span<const stream_state_ptr> routes::match(const packets::publish& message) {
    if (is_cached(message)) return matches_;

    matches_.clear();
    if (!message.subscription_identifiers.empty()) find_by_identifiers(message);
    // No identifier, or only such as another process used in this session before.
    if (matches_.empty()) find_by_topic(message.topic);

    last_topic_.assign(message.topic);
    last_section_.assign(message.property_section);
    last_identifiers_.assign(message.subscription_identifiers.begin(), message.subscription_identifiers.end());
    cache_is_valid_ = true;
    return matches_;
}

bool routes::is_cached(const packets::publish& message) const noexcept {
    if (!cache_is_valid_ || message.topic != last_topic_) return false;
    const auto& identifiers = message.subscription_identifiers;
    if (identifiers.size() != last_identifiers_.size()) return false;
    if (identifiers.empty() || (!last_section_.empty() && message.property_section == last_section_)) return true;
    return std::equal(identifiers.begin(), identifiers.end(), last_identifiers_.begin());
}

void routes::find_by_identifiers(const packets::publish& message) {
    for (const auto identifier : message.subscription_identifiers) {
        const auto at = by_identifier_.find(identifier);
        // The identifier may be an earlier process's: the topic has to match as well.
        if (at != by_identifier_.end() && claims(*at->second, message.topic)) add_once(matches_, at->second);
    }
    if (has_rivals_ && !matches_.empty()) {
        const auto claimed = matches_;
        for (const auto& stream : streams_) {
            const auto shares = [&](const stream_state_ptr& other) {
                return std::any_of(stream->filters.begin(), stream->filters.end(), [&](const auto& filter) {
                    return filter_matches(filter, message.topic) &&
                           std::find(other->filters.begin(), other->filters.end(), filter) != other->filters.end();
                });
            };
            if (std::any_of(claimed.begin(), claimed.end(), shares)) add_once(matches_, stream);
        }
    }
}

void routes::find_by_topic(std::string_view topic) {
    for (const auto& stream : streams_) {
        if (claims(*stream, topic)) matches_.push_back(stream);
    }
}

stream_state* routes::find_filter(std::string_view filter, const stream_state* except) const noexcept {
    for (const auto& stream : streams_) {
        if (stream.get() == except || stream->phase != stream_state::phase_type::open) continue;
        for (std::size_t i = 0; i < stream->filters.size(); ++i) {
            if (stream->live[i] && stream->filters[i] == filter) return stream.get();
        }
    }
    return nullptr;
}

bool routes::claims(const stream_state& stream, std::string_view topic) noexcept {
    for (std::size_t i = 0; i < stream.filters.size(); ++i) {
        if (stream.live[i] && filter_matches(stream.filters[i], topic)) return true;
    }
    return false;
}

}  // namespace martlet::detail
