// --help, from the option table.
#pragma once

#include "option_table.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace martlet::cli {

/// The usage of a subcommand, with examples first. `program` is how it was called: "martlet pub", "mosquitto_pub".
[[nodiscard]] std::string help_text(command c, profile p, std::string_view program);

/// Calls `take` for each line of subcommand::examples.
void for_each_example(std::string_view examples,
                      const std::function<void(std::string_view words, std::string_view meaning)>& take);

/// What `martlet` alone and `martlet --help` print.
[[nodiscard]] std::string overview();

/// "martlet 0.1.0"
[[nodiscard]] std::string_view version_text() noexcept;

}  // namespace martlet::cli
