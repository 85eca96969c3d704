// The subcommands of martlet: what dispatches, helps, completes and makes man pages reads this one table.
#pragma once

#include "option_table.hpp"

#include <span>
#include <string_view>

namespace martlet::cli {

struct subcommand {
    command id;
    std::string_view name;
    std::string_view summary;   ///< a sentence without its full stop, for the overview
    std::string_view synopsis;  ///< follows the name
    /// Lines "arguments<blanks># what it does"; each follows the name.
    std::string_view examples;
    /// What a page says beyond the options, in paragraphs; may be empty.
    std::string_view description;
    /// `arguments` without names; `program` is how the tool was called, for messages. Returns the exit code.
    /// Null: a program beside this library (bench, msgsps), which main.cpp starts.
    int (*run)(std::span<char* const> arguments, profile p, std::string_view program);
    /// Words that are no options, as the synopsis calls them: "FILE"; empty: there are none.
    std::string_view operands = {};
    /// Words that completion offers for them, with blanks between; names of files come on top for "FILE" and "DIR".
    std::string_view operand_words = {};
};

/// In the order of the overview.
[[nodiscard]] std::span<const subcommand> subcommands() noexcept;
[[nodiscard]] const subcommand* find_subcommand(std::string_view name) noexcept;
[[nodiscard]] const subcommand& subcommand_of(command c) noexcept;
/// The name that was probably meant, or nothing.
[[nodiscard]] std::string_view nearest_subcommand(std::string_view name);
/// True for pub, sub and rr.
[[nodiscard]] constexpr bool has_mosquitto_profile(command c) noexcept {
    return c == command::pub || c == command::sub || c == command::rr;
}

}  // namespace martlet::cli
