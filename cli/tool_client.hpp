// What the smaller tools share: a client that blocks, opened from the options, and words about why it was not.
#pragma once

#include "connection_options.hpp"

#include <martlet/blocking_client.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli {

/// Connects; null after a failure, which has been told: `exit_code` says what to end with. `reconnects`: after a loss.
[[nodiscard]] std::unique_ptr<blocking_client> open_client(const connection_settings& settings, bool reconnects,
                                                           int& exit_code);

/// Tells what an operation threw; returns the exit code.
int report_operation(const error_code& cause, const connection_settings& settings, std::string_view what);

/// Receives in slices, so that an interruption is noticed: nothing after `timeout`, at an interruption, at the end.
[[nodiscard]] std::optional<message> receive_until(blocking_subscription& from,
                                                   std::chrono::steady_clock::time_point deadline);

/// DISCONNECT; errors do not matter any more.
void say_goodbye(blocking_client& client) noexcept;

/// Now plus `limit`, or far away.
[[nodiscard]] std::chrono::steady_clock::time_point deadline_after(
    const std::optional<std::chrono::milliseconds>& limit) noexcept;

}  // namespace martlet::cli
