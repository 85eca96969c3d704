// Options from files and from the environment, read before those of argv, so that these have the last word.
//
//   mosquitto's profile: $XDG_CONFIG_HOME/mosquitto_pub (_sub, _rr), else the same in $HOME/.config
//   native: $XDG_CONFIG_HOME/martlet/config, then ./.martlet, then MARTLET_HOST, _PORT, _URL, _USERNAME,
//           _PASSWORD_FILE and MARTLET_PROFILE, the name that --profile gives
//   both: -o FILE stands for the files
//
// A line is an option, a blank and its value, which is the rest of the line as it is; '#' begins a comment. Native files
// may have sections: [sub] is for that subcommand, [profile NAME] for --profile NAME; what stands before is for all.
#pragma once

#include "command_line.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

/// One or two words: the option, its value.
using option_line = std::vector<std::string>;

/// Splits the text of a file; `wanted` says which sections count ("" is what stands before the first one). Nothing is
/// left of blank lines and comments.
[[nodiscard]] std::vector<option_line> parse_options_file(std::string_view text, std::span<const std::string> wanted,
                                                          profile p);

/// All lines for this subcommand and these arguments. A complaint, a sentence, if -o cannot be read or stands twice.
[[nodiscard]] std::vector<option_line> collect_option_lines(std::span<char* const> arguments, command c, profile p,
                                                            std::string& complaint);

}  // namespace martlet::cli
