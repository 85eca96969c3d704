#include "trace_lines.hpp"

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string_view>

namespace martlet::crash {

namespace {

// The value of " name=value" in a line; empty if it has none.
std::string_view field(std::string_view line, std::string_view name) {
    const auto at = line.find(name);
    if (at == std::string_view::npos) return {};
    const auto begin = at + name.size();
    return line.substr(begin, line.find(' ', begin) - begin);
}

}  // namespace

std::vector<std::string> lines_about(const std::string& file, std::int64_t number) {
    const std::string wanted = std::to_string(number);
    std::vector<std::string> found;
    std::set<std::string, std::less<>> ids;  // that stand for the message at this place of the file
    std::vector<std::string> connections;    // since the last line that was found
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.find(" CONN") != std::string::npos) {
            if (found.empty() && line.find(" CONNECT ") != std::string::npos) connections.clear();
            connections.push_back(line);
            continue;
        }
        const auto id = field(line, " id=");
        if (line.find(" PUBLISH ") != std::string::npos) {
            if (field(line, " payload=") == wanted)
                ids.emplace(id);
            else if (const auto at = ids.find(id); at != ids.end())
                ids.erase(at);
        }
        if (id.empty() || !ids.contains(id)) continue;
        found.insert(found.end(), connections.begin(), connections.end());
        connections.clear();
        found.push_back(line);
    }
    return found;
}

bool is_sent_again_after_pubrel(const std::vector<std::string>& lines) {
    std::set<std::string, std::less<>> released;
    for (const auto& line : lines) {
        const auto id = field(line, " id=");
        if (line.find(" received PUBREL ") != std::string::npos) released.emplace(id);
        const bool is_repeated = line.find(" received PUBLISH ") != std::string::npos && field(line, " dup=") == "1";
        if (is_repeated && released.contains(id)) return true;
    }
    return false;
}

std::set<std::int64_t> acknowledged_messages(const std::string& file) {
    std::set<std::int64_t> found;
    std::map<std::string, std::int64_t, std::less<>> message_of_id;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        const auto id = field(line, " id=");
        if (line.find(" sent PUBLISH ") != std::string::npos) {
            message_of_id.insert_or_assign(std::string(id), std::atoll(std::string(field(line, " payload=")).c_str()));
            continue;
        }
        const bool is_answer =
            line.find(" received PUBACK ") != std::string::npos || line.find(" received PUBREC ") != std::string::npos;
        if (!is_answer || !line.ends_with(" reason=Success")) continue;
        if (const auto at = message_of_id.find(id); at != message_of_id.end()) found.insert(at->second);
    }
    return found;
}

}  // namespace martlet::crash
