// What went wrong, as a line for people and an exit code for scripts.
#pragma once

#include "option_table.hpp"

#include <martlet/error.hpp>
#include <martlet/types.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli {

struct failure {
    std::string text;  ///< a whole line without its end: "Error: Connection refused"
    int exit_code = 0;
};

/// No connection came about. `version` is the one of the refused CONNECT; `destination` and `detail` (what the network
/// or the server added) appear in the native profile, and there that no user name was given if that may be the reason.
[[nodiscard]] failure connect_failure(const error_code& cause, std::optional<protocol_version> version,
                                      std::string_view destination, std::string_view detail, profile p,
                                      bool has_user_name = true);

/// An open connection ended.
[[nodiscard]] failure connection_loss(const error_code& cause, std::string_view detail, profile p);

/// A message could not be published.
[[nodiscard]] failure publish_failure(const error_code& cause);

/// What CONNACK said in the version's own numbers: 0 to 5 before MQTT 5.
[[nodiscard]] int connack_code(reason_code reason, protocol_version version) noexcept;

/// "Not authorized": the peer's or the system's words, without a full stop.
[[nodiscard]] std::string describe(const error_code& cause);

/// Writes a line to standard error.
void complain(std::string_view line);

}  // namespace martlet::cli
