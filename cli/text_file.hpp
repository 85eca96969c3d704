// Writes a whole text file, for pages and scripts.
#pragma once

#include <string>
#include <string_view>

namespace martlet::cli {

/// False after a failure, which has been told.
bool write_text_file(const std::string& name, std::string_view text);

}  // namespace martlet::cli
