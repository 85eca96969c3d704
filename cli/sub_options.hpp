// The options of sub.
#pragma once

#include "connection_options.hpp"
#include "message_printer.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace martlet::cli {

struct sub_settings {
    connection_settings connection;
    std::vector<std::string> filters;                     ///< with $share/group/ if that is asked for
    std::vector<std::optional<martlet::qos>> filter_qos;  ///< by filter: of "filter:1"; else that of -q
    std::string share;
    std::vector<std::string> unsubscribe;
    std::vector<std::string> filter_out;
    martlet::qos qos = martlet::qos::at_most_once;
    bool no_local = false;
    bool retain_as_published = false;
    martlet::retain_handling retain_handling = martlet::retain_handling::send;
    bool remove_retained = false;

    std::optional<std::uint64_t> count;  ///< -C
    std::optional<std::chrono::milliseconds> timeout;
    bool exit_after_subscribe = false;
    bool retained_only = false;
    std::string until;  ///< empty: off
    std::optional<std::chrono::milliseconds> quiet_for;
    std::string save_dir;  ///< empty: off
    std::string command;   ///< of --exec; empty: off
    bool watch = false;
    bool message_rate = false;

    output_settings output;
};

/// The value of --retain-handling, of sub and rr: always, new or never.
bool read_retain_handling(command_line& in, martlet::retain_handling& out);

/// Takes `row`, which `in` just returned, if it is an option of sub.
bool read_sub_option(const option& row, command_line& in, sub_settings& out);

/// What only shows when all options are known. False after a failure.
bool finish_sub_options(command_line& in, sub_settings& settings);

}  // namespace martlet::cli
