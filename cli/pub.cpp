#include "pub.hpp"

#include "client_runner.hpp"
#include "client_setup.hpp"
#include "exit_code.hpp"
#include "help.hpp"
#include "line_publisher.hpp"
#include "pacing.hpp"
#include "publication.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

namespace martlet::cli {
namespace {

// -- options

bool add_topic(command_line& in, pub_settings& out, std::string_view topic, std::string_view option_name) {
    if (!check_topic_name(in, topic, "publish", option_name)) return false;
    if (in.profile() == profile::mosquitto) out.topics.clear();  // the last one wins
    out.topics.emplace_back(topic);
    return true;
}

bool read_repeat_delay(command_line& in, pub_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    // Mosquitto takes what begins with a number, and a word for 0.
    const bool lenient = in.profile() == profile::mosquitto;
    const std::optional<double> seconds = lenient ? std::atof(std::string(*text).c_str()) : parse_seconds(*text);
    if (!seconds || *seconds < 0 || *seconds > 1e9) return in.fail("--repeat-delay argument must be >=0.0.\n");
    out.repeat_delay = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1'000 + 0.5));
    return true;
}

bool read_line_format(command_line& in, pub_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    if (*text == "line") {
        out.format = line_format::line;
    } else if (*text == "tsv") {
        out.format = line_format::tsv;
    } else if (*text == "jsonl") {
        out.format = line_format::jsonl;
    } else {
        return in.fail("Unknown value '" + std::string(*text) + "' for --stdin-format: it takes line, tsv or jsonl.");
    }
    return true;
}

bool read_rate(command_line& in, pub_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    const std::optional<double> rate = parse_seconds(*text);
    if (!rate || *rate < 0.0001 || *rate > 1e9) {
        return in.fail("Invalid rate \"" + std::string(*text) +
                       "\": it takes messages a second, 0.0001 to 1000000000.");
    }
    out.rate = *rate;
    return true;
}

bool finish_pub_options(command_line& in, pub_settings& settings) {
    if (!finish_connection_options(in, settings.connection)) return false;
    const bool lines = settings.payload.mode == payload_mode::stdin_line;
    if (settings.format != line_format::line && !lines) return in.fail("--stdin-format is about lines, which need -l.");
    if (settings.fills_template && lines) return in.fail("--template fills -m, -f or -s, not the lines of -l.");
    return true;
}

bool read_pub_option(const option& row, command_line& in, pub_settings& out) {
    switch (row.id) {
        case option_id::topic:
            if (const auto topic = in.value()) add_topic(in, out, *topic, "-t");
            return true;
        case option_id::qos: read_qos(in, "Invalid QoS given: {}", out.qos); return true;
        case option_id::retain: out.retain = true; return true;
        case option_id::stdin_format: read_line_format(in, out); return true;
        case option_id::rate: read_rate(in, out); return true;
        case option_id::fill_template: out.fills_template = true; return true;
        case option_id::repeat:
            if (const auto n = in.number(1, INT64_MAX, "--repeat argument must be >0.\n")) out.repeat = *n;
            return true;
        case option_id::repeat_delay: read_repeat_delay(in, out); return true;
        case option_id::timeout: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid timeout \"{}\".\n", limit)) out.timeout = limit;
            return true;
        }
        default: break;
    }
    if (read_payload_option(row, in, out.payload)) return true;
    if (!read_connection_option(row, in, out.connection)) return false;
    const bool has_topic = in.profile() == profile::mosquitto || !out.connection.url_topic.empty();
    if (row.id == option_id::url && !in.failed() && has_topic) add_topic(in, out, out.connection.url_topic, "-L topic");
    return true;
}

// -- one message, perhaps repeated

class message_publisher {
public:
    message_publisher(client_runner& runner, const pub_settings& settings, profile p)
        : runner_(runner),
          settings_(settings),
          profile_(p),
          payload_(std::make_shared<const std::string>(settings.payload.text)),
          options_(settings.options()),
          delay_(runner.io()) {
        if (settings.rate) pace_.emplace(*settings.rate);
    }

    /// What is not through yet is given up.
    void interrupt() {
        const std::int64_t through = outstanding_ == 0 ? round_ : round_ - 1;
        runner_.tell("Interrupted: " + std::to_string(through) + " of " + std::to_string(settings_.repeat) +
                     (settings_.repeat == 1 ? " message" : " messages") + " published.");
        runner_.finish(exit_by_second_signal, {.reason = reason_code::disconnect_with_will});
    }

    /// To every topic; the next repetition begins when all of them are through.
    void publish() {
        ++round_;
        if (pace_) pace_->sent(pacing::clock::now());
        if (settings_.filled) {
            payload_ = std::make_shared<const std::string>(settings_.filled->fill(static_cast<std::uint64_t>(round_)));
        }
        for (const std::string& topic : settings_.topics) {
            ++outstanding_;
            runner_.client().async_publish(topic, payload(payload_), options_,
                                           [this](const error_code& error, publish_result) { published(error); });
        }
    }

private:
    void published(const error_code& error) {
        if (runner_.is_finishing() || error == errc::not_running) return;  // the run's own end says why
        if (error) {
            const failure f = publish_failure(error);
            runner_.tell("Warning: Publish " + std::to_string(round_) + " failed: " + f.text + ".");
            if (exit_code_ == 0 && profile_ == profile::native) exit_code_ = f.exit_code;
        }
        if (--outstanding_ > 0) return;
        if (round_ >= settings_.repeat) {
            runner_.finish(exit_code_, {.drain = true});
        } else if (pace_) {
            delay_.expires_at(pace_->due(pacing::clock::now()));
            delay_.async_wait([this](const error_code& cancelled) {
                if (!cancelled) publish();
            });
        } else if (settings_.repeat_delay.count() == 0) {
            publish();
        } else {
            delay_.expires_after(settings_.repeat_delay);
            delay_.async_wait([this](const error_code& cancelled) {
                if (!cancelled) publish();
            });
        }
    }

    client_runner& runner_;
    const pub_settings& settings_;
    profile profile_;
    std::shared_ptr<const std::string> payload_;
    publish_options options_;
    boost::asio::steady_timer delay_;
    std::int64_t round_ = 0;
    std::optional<pacing> pace_;
    std::size_t outstanding_ = 0;
    int exit_code_ = 0;
};

// -- the run

int publish(const pub_settings& settings, profile p) {
    const bool lines = settings.payload.mode == payload_mode::stdin_line;
    client_runner runner(settings.connection, make_tool_client(settings.connection, p, lines), p);
    if (p == profile::mosquitto) runner.explain_refusals();
    if (settings.timeout) runner.limit_time(*settings.timeout);
    if (lines) {
        line_publisher publisher(runner, settings, p);
        if (p == profile::native) runner.stop_on_signal([&publisher] { publisher.interrupt(); });
        publisher.start();
        return runner.run();
    }
    message_publisher message(runner, settings, p);
    if (p == profile::native) runner.stop_on_signal([&message] { message.interrupt(); });
    message.publish();
    return runner.run();
}

}  // namespace

int run_pub(std::span<char* const> arguments, profile p, std::string_view program) {
    pub_settings settings;
    settings.connection = default_settings(p);
    command_line in(arguments, command::pub, p);
    const auto done = read_options(in, program, [&](const option& row) { return read_pub_option(row, in, settings); });
    if (done) return *done;
    if (!finish_pub_options(in, settings)) return report_usage_error(in, program);

    if (const auto complaint = load_payload(settings.payload)) {
        if (!settings.connection.quiet) complain(*complaint);
        return exit_failure;
    }
    if (settings.fills_template) {
        auto made = payload_template::compile(settings.payload.text);
        if (const auto* const complaint = std::get_if<std::string>(&made)) {
            in.fail(*complaint);
            return report_usage_error(in, program);
        }
        settings.filled = std::make_shared<payload_template>(std::get<payload_template>(std::move(made)));
    }
    const bool topics_in_lines = settings.format != line_format::line;
    if ((settings.topics.empty() && !topics_in_lines) || settings.payload.mode == payload_mode::none) {
        if (p == profile::native) {
            in.fail("Both topic and message must be supplied.");
            return report_usage_error(in, program);
        }
        complain("Error: Both topic and message must be supplied.");
        const std::string text = help_text(command::pub, p, program);
        std::fwrite(text.data(), 1, text.size(), stdout);
        return exit_failure;
    }
    return publish(settings, p);
}

}  // namespace martlet::cli
