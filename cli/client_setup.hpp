// How a tool's client is set up beyond what the options say: when it reconnects, and -d.
#pragma once

#include "connection_options.hpp"

#include <martlet/client_options.hpp>

#include <functional>
#include <string_view>

namespace martlet::cli {

/// The client of a tool. `reconnects`: after an open connection was lost; the first one is tried once. `debug_line` gets
/// the lines of -d in mosquitto's profile, whose place is among the output; null: straight to standard output. The
/// native profile has them on standard error.
[[nodiscard]] client_options make_tool_client(const connection_settings& settings, profile p, bool reconnects,
                                              std::function<void(std::string_view)> debug_line = nullptr);

}  // namespace martlet::cli
