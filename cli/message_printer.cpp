#include "message_printer.hpp"

#include <cstdlib>
#include <ctime>
#include <utility>
#include <variant>
#include <vector>

namespace martlet::cli {
namespace {

bool compile_format(command_line& in, output_settings& settings) {
    if (!settings.format_text) return true;
    const json_style style = in.profile() == profile::mosquitto ? json_style::mosquitto_2_0 : json_style::mosquitto_2_1;
    auto compiled = message_format::compile(*settings.format_text, {.pretty = settings.pretty, .style = style});
    if (auto* const complaint = std::get_if<std::string>(&compiled)) return in.fail(std::move(*complaint));
    settings.format = std::get<message_format>(std::move(compiled));
    return true;
}

bool read_random_filter(command_line& in, output_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    const std::optional<double> percent = parse_seconds(*text);
    if (!percent || *percent < 0.1 || *percent > 100) {
        return in.fail("--random-filter chance must be between 0.1-100.0\n");
    }
    out.random_filter = *percent;
    return true;
}

}  // namespace

bool read_output_option(const option& row, command_line& in, output_settings& out) {
    switch (row.id) {
        case option_id::verbose: out.verbose = true; return true;
        case option_id::no_end_of_line: out.end_of_line = false; return true;
        case option_id::pretty: out.pretty = true; return true;
        case option_id::json: out.format_text = "%j"; return true;
        case option_id::skip_retained: out.skip_retained = true; return true;
        case option_id::random_filter: read_random_filter(in, out); return true;
        case option_id::format:
            if (const auto text = in.value()) {
                out.format_text = *text;
                compile_format(in, out);  // complain here, where mosquitto does; compiled again when all is known
            }
            return true;
        default: return false;
    }
}

bool finish_output_options(command_line& in, output_settings& settings) { return compile_format(in, settings); }

void message_printer::print(const message& m, std::string& out) const {
    if (!settings_.format) return print_plain(m, out);

    std::timespec now{};
    if (settings_.format->needs_time()) std::timespec_get(&now, TIME_UTC);
    const subscription_identifier_list listed = m.subscription_identifiers();
    std::vector<std::uint32_t> identifiers;
    if (settings_.shows_subscription_identifiers) identifiers.assign(listed.begin(), listed.end());
    const printable_message shown{.topic = m.topic(),
                                  .payload = m.text(),
                                  .qos = m.qos(),
                                  .retain = m.retain(),
                                  .id = m.packet_id(),
                                  .topic_alias = m.topic_alias(),
                                  .subscription_identifiers = identifiers,
                                  .properties = m.properties()};
    switch (settings_.format->print(shown, now, out)) {
        case print_problem::none: break;
        case print_problem::not_json:
            tell_("Error: Message payload is not valid JSON on topic " + std::string(m.topic()) + ".");
            break;
        case print_problem::not_a_float:
            tell_("Error: Message payload is not a float of 4 bytes on topic " + std::string(m.topic()) + ".");
            break;
        case print_problem::not_a_double:
            tell_("Error: Message payload is not a double of 8 bytes on topic " + std::string(m.topic()) + ".");
            break;
    }
    if (settings_.end_of_line) out += '\n';
}

// An empty message: mosquitto prints nothing for it, so that blank lines get lost; the native profile prints a line for
// each message. Both print "topic (null)" with -v.
void message_printer::print_plain(const message& m, std::string& out) const {
    const std::string_view payload = m.text();
    if (settings_.verbose) {
        if (payload.empty() && !settings_.end_of_line) return;
        out.append(m.topic()).append(" ").append(payload.empty() ? "(null)" : payload);
    } else {
        if (payload.empty() && profile_ == profile::mosquitto) return;
        out.append(payload);
    }
    if (settings_.end_of_line) out += '\n';
}

}  // namespace martlet::cli
