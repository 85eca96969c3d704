// `martlet bench agent`: waits for a coordinator (`bench run --agents`), and is a part of its generator.
#pragma once

#include <span>

namespace martlet::cli::bench {

/// `arguments` are those after "bench agent". Returns the exit code.
[[nodiscard]] int run_agent(std::span<char* const> arguments);

}  // namespace martlet::cli::bench
