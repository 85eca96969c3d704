// Topic names and topic filters. MQTT 5 §4.7 and §4.8.2.
#include "core/wire.hpp"

#include <martlet/topic.hpp>

#include <algorithm>

namespace martlet {
namespace {

constexpr std::string_view share_prefix = "$share/";

// Wildcards stand alone in their level [MQTT-4.7.1-2], # only in the last one [MQTT-4.7.1-1].
bool has_valid_wildcards(std::string_view filter) noexcept {
    for (std::size_t at = filter.find_first_of("+#"); at != std::string_view::npos;
         at = filter.find_first_of("+#", at + 1)) {
        const bool begins_level = at == 0 || filter[at - 1] == '/';
        const bool ends_filter = at + 1 == filter.size();
        const bool ends_level = ends_filter || filter[at + 1] == '/';
        if (!begins_level || !ends_level || (filter[at] == '#' && !ends_filter)) {
            return false;
        }
    }
    return true;
}

// The group and the filter, of which only the group's name has been checked [MQTT-4.8.2-1, MQTT-4.8.2-2].
std::optional<shared_filter> split(std::string_view filter) noexcept {
    if (!filter.starts_with(share_prefix)) {
        return {};
    }
    const std::string_view shared = filter.substr(share_prefix.size());
    const std::size_t slash = shared.find_first_of("/+#");
    if (slash == std::string_view::npos || slash == 0 || shared[slash] != '/' || slash + 1 == shared.size()) {
        return {};
    }
    return shared_filter{shared.substr(0, slash), shared.substr(slash + 1)};
}

}  // namespace

bool is_valid_topic_name(std::string_view topic) noexcept {
    return !topic.empty() && topic.size() <= core::string_size_max &&
           core::check_topic_name(topic) == core::text_check::valid;
}

bool is_valid_topic_filter(std::string_view filter) noexcept {
    if (filter.empty() || !is_valid_utf8_string(filter)) {
        return false;
    }
    if (filter.starts_with(share_prefix)) {
        const std::optional<shared_filter> shared = split(filter);
        return shared && has_valid_wildcards(shared->filter);
    }
    return has_valid_wildcards(filter);
}

bool has_wildcard(std::string_view filter) noexcept { return filter.find_first_of("+#") != std::string_view::npos; }

bool topic_matches(std::string_view filter, std::string_view topic) noexcept {
    if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) {
        return false;  // [MQTT-4.7.2-1]
    }
    std::size_t f = 0;
    std::size_t t = 0;
    while (true) {  // one level a turn; # can only be the last, so there is never a way back to try
        if (f < filter.size() && filter[f] == '#') {
            return true;
        }
        if (f < filter.size() && filter[f] == '+') {
            ++f;
            t = std::min(topic.find('/', t), topic.size());
        } else {
            while (f < filter.size() && t < topic.size() && filter[f] != '/' && filter[f] == topic[t]) {
                ++f;
                ++t;
            }
        }
        if (f == filter.size()) {
            return t == topic.size();
        }
        if (t == topic.size()) {
            return filter.substr(f) == "/#";  // # includes the parent level
        }
        if (filter[f] != '/' || topic[t] != '/') {
            return false;
        }
        ++f;
        ++t;
    }
}

std::optional<shared_filter> split_shared_filter(std::string_view filter) noexcept {
    return is_valid_topic_filter(filter) ? split(filter) : std::nullopt;
}

std::size_t topic_levels(std::string_view topic) noexcept {
    return static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/')) + 1;
}

bool is_valid_utf8_string(std::string_view text) noexcept {
    return text.size() <= core::string_size_max && core::check_text(text) == core::text_check::valid;
}

}  // namespace martlet
