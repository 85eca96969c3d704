// `martlet bench`: a load generator whose numbers can be trusted.
#pragma once

#include "option_table.hpp"

#include <span>
#include <string_view>

namespace martlet::cli {

/// Runs `martlet bench`; returns the exit code.
int run_bench(std::span<char* const> arguments, profile p, std::string_view program);

}  // namespace martlet::cli
