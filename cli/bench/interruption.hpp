// Ctrl-C: the first one ends the run with a report, the second one ends at once.
#pragma once

namespace martlet::cli::bench {

/// From now on SIGINT and SIGTERM are noted.
void watch_interruption();
[[nodiscard]] bool is_interrupted() noexcept;

}  // namespace martlet::cli::bench
