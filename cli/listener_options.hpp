// TLS and WebSocket of the broker's listeners, from the command line: the same for all of them.
#pragma once

#include "broker_settings.hpp"
#include "command_line.hpp"

#include <string>

namespace martlet::cli {

/// Takes `row`, which `in` just returned, if it is one of these options. True if so, also after a failure.
bool read_listener_option(const option& row, command_line& in, broker_settings& out);

/// What only shows when all options are known: false with a sentence in `why`.
[[nodiscard]] bool check_listener_options(const broker_settings& settings, std::string& why);

/// Takes the certificates that an earlier start has left in the folder of --tls-auto, or makes them if there are none or
/// they have expired; `told` says which, and is empty without the option. What is there and of no use stays: false with a
/// sentence in `why`.
[[nodiscard]] bool provide_certificates(broker_settings& settings, std::string& told, std::string& why);

}  // namespace martlet::cli
