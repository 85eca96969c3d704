#include "rr.hpp"

#include "client_runner.hpp"
#include "client_setup.hpp"
#include "exit_code.hpp"
#include "message_printer.hpp"
#include "payload_source.hpp"
#include "sub_options.hpp"
#include "text_output.hpp"

#include <martlet/client.hpp>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>

namespace martlet::cli {
namespace {

struct rr_settings {
    connection_settings connection;
    payload_settings payload;
    output_settings output;
    std::string topic;
    std::string response_topic;
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain_as_published = false;
    martlet::retain_handling retain_handling = martlet::retain_handling::send;
    std::optional<std::chrono::milliseconds> timeout;
    bool latency = false;
};

bool read_rr_option(const option& row, command_line& in, rr_settings& out) {
    switch (row.id) {
        case option_id::topic:
            if (const auto topic = in.value(); topic && check_topic_name(in, *topic, "publish", "-t"))
                out.topic = *topic;
            return true;
        case option_id::response_topic:
            if (const auto topic = in.value(); topic && check_topic_name(in, *topic, "response", "-e")) {
                out.response_topic = *topic;
            }
            return true;
        case option_id::qos: read_qos(in, "Invalid QoS given: {}", out.qos); return true;
        case option_id::retain_as_published: out.retain_as_published = true; return true;
        case option_id::retain_handling: read_retain_handling(in, out.retain_handling); return true;
        case option_id::latency: out.latency = true; return true;
        case option_id::timeout: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid timeout \"{}\".\n", limit)) out.timeout = limit;
            return true;
        }
        default: break;
    }
    if (read_payload_option(row, in, out.payload)) return true;
    if (read_output_option(row, in, out.output)) {
        if (row.id == option_id::skip_retained) out.retain_handling = retain_handling::do_not_send;
        return true;
    }
    if (!read_connection_option(row, in, out.connection)) return false;
    const bool has_topic = in.profile() == profile::mosquitto || !out.connection.url_topic.empty();
    if (row.id == option_id::url && !in.failed() && has_topic &&
        check_topic_name(in, out.connection.url_topic, "publish", "-L topic")) {
        out.topic = out.connection.url_topic;
    }
    return true;
}

bool finish_rr_options(command_line& in, rr_settings& settings) {
    if (!finish_connection_options(in, settings.connection)) return false;
    if (!finish_output_options(in, settings.output)) return false;
    if (settings.connection.properties.publish.response_topic && !settings.response_topic.empty()) {
        return in.profile() == profile::mosquitto
                   ? in.fail_without_usage("Error in PUBLISH properties: Duplicate response topic.")
                   : in.fail("The response topic is given twice: by -e and by -D publish response-topic.");
    }
    settings.output.shows_subscription_identifiers = settings.connection.properties.subscription_identifier != 0;
    return true;
}

/// "Latency: 1.234 ms"
std::string latency_text(std::chrono::nanoseconds time) {
    const auto in_nanoseconds = static_cast<double>(time.count());
    char text[64] = {};
    if (in_nanoseconds < 1e3) {
        std::snprintf(text, sizeof(text), "Latency: %.0f ns", in_nanoseconds);
    } else if (in_nanoseconds < 1e6) {
        std::snprintf(text, sizeof(text), "Latency: %.3f µs", in_nanoseconds / 1e3);
    } else {
        std::snprintf(text, sizeof(text), "Latency: %.3f ms", in_nanoseconds / 1e6);
    }
    return text;
}

/// Subscribes, asks, prints the first response.
class requester {
public:
    requester(client_runner& runner, text_output& output, const rr_settings& settings, profile p)
        : runner_(runner),
          output_(output),
          settings_(settings),
          profile_(p),
          printer_(settings.output, p, [&runner](std::string_view line) { runner.tell(line); }) {}

    void start() {
        const subscription_request request{settings_.response_topic, settings_.qos, false,
                                           settings_.retain_as_published, settings_.retain_handling};
        subscribe_options options;
        options.user_properties = settings_.connection.properties.subscribe_user_properties;
        options.subscription_identifier = settings_.connection.properties.subscription_identifier;
        runner_.client().async_subscribe(
            std::span<const subscription_request>(&request, 1), options,
            [this](const error_code& error, subscription stream) { subscribed(error, std::move(stream)); });
    }

private:
    void subscribed(const error_code& error, subscription stream) {
        if (runner_.is_finishing() || error == errc::not_running) return;  // the run's own end says why
        if (error) {
            const bool denied = error.category() == reason_category();
            const bool theirs = profile_ == profile::mosquitto && runner_.version() == protocol_version::v5;
            const std::string refusal = theirs ? describe(error) : "All subscription requests were denied.";
            runner_.tell(denied ? refusal : "Error: " + describe(error));
            runner_.finish(!denied ? exit_failure : profile_ == profile::mosquitto ? exit_ok : error.value());
            return;
        }
        stream_ = std::move(stream);
        receive();
        ask();
    }

    void ask() {
        publish_options options{.qos = settings_.qos};
        options.properties = settings_.connection.properties.publish;
        options.properties.user_properties = settings_.connection.properties.publish_user_properties;
        options.properties.response_topic = settings_.response_topic;
        asked_at_ = std::chrono::steady_clock::now();
        runner_.client().async_publish(settings_.topic, payload(settings_.payload.text), options,
                                       [this](const error_code& failed, publish_result) {
                                           if (!failed || runner_.is_finishing() || failed == errc::not_running) return;
                                           const failure f = publish_failure(failed);
                                           runner_.tell("Warning: Publish failed: " + f.text + ".");
                                           if (profile_ == profile::native) runner_.finish(f.exit_code);
                                       });
    }

    void receive() {
        stream_.async_receive([this](const error_code& error, const message& m) {
            if (error || runner_.is_finishing()) return;
            if (m.retain() && settings_.output.skip_retained) return receive();
            printer_.print(m, output_.text());
            if (settings_.latency) output_.text() += latency_text(std::chrono::steady_clock::now() - asked_at_) + '\n';
            auto written = output_.flush();
            for (; written == text_output::result::would_block; written = output_.flush())
                output_.wait_writable();
            if (written == text_output::result::failed && output_.error() != EPIPE) {
                runner_.tell(std::string("Error: Cannot write standard output: ") + std::strerror(output_.error()));
                return runner_.finish(profile_ == profile::mosquitto ? exit_ok : exit_failure);
            }
            stream_.acknowledge(m);
            runner_.finish(exit_ok);
        });
    }

    client_runner& runner_;
    text_output& output_;
    const rr_settings& settings_;
    profile profile_;
    message_printer printer_;
    subscription stream_;
    std::chrono::steady_clock::time_point asked_at_;
};

}  // namespace

int run_rr(std::span<char* const> arguments, profile p, std::string_view program) {
    rr_settings settings;
    settings.connection = default_settings(p);
    if (p == profile::mosquitto) settings.connection.version = protocol_version::v5;
    command_line in(arguments, command::rr, p);
    const auto done = read_options(in, program, [&](const option& row) { return read_rr_option(row, in, settings); });
    if (done) return *done;
    if (!finish_rr_options(in, settings)) return report_usage_error(in, program);
    if (const auto complaint = load_payload(settings.payload)) {
        if (!settings.connection.quiet) complain(*complaint);
        return exit_failure;
    }
    if (settings.topic.empty() || settings.response_topic.empty() || settings.payload.mode == payload_mode::none) {
        in.fail("All of topic, message, and response topic must be supplied.");
        return report_usage_error(in, program);
    }

    text_output output(STDOUT_FILENO);
    const auto debug_line = [&output, p](std::string_view line) {
        if (p == profile::mosquitto && line.starts_with("Subscribed ")) return;  // mosquitto_rr does not tell
        output.text().append(line) += '\n';
        static_cast<void>(output.flush());
    };
    client_runner runner(settings.connection, make_tool_client(settings.connection, p, true, debug_line), p);
    if (settings.timeout) runner.limit_time(*settings.timeout, {.reason = reason_code::disconnect_with_will});
    requester request(runner, output, settings, p);
    runner.leave_on_signal();
    request.start();
    const int code = runner.run();
    static_cast<void>(output.flush());
    return code;
}

}  // namespace martlet::cli
