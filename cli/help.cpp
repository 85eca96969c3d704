#include "help.hpp"

#include "subcommands.hpp"

#include <algorithm>
#include <cstddef>

namespace martlet::cli {
namespace {

constexpr std::size_t column = 28;  // where the help texts begin
constexpr std::size_t line_width = 80;

/// Appends `text` word by word from `column` on; `line` is what stands before it.
void append_wrapped(std::string line, std::string_view text, std::size_t indent, std::string& out) {
    if (line.size() + 2 > indent && !line.empty()) {
        out.append(line) += '\n';
        line.clear();
    }
    line.resize(indent, ' ');
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
        const std::string_view word = text.substr(at, end - at);
        if (line.size() > indent && line.size() + 1 + word.size() > line_width) {
            out.append(line) += '\n';
            line.assign(indent, ' ');
        } else if (line.size() > indent) {
            line += ' ';
        }
        line += word;
        if (end < text.size() && text[end] == '\n') {
            out.append(line) += '\n';
            line.assign(indent, ' ');
        }
        at = end + 1;
    }
    out.append(line) += '\n';
}

// What every command has stands below what only some have, wherever their tables are.
bool closes_help(const option& row) { return row.id == option_id::help || row.id == option_id::version; }

void append_row(const option& row, std::string& out) {
    std::string names = "  ";
    if (!row.short_name.empty()) names += row.short_name;
    if (!row.short_name.empty() && !row.long_name.empty()) names += ", ";
    if (row.short_name.empty()) names += "    ";
    names += row.long_name;
    if (!row.value_name.empty()) names.append(" ").append(row.value_name);

    std::string help(row.available == availability::refused ? "Not supported: " : "");
    append_wrapped(std::move(names), help.append(row.help), column, out);
}

void append_examples(std::string_view examples, std::string_view program, std::string& out) {
    std::size_t width = 0;
    for_each_example(examples,
                     [&](std::string_view words, std::string_view) { width = std::max(width, words.size()); });
    for_each_example(examples, [&](std::string_view words, std::string_view meaning) {
        out.append("  ").append(program).append(" ").append(words);
        if (!meaning.empty()) out.append(width - words.size() + 2, ' ').append("# ").append(meaning);
        out += '\n';
    });
}

}  // namespace

void for_each_example(std::string_view examples,
                      const std::function<void(std::string_view words, std::string_view meaning)>& take) {
    while (!examples.empty()) {
        const std::size_t end = std::min(examples.find('\n'), examples.size());
        const std::string_view line = examples.substr(0, end);
        const std::size_t mark = line.find(" # ");
        take(line.substr(0, mark), mark == std::string_view::npos ? std::string_view() : line.substr(mark + 3));
        examples.remove_prefix(std::min(end + 1, examples.size()));
    }
}

std::string help_text(command c, profile p, std::string_view program) {
    const subcommand& s = subcommand_of(c);
    std::string out;
    out.append("Usage: ").append(program).append(" ").append(s.synopsis).append("\n\nExamples:\n");
    append_examples(s.examples, program, out);
    if (!s.description.empty()) {
        out += '\n';
        append_wrapped("", s.description, 0, out);
    }

    for (int g = 0; g <= static_cast<int>(option_group::diagnostics); ++g) {
        const auto group = static_cast<option_group>(g);
        bool first = true;
        const auto append_rows = [&](bool last) {
            for (const option& row : options()) {
                if (row.group != group || !belongs_to(row, c) || closes_help(row) != last) continue;
                if (row.available == availability::native_only && p == profile::mosquitto) continue;
                if (first) out.append("\n").append(heading(group, c)).append(":\n");
                first = false;
                append_row(row, out);
            }
        };
        append_rows(false);
        append_rows(true);
    }
    return out;
}

std::string overview() {
    std::string out =
        "Usage: martlet COMMAND [options]\n"
        "\n"
        "Examples:\n"
        "  martlet broker -p 1883\n"
        "  martlet sub -t 'pump/#' -v\n"
        "  martlet pub -t pump/7/state -m on -q 1\n"
        "\n"
        "Commands:\n";
    for (const subcommand& s : subcommands()) {
        std::string line = "  " + std::string(s.name);
        line.resize(17, ' ');
        out.append(line).append(s.summary) += '\n';
    }
    out +=
        "\n"
        "martlet COMMAND --help tells more; martlet --version prints the version.\n"
        "The flags of pub, sub and rr are those of mosquitto_pub, mosquitto_sub and mosquitto_rr; called by these "
        "names\n"
        "(through a link, see install-compat) or with --profile mosquitto it behaves like them.\n";
    return out;
}

std::string_view version_text() noexcept { return "martlet " MARTLET_VERSION; }

}  // namespace martlet::cli
