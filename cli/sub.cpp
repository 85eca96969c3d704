#include "sub.hpp"

#include "client_runner.hpp"
#include "client_setup.hpp"
#include "sub_options.hpp"
#include "subscriber.hpp"
#include "text_output.hpp"

#include <algorithm>
#include <memory>
#include <unistd.h>

namespace martlet::cli {
namespace {

client_options make_client_options(const sub_settings& settings, text_output& output, profile p) {
    client_options options =
        make_tool_client(settings.connection, p, true, [&output](std::string_view line) {  // between the messages
            output.text().append(line) += '\n';
            static_cast<void>(output.flush());
        });
    if (settings.count && *settings.count < options.receive_maximum) {  // no more than will be printed
        options.receive_maximum = static_cast<std::uint16_t>(*settings.count);
    }
    if (settings.connection.keep_session) options.unclaimed = {65'535, 64u * 1024 * 1024};
    return options;
}

int receive(const sub_settings& settings, profile p) {
    text_output output(STDOUT_FILENO);
    client_runner runner(settings.connection, make_client_options(settings, output, p), p);
    if (settings.timeout) runner.limit_time(*settings.timeout, {.reason = reason_code::disconnect_with_will});
    subscriber sub(runner, output, settings, p);
    sub.start();
    const int code = runner.run();
    static_cast<void>(output.flush());  // lines of -d
    return code;
}

}  // namespace

int run_sub(std::span<char* const> arguments, profile p, std::string_view program) {
    sub_settings settings;
    settings.connection = default_settings(p);
    command_line in(arguments, command::sub, p);
    const auto done = read_options(in, program, [&](const option& row) { return read_sub_option(row, in, settings); });
    if (done) return *done;
    if (!finish_sub_options(in, settings)) return report_usage_error(in, program);
    return receive(settings, p);
}

}  // namespace martlet::cli
