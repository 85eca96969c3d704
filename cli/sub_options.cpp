#include "sub_options.hpp"

#include <cstdlib>
#include <string_view>
#include <utility>
#include <variant>

namespace martlet::cli {
namespace {

bool add_filter(command_line& in, std::string_view kind, std::string_view option_name, std::vector<std::string>& out) {
    const std::optional<std::string_view> filter = in.value();
    if (!filter || !check_topic_filter(in, *filter, kind, option_name)) return false;
    out.emplace_back(*filter);
    return true;
}

/// The native profile's "filter:1": this QoS instead of that of -q.
bool add_subscription(command_line& in, sub_settings& out) {
    std::optional<std::string_view> text = in.value();
    if (!text) return false;
    std::optional<qos> own;
    const std::size_t size = text->size();
    const bool has_level = size > 2 && (*text)[size - 2] == ':' && (*text)[size - 1] >= '0' && (*text)[size - 1] <= '2';
    if (in.profile() == profile::native && has_level) {
        own = static_cast<qos>((*text)[size - 1] - '0');
        text->remove_suffix(2);
    }
    if (!check_topic_filter(in, *text, "subscription", "-t")) return false;
    out.filters.emplace_back(*text);
    out.filter_qos.push_back(own);
    return true;
}

bool read_share(command_line& in, sub_settings& out) {
    const std::optional<std::string_view> group = in.value();
    if (!group) return false;
    if (group->empty() || group->find_first_of("/+#") != std::string_view::npos) {
        return in.fail("Invalid group '" + std::string(*group) + "' for --share: it must not be empty or have / + #.");
    }
    out.share = *group;
    return true;
}

/// One way to show messages at a time.
bool check_output(command_line& in, const sub_settings& settings) {
    const int ways = (settings.save_dir.empty() ? 0 : 1) + (settings.command.empty() ? 0 : 1) +
                     (settings.watch ? 1 : 0) + (settings.message_rate ? 1 : 0);
    return ways <= 1 || in.fail("Only one of --save-dir, --exec, --watch and --message-rate may be used at once.");
}

}  // namespace

bool read_retain_handling(command_line& in, martlet::retain_handling& out) {
    const std::optional<std::string_view> when = in.value();
    if (!when) return false;
    if (*when == "always") {
        out = retain_handling::send;
    } else if (*when == "new") {
        out = retain_handling::send_if_new;
    } else if (*when == "never") {
        out = retain_handling::do_not_send;
    } else {
        return in.fail("Unknown value '" + std::string(*when) + "' for --retain-handling.\n");
    }
    return true;
}

bool read_sub_option(const option& row, command_line& in, sub_settings& out) {
    switch (row.id) {
        case option_id::topic: add_subscription(in, out); return true;
        case option_id::share: read_share(in, out); return true;
        case option_id::until:
            if (const auto text = in.value()) {
                out.until = *text;
                if (text->empty()) in.fail("--until takes a text that is not empty.");
            }
            return true;
        case option_id::quiet_for: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid time \"{}\" for --quiet-for.", limit)) out.quiet_for = limit;
            return true;
        }
        case option_id::save_dir:
            if (const auto name = in.value()) out.save_dir = *name;
            return true;
        case option_id::execute:
            if (const auto text = in.value()) out.command = *text;
            return true;
        case option_id::watch: out.watch = true; return true;
        case option_id::message_rate: out.message_rate = true; return true;
        case option_id::unsubscribe: add_filter(in, "unsubscribe", "-U", out.unsubscribe); return true;
        case option_id::filter_out: add_filter(in, "filter", "-T", out.filter_out); return true;
        case option_id::qos: read_qos(in, "Invalid QoS given: {}", out.qos); return true;
        case option_id::no_local: out.no_local = true; return true;
        case option_id::retain_as_published: out.retain_as_published = true; return true;
        case option_id::retain_handling: read_retain_handling(in, out.retain_handling); return true;
        case option_id::remove_retained: out.remove_retained = true; return true;
        case option_id::count:
            if (const auto n = in.number(1, INT64_MAX, "Invalid message count \"{}\".\n")) {
                out.count = static_cast<std::uint64_t>(*n);
            }
            return true;
        case option_id::timeout: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid timeout \"{}\".\n", limit)) out.timeout = limit;
            return true;
        }
        case option_id::exit_after_subscribe: out.exit_after_subscribe = true; return true;
        case option_id::retained_only: out.retained_only = true; return true;
        default: break;
    }
    if (read_output_option(row, in, out.output)) {
        if (row.id == option_id::skip_retained) out.retain_handling = retain_handling::do_not_send;
        return true;
    }
    if (!read_connection_option(row, in, out.connection)) return false;
    if (row.id == option_id::url && !in.failed()) {
        const std::string_view filter = out.connection.url_topic;
        if (filter.empty() && in.profile() == profile::native) return true;
        if (check_topic_filter(in, filter, "subscription", "-L topic")) {
            out.filters.emplace_back(filter);
            out.filter_qos.emplace_back();
        }
    }
    return true;
}

bool finish_sub_options(command_line& in, sub_settings& settings) {
    if (!finish_connection_options(in, settings.connection)) return false;
    if (!check_output(in, settings)) return false;
    if (!settings.share.empty()) {
        for (std::string& filter : settings.filters)
            filter.insert(0, "$share/" + settings.share + '/');
    }
    if (settings.filters.empty() && settings.unsubscribe.empty()) {
        return in.fail("You must specify a topic to subscribe to (-t) or unsubscribe from (-U).");
    }
    const bool version_5 = settings.connection.version.value_or(protocol_version::v5) == protocol_version::v5;
    const bool asks_for_5 = settings.no_local || settings.retain_as_published ||
                            (settings.retain_handling != retain_handling::send && !settings.output.skip_retained);
    if (asks_for_5 && !version_5 && in.profile() == profile::native) {
        return in.fail(
            "--no-local, --retain-as-published and --retain-handling need MQTT 5, but -V asks for an older one.");
    }
    if (settings.output.skip_retained && settings.retained_only) {
        const std::string text = "Error: Combining '-R' and '--retained-only' makes no sense.";
        return in.profile() == profile::mosquitto ? in.fail_without_usage('\n' + text) : in.fail(text.substr(7));
    }
    settings.output.shows_subscription_identifiers = settings.connection.properties.subscription_identifier != 0;
    return finish_output_options(in, settings.output);
}

}  // namespace martlet::cli
