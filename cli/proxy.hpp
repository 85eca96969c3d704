// martlet proxy: faults between any clients and any broker.
#pragma once

#include "option_table.hpp"

#include <span>
#include <string_view>

namespace martlet::cli {

/// `arguments` without the names of program and subcommand. Returns the exit code.
int run_proxy(std::span<char* const> arguments, profile p, std::string_view program);

}  // namespace martlet::cli
