// One payload from the command line: -m, -f, -s, -n; for pub and rr.
#pragma once

#include "command_line.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli {

enum class payload_mode : std::uint8_t { none, message, file, stdin_line, stdin_file, null_message };

/// How the payload is written on the command line, in the file or in the lines.
enum class payload_encoding : std::uint8_t { none, hex, base64 };

struct payload_settings {
    payload_mode mode = payload_mode::none;
    std::string text;  ///< of -m, or the contents of a file
    std::string file;  ///< name
    payload_encoding encoding = payload_encoding::none;
};

/// The largest payload that fits into a packet.
inline constexpr std::size_t payload_size_max = 268'435'455;

/// Takes `row`, which `in` just returned, if it is one of these options. True if so, also after a failure.
bool read_payload_option(const option& row, command_line& in, payload_settings& out);

/// Reads the file or standard input, if that is meant. A complaint of one or more lines, or nothing.
[[nodiscard]] std::optional<std::string> load_payload(payload_settings& settings);

/// The bytes that `text` stands for; nothing if it is not so encoded.
[[nodiscard]] std::optional<std::string> decode_payload(std::string_view text, payload_encoding encoding);

/// All of a file; nothing after an error, which errno tells (EFBIG: larger than a payload may be).
[[nodiscard]] std::optional<std::string> read_file(const std::string& name);

}  // namespace martlet::cli
