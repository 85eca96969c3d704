#include "broker_config.hpp"

#include "command_line.hpp"
#include "listener_block.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <functional>
#include <limits>
#include <sstream>
#include <sys/stat.h>

namespace martlet::cli {
namespace {

constexpr std::string_view blanks = " \t";
constexpr int include_depth_max = 4;

/// What a key's function is given, and what it says if the value is wrong.
struct argument {
    std::string_view value;
    broker_settings& to;
    std::string& why;

    bool fail(std::string_view rule) const {
        why.assign("'").append(value).append("' is not ").append(rule);
        return false;
    }
    bool number(std::uint64_t low, std::uint64_t high, std::uint64_t& out) const {
        const auto n = parse_integer(value);
        if (!n || *n < 0 || static_cast<std::uint64_t>(*n) < low || static_cast<std::uint64_t>(*n) > high) {
            return fail("a whole number from " + std::to_string(low) + " to " + std::to_string(high));
        }
        out = static_cast<std::uint64_t>(*n);
        return true;
    }
    template <class T>
    bool into(T& field, std::uint64_t low = 0, std::uint64_t high = std::numeric_limits<T>::max()) const {
        std::uint64_t n = 0;
        if (!number(low, std::min<std::uint64_t>(high, std::numeric_limits<std::int64_t>::max()), n)) return false;
        field = static_cast<T>(n);
        return true;
    }
    /// Mosquitto's 0 is "no limit".
    template <class T>
    bool into_limit(T& field) const {
        if (!into(field)) return false;
        if (field == 0) field = std::numeric_limits<T>::max();
        return true;
    }
    bool flag(bool& field) const {
        if (value != "true" && value != "false") return fail("true or false");
        field = value == "true";
        return true;
    }
    bool seconds(std::chrono::milliseconds& field) const {
        const auto s = parse_seconds(value);
        if (!s || *s > 1e9) return fail("a number of seconds");
        field = std::chrono::milliseconds(static_cast<std::int64_t>(*s * 1000));
        return true;
    }
    bool text(std::string& field) const {
        field = value;
        return true;
    }
};

bool read_versions(const argument& a) {
    a.to.options.protocol_versions = {};
    for (std::string_view rest = a.value; !rest.empty();) {
        const std::size_t comma = rest.find(',');
        std::string_view one = rest.substr(0, comma);
        rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
        one.remove_prefix(std::min(one.find_first_not_of(blanks), one.size()));
        one = one.substr(0, one.find_last_not_of(blanks) + 1);
        if (one == "3") {
            a.to.options.protocol_versions.v3_1 = true;
        } else if (one == "4") {
            a.to.options.protocol_versions.v3_1_1 = true;
        } else if (one == "5") {
            a.to.options.protocol_versions.v5 = true;
        } else {
            return a.fail("a list of 3, 4 and 5");
        }
    }
    return true;
}

bool read_log_type(const argument& a) {
    constexpr std::array<std::pair<std::string_view, unsigned>, 11> kinds = {{{"error", 0},
                                                                              {"warning", 0},
                                                                              {"none", 0},
                                                                              {"notice", 1},
                                                                              {"information", 1},
                                                                              {"subscribe", 1},
                                                                              {"unsubscribe", 1},
                                                                              {"websockets", 1},
                                                                              {"internal", 1},
                                                                              {"debug", 2},
                                                                              {"all", 2}}};
    for (const auto& [name, verbosity] : kinds) {
        if (a.value != name) continue;
        a.to.verbosity = std::max(a.to.verbosity, verbosity);
        return true;
    }
    return a.fail("error, warning, notice, information, debug, all or none");
}

bool read_deny_subscribe(const argument& a) {
    const std::size_t equals = a.value.rfind('=');
    denied_filter denied{std::string(a.value.substr(0, equals))};
    if (equals != std::string_view::npos) {
        const std::string code(a.value.substr(equals + 1));
        char* end = nullptr;
        const unsigned long number = std::strtoul(code.c_str(), &end, 0);
        if (code.empty() || *end != '\0' || number < 0x80 || number > 0xFF) {
            return a.fail("FILTER or FILTER=CODE, with a code from 0x80 to 0xFF");
        }
        denied.reason = static_cast<reason_code>(number);
    }
    if (!is_valid_topic_filter(denied.filter)) return a.fail("a topic filter");
    a.to.options.deny_subscribe.push_back(std::move(denied));
    return true;
}

/// What we never do: who says so is right, who wants it is told why not.
bool never(const argument& a, std::string_view why) {
    bool on = false;
    if (!a.flag(on)) return false;
    if (on) a.why.assign("true is not supported: ").append(why);
    return !on;
}

struct key_row {
    config_key about;
    bool (*read)(const argument&);
};

// clang-format off
constexpr auto rows = std::to_array<key_row>({
    // who may do what
    {{"allow_anonymous", "true|false"}, [](const argument& a) { bool on = false; if (!a.flag(on)) return false; a.to.allow_anonymous = on; return true; }},
    {{"password_file", "FILE"}, [](const argument& a) { return a.text(a.to.accounts.password_file); }},
    {{"acl_file", "FILE"}, [](const argument& a) { return a.text(a.to.accounts.acl_file); }},
    {{"acl_partial_subscriptions", "true|false"}, [](const argument& a) { return a.flag(a.to.accounts.partial_subscriptions); }},
    {{"hash_threads", "1..64"}, [](const argument& a) { return a.into(a.to.accounts.hash_threads, 1, 64); }},
    {{"hash_queue_max", "COUNT"}, [](const argument& a) { return a.into(a.to.accounts.hash_queue_max, 1); }},
    {{"sessions_belong_to_users", "true|false"}, [](const argument& a) { return a.flag(a.to.options.sessions_belong_to_users); }},
    {{"clientid_prefixes", "PREFIX"}, [](const argument& a) { a.to.options.client_id_prefixes.emplace_back(a.value); return true; }},
    {{"deny_subscribe", "FILTER[=CODE]"}, read_deny_subscribe},
    // connections
    {{"max_connections", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.connections_max); }},
    {{"global_max_connections", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.connections_max); }},
    {{"max_connections_per_address", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.connections_per_address_max); }},
    {{"max_handshakes_per_address", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.handshakes_per_address_max); }},
    {{"connect_timeout", "SECONDS"}, [](const argument& a) { return a.seconds(a.to.options.connect_timeout); }},
    {{"max_keepalive", "SECONDS"}, [](const argument& a) { return a.into(a.to.options.keep_alive_max); }},
    {{"accept_protocol_versions", "3,4,5"}, read_versions},
    {{"allow_zero_length_clientid", "true|false"}, [](const argument& a) { return a.flag(a.to.options.allow_empty_client_id); }},
    {{"auto_id_prefix", "TEXT"}, [](const argument& a) { return a.text(a.to.options.client_id_prefix); }},
    {{"upgrade_outgoing_qos", "false"}, [](const argument& a) { return never(a, "a message is never sent at a higher QoS than it was published with"); }},
    {{"check_retain_source", "false"}, [](const argument& a) { return never(a, "the rights of a retained message's reader are checked, its publisher's when it is stored"); }},
    {{"max_inflight_bytes", "0"}, [](const argument& a) { std::uint64_t n = 0; return a.number(0, 0, n); }},
    {{"set_tcp_nodelay", "true"}, [](const argument& a) { bool on = false; return a.flag(on) && (on || a.fail("true, which it always is")); }},
    // packets
    {{"max_first_packet_size", "BYTES"}, [](const argument& a) { return a.into(a.to.options.first_packet_size_max, 128); }},
    {{"max_packet_size", "BYTES"}, [](const argument& a) { return a.into(a.to.options.packet_size_max, 20, 268'435'460); }},
    {{"message_size_limit", "BYTES"}, [](const argument& a) { return a.into_limit(a.to.options.payload_size_max); }},
    {{"max_topic_levels", "COUNT"}, [](const argument& a) { return a.into(a.to.options.topic_levels_max, 1); }},
    {{"max_topic_alias", "COUNT"}, [](const argument& a) { return a.into(a.to.options.topic_alias_maximum); }},
    {{"max_topic_alias_broker", "COUNT"}, [](const argument& a) { return a.into(a.to.options.topic_alias_maximum_out); }},
    {{"receive_maximum", "COUNT"}, [](const argument& a) { return a.into(a.to.options.receive_maximum, 1); }},
    {{"max_qos", "0|1|2"}, [](const argument& a) { std::uint64_t n = 0; if (!a.number(0, 2, n)) return false; a.to.options.maximum_qos = static_cast<qos>(n); return true; }},
    {{"maximum_qos", "0|1|2"}, [](const argument& a) { std::uint64_t n = 0; if (!a.number(0, 2, n)) return false; a.to.options.maximum_qos = static_cast<qos>(n); return true; }},
    {{"retain_available", "true|false"}, [](const argument& a) { return a.flag(a.to.options.retain_available); }},
    {{"wildcard_available", "true|false"}, [](const argument& a) { return a.flag(a.to.options.wildcard_subscription_available); }},
    {{"shared_available", "true|false"}, [](const argument& a) { return a.flag(a.to.options.shared_subscription_available); }},
    {{"subscription_identifiers_available", "true|false"}, [](const argument& a) { return a.flag(a.to.options.subscription_identifier_available); }},
    {{"response_information", "TEXT"}, [](const argument& a) { a.to.options.response_information = std::string(a.value); return true; }},
    // sessions and queues
    {{"max_sessions", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.sessions_max); }},
    {{"max_session_expiry", "SECONDS"}, [](const argument& a) { return a.into(a.to.options.session_expiry_max); }},
    {{"max_subscriptions", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.subscriptions_per_session_max); }},
    {{"max_inflight_messages", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.inflight_max); }},
    {{"max_queued_messages", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.queue_count_max); }},
    {{"max_queued_bytes", "BYTES"}, [](const argument& a) { return a.into_limit(a.to.options.queue_bytes_max); }},
    {{"queue_qos0_messages", "true|false"}, [](const argument& a) { return a.flag(a.to.options.queue_qos_0); }},
    {{"max_output_bytes", "BYTES"}, [](const argument& a) { return a.into(a.to.options.output_bytes_max, 4096); }},
    {{"on_full", "drop|stop_reading"}, [](const argument& a) {
         if (a.value != "drop" && a.value != "stop_reading") return a.fail("drop or stop_reading");
         a.to.options.on_full = a.value == "drop" ? full_policy::drop : full_policy::stop_reading;
         return true;
     }},
    {{"stall_timeout", "SECONDS"}, [](const argument& a) { return a.seconds(a.to.options.stall_timeout); }},
    {{"memory_limit", "BYTES"}, [](const argument& a) { return a.into_limit(a.to.options.memory_max); }},
    {{"max_retained_messages", "COUNT"}, [](const argument& a) { return a.into_limit(a.to.options.retained_count_max); }},
    {{"max_retained_bytes", "BYTES"}, [](const argument& a) { return a.into_limit(a.to.options.retained_bytes_max); }},
    // what is kept
    {{"persistence", "true|false"}, [](const argument& a) { return a.flag(a.to.persistence); }},
    {{"persistence_location", "FOLDER"}, [](const argument& a) { return a.text(a.to.persistence_location); }},
    {{"persistence_file", "NAME"}, [](const argument& a) { return a.text(a.to.persistence_file); }},
    // what it tells
    {{"sys_interval", "SECONDS"}, [](const argument& a) { return a.seconds(a.to.options.sys_interval); }},
    {{"log_type", "TYPE"}, read_log_type},
    {{"log_dest", "stderr"}, [](const argument& a) { return a.value == "stderr" || a.fail("stderr, where the log always goes"); }},
    {{"log_format", "text|json"}, [](const argument& a) {
         if (a.value != "text" && a.value != "json") return a.fail("text or json");
         a.to.log = a.value == "json" ? log_form::json : log_form::text;
         return true;
     }},
});
// clang-format on

/// Keys of mosquitto that we know, and why we refuse them.
struct refused_key {
    std::string_view name;
    std::string_view why;
};
constexpr refused_key refused[] = {
    {"plugin", "there are no plugins; the library has hooks"},
    {"auth_plugin", "there are no plugins; the library has hooks"},
    {"global_plugin", "there are no plugins; the library has hooks"},
    {"autosave_interval", "there is no snapshot to save"},
    {"user", "start it as the user that it is to be"},
    {"pid_file", "it stays in the foreground"},
};

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

const key_row* find_row(std::string_view key) {
    for (const key_row& row : rows) {
        if (row.about.name == key) return &row;
    }
    return nullptr;
}

std::string unknown_key(std::string_view key) {
    for (const refused_key& r : refused) {
        if (r.name == key) return std::string(key) + " is not supported: " + std::string(r.why);
    }
    return "unknown key '" + std::string(key) + "'";
}

class config_reader {
public:
    config_reader(broker_settings& to, std::string& why) : to_(to), why_(why) {}

    bool read_file(const std::string& path, int depth) {
        std::ifstream file(path, std::ios::binary);
        struct stat about {};
        if (!file || ::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) {
            why_ = path + ": " + (errno != 0 ? std::strerror(errno) : "is not a file");
            return false;
        }
        std::ostringstream text;
        text << file.rdbuf();
        return parse(text.str(), path, depth);
    }

    bool parse(std::string_view text, const std::string& name, int depth) {
        std::size_t number = 0;
        while (!text.empty()) {
            ++number;
            const std::size_t end = text.find('\n');
            const std::string_view line = trimmed(text.substr(0, end));
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
            if (line.empty() || line.front() == '#') continue;
            const std::size_t gap = line.find_first_of(blanks);
            const std::string_view key = line.substr(0, gap);
            const std::string_view value =
                gap == std::string_view::npos ? std::string_view() : trimmed(line.substr(gap));
            where_ = name + ':' + std::to_string(number);
            std::string problem;
            if (value.empty()) {
                problem = "'" + std::string(key) + "' has no value";
            } else if (!read_line(key, value, depth, problem)) {
                if (problem.empty()) return false;  // told by an included file
            }
            if (problem.empty()) continue;
            why_ = name + ':' + std::to_string(number) + ": " + problem;
            return false;
        }
        return true;
    }

    bool finish() {
        if (default_.has_place()) {
            blocks_.push_back(default_);
        } else if (!default_.first_key().empty() && !blocks_.empty()) {
            why_ = default_.where() + ": " + default_.first_key() +
                   " is about a listener, and stands before the first one";
            return false;
        } else if (!default_.first_key().empty()) {
            default_.set_port(1883);
            blocks_.push_back(default_);
        }
        const auto is_right = [&](const bridge_settings& one) { return check_bridge(one, why_); };
        if (!std::all_of(to_.bridges.begin(), to_.bridges.end(), is_right)) return false;
        return std::all_of(blocks_.begin(), blocks_.end(), [&](const listener_block& one) {
            return one.finish(psk_file_, to_.listeners.emplace_back(), why_);
        });
    }

private:
    bool read_line(std::string_view key, std::string_view value, int depth, std::string& problem) {
        if (key == "listener") return read_listener(value, problem);
        if (key == "connection") {
            to_.bridges.push_back(begin_bridge(std::string(value), where_));
            return true;
        }
        if (is_bridge_key(key)) {
            if (!to_.bridges.empty()) return read_bridge_key(key, value, to_.bridges.back(), problem);
            problem = std::string(key) + " is about a bridge, and stands before the first `connection`";
            return false;
        }
        if (key == "include_dir") return include_folder(std::string(value), depth, problem);
        if (key == "per_listener_settings") return read_per_listener(value, problem);
        listener_block& present = blocks_.empty() ? default_ : blocks_.back();
        if (key == "port" || key == "bind_address") {
            default_.set_where(where_);
            if (key == "port") return read_port(value, 1, default_, problem);
            default_.set_address(value);
            return true;
        }
        if (listener_block::knows(key, to_.per_listener_settings)) {
            if (present.where().empty()) present.set_where(where_);
            return present.read(key, value, problem);
        }
        if (key == "psk_file") {
            psk_file_ = value;
            return true;
        }
        return set_broker_key(key, value, to_, problem);
    }

    bool read_per_listener(std::string_view value, std::string& problem) {
        if (value != "true" && value != "false") {
            problem = "'" + std::string(value) + "' is not true or false";
        } else if (value == "true" && (!blocks_.empty() || !default_.first_key().empty() || to_.wants_accounts())) {
            problem = "per_listener_settings must stand before everything that it is about";
        } else {
            to_.per_listener_settings = value == "true";
        }
        return problem.empty();
    }

    // listener PORT [ADDRESS | NAME], listener 0 /unix/path
    bool read_listener(std::string_view value, std::string& problem) {
        const std::size_t gap = value.find_first_of(blanks);
        const std::string_view address =
            gap == std::string_view::npos ? std::string_view() : trimmed(value.substr(gap));
        listener_block made(where_);
        if (!read_port(value.substr(0, gap), 0, made, problem)) return false;
        if (address.starts_with('/')) {
            if (value.substr(0, gap) != "0") {
                problem = "a Unix socket has port 0";
                return false;
            }
            made.set_unix_path(address);
        } else {
            made.set_address(address);
        }
        blocks_.push_back(std::move(made));
        return true;
    }

    static bool read_port(std::string_view value, std::int64_t low, listener_block& to, std::string& problem) {
        const auto port = parse_integer(value);
        if (!port || *port < low || *port > 65'535) {
            problem = "'" + std::string(value) + "' is not a port";
            return false;
        }
        to.set_port(static_cast<std::uint16_t>(*port));
        return true;
    }

    bool include_folder(const std::string& path, int depth, std::string& problem) {
        DIR* const folder = depth < include_depth_max ? ::opendir(path.c_str()) : nullptr;
        if (folder == nullptr) {
            problem = depth < include_depth_max ? path + ": " + std::strerror(errno)
                                                : "include_dir within include_dir, too deep";
            return false;
        }
        std::vector<std::string> names;
        while (const dirent* const entry = ::readdir(folder)) {
            if (std::string_view(entry->d_name).ends_with(".conf")) names.emplace_back(entry->d_name);
        }
        ::closedir(folder);
        std::sort(names.begin(), names.end());
        return std::all_of(names.begin(), names.end(),
                           [&](const std::string& name) { return read_file(path + '/' + name, depth + 1); });
    }

    broker_settings& to_;
    std::string& why_;
    std::string where_;
    listener_block default_;  // port, bind_address, and what stands before the first `listener`
    std::vector<listener_block> blocks_;
    std::string psk_file_;
};

}  // namespace

bool read_broker_config(const std::string& path, broker_settings& settings, std::string& why) {
    config_reader reader(settings, why);
    return reader.read_file(path, 0) && reader.finish();
}

bool parse_broker_config(std::string_view text, const std::string& name, broker_settings& settings, std::string& why) {
    config_reader reader(settings, why);
    return reader.parse(text, name, 0) && reader.finish();
}

bool set_broker_key(std::string_view key, std::string_view value, broker_settings& settings, std::string& why) {
    const key_row* const row = find_row(key);
    if (row == nullptr) {
        why = unknown_key(key);
        return false;
    }
    if (row->read({value, settings, why})) return true;
    why = std::string(key) + ": " + why;
    return false;
}

std::span<const config_key> broker_config_keys() noexcept {
    static const auto keys = [] {
        std::array<config_key, rows.size()> all;
        std::transform(rows.begin(), rows.end(), all.begin(), [](const key_row& row) { return row.about; });
        return all;
    }();
    return keys;
}

void complete(broker_settings& settings) {
    settings.accounts.allow_anonymous = settings.allow_anonymous.value_or(false);
    settings.accounts.allow_local_anonymous =
        settings.allow_anonymous.value_or(settings.accounts.password_file.empty());
    settings.options.allow_anonymous_remote = settings.allow_anonymous.value_or(false);
    if (settings.persistence && settings.store_file.empty() && settings.durability != "memory") {
        const std::string& folder = settings.persistence_location;
        settings.store_file = folder + (folder.empty() || folder.ends_with('/') ? "" : "/") + settings.persistence_file;
    }
    // TLS has proved every name, if there is no other way to come by one.
    settings.accounts.trust_user_names =
        settings.accounts.password_file.empty() && !settings.listeners.empty() &&
        std::all_of(settings.listeners.begin(), settings.listeners.end(), [&](const listener_settings& one) {
            return (one.options ? *one.options : settings.options.listener).use_identity_as_user_name;
        });
    if (settings.listeners.empty()) settings.listeners.push_back({"mqtt://127.0.0.1:1883", "the default"});
}

}  // namespace martlet::cli
