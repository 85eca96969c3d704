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

bool compile_format(command_line& in, sub_settings& settings) {
    if (!settings.format_text) return true;
    const json_style style = in.profile() == profile::mosquitto ? json_style::mosquitto_2_0 : json_style::mosquitto_2_1;
    auto compiled = message_format::compile(*settings.format_text, {.pretty = settings.pretty, .style = style});
    if (auto* const complaint = std::get_if<std::string>(&compiled)) return in.fail(std::move(*complaint));
    settings.format = std::get<message_format>(std::move(compiled));
    return true;
}

bool read_retain_handling(command_line& in, sub_settings& out) {
    const std::optional<std::string_view> when = in.value();
    if (!when) return false;
    if (*when == "always") {
        out.retain_handling = retain_handling::send;
    } else if (*when == "new") {
        out.retain_handling = retain_handling::send_if_new;
    } else if (*when == "never") {
        out.retain_handling = retain_handling::do_not_send;
    } else {
        return in.fail("Unknown value '" + std::string(*when) + "' for --retain-handling.\n");
    }
    return true;
}

bool read_random_filter(command_line& in, sub_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    const std::optional<double> percent = parse_seconds(*text);
    if (!percent || *percent < 0.1 || *percent > 100)
        return in.fail("--random-filter chance must be between 0.1-100.0\n");
    out.random_filter = *percent;
    return true;
}

}  // namespace

bool read_sub_option(const option& row, command_line& in, sub_settings& out) {
    switch (row.id) {
        case option_id::topic: add_filter(in, "subscription", "-t", out.filters); return true;
        case option_id::unsubscribe: add_filter(in, "unsubscribe", "-U", out.unsubscribe); return true;
        case option_id::filter_out: add_filter(in, "filter", "-T", out.filter_out); return true;
        case option_id::qos: read_qos(in, "Invalid QoS given: {}", out.qos); return true;
        case option_id::no_local: out.no_local = true; return true;
        case option_id::retain_as_published: out.retain_as_published = true; return true;
        case option_id::retain_handling: read_retain_handling(in, out); return true;
        case option_id::skip_retained:
            out.skip_retained = true;
            out.retain_handling = retain_handling::do_not_send;
            return true;
        case option_id::remove_retained: out.remove_retained = true; return true;
        case option_id::random_filter: read_random_filter(in, out); return true;
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
        case option_id::verbose: out.verbose = true; return true;
        case option_id::no_end_of_line: out.end_of_line = false; return true;
        case option_id::pretty: out.pretty = true; return true;
        case option_id::json: out.format_text = "%j"; return true;
        case option_id::format:
            if (const auto text = in.value()) {
                out.format_text = *text;
                compile_format(in, out);  // complain here, where mosquitto does; compiled again when all is known
            }
            return true;
        default: break;
    }
    if (!read_connection_option(row, in, out.connection)) return false;
    if (row.id == option_id::url && !in.failed()) {
        const std::string_view filter = out.connection.url_topic;
        if (check_topic_filter(in, filter, "subscription", "-L topic")) out.filters.emplace_back(filter);
    }
    return true;
}

bool finish_sub_options(command_line& in, sub_settings& settings) {
    if (!finish_connection_options(in, settings.connection)) return false;
    if (settings.filters.empty() && settings.unsubscribe.empty()) {
        return in.fail("You must specify a topic to subscribe to (-t) or unsubscribe from (-U).");
    }
    const bool version_5 = settings.connection.version.value_or(protocol_version::v5) == protocol_version::v5;
    const bool asks_for_5 = settings.no_local || settings.retain_as_published ||
                            (settings.retain_handling != retain_handling::send && !settings.skip_retained);
    if (asks_for_5 && !version_5 && in.profile() == profile::native) {
        return in.fail(
            "--no-local, --retain-as-published and --retain-handling need MQTT 5, but -V asks for an older one.");
    }
    if (settings.skip_retained && settings.retained_only) {
        return in.fail("Combining '-R' and '--retained-only' makes no sense.");
    }
    return compile_format(in, settings);
}

}  // namespace martlet::cli
