// The command lines of the differential test and the reviewed differences, as they stand in the two tables.
//
// cases.tsv, four columns separated by tabs; '-' is an empty one:
//   name     command          standard input   setup
//   command  "pub …", "sub …" or "rr …" in the shell's quoting: '…' as it stands, "…" with \n \t \0 \xHH and the like
//   setup    directives separated by ';', each in the same quoting:
//     bare                    -h and -p of the test's broker are not put in front
//     config TEXT             the tool's configuration file
//     file NAME TEXT          a file, {F}/NAME in the command
//     keep TOPIC TEXT [k=v…]  a retained message that is there before; also qos= ct= rt= cd= up=k:v exp= pf=
//     send TOPIC TEXT [k=v…]  a message that is sent when the tool has subscribed
//     signal NAME             TERM or INT, sent when a line with "hi" has come out
//     digits                  runs of digits are not compared
//     units                   nor is a unit of time behind them
//     lines                   the order of the lines of standard output is not compared
//   {T} is a topic level of the case's own, {F} its folder, {P} the broker's port.
//
// differences.tsv: case, what (out, err, status, sent), ours (~ in front: contained), the reason.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace martlet::test::differential {

using words = std::vector<std::string>;

struct test_case {
    std::string name;
    words command;
    std::string input;
    std::vector<words> setup;
};

struct difference {
    std::string name;
    std::string what;
    std::string ours;
    bool is_part = false;  ///< `ours` is contained in what we said
    std::string reason;

    /// Mosquitto leaves it to chance, and may say the same as we: the reason begins with "by chance: ".
    [[nodiscard]] bool is_by_chance() const { return reason.starts_with("by chance: "); }
};

/// Splits by the shell's rules, as said above. Throws std::runtime_error.
[[nodiscard]] words split_words(std::string_view text);
/// \n \t \r \0 \e \\ \xHH.
[[nodiscard]] std::string unescaped(std::string_view text);
[[nodiscard]] std::string escaped(std::string_view text);

[[nodiscard]] std::vector<test_case> read_cases(const std::string& path);
[[nodiscard]] std::vector<difference> read_differences(const std::string& path);

}  // namespace martlet::test::differential
