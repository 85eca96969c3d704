#include "topic_map.hpp"

#include <martlet/topic.hpp>

namespace martlet::cli {

std::optional<std::string> topic_map::add(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return "'" + std::string(text) + "' has no '=' between two topics.";
    std::string_view from = text.substr(0, equals);
    std::string_view to = text.substr(equals + 1);
    const bool is_tree = from.ends_with('#');
    if (is_tree != to.ends_with('#')) return "'" + std::string(text) + "' has '#' on one side only.";
    if (is_tree) {
        from.remove_suffix(1);
        to.remove_suffix(1);
        const bool good = (from.empty() || from.ends_with('/')) && (to.empty() || to.ends_with('/'));
        if (!good) return "'" + std::string(text) + "' has a '#' that does not follow '/'.";
    }
    const auto is_good = [&](std::string_view part) { return (part.empty() && is_tree) || is_valid_topic_name(part); };
    if (!is_good(from) || !is_good(to)) return "'" + std::string(text) + "' has a part that is no topic.";
    rules_.push_back({std::string(from), std::string(to), is_tree});
    return std::nullopt;
}

std::string topic_map::apply(std::string_view topic) const {
    for (const rule& r : rules_) {
        if (!r.is_tree && topic == r.from) return r.to;
        if (r.is_tree && topic.starts_with(r.from)) return r.to + std::string(topic.substr(r.from.size()));
    }
    return std::string(topic);
}

}  // namespace martlet::cli
