#include "retained.hpp"

#include "exit_code.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "json_text.hpp"
#include "message_record.hpp"
#include "payload_source.hpp"
#include "standard_output.hpp"
#include "terminal.hpp"
#include "tool_client.hpp"

#include <martlet/topic.hpp>

#include <boost/system/system_error.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace martlet::cli {
namespace {

struct retained_settings {
    connection_settings connection;
    std::chrono::milliseconds quiet_for{500};
    bool json = false;
    bool verbose = false;
};

bool read_retained_option(const option& row, command_line& in, retained_settings& out) {
    switch (row.id) {
        case option_id::quiet_for: read_seconds(in, "Invalid time \"{}\" for --quiet-for.", out.quiet_for); return true;
        case option_id::json: out.json = true; return true;
        case option_id::verbose: out.verbose = true; return true;
        default: return read_connection_option(row, in, out.connection);
    }
}

/// Calls `take` for each retained message that matches, until none has come for a while.
void for_each_retained(blocking_client& client, const std::vector<std::string>& filters,
                       const retained_settings& settings, const std::function<bool(const message&)>& take) {
    std::vector<subscription_request> requests;
    for (const std::string& filter : filters)
        requests.push_back({filter, qos::exactly_once});
    auto stream = client.subscribe(requests, {.inbox = {1'000'000, std::size_t{256} << 20}});
    for (std::size_t i = 0; i < filters.size(); ++i) {
        if (is_failure(stream.granted()[i])) {
            complain("Warning: Subscription to '" + filters[i] +
                     "' was denied: " + std::string(to_string(stream.granted()[i])));
        }
    }
    while (const auto m = receive_until(stream, std::chrono::steady_clock::now() + settings.quiet_for)) {
        if (m->retain() && !take(*m)) return;
    }
}

int list(blocking_client& client, const std::vector<std::string>& filters, const retained_settings& settings) {
    for_each_retained(client, filters, settings, [&](const message& m) {
        std::string line;
        if (settings.json) {
            append_record(m, std::nullopt, line);
        } else {
            line = m.topic();
            if (settings.verbose) line.append(" ").append(m.text());
        }
        return print(line + '\n');
    });
    return exit_ok;
}

int get(blocking_client& client, const std::string& topic, const retained_settings& settings) {
    bool found = false;
    for_each_retained(client, {topic}, settings, [&](const message& m) {
        found = true;
        std::string line;
        if (settings.json) append_record(m, std::nullopt, line);
        print(settings.json ? line + '\n' : std::string(m.text()));
        return false;  // there is one only
    });
    if (!found) complain("Nothing is retained at '" + topic + "'.");
    return found ? exit_ok : exit_failure;
}

int clear(blocking_client& client, const std::vector<std::string>& filters, const retained_settings& settings) {
    std::vector<std::string> topics;
    for_each_retained(client, filters, settings, [&](const message& m) {
        topics.emplace_back(m.topic());
        return true;
    });
    progress_bar bar("clearing", topics.size(), settings.connection.quiet);
    std::uint64_t done = 0;
    for (const std::string& topic : topics) {
        if (was_interrupted()) break;
        client.publish(topic, {}, {.qos = qos::at_least_once, .retain = true});
        bar.set(++done);
    }
    bar.clear();
    const std::string text = std::to_string(done) + " retained messages cleared.";
    if (!settings.connection.quiet) complain(text);
    return done == topics.size() ? exit_ok : exit_by_second_signal;
}

int restore(blocking_client& client, const std::string& file, const retained_settings& settings) {
    const auto text = read_file(file);
    if (!text) {
        complain("Error: Unable to read file \"" + file + "\": " + std::strerror(errno) + '.');
        return exit_failure;
    }
    progress_bar bar("restoring", text->size(), settings.connection.quiet);
    int code = exit_ok;
    std::uint64_t number = 0;
    std::uint64_t restored = 0;
    message_record record;
    std::vector<user_property> pairs;
    for (std::size_t at = 0; at < text->size() && !was_interrupted();) {
        const std::size_t end = std::min(text->find('\n', at), text->size());
        const std::string_view line = std::string_view(*text).substr(at, end - at);
        at = end + 1;
        ++number;
        if (line.empty()) continue;
        std::string why = parse_record(line, record);
        if (why.empty() && !record.topic) why = "topic: there is none.";
        if (!why.empty()) {
            bar.clear();
            complain("Error: Line " + std::to_string(number) + ": " + why);
            code = exit_failure;
            continue;
        }
        publish_options options{.qos = record.qos.value_or(qos::at_least_once), .retain = true};
        options.properties = record.properties(pairs);
        client.publish(*record.topic, record.payload, options);
        ++restored;
        bar.set(at);
    }
    bar.clear();
    if (!settings.connection.quiet) complain(std::to_string(restored) + " retained messages restored.");
    return was_interrupted() ? static_cast<int>(exit_by_second_signal) : code;
}

/// The verb's operands: filters, one topic, or a file. False after a failure.
bool check_operands(command_line& in, std::string_view verb, std::vector<std::string>& operands) {
    if (verb == "get" || verb == "restore") {
        if (operands.size() != 1) {
            return in.fail("'" + std::string(verb) + "' takes one " +
                           (verb == "get" ? "topic." : "file; - is standard input."));
        }
        return verb != "get" || check_topic_name(in, operands[0], "retained", "TOPIC");
    }
    if (verb != "ls" && verb != "clear" && verb != "dump") {
        return in.fail("Unknown verb '" + std::string(verb) + "': it takes ls, get, clear, dump or restore.");
    }
    if (operands.empty() && verb == "clear") return in.fail("'clear' takes the filters of what is to be cleared.");
    if (operands.empty()) operands.emplace_back("#");
    for (const std::string& filter : operands) {
        if (!check_topic_filter(in, filter, "subscription", "FILTER")) return false;
    }
    return true;
}

}  // namespace

int run_retained(std::span<char* const> arguments, profile p, std::string_view program) {
    retained_settings settings;
    settings.connection = default_settings(p);
    command_line in(arguments, command::retained, p);
    in.allow_operands();
    const auto done =
        read_options(in, program, [&](const option& row) { return read_retained_option(row, in, settings); });
    if (done) return *done;
    if (!finish_connection_options(in, settings.connection)) return report_usage_error(in, program);
    if (in.operands().empty()) {
        in.fail("There is no verb: it takes ls, get, clear, dump or restore.");
        return report_usage_error(in, program);
    }
    const std::string_view verb = in.operands().front();
    std::vector<std::string> operands(in.operands().begin() + 1, in.operands().end());
    if (!check_operands(in, verb, operands)) return report_usage_error(in, program);

    watch_interruption();
    int code = exit_failure;
    const auto client = open_client(settings.connection, true, code);
    if (!client) return code;
    try {
        if (verb == "dump") settings.json = true;
        if (verb == "ls" || verb == "dump") code = list(*client, operands, settings);
        if (verb == "get") code = get(*client, operands[0], settings);
        if (verb == "clear") code = clear(*client, operands, settings);
        if (verb == "restore") code = restore(*client, operands[0], settings);
    } catch (const boost::system::system_error& e) {
        code = report_operation(e.code(), settings.connection, "retained " + std::string(verb));
    }
    say_goodbye(*client);
    return code;
}

}  // namespace martlet::cli
