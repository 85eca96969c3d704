// Standard output of the tools that print whole answers (text_output is for streams): what cannot be written is told, and
// a reader that has gone, having seen enough, is no mistake.
#pragma once

#include <string_view>

namespace martlet::cli {

/// Writes and flushes. False: it is of no use to go on, and finish_standard_output() will say why.
bool print(std::string_view text);

/// At the end of main(): `code`, or exit_failure if something that was printed did not get out, which is told.
[[nodiscard]] int finish_standard_output(int code);

}  // namespace martlet::cli
