#include "man.hpp"

#include "command_line.hpp"
#include "exit_code.hpp"
#include "help.hpp"
#include "standard_output.hpp"
#include "subcommands.hpp"
#include "text_file.hpp"

#include <string>

namespace martlet::cli {
namespace {

/// Text for troff: no escapes, no requests, minus signs that can be copied.
std::string roff(std::string_view text) {
    std::string out;
    bool at_start = true;
    for (const char c : text) {
        if (at_start && (c == '.' || c == '\'')) out += "\\&";
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else if (c == '\'') {
            out += "\\(aq";
        } else if (c == '`') {
            out += "\\(ga";
        } else if (c == '^') {
            out += "\\(ha";
        } else if (c == '~') {
            out += "\\(ti";
        } else {
            out += c;
        }
        at_start = c == '\n';
    }
    return out;
}

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return out;
}

std::string heading_of(const std::string& name) {
    return ".TH " + upper(roff(name)) + " 1 \"\" \"" + std::string(version_text()) + "\" \"Martlet\"\n";
}

std::string names_of(const option& row) {
    std::string out;
    for (const std::string_view name : {row.short_name, row.long_name}) {
        if (name.empty()) continue;
        if (!out.empty()) out += ", ";
        out += "\\fB" + roff(name) + "\\fR";
    }
    if (!row.value_name.empty()) out += " \\fI" + roff(row.value_name) + "\\fR";
    return out;
}

void append_help(std::string_view help, std::string& out) {
    for (std::size_t at = 0; at <= help.size();) {
        const std::size_t end = std::min(help.find('\n', at), help.size());
        if (at > 0) out += ".br\n";
        out += roff(help.substr(at, end - at)) + '\n';
        at = end + 1;
    }
}

std::string page_of(const subcommand& s) {
    const std::string name = "martlet-" + std::string(s.name);
    const std::string program = "martlet " + std::string(s.name);
    std::string out = heading_of(name);
    out += ".SH NAME\n" + roff(name) + " \\- " + roff(s.summary) + '\n';
    out += ".SH SYNOPSIS\n.B " + roff(program) + '\n' + roff(s.synopsis) + '\n';
    out += ".SH EXAMPLES\n";
    for_each_example(s.examples, [&](std::string_view words, std::string_view meaning) {
        out +=
            ".TP\n\\fB" + roff(program) + ' ' + roff(words) + "\\fR\n" + roff(meaning.empty() ? " " : meaning) + '\n';
    });
    if (!s.description.empty()) out += ".SH DESCRIPTION\n" + roff(s.description) + '\n';
    out += ".SH OPTIONS\n";
    for (int g = 0; g <= static_cast<int>(option_group::diagnostics); ++g) {
        const auto group = static_cast<option_group>(g);
        bool first = true;
        for (const option& row : options()) {
            if (row.group != group || !belongs_to(row, s.id)) continue;
            if (first) out += ".SS " + roff(heading(group, s.id)) + '\n';
            first = false;
            out += ".TP\n" + names_of(row) + '\n';
            append_help(row.help, out);
        }
    }
    out +=
        ".SH EXIT STATUS\n.TP\n0\nall went well\n.TP\n1\nwrong usage, a file that cannot be read, no connection\n"
        ".TP\n7\nthe connection was lost\n.TP\n27\nthe time was over\n.TP\n128 and more\n"
        "the reason code of MQTT 5 with which the broker refused\n";
    return out + ".SH SEE ALSO\n.BR martlet (1)\n";
}

std::string main_page() {
    std::string out = heading_of("martlet");
    out +=
        ".SH NAME\nmartlet \\- MQTT from the shell\n.SH SYNOPSIS\n.B martlet\n\\fICOMMAND\\fR [options]\n.SH "
        "COMMANDS\n";
    for (const subcommand& s : subcommands())
        out += ".TP\n.BR martlet\\-" + roff(s.name) + " (1)\n" + roff(s.summary) + '\n';
    out +=
        ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/martlet/config\nthe user's options, one a line: an option, a blank and "
        "its value; lines that begin with # are comments. A section [sub] is for that command only, a section "
        "[profile NAME] for those who ask for it with \\-\\-profile NAME\n.TP\n.I ./.martlet\nthe same for a project; "
        "it must be one's own\n";
    out +=
        ".SH ENVIRONMENT\n.TP\n.BR MARTLET_HOST \", \" MARTLET_PORT \", \" MARTLET_URL \", \" MARTLET_USERNAME "
        "\", \" MARTLET_PASSWORD_FILE \", \" MARTLET_PROFILE\nlike the options of these names; options have the "
        "last word\n.TP\n.B NO_COLOR\nif it is set there are no colours\n";
    return out;
}

}  // namespace

int run_man(std::span<char* const> arguments, profile p, std::string_view program) {
    std::string folder;
    command_line in(arguments, command::man, p);
    in.allow_operands();
    const auto done = read_options(in, program, [&](const option& row) {
        if (row.id != option_id::directory) return false;
        if (const auto name = in.value()) folder = *name;
        return true;
    });
    if (done) return *done;
    if (!folder.empty()) {
        bool good = write_text_file(folder + "/martlet.1", main_page());
        for (const subcommand& s : subcommands())
            good = good && write_text_file(folder + "/martlet-" + std::string(s.name) + ".1", page_of(s));
        return good ? exit_ok : exit_failure;
    }
    if (in.operands().size() > 1) in.fail("It takes the name of one command.");
    const subcommand* const found = in.operands().empty() ? nullptr : find_subcommand(in.operands()[0]);
    if (!in.operands().empty() && found == nullptr) in.fail("Unknown command '" + std::string(in.operands()[0]) + "'.");
    if (in.failed()) return report_usage_error(in, program);
    const std::string page = found != nullptr ? page_of(*found) : main_page();
    print(page);
    return exit_ok;
}

}  // namespace martlet::cli
