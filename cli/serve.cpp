#include "serve.hpp"

#include "exit_code.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "payload_text.hpp"
#include "shell_command.hpp"
#include "tool_client.hpp"

#include <martlet/topic.hpp>

#include <boost/system/system_error.hpp>

#include <string>
#include <vector>

namespace martlet::cli {
namespace {

struct serve_settings {
    connection_settings connection;
    std::vector<std::string> filters;
    martlet::qos qos = martlet::qos::at_least_once;
    std::optional<std::string> reply;
    std::string command;
    std::optional<std::uint64_t> count;
    std::optional<std::chrono::milliseconds> timeout;
};

bool read_serve_option(const option& row, command_line& in, serve_settings& out) {
    switch (row.id) {
        case option_id::topic:
            if (const auto filter = in.value(); filter && check_topic_filter(in, *filter, "subscription", "-t")) {
                out.filters.emplace_back(*filter);
            }
            return true;
        case option_id::qos: read_qos(in, "Invalid QoS given: {}", out.qos); return true;
        case option_id::reply:
            if (const auto text = in.value()) {
                std::string complaint;
                out.reply = decode_value(*text, complaint);
                if (!out.reply) in.fail(complaint);
            }
            return true;
        case option_id::execute:
            if (const auto text = in.value()) out.command = *text;
            return true;
        case option_id::count:
            if (const auto n = in.number(1, INT64_MAX, "Invalid count \"{}\"."))
                out.count = static_cast<std::uint64_t>(*n);
            return true;
        case option_id::timeout: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid timeout \"{}\".", limit)) out.timeout = limit;
            return true;
        }
        default: return read_connection_option(row, in, out.connection);
    }
}

std::string response_to(const message& request, const serve_settings& settings) {
    if (settings.reply) return *settings.reply;
    if (settings.command.empty()) return std::string(request.text());
    command_result r =
        run_shell_command(settings.command, request.text(), {{"MQTT_TOPIC", std::string(request.topic())}}, true);
    if (r.status != 0) complain("Warning: The command of --exec ended with " + std::to_string(r.status) + ".");
    return std::move(r.output);
}

void serve(blocking_client& client, const serve_settings& settings) {
    std::vector<subscription_request> requests;
    for (const std::string& filter : settings.filters)
        requests.push_back({filter, settings.qos});
    auto stream = client.subscribe(requests);
    if (!settings.connection.quiet) complain("Serving.");
    const auto deadline = deadline_after(settings.timeout);
    std::uint64_t count = 0;
    while (const auto request = receive_until(stream, deadline)) {
        const auto properties = request->properties();
        if (!properties.response_topic || !is_valid_topic_name(*properties.response_topic)) {
            complain("Warning: A message on '" + std::string(request->topic()) +
                     "' has no response topic, so there is nobody to answer.");
            continue;
        }
        publish_options options{.qos = request->qos()};
        options.properties.correlation_data = properties.correlation_data;
        client.publish(*properties.response_topic, response_to(*request, settings), options);
        stream.acknowledge(*request);
        if (++count == settings.count) return;
    }
}

}  // namespace

int run_serve(std::span<char* const> arguments, profile p, std::string_view program) {
    serve_settings settings;
    settings.connection = default_settings(p);
    settings.connection.version = protocol_version::v5;  // response topics came with it
    command_line in(arguments, command::serve, p);
    const auto done =
        read_options(in, program, [&](const option& row) { return read_serve_option(row, in, settings); });
    if (done) return *done;
    if (!finish_connection_options(in, settings.connection)) return report_usage_error(in, program);
    if (settings.filters.empty()) in.fail("There is no topic to serve: it takes -t FILTER.");
    if (settings.reply && !settings.command.empty()) in.fail("Only one of --reply and --exec may be used at once.");
    if (in.failed()) return report_usage_error(in, program);

    watch_interruption();
    int code = exit_failure;
    const auto client = open_client(settings.connection, true, code);
    if (!client) return code;
    code = exit_ok;
    try {
        serve(*client, settings);
    } catch (const boost::system::system_error& e) {
        code = report_operation(e.code(), settings.connection, "Serving");
    }
    say_goodbye(*client);
    return code;
}

}  // namespace martlet::cli
