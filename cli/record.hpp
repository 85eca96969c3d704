// martlet record: writes what arrives, with its time, into a file.
#pragma once

#include "option_table.hpp"

#include <span>
#include <string_view>

namespace martlet::cli {

/// `arguments` without the program's name; `program` is how it was called. Returns the exit code.
[[nodiscard]] int run_record(std::span<char* const> arguments, profile p, std::string_view program);

}  // namespace martlet::cli
