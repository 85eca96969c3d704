// martlet passwd: changes password files, with mosquitto_passwd's flags.
#pragma once

#include "option_table.hpp"

#include <span>
#include <string_view>

namespace martlet::cli {

[[nodiscard]] int run_passwd(std::span<char* const> arguments, profile p, std::string_view program);

}  // namespace martlet::cli
