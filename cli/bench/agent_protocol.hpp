// What coordinator and agents say to each other, over MQTT: JSON on topics below martlet/bench/GROUP.
//
//   agent/NAME              retained: there is such an agent, and whether it is free; its will removes it
//   to/NAME                 a command: {"id", "coordinator", "do": "plan" | "clock" | "prepare" | "load" | "go" | "collect" |
//                           "stop" | "leave", ...}
//   from/COORDINATOR/NAME   the answer: {"id", "arrived", "left", ...}, with "failure" if there is one; while a step takes
//                           its time also {"id", "ready", "all"}
//   gone/COORDINATOR        the coordinator's will: its agents are free again
//
// Every answer has the times of the agent's clock at which the command came and the answer left (clock_offset.hpp).
#pragma once

#include "plan.hpp"
#include "settings.hpp"
#include "tally.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli::bench {

inline constexpr int agent_protocol_version = 1;

[[nodiscard]] std::string agent_topic(std::string_view group, std::string_view name);
[[nodiscard]] std::string command_topic(std::string_view group, std::string_view name);
[[nodiscard]] std::string answer_topic(std::string_view group, std::string_view coordinator, std::string_view name);
[[nodiscard]] std::string gone_topic(std::string_view group, std::string_view coordinator);
/// Names of agents and groups are one level of a topic. Empty, or what is wrong with it.
[[nodiscard]] std::string complaint_about_name(std::string_view name);
/// The last level.
[[nodiscard]] std::string_view name_of_topic(std::string_view topic) noexcept;

/// What an agent needs of settings and plan: everything but output, and files of the coordinator's machine.
[[nodiscard]] boost::json::object encode_plan(const run_settings& settings, const run_plan& plan);
/// The reverse. Returns what is wrong, or an empty string.
[[nodiscard]] std::string decode_plan(const boost::json::object& from, run_settings& settings, run_plan& plan);

/// Exact: histograms go counter by counter.
[[nodiscard]] boost::json::object encode_tally(const tally& counts);
/// Nothing if it is none.
[[nodiscard]] std::optional<tally> decode_tally(const boost::json::object& from);

/// The object that a message has; nothing if it is none.
[[nodiscard]] std::optional<boost::json::object> parse_object(std::string_view text);
/// A field; the default if it is not there or of another type.
[[nodiscard]] std::int64_t integer_of(const boost::json::object& from, std::string_view key,
                                      std::int64_t otherwise = 0);
[[nodiscard]] std::string text_of(const boost::json::object& from, std::string_view key);

}  // namespace martlet::cli::bench
