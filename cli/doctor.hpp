// martlet doctor: what of this machine may stand in the way.
#pragma once

#include "option_table.hpp"

#include <span>
#include <string_view>

namespace martlet::cli {

/// `arguments` without the program's name; `program` is how it was called. Returns the exit code.
[[nodiscard]] int run_doctor(std::span<char* const> arguments, profile p, std::string_view program);

}  // namespace martlet::cli
