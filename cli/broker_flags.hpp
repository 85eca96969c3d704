// The flags of `martlet broker`.
#pragma once

#include "broker_settings.hpp"
#include "command_line.hpp"

namespace martlet::cli {

/// Reads the value of a row into `out`. False if the row is none of the broker's.
bool read_broker_option(const option& row, command_line& in, broker_settings& out);

}  // namespace martlet::cli
