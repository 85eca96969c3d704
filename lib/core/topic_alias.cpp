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
    mappings_.reset();
}

topic_alias_sender::alias topic_alias_sender::use(std::string_view topic) {
    if (mappings_ == nullptr) mappings_ = std::make_unique<mappings>();
    auto& [by_use, by_topic] = *mappings_;
    if (!by_use.empty() && by_use.front().topic == topic) return {by_use.front().number, true};
    if (const auto found = by_topic.find(topic); found != by_topic.end()) {
        by_use.splice(by_use.begin(), by_use, found->second);
        return {found->second->number, true};
    }
    auto number = static_cast<std::uint16_t>(by_use.size() + 1);
    if (by_use.size() == maximum_) {
        number = by_use.back().number;
        by_topic.erase(by_use.back().topic);
        by_use.pop_back();
    }
    by_use.push_front({std::string(topic), number});
    by_topic.emplace(by_use.front().topic, by_use.begin());
    return {number, false};
}

}  // namespace martlet::core
