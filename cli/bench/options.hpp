// The command line of `martlet bench run` and its relatives: a table of its own for the load, and the connection options
// of every tool.
#pragma once

#include "settings.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli::bench {

/// What was asked for, or what is wrong with it.
struct parsed_options {
    run_settings settings;
    std::string failure;  ///< a sentence; empty: all is well
    bool wants_help = false;
};

/// `arguments` are those after "bench run".
[[nodiscard]] parsed_options parse_run_options(std::span<char* const> arguments);

/// Reads a flow's fields by their option names ("size", "rate" …): the scenario file and the command line share it.
/// Returns what is wrong, or an empty string.
[[nodiscard]] std::string set_flow_field(flow_settings& flow, std::string_view name, std::string_view value);

inline constexpr std::size_t threads_max = 256;  ///< --threads

/// The row of an option that all tools have, about connections and security; null if `token` is none.
[[nodiscard]] const option* find_connection_option(std::string_view token);
/// Reads such options. Returns what is wrong, or an empty string.
[[nodiscard]] std::string read_connection(std::vector<std::string> words, connection_settings& settings);
/// Reads "127.0.0.2-9,127.0.1.1". Returns what is wrong, or an empty string.
[[nodiscard]] std::string read_sources(std::string_view text, std::vector<std::string>& addresses);
/// Reads "mqtt://a,mqtt://b". Returns what is wrong, or an empty string.
[[nodiscard]] std::string read_urls(std::string_view text, std::vector<std::string>& urls);

/// The usage of `bench run`.
[[nodiscard]] std::string run_help();

}  // namespace martlet::cli::bench
