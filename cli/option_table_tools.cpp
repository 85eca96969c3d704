// The options of the smaller tools.
#include "option_table.hpp"

namespace martlet::cli {

std::span<const option> tool_options_table() noexcept { return {}; }

}  // namespace martlet::cli
