#include "record.hpp"

#include "exit_code.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "message_record.hpp"
#include "tool_client.hpp"

#include <boost/system/system_error.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace martlet::cli {
namespace {

struct record_settings {
    connection_settings connection;
    std::vector<std::string> filters;
    martlet::qos qos = martlet::qos::exactly_once;
    std::optional<std::uint64_t> count;
    std::optional<std::chrono::milliseconds> timeout;
};

bool read_record_option(const option& row, command_line& in, record_settings& out) {
    switch (row.id) {
        case option_id::topic:
            if (const auto filter = in.value(); filter && check_topic_filter(in, *filter, "subscription", "-t")) {
                out.filters.emplace_back(*filter);
            }
            return true;
        case option_id::qos: read_qos(in, "Invalid QoS given: {}", out.qos); return true;
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

/// A line is on its way to the disk before the next message is asked for, which acknowledges this one.
int record(blocking_client& client, std::FILE* file, const record_settings& settings, std::uint64_t& count) {
    std::vector<subscription_request> requests;
    for (const std::string& filter : settings.filters)
        requests.push_back({filter, settings.qos});
    auto stream = client.subscribe(requests);
    if (!settings.connection.quiet) complain("Recording.");
    const auto begin = std::chrono::steady_clock::now();
    const auto deadline = deadline_after(settings.timeout);
    std::string line;
    while (const auto m = receive_until(stream, deadline)) {
        line.clear();
        append_record(*m, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), line);
        line += '\n';
        if (std::fwrite(line.data(), 1, line.size(), file) != line.size() || std::fflush(file) != 0) {
            complain(std::string("Error: Cannot write the recording: ") + std::strerror(errno) + '.');
            return exit_failure;
        }
        stream.acknowledge(*m);
        if (++count == settings.count) break;
    }
    return exit_ok;
}

}  // namespace

int run_record(std::span<char* const> arguments, profile p, std::string_view program) {
    record_settings settings;
    settings.connection = default_settings(p);
    command_line in(arguments, command::record, p);
    in.allow_operands();
    const auto done =
        read_options(in, program, [&](const option& row) { return read_record_option(row, in, settings); });
    if (done) return *done;
    if (!finish_connection_options(in, settings.connection)) return report_usage_error(in, program);
    if (in.operands().size() != 1) {
        in.fail("It takes one file to write; - is standard output.");
        return report_usage_error(in, program);
    }
    if (settings.filters.empty()) settings.filters.emplace_back("#");

    watch_interruption();
    int code = exit_failure;
    const auto client = open_client(settings.connection, true, code);
    if (!client) return code;
    const std::string name(in.operands()[0]);
    const auto close = [](std::FILE* f) {
        if (f != stdout) std::fclose(f);
    };
    const std::unique_ptr<std::FILE, decltype(close)> file(name == "-" ? stdout : std::fopen(name.c_str(), "wb"),
                                                           close);
    if (!file) {
        complain("Error: Unable to write file \"" + name + "\": " + std::strerror(errno) + '.');
        return exit_failure;
    }
    std::uint64_t count = 0;
    try {
        code = record(*client, file.get(), settings, count);
    } catch (const boost::system::system_error& e) {
        code = report_operation(e.code(), settings.connection, "Recording");
    }
    say_goodbye(*client);
    if (!settings.connection.quiet) complain(std::to_string(count) + " messages recorded.");
    return code;
}

}  // namespace martlet::cli
