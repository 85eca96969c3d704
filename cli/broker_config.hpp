// A subset of mosquitto.conf: "key value" lines, '#' comments, include_dir. What is not known, or not supported, is
// refused with its line. The same keys can be given as --set KEY=VALUE.
#pragma once

#include "broker_settings.hpp"

#include <span>
#include <string>
#include <string_view>

namespace martlet::cli {

/// Reads a file into `settings`, over what is there. False: `why` is one line with file, line and rule, and `settings`
/// is of no use.
[[nodiscard]] bool read_broker_config(const std::string& path, broker_settings& settings, std::string& why);

/// The same for text that is not in a file; `name` stands for it in complaints.
[[nodiscard]] bool parse_broker_config(std::string_view text, const std::string& name, broker_settings& settings,
                                       std::string& why);

/// One key that does not belong to a listener. False: `why` is a sentence.
[[nodiscard]] bool set_broker_key(std::string_view key, std::string_view value, broker_settings& settings,
                                  std::string& why);

/// Every key, with what it takes; in the order of the documentation.
struct config_key {
    std::string_view name;
    std::string_view value;  ///< "true|false", "COUNT", "BYTES", …
};
[[nodiscard]] std::span<const config_key> broker_config_keys() noexcept;

}  // namespace martlet::cli
