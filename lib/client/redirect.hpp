// Server Reference: where a server sends its clients. MQTT 5 §4.11.
#pragma once

#include <martlet/endpoint.hpp>

#include <cstddef>
#include <string_view>
#include <vector>

namespace martlet::detail {

/// More servers than this are not taken from one reference.
inline constexpr std::size_t redirect_targets_max = 8;

/// The servers of a reference, which are separated by spaces: "host", "host:port", "[v6]:port". All else (scheme, path,
/// credentials) is that of `like`. What cannot be understood is left out.
[[nodiscard]] std::vector<endpoint> parse_server_reference(std::string_view reference, const endpoint& like);

}  // namespace martlet::detail
