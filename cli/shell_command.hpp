// Runs a shell command with a text as its standard input: --exec.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::cli {

struct command_result {
    int status = 0;      ///< exit status; 128 plus the signal that ended it; 127 if it could not be started
    std::string output;  ///< what it printed, if that was asked for
};

/// Runs `command` by /bin/sh -c and waits for its end. `variables` come on top of our own environment. With `collects`
/// its standard output is in the result, else it is ours.
[[nodiscard]] command_result run_shell_command(const std::string& command, std::string_view input,
                                               const std::vector<std::pair<std::string, std::string>>& variables,
                                               bool collects);

}  // namespace martlet::cli
