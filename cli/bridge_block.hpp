// One bridge of a configuration file: `connection NAME`, and the keys behind it that are about it.
#pragma once

#include <martlet/bridge.hpp>
#include <martlet/client_options.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

/// What a broker is told about a bridge to another one.
struct bridge_settings {
    std::string name;
    std::string where;  ///< "broker.conf:12" or "--bridge": for complaints
    client_options remote;
    std::vector<bridge_rule> rules;
};

/// One without an address yet.
[[nodiscard]] bridge_settings begin_bridge(std::string name, std::string where);

/// True for keys that belong to a bridge, but for `connection` itself.
[[nodiscard]] bool is_bridge_key(std::string_view key) noexcept;

/// Such a key. False with the rule in `why`.
bool read_bridge_key(std::string_view key, std::string_view value, bridge_settings& out, std::string& why);

/// What only shows when all keys are known: false with a line in `why`.
[[nodiscard]] bool check_bridge(const bridge_settings& settings, std::string& why);

}  // namespace martlet::cli
