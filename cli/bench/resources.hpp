// CPU time and memory of a process, from /proc.
#pragma once

#include "quantities.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace martlet::cli::bench {

/// CPU time that all living threads of a process have used; nothing if it cannot be read.
[[nodiscard]] std::optional<nanoseconds> process_cpu(int pid);
/// Bytes of its memory that are in RAM; nothing if it cannot be read.
[[nodiscard]] std::optional<std::uint64_t> process_memory(int pid);

/// What runs the generator: for reports.
struct machine_info {
    std::string host;
    std::string kernel;
    std::string cpu;
    std::size_t cores = 0;
    double load = 0;  ///< 1-minute load average
};
[[nodiscard]] machine_info this_machine();

/// Lifts the limit of descriptors to the hard one and says how many there may be.
[[nodiscard]] std::uint64_t raise_descriptor_limit();
/// Local ports that connections to one address and port can have.
[[nodiscard]] std::uint64_t local_ports();

}  // namespace martlet::cli::bench
