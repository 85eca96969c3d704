#include "pub.hpp"

#include "client_runner.hpp"
#include "exit_code.hpp"
#include "help.hpp"
#include "line_publisher.hpp"
#include "packet_log.hpp"
#include "publication.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace martlet::cli {
namespace {

constexpr std::size_t payload_size_max = 268'435'455;

// -- options

bool set_mode(command_line& in, pub_settings& out, pub_mode mode) {
    if (out.mode != pub_mode::none) return in.fail("Only one type of message can be sent at once.\n");
    out.mode = mode;
    return true;
}

bool add_topic(command_line& in, pub_settings& out, std::string_view topic, std::string_view option_name) {
    if (!check_topic_name(in, topic, "publish", option_name)) return false;
    if (in.profile() == profile::mosquitto) out.topics.clear();  // the last one wins
    out.topics.emplace_back(topic);
    return true;
}

bool read_repeat_delay(command_line& in, pub_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    const std::optional<double> seconds = parse_seconds(*text);
    if (!seconds || *seconds > 1e9) return in.fail("--repeat-delay argument must be >=0.0.\n");
    out.repeat_delay = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1'000 + 0.5));
    return true;
}

bool read_pub_option(const option& row, command_line& in, pub_settings& out) {
    switch (row.id) {
        case option_id::topic:
            if (const auto topic = in.value()) add_topic(in, out, *topic, "-t");
            return true;
        case option_id::message:
            if (!set_mode(in, out, pub_mode::message)) return true;
            if (const auto text = in.value()) out.text = *text;
            return true;
        case option_id::file:
            if (!set_mode(in, out, pub_mode::file)) return true;
            if (const auto name = in.value()) out.file = *name;
            return true;
        case option_id::stdin_line: set_mode(in, out, pub_mode::stdin_line); return true;
        case option_id::stdin_file: set_mode(in, out, pub_mode::stdin_file); return true;
        case option_id::null_message: set_mode(in, out, pub_mode::null_message); return true;
        case option_id::qos: read_qos(in, "Invalid QoS given: {}", out.qos); return true;
        case option_id::retain: out.retain = true; return true;
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
    if (!read_connection_option(row, in, out.connection)) return false;
    if (row.id == option_id::url && !in.failed()) add_topic(in, out, out.connection.url_topic, "-L topic");
    return true;
}

// -- payloads from files

/// All that `descriptor` has; nothing after an error (errno), or if it is larger than a payload may be (EFBIG).
std::optional<std::string> read_all(int descriptor) {
    std::string contents;
    struct stat about {};
    if (::fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0) {
        contents.reserve(std::min(static_cast<std::size_t>(about.st_size), payload_size_max) + 1);
    }
    std::size_t size = 0;
    for (;;) {
        if (contents.size() - size < 4'096) contents.resize(std::max(contents.capacity(), size + 64 * 1024));
        const ssize_t n = ::read(descriptor, contents.data() + size, contents.size() - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return std::nullopt;
        if (n == 0) break;
        size += static_cast<std::size_t>(n);
        if (size > payload_size_max) {
            errno = EFBIG;
            return std::nullopt;
        }
    }
    contents.resize(size);
    return contents;
}

bool load_payload(pub_settings& settings) {
    const auto tell = [&](const std::string& line) {
        if (!settings.connection.quiet) complain(line);
        return false;
    };
    if (settings.mode == pub_mode::stdin_file) {
        auto contents = read_all(STDIN_FILENO);
        if (!contents) return tell(std::string("Error: Unable to read standard input: ") + std::strerror(errno) + '.');
        if (contents->empty()) return tell("Error: Zero length input.\nError loading input from stdin.");
        settings.text = std::move(*contents);
    }
    if (settings.mode == pub_mode::file) {
        const int descriptor = ::open(settings.file.c_str(), O_RDONLY | O_CLOEXEC);
        auto contents = descriptor < 0 ? std::nullopt : read_all(descriptor);
        const int error = errno;
        if (descriptor >= 0) ::close(descriptor);
        if (!contents) {
            return tell("Error: Unable to read file \"" + settings.file + "\": " + std::strerror(error) +
                        ".\nError loading input file \"" + settings.file + "\".");
        }
        settings.text = std::move(*contents);
    }
    return true;
}

// -- one message, perhaps repeated

class message_publisher {
public:
    message_publisher(client_runner& runner, const pub_settings& settings, profile p)
        : runner_(runner),
          settings_(settings),
          profile_(p),
          payload_(std::make_shared<const std::string>(settings.text)),
          options_(settings.options()),
          delay_(runner.io()) {}

    /// To every topic; the next repetition begins when all of them are through.
    void publish() {
        ++round_;
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
    std::size_t outstanding_ = 0;
    int exit_code_ = 0;
};

// -- the run

client_options make_client_options(const pub_settings& settings, profile p) {
    client_options options = to_client_options(settings.connection);
    options.reconnect.before_first_connect = false;
    options.reconnect.enabled = settings.mode == pub_mode::stdin_line;
    if (p == profile::mosquitto) {
        options.reconnect.delay_max = options.reconnect.delay_min;
        options.reconnect.jitter = 0;
        if (!options.session_expiry) options.session_expiry = std::chrono::seconds(0);
    }
    if (settings.connection.debug && !(p == profile::native && settings.connection.quiet)) {
        std::FILE* const where = p == profile::mosquitto ? stdout : stderr;
        options.observer = std::make_shared<packet_log>(options.client_id, [where](std::string_view line) {
            std::fprintf(where, "%.*s\n", static_cast<int>(line.size()), line.data());
        });
    }
    return options;
}

int publish(const pub_settings& settings, profile p) {
    client_runner runner(settings.connection, make_client_options(settings, p), p);
    if (settings.timeout) runner.limit_time(*settings.timeout);
    if (settings.mode == pub_mode::stdin_line) {
        line_publisher lines(runner, settings, p);
        lines.start();
        return runner.run();
    }
    message_publisher message(runner, settings, p);
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
    if (!finish_connection_options(in, settings.connection)) return report_usage_error(in, program);

    if (!load_payload(settings)) return exit_failure;
    if (settings.topics.empty() || settings.mode == pub_mode::none) {
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
