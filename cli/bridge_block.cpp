#include "bridge_block.hpp"

#include "command_line.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace martlet::cli {
namespace {

constexpr auto keys = std::to_array<std::string_view>(
    {"address",         "addresses",          "topic",           "remote_clientid",
     "clientid",        "remote_username",    "username",        "remote_password",
     "password",        "keepalive_interval", "bridge_cafile",   "bridge_capath",
     "bridge_certfile", "bridge_keyfile",     "bridge_insecure", "bridge_protocol_version",
     "cleansession",    "start_type",         "try_private",     "notifications"});

/// The next word, or what stands in quotes: "" is an empty one. False at the end.
bool take_word(std::string_view& rest, std::string& out) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (rest.empty()) return false;
    const bool is_quoted = rest.starts_with("\"");
    if (is_quoted) rest.remove_prefix(1);
    const std::size_t end = std::min(is_quoted ? rest.find('"') : rest.find_first_of(" \t"), rest.size());
    out = rest.substr(0, end);
    rest.remove_prefix(std::min(end + (is_quoted ? 1 : 0), rest.size()));
    return true;
}

// HOST, HOST:PORT or a URL; several of them one after the other.
bool read_addresses(std::string_view value, bridge_settings& out, std::string& why) {
    std::string word;
    while (take_word(value, word)) {
        const bool is_url = word.find("://") != std::string::npos || word.starts_with("unix:");
        std::string url = is_url ? word : "mqtt://" + word;
        std::string_view problem;
        if (!parse_endpoint(url, &problem)) {
            why = "'" + word + "': " + std::string(problem);
            return false;
        }
        out.remote.urls.push_back(std::move(url));
    }
    return true;
}

// topic PATTERN [out|in|both] [QOS] [LOCAL-PREFIX] [REMOTE-PREFIX]
bool read_topic(std::string_view value, bridge_settings& out, std::string& why) {
    bridge_rule rule;
    rule.qos = qos::at_most_once;  // as mosquitto has it
    std::string word;
    static_cast<void>(take_word(value, rule.filter));
    if (take_word(value, word)) {
        if (word == "out" || word == "in" || word == "both") {
            rule.direction = word == "out"  ? bridge_direction::out
                             : word == "in" ? bridge_direction::in
                                            : bridge_direction::both;
        } else {
            why = "topic: '" + word + "' is not out, in or both";
            return false;
        }
    }
    if (take_word(value, word)) {
        const auto level = parse_integer(word);
        if (!level || *level < 0 || *level > 2) {
            why = "topic: '" + word + "' is not a QoS: 0, 1 or 2";
            return false;
        }
        rule.qos = static_cast<qos>(*level);
    }
    static_cast<void>(take_word(value, rule.local_prefix));
    static_cast<void>(take_word(value, rule.remote_prefix));
    if (take_word(value, word)) {
        why = "topic: '" + word + "' is one word too many";
        return false;
    }
    for (const std::string* const prefix : {&rule.local_prefix, &rule.remote_prefix}) {
        if (!has_wildcard(*prefix) && is_valid_topic_filter(*prefix + rule.filter)) continue;
        why = "topic: '" + *prefix + rule.filter + "' is not a topic filter, or its prefix has a wildcard";
        return false;
    }
    out.rules.push_back(std::move(rule));
    return true;
}

}  // namespace

bridge_settings begin_bridge(std::string name, std::string where) {
    bridge_settings made;
    made.name = std::move(name);
    made.where = std::move(where);
    made.remote.urls.clear();  // a client's default is this machine
    return made;
}

bool is_bridge_key(std::string_view key) noexcept { return std::ranges::find(keys, key) != keys.end(); }

bool read_bridge_key(std::string_view key, std::string_view value, bridge_settings& out, std::string& why) {
    const auto only = [&](std::string_view accepted, std::string_view reason) {
        if (value == accepted) return true;
        why.assign(key).append(": '").append(value).append("' is not supported: ").append(reason);
        return false;
    };
    tls_options& tls = out.remote.tls;
    if (key == "address" || key == "addresses") return read_addresses(value, out, why);
    if (key == "topic") return read_topic(value, out, why);
    if (key == "remote_clientid" || key == "clientid") out.remote.client_id = value;
    if (key == "remote_username" || key == "username") out.remote.user_name = std::string(value);
    if (key == "remote_password" || key == "password") out.remote.password = std::string(value);
    if (key == "bridge_cafile") tls.ca_file = value;
    if (key == "bridge_capath") tls.ca_path = value;
    if (key == "bridge_certfile") tls.certificate_file = value;
    if (key == "bridge_keyfile") tls.key_file = value;
    if (key == "bridge_insecure") {
        if (value != "true" && value != "false") {
            why = "bridge_insecure: '" + std::string(value) + "' is not true or false";
            return false;
        }
        tls.verify = value == "true" ? tls_verification::insecure_any_host_name : tls_verification::full;
    }
    if (key == "keepalive_interval") {
        const auto seconds = parse_integer(value);
        if (!seconds || *seconds < 5 || *seconds > 65'535) {
            why = "keepalive_interval: '" + std::string(value) + "' is not a whole number from 5 to 65535";
            return false;
        }
        out.remote.keep_alive = std::chrono::seconds(*seconds);
    }
    if (key == "bridge_protocol_version") return only("mqttv50", "a bridge speaks MQTT 5");
    if (key == "cleansession") return only("false", "a bridge keeps its sessions, so that nothing is lost");
    if (key == "start_type") return only("automatic", "it always runs");
    if (key == "try_private") return only("false", "loops are found by No Local and by a mark on each message");
    if (key == "notifications") return only("false", "it tells the log only");
    return true;
}

bool check_bridge(const bridge_settings& settings, std::string& why) {
    const auto fail = [&](std::string_view text) {
        why = settings.where + ": bridge '" + settings.name + "' " + std::string(text);
        return false;
    };
    if (settings.remote.urls.empty()) return fail("has no address");
    if (settings.rules.empty()) return fail("has no topic");
    return true;
}

}  // namespace martlet::cli
