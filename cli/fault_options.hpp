// --fault, --fault-file, --cuts and --seed of the broker and the proxy.
#pragma once

#include "command_line.hpp"

#include <martlet/faults.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace martlet::cli {

struct fault_settings {
    std::vector<std::string> rules;  ///< each has been checked
    std::uint64_t seed = 1;
};

/// Reads the value of a row into `out`. False if the row is none of these.
[[nodiscard]] bool read_fault_option(const option& row, command_line& in, fault_settings& out);

/// The rules, in their order.
[[nodiscard]] std::shared_ptr<faults> make_faults(const fault_settings& settings);

}  // namespace martlet::cli
