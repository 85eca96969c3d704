#include <martlet/core/topic_alias.hpp>

namespace martlet::core {

void topic_alias_receiver::reset(std::uint16_t maximum) noexcept {
    maximum_ = maximum;
    topics_ = {};
}

void topic_alias_receiver::set(std::uint16_t alias, std::string_view topic) {
    if (topics_.size() < alias) topics_.resize(alias);
    topics_[alias - 1u] = topic;
}

std::string_view topic_alias_receiver::find(std::uint16_t alias) const noexcept {
    return alias != 0 && alias <= topics_.size() ? std::string_view(topics_[alias - 1u]) : std::string_view();
}

void topic_alias_sender::reset(std::uint16_t maximum) noexcept {
    maximum_ = maximum;
    by_topic_.clear();
    by_use_.clear();
}

topic_alias_sender::alias topic_alias_sender::use(std::string_view topic) {
    if (!by_use_.empty() && by_use_.front().topic == topic) return {by_use_.front().number, true};
    if (const auto found = by_topic_.find(topic); found != by_topic_.end()) {
        by_use_.splice(by_use_.begin(), by_use_, found->second);
        return {found->second->number, true};
    }
    auto number = static_cast<std::uint16_t>(by_use_.size() + 1);
    if (by_use_.size() == maximum_) {
        number = by_use_.back().number;
        by_topic_.erase(by_use_.back().topic);
        by_use_.pop_back();
    }
    by_use_.push_front({std::string(topic), number});
    by_topic_.emplace(by_use_.front().topic, by_use_.begin());
    return {number, false};
}

}  // namespace martlet::core
