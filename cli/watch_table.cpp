#include "watch_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace martlet::cli {
namespace {

constexpr double memory_seconds = 5;       // what the rate is an average of
constexpr std::size_t payload_kept = 512;  // more than a wide terminal shows
constexpr std::size_t topic_columns_max = 48;

std::string rate_text(double rate) {
    char text[32] = {};
    std::snprintf(text, sizeof(text), rate < 9.95 ? "%.1f" : "%.0f", rate);
    return text;
}

std::string right(std::string text, std::size_t columns) {
    if (text.size() < columns) text.insert(0, columns - text.size(), ' ');
    return text;
}

}  // namespace

double watch_table::decayed_rate(const entry& e, clock::time_point now) {
    return e.rate * std::exp(-std::chrono::duration<double>(now - e.last).count() / memory_seconds);
}

// A topic that is younger than the memory has filled a part of it only.
double watch_table::rate_of(const entry& e, clock::time_point now) {
    const double age = std::max(std::chrono::duration<double>(now - e.first).count(), 1.0);
    return decayed_rate(e, now) / (1 - std::exp(-age / memory_seconds));
}

void watch_table::update(std::string_view topic, std::string_view payload, bool retain, clock::time_point now) {
    ++messages_;
    auto at = topics_.find(topic);
    if (at == topics_.end()) {
        if (topics_.size() >= topics_max_) {
            ++not_shown_;
            return;
        }
        at = topics_.emplace(topic, entry{}).first;
        at->second.first = now;
    } else {
        at->second.rate = decayed_rate(at->second, now) + 1 / memory_seconds;
    }
    entry& e = at->second;
    e.last = now;
    e.payload = payload.substr(0, payload_kept);
    e.size = payload.size();
    e.retain = retain;
    ++e.count;
}

std::string watch_table::render(terminal_size size, clock::time_point now) const {
    std::size_t topic_columns = 5;
    for (const auto& [topic, e] : topics_)
        topic_columns = std::max(topic_columns, std::min(topic.size(), topic_columns_max));
    topic_columns = std::min(topic_columns, size.columns / 2);

    std::vector<const std::pair<const std::string, entry>*> shown;
    for (const auto& one : topics_)
        shown.push_back(&one);
    const std::size_t room = size.rows > 3 ? size.rows - 3 : 1;
    if (shown.size() > room) {
        std::nth_element(shown.begin(), shown.begin() + static_cast<std::ptrdiff_t>(room), shown.end(),
                         [](const auto* a, const auto* b) { return a->second.last > b->second.last; });
        shown.resize(room);
        std::sort(shown.begin(), shown.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
    }

    const std::string heading = fitted("topic", topic_columns, true) + right("msg/s", 8) + right("count", 10) +
                                right("age", 8) + "   last message";
    std::string out = fitted(heading, size.columns) + '\n';
    for (const auto* const one : shown) {
        const entry& e = one->second;
        const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - e.last);
        const std::string line = fitted(one->first, topic_columns, true) + right(rate_text(rate_of(e, now)), 8) +
                                 right(std::to_string(e.count), 10) + right(age_text(age), 8) +
                                 (e.retain ? " r " : "   ") + (e.size == 0 ? "(empty)" : e.payload);
        out += fitted(line, size.columns) + '\n';
    }
    std::string last = std::to_string(messages_) + " messages, " + std::to_string(topics_.size()) + " topics";
    if (shown.size() < topics_.size()) last += ", the last " + std::to_string(shown.size()) + " that changed are shown";
    if (not_shown_ > 0) last += ", " + std::to_string(not_shown_) + " messages of topics beyond the limit";
    return out + fitted(last, size.columns) + '\n';
}

}  // namespace martlet::cli
