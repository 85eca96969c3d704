// One payload from the command line: -m, -f, -s, -n; for pub and rr.
#pragma once

#include "command_line.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace martlet::cli {

enum class payload_mode : std::uint8_t { none, message, file, stdin_line, stdin_file, null_message };

struct payload_settings {
    payload_mode mode = payload_mode::none;
    std::string text;  ///< of -m, or the contents of a file
    std::string file;  ///< name
};

/// The largest payload that fits into a packet.
inline constexpr std::size_t payload_size_max = 268'435'455;

/// Takes `row`, which `in` just returned, if it is one of these options. True if so, also after a failure.
bool read_payload_option(const option& row, command_line& in, payload_settings& out);

/// Reads the file or standard input, if that is meant. A complaint of one or more lines, or nothing.
[[nodiscard]] std::optional<std::string> load_payload(payload_settings& settings);

/// All of a file; nothing after an error, which errno tells (EFBIG: larger than a payload may be).
[[nodiscard]] std::optional<std::string> read_file(const std::string& name);

}  // namespace martlet::cli
