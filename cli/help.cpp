#include "help.hpp"

#include <algorithm>
#include <cstddef>

namespace martlet::cli {
namespace {

constexpr std::size_t column = 28;  // where the help texts begin
constexpr std::size_t line_width = 100;

struct usage {
    std::string_view synopsis;  ///< each line follows the program's name
    std::string_view summary;
    std::string_view examples;
};

usage usage_of(command c) {
    switch (c) {
        case command::pub:
            return {"-t TOPIC {-m TEXT | -f FILE | -l | -s | -n} [options]", "Publishes messages.",
                    " -t pump/7/state -m on -q 1 -r         a retained message, surely delivered\n"
                    " -t log -l -q 1 < file.txt             each line of a file\n"
                    " -L mqtt://joe:secret@host/a/topic -n  an empty message\n"};
        case command::sub:
            return {"-t FILTER [-t FILTER ...] [options]",
                    "Subscribes and prints what it receives, a line for each message.",
                    " -t 'pump/+/state' -v                  topics and payloads, until it is stopped\n"
                    " -t news -C 1 -W 10                    one message, or exit code 27 after 10 seconds\n"
                    " -t '#' -F '@H:@M:@S %t %q %p'         a format of one's own\n"};
        case command::broker:
            return {"[-p PORT] [options]", "Runs an MQTT broker. Without options it listens on 127.0.0.1:1883.",
                    "                                       for this machine only, nothing is kept\n"
                    " -p 0                                  any free port; it is printed\n"
                    " --listen unix:/run/user/1000/mqtt     a Unix socket\n"};
    }
    return {};
}

void append_row(const option& row, std::string& out) {
    std::string names = "  ";
    if (!row.short_name.empty()) names += row.short_name;
    if (!row.short_name.empty() && !row.long_name.empty()) names += ", ";
    if (row.short_name.empty()) names += "    ";
    names += row.long_name;
    if (!row.value_name.empty()) names.append(" ").append(row.value_name);

    std::string help(row.help);
    if (row.available == availability::not_yet) help += " (Not supported yet.)";

    std::string line = std::move(names);
    if (line.size() + 2 > column) {
        out.append(line) += '\n';
        line.clear();
    }
    line.resize(column, ' ');
    for (std::size_t at = 0; at < help.size();) {  // word by word
        const std::size_t end = std::min(help.find_first_of(" \n", at), help.size());
        const std::string_view word = std::string_view(help).substr(at, end - at);
        if (line.size() > column && line.size() + 1 + word.size() > line_width) {
            out.append(line) += '\n';
            line.assign(column, ' ');
        } else if (line.size() > column) {
            line += ' ';
        }
        line += word;
        if (end < help.size() && help[end] == '\n') {
            out.append(line) += '\n';
            line.assign(column, ' ');
        }
        at = end + 1;
    }
    out.append(line) += '\n';
}

}  // namespace

std::string help_text(command c, profile p, std::string_view program) {
    const usage u = usage_of(c);
    std::string out;
    out.append("Usage: ").append(program).append(" ").append(u.synopsis).append("\n\n").append(u.summary);
    out.append("\n\nExamples:\n");
    for (std::string_view rest = u.examples; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        out.append("  ").append(program).append(rest.substr(0, end + 1));
        rest.remove_prefix(end + 1);
    }

    for (int g = 0; g <= static_cast<int>(option_group::diagnostics); ++g) {
        const auto group = static_cast<option_group>(g);
        bool first = true;
        for (const option& row : options()) {
            if (row.group != group || !belongs_to(row, c)) continue;
            if (row.available == availability::native_only && p == profile::mosquitto) continue;
            if (first) out.append("\n").append(heading(group, c)).append(":\n");
            first = false;
            append_row(row, out);
        }
    }
    return out;
}

std::string overview() {
    return "Usage: martlet COMMAND [options]\n"
           "\n"
           "MQTT from the shell.\n"
           "\n"
           "Commands:\n"
           "  pub       publish messages\n"
           "  sub       subscribe and print what arrives\n"
           "  broker    run a broker\n"
           "\n"
           "Examples:\n"
           "  martlet broker -p 1883\n"
           "  martlet sub -t 'pump/#' -v\n"
           "  martlet pub -t pump/7/state -m on -q 1\n"
           "\n"
           "martlet COMMAND --help tells more; martlet --version prints the version.\n"
           "The flags of pub and sub are those of mosquitto_pub and mosquitto_sub; called by these names (through a\n"
           "link) it behaves like them.\n";
}

std::string_view version_text() noexcept { return "martlet " MARTLET_VERSION; }

}  // namespace martlet::cli
