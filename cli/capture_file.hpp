// TCP streams out of a capture file in the classic pcap format: Ethernet, loopback, Linux cooked and raw IP; IPv4 and
// IPv6 without fragments. https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace martlet::cli {

/// Some bytes of one direction of a connection, in the order of the stream.
struct captured_bytes {
    double time = 0;   ///< Unix seconds
    std::string from;  ///< "192.0.2.1:50000"
    std::string to;
    std::string_view bytes;
    bool is_start = false;  ///< the connection begins here (SYN): whatever was before belongs to another one
    bool has_gap = false;   ///< bytes before these were not captured
};

/// True if the text begins like a pcap file.
[[nodiscard]] bool is_capture(std::string_view file) noexcept;

/// Calls `take` for each piece. A complaint, or an empty string.
[[nodiscard]] std::string read_capture(std::string_view file, const std::function<void(const captured_bytes&)>& take);

}  // namespace martlet::cli
