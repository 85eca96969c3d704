// SIGINT and SIGTERM for tools that wait in blocking calls: the first one asks them to stop and report, the second one
// ends the process.
#pragma once

namespace martlet::cli {

/// From now on signals are noticed instead of fatal.
void watch_interruption() noexcept;
[[nodiscard]] bool was_interrupted() noexcept;

}  // namespace martlet::cli
