#include "replay.hpp"

#include "exit_code.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "message_record.hpp"
#include "payload_source.hpp"
#include "terminal.hpp"
#include "tool_client.hpp"
#include "topic_map.hpp"

#include <martlet/topic.hpp>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace martlet::cli {
namespace {

using steady = std::chrono::steady_clock;

struct replay_settings {
    connection_settings connection;
    std::optional<double> speed = 1;  ///< absent: as fast as it goes
    topic_map topics;
    std::optional<std::chrono::milliseconds> timeout;
};

bool read_speed(command_line& in, replay_settings& out) {
    std::optional<std::string_view> text = in.value();
    if (!text) return false;
    const std::string shown(*text);
    if (*text != "max" && text->ends_with('x')) text->remove_suffix(1);  // 2x
    const std::optional<double> factor = parse_seconds(*text);
    if (*text != "max" && (!factor || *factor < 0.001)) {
        return in.fail("Invalid speed '" + shown + "': it takes a factor from 0.001 or 'max'.");
    }
    out.speed = *text == "max" ? std::nullopt : factor;
    return true;
}

bool read_replay_option(const option& row, command_line& in, replay_settings& out) {
    switch (row.id) {
        case option_id::speed: read_speed(in, out); return true;
        case option_id::topic_map:
            if (const auto rule = in.value()) {
                if (const auto complaint = out.topics.add(*rule)) in.fail("Invalid --map: " + *complaint);
            }
            return true;
        case option_id::timeout: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid timeout \"{}\".", limit)) out.timeout = limit;
            return true;
        }
        default: return read_connection_option(row, in, out.connection);
    }
}

/// False: interrupted, or the time is over.
bool wait_until(steady::time_point due, steady::time_point deadline) {
    for (;;) {
        const auto now = steady::now();
        if (was_interrupted() || now >= deadline) return false;
        if (now >= due) return true;
        std::this_thread::sleep_for(std::min<steady::duration>(due - now, std::chrono::milliseconds(50)));
    }
}

int replay(blocking_client& client, std::string_view text, const replay_settings& settings, std::uint64_t& count) {
    progress_bar bar("replaying", text.size(), settings.connection.quiet);
    const auto begin = steady::now();
    const auto deadline = deadline_after(settings.timeout);
    std::uint64_t number = 0;
    int code = exit_ok;
    message_record record;
    std::vector<user_property> pairs;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        at = end + 1;
        ++number;
        if (line.empty()) continue;
        std::string why = parse_record(line, record);
        if (why.empty() && !record.topic) why = "topic: there is none.";
        if (why.empty() && settings.speed && !record.time)
            why = "t: there is no time, which only --speed max can do without.";
        const std::string topic = record.topic ? settings.topics.apply(*record.topic) : std::string();
        if (why.empty() && !is_valid_topic_name(topic))
            why = "topic: --map makes '" + topic + "' of it, which is none.";
        if (!why.empty()) {
            bar.clear();
            complain("Error: Line " + std::to_string(number) + ": " + why);
            code = exit_failure;
            continue;
        }
        const std::chrono::duration<double> since(settings.speed ? std::min(*record.time / *settings.speed, 1e9) : 0);
        if (!wait_until(begin + std::chrono::duration_cast<steady::duration>(since), deadline)) {
            return was_interrupted() ? static_cast<int>(exit_by_second_signal) : static_cast<int>(exit_timed_out);
        }
        publish_options options{.qos = record.qos.value_or(qos::at_most_once), .retain = record.retain.value_or(false)};
        options.properties = record.properties(pairs);
        client.publish(topic, record.payload, options);
        ++count;
        bar.set(at);
    }
    return code;
}

}  // namespace

int run_replay(std::span<char* const> arguments, profile p, std::string_view program) {
    replay_settings settings;
    settings.connection = default_settings(p);
    command_line in(arguments, command::replay, p);
    in.allow_operands();
    const auto done =
        read_options(in, program, [&](const option& row) { return read_replay_option(row, in, settings); });
    if (done) return *done;
    if (!finish_connection_options(in, settings.connection)) return report_usage_error(in, program);
    if (in.operands().size() != 1) {
        in.fail("It takes one file to read; - is standard input.");
        return report_usage_error(in, program);
    }
    const std::string name(in.operands()[0]);
    const auto text = read_file(name);
    if (!text) {
        complain("Error: Unable to read file \"" + name + "\": " + std::strerror(errno) + '.');
        return exit_failure;
    }

    watch_interruption();
    int code = exit_failure;
    const auto client = open_client(settings.connection, true, code);
    if (!client) return code;
    std::uint64_t count = 0;
    try {
        code = replay(*client, *text, settings, count);
    } catch (const boost::system::system_error& e) {
        code = report_operation(e.code(), settings.connection, "Replaying");
    }
    say_goodbye(*client);
    if (!settings.connection.quiet) complain(std::to_string(count) + " messages published.");
    return code;
}

}  // namespace martlet::cli
