#include "top.hpp"

#include "exit_code.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "standard_output.hpp"
#include "sys_dashboard.hpp"
#include "terminal.hpp"
#include "tool_client.hpp"

#include <boost/system/system_error.hpp>

#include <cstdio>
#include <string>
#include <unistd.h>

namespace martlet::cli {
namespace {

using steady = std::chrono::steady_clock;

struct top_settings {
    connection_settings connection;
    std::chrono::milliseconds interval{1'000};
    std::optional<std::chrono::milliseconds> timeout;
    bool json = false;
};

bool read_top_option(const option& row, command_line& in, top_settings& out) {
    switch (row.id) {
        case option_id::interval: read_seconds(in, "Invalid interval \"{}\".", out.interval); return true;
        case option_id::timeout: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid timeout \"{}\".", limit)) out.timeout = limit;
            return true;
        }
        case option_id::json: out.json = true; return true;
        default: return read_connection_option(row, in, out.connection);
    }
}

/// On a terminal the table is drawn at each interval until it is stopped; elsewhere once, when the values are there.
int watch(blocking_client& client, const top_settings& settings) {
    const std::string where = destination(settings.connection);
    auto stream = client.subscribe("$SYS/#", {.qos = qos::at_most_once});
    const bool draws = is_terminal(STDOUT_FILENO) && !settings.json;
    const auto deadline = deadline_after(settings.timeout);
    sys_dashboard values;
    screen s;
    for (;;) {
        const auto due = std::min(steady::now() + settings.interval, deadline);
        while (const auto m = receive_until(stream, due))
            values.update(m->topic(), m->text());
        const terminal_size size = size_of_terminal(STDOUT_FILENO);
        if (draws && !print(s.frame(values.render(where, size), size))) return exit_ok;
        const bool over = was_interrupted() || steady::now() >= deadline;
        if (!draws && (over || !values.empty())) {
            if (values.empty()) {
                complain("Error: " + where + " publishes nothing on $SYS/#.");
                return exit_failure;
            }
            print(settings.json ? values.json(where) + '\n' : values.render(where, {120, 1'000}));
            return exit_ok;
        }
        if (over) return exit_ok;
    }
}

}  // namespace

int run_top(std::span<char* const> arguments, profile p, std::string_view program) {
    top_settings settings;
    settings.connection = default_settings(p);
    command_line in(arguments, command::top, p);
    const auto done = read_options(in, program, [&](const option& row) { return read_top_option(row, in, settings); });
    if (done) return *done;
    if (!finish_connection_options(in, settings.connection)) return report_usage_error(in, program);
    if (!is_terminal(STDOUT_FILENO) && !settings.timeout) settings.timeout = std::chrono::seconds(15);

    watch_interruption();
    int code = exit_failure;
    const auto client = open_client(settings.connection, true, code);
    if (!client) return code;
    try {
        code = watch(*client, settings);
    } catch (const boost::system::system_error& e) {
        code = report_operation(e.code(), settings.connection, "Subscribing to $SYS/#");
    }
    say_goodbye(*client);
    return code;
}

}  // namespace martlet::cli
