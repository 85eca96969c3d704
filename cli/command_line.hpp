// Walks over argv, token by token. Mosquitto's rules hold in both profiles: an option is one exact token, its value is
// the next token whatever it looks like, options are processed from left to right. The native profile also takes
// --option=value and --.
#pragma once

#include "option_table.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

class command_line {
public:
    /// `arguments` without the program's name. They stay the caller's and must outlive this object.
    command_line(std::span<char* const> arguments, command c, profile p) noexcept
        : rest_(arguments), command_(c), profile_(p) {}

    /// Words that come before `arguments`: each line is one option with its value, from a file or the environment.
    void put_before(std::vector<std::vector<std::string>> lines);
    /// From now on words that are no options and not wanted as values are operands, not mistakes (native profile).
    void allow_operands() noexcept { takes_operands_ = true; }
    [[nodiscard]] const std::vector<std::string_view>& operands() const noexcept { return operands_; }

    /// The next option; null at the end and after a failure. A row that is not built yet is a failure.
    [[nodiscard]] const option* next();

    /// The value of the present option: the next token. Nothing, and a failure, if there is none.
    [[nodiscard]] std::optional<std::string_view> value();
    /// The same; the token is overwritten in argv, so that nobody sees it in the list of processes.
    [[nodiscard]] std::optional<std::string> secret();
    /// The value as a whole number; a failure if it is outside of [low, high]: `complaint`, with the value in place of {}.
    /// Mosquitto's profile reads the digits at its beginning, as atoi does; the native one wants nothing else there.
    [[nodiscard]] std::optional<std::int64_t> number(std::int64_t low, std::int64_t high, std::string_view complaint);
    /// The tokens that are left, for options with several values; `skip` drops the first n.
    [[nodiscard]] std::span<char* const> rest() const noexcept { return rest_; }
    void skip(std::size_t n) noexcept { rest_ = rest_.subspan(n); }

    /// Remembers the first complaint, a sentence without "Error: ". Returns false.
    bool fail(std::string text);
    [[nodiscard]] bool failed() const noexcept { return !error_.empty(); }
    /// The same for what mosquitto says without "Use … --help": `text` is all that is printed.
    bool fail_without_usage(std::string text);
    [[nodiscard]] bool has_usage() const noexcept { return has_usage_; }
    /// One line, in mosquitto's profile followed by its blank lines.
    [[nodiscard]] const std::string& error() const noexcept { return error_; }

    [[nodiscard]] cli::command command() const noexcept { return command_; }
    [[nodiscard]] cli::profile profile() const noexcept { return profile_; }

private:
    void fail_unknown(std::string_view token);
    bool next_line();

    std::span<char* const> rest_;
    cli::command command_;
    cli::profile profile_;
    const option* present_ = nullptr;
    std::optional<std::string_view> attached_;  // what followed '=' in --option=value
    std::string error_;
    bool has_usage_ = true;

    std::deque<std::vector<std::string>> kept_;  // the words of lines_: options keep views of them
    std::deque<std::vector<char*>> lines_;       // still to come, the arguments last
    std::vector<char*> line_;                    // what rest_ is a part of, if it is a line
    std::span<char* const> arguments_;
    bool in_arguments_ = true;
    bool takes_operands_ = false;
    std::vector<std::string_view> operands_;
};

/// Reads all options. `take` gets each of them but --help and --version, which are answered here, and says whether it
/// knows it. Nothing: go on; else the exit code, and all has been said. `program` is how the tool was called.
[[nodiscard]] std::optional<int> read_options(command_line& in, std::string_view program,
                                              const std::function<bool(const option&)>& take);

/// Says on standard error what `in` complains about; returns the exit code.
int report_usage_error(const command_line& in, std::string_view program);

/// A whole number in decimal, nothing before or after it.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;
/// A number of seconds, fractions allowed: "0.5", "10". Nothing if it is negative or anything else.
[[nodiscard]] std::optional<double> parse_seconds(std::string_view text) noexcept;

}  // namespace martlet::cli
