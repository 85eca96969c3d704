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

/// Makes and writes the certificates of --tls-auto, if it was given. False with a sentence in `why`.
[[nodiscard]] bool make_certificates(broker_settings& settings, std::string& why);

}  // namespace martlet::cli
