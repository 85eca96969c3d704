// HdrHistogram's V2 encoding and its interval log (.hlog, version 1.3), which its viewers read. The compressed form is a
// zlib stream of stored blocks: valid for every reader, and no dependency on zlib; runs of empty counters are short
// already in the encoding itself.
#pragma once

#include "histogram.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli::bench {

/// Base64 of the compressed V2 encoding ("HISTFAAA…").
[[nodiscard]] std::string encode_histogram(const histogram& of);
/// The reverse, for what encode_histogram() wrote. Nothing if it is anything else.
[[nodiscard]] std::optional<histogram> decode_histogram(std::string_view text);

/// The first lines of a log that starts at `unix_seconds`.
[[nodiscard]] std::string hlog_header(double unix_seconds);
/// One interval's line: `start` and `length` in seconds from the log's start. The greatest value is in milliseconds.
[[nodiscard]] std::string hlog_line(std::string_view tag, double start, double length, const histogram& of);

}  // namespace martlet::cli::bench
