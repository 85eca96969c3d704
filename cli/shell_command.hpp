// Runs a shell command with a text as its standard input: --exec.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::cli {

struct command_result {
    int status = 0;      ///< exit status; 128 plus the signal that ended it; 127 if it could not be started
    std::string output;  ///< what it printed, if that was asked for
};

using environment_variables = std::vector<std::pair<std::string, std::string>>;

/// Runs `command` by /bin/sh -c and waits for its end. `variables` come on top of our own environment. With `collects`
/// its standard output is in the result, else it is ours.
[[nodiscard]] command_result run_shell_command(const std::string& command, std::string_view input,
                                               const environment_variables& variables, bool collects);

/// The same beside a loop: one command at a time, whose output is ours.
class shell_command {
public:
    explicit shell_command(boost::asio::any_io_executor executor);
    shell_command(const shell_command&) = delete;
    shell_command& operator=(const shell_command&) = delete;
    /// A command that still runs is told to end (SIGTERM); nobody waits for it.
    ~shell_command();

    [[nodiscard]] bool is_running() const noexcept { return done_ != nullptr; }
    /// Calls `done` with the status (see command_result) on the executor, never from within. `input` must live until
    /// then. Not while one is running.
    void run(const std::string& command, std::string_view input, const environment_variables& variables,
             std::function<void(int)> done);

private:
    void write(std::string_view rest);
    void await_end();
    bool reap();
    void finish(int status);

    boost::asio::signal_set children_;
    boost::asio::posix::stream_descriptor input_;
    int child_ = -1;
    std::function<void(int)> done_;
};

}  // namespace martlet::cli
