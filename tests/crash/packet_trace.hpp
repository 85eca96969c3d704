// The packets of a process that will be killed, one line each in a file that outlives it:
//
//   1764378000123456 4711 sent PUBLISH id=5 qos=2 dup=0 payload=17
//
// Microseconds since 1970, process, direction, packet. trace_lines.hpp reads them.
#pragma once

#include <martlet/client_options.hpp>

#include <memory>
#include <string>

namespace martlet::crash {

/// Appends to `file`. Each line is handed to the system at once, so that kill -9 loses none. Throws std::system_error if
/// the file cannot be opened.
[[nodiscard]] std::shared_ptr<packet_observer> make_packet_trace(const std::string& file);

}  // namespace martlet::crash
