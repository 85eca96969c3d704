#include "sys_dashboard.hpp"

#include "json_text.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace martlet::cli {
namespace {

constexpr std::size_t values_max = 1'000;

struct panel {
    std::string_view title;
    std::vector<std::pair<std::string_view, std::string_view>> rows;  // what it is called, topic
};

const std::vector<panel>& panels() {
    static const std::vector<panel> all = {
        {"Broker",
         {{"version", "$SYS/broker/version"},
          {"up", "$SYS/broker/uptime"},
          {"memory, bytes", "$SYS/broker/heap/current"},
          {"memory, most", "$SYS/broker/heap/maximum"}}},
        {"Clients",
         {{"connected", "$SYS/broker/clients/connected"},
          {"disconnected", "$SYS/broker/clients/disconnected"},
          {"in all", "$SYS/broker/clients/total"},
          {"most at once", "$SYS/broker/clients/maximum"},
          {"expired", "$SYS/broker/clients/expired"}}},
        {"Messages",
         {{"received", "$SYS/broker/messages/received"},
          {"sent", "$SYS/broker/messages/sent"},
          {"published to us", "$SYS/broker/publish/messages/received"},
          {"published by us", "$SYS/broker/publish/messages/sent"},
          {"dropped", "$SYS/broker/publish/messages/dropped"},
          {"stored", "$SYS/broker/store/messages/count"},
          {"retained", "$SYS/broker/retained messages/count"},
          {"subscriptions", "$SYS/broker/subscriptions/count"}}},
        {"A minute",
         {{"messages in", "$SYS/broker/load/messages/received/1min"},
          {"messages out", "$SYS/broker/load/messages/sent/1min"},
          {"bytes in", "$SYS/broker/load/bytes/received/1min"},
          {"bytes out", "$SYS/broker/load/bytes/sent/1min"},
          {"connections", "$SYS/broker/load/connections/1min"}}},
    };
    return all;
}

struct line {
    std::string name;
    std::string value;  // of the topics without a place of their own; stays whole where the name has to be cut
};

std::string text(const line& l, std::size_t width) {
    if (l.value.empty() || l.value.size() + 8 > width) return fitted(l.name + "  " + l.value, width, true);
    const std::size_t room = width - l.value.size() - 2;
    return fitted(fitted(l.name, std::min(l.name.size(), room)) + "  " + l.value, width, true);
}

// Without what they all begin with.
std::string_view short_name(std::string_view topic) {
    for (const std::string_view prefix : {"$SYS/broker/", "$SYS/"}) {
        if (topic.starts_with(prefix)) return topic.substr(prefix.size());
    }
    return topic;
}

}  // namespace

void sys_dashboard::update(std::string_view topic, std::string_view value) {
    if (values_.size() >= values_max && values_.find(topic) == values_.end()) return;
    values_.insert_or_assign(std::string(topic), std::string(value.substr(0, 256)));
}

std::string sys_dashboard::render(std::string_view broker, terminal_size size) const {
    std::vector<line> lines;
    std::set<std::string_view> shown;
    for (const panel& p : panels()) {
        std::vector<line> rows;
        for (const auto& [name, topic] : p.rows) {
            const auto at = values_.find(topic);
            if (at == values_.end()) continue;
            shown.insert(topic);
            rows.push_back({"  " + fitted(name, 18, true) + at->second, {}});
        }
        if (rows.empty()) continue;
        lines.push_back({std::string(p.title), {}});
        lines.insert(lines.end(), rows.begin(), rows.end());
    }
    std::vector<line> others;
    for (const auto& [topic, value] : values_) {
        if (shown.count(topic) == 0) others.push_back({"  " + std::string(short_name(topic)), value});
    }
    if (!others.empty()) {
        lines.push_back({"Others", {}});
        lines.insert(lines.end(), others.begin(), others.end());
    }

    // As many columns as are needed and the width has room for, of 40 characters and more, filled from the top.
    const std::size_t room = size.rows > 2 ? size.rows - 2 : 1;
    const std::size_t needed = std::max<std::size_t>((lines.size() + room - 1) / room, 1);
    const std::size_t columns = std::clamp<std::size_t>(size.columns / 40, 1, needed);
    const std::size_t width = size.columns / columns;
    const std::size_t height = std::min(room, std::max<std::size_t>((lines.size() + columns - 1) / columns, 1));
    std::string out = fitted("martlet top: " + std::string(broker), size.columns) + '\n';
    for (std::size_t row = 0; row < height; ++row) {
        std::string across;
        for (std::size_t column = 0; column < columns; ++column) {
            const std::size_t at = column * height + row;
            if (at < lines.size()) across += text(lines[at], width - 1) + ' ';
        }
        across.erase(across.find_last_not_of(' ') + 1);
        out += fitted(across, size.columns) + '\n';
    }
    if (lines.size() > height * columns) out += fitted("... and more, in a larger window", size.columns) + '\n';
    if (lines.empty()) out += fitted("Nothing on $SYS/# so far.", size.columns) + '\n';
    return out;
}

std::string sys_dashboard::json(std::string_view broker) const {
    std::string out;
    json_writer json(out, false);
    json.begin_object();
    json.key("schema");
    json.string("martlet.top/1");
    json.key("broker");
    json.string(broker);
    json.key("values");
    json.begin_object();
    for (const auto& [topic, value] : values_) {
        json.key(is_utf8(topic) ? topic : fitted(topic, topic.size()));
        json.string(is_utf8(value) ? value : fitted(value, value.size()));
    }
    json.end_object();
    json.end_object();
    return out;
}

}  // namespace martlet::cli
