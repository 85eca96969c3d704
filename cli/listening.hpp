// How a program that listens says where.
#pragma once

#include <martlet/endpoint.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace martlet::cli {

/// "127.0.0.1:1883", "[::1]:1883", "unix:/path"
[[nodiscard]] std::string listener_text(const endpoint& where);

/// The port of the first that has one; 0 if none has.
[[nodiscard]] std::uint16_t first_port(const std::vector<endpoint>& places) noexcept;

/// On standard output: a line for each place or, as JSON, {"port":N,"listeners":[...],"http_port":N}. 0: no HTTP.
void print_ready(const std::vector<endpoint>& places, std::uint16_t http_port, bool as_json);

/// Whoever waits for the file finds it complete or not at all. False after a failure, which has been told.
[[nodiscard]] bool write_port_file(const std::string& name, std::uint16_t port);

}  // namespace martlet::cli
