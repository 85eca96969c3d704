#include "completion.hpp"

#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "subcommands.hpp"
#include "text_file.hpp"

#include <array>
#include <cstdio>
#include <string>

namespace martlet::cli {
namespace {

bool takes_file(const option& row) {
    return row.value_name == "FILE" || row.value_name == "PATH" || row.value_name == "DIR";
}

/// "'": an apostrophe inside an apostrophe's quotes.
std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + '\'';
}

/// The first sentence of a help text, on one line, without what zsh's _arguments would take for its own signs.
std::string first_sentence(std::string_view help) {
    std::string out;
    for (const char c : help.substr(0, std::min(help.find(". "), help.find('\n'))))
        out += c == '[' || c == ']' || c == ':' ? ' ' : c;
    while (out.ends_with('.'))
        out.pop_back();
    return out;
}

/// "0|1|2", "pem|engine": words to choose from.
std::string choices_of(const option& row) {
    if (row.value_name.find('|') == std::string_view::npos) return {};
    std::string out(row.value_name);
    for (char& c : out) {
        if (c == '|') c = ' ';
    }
    return out;
}

std::string bash_script() {
    std::string out =
        "# bash completion for martlet; made by `martlet completion bash`\n"
        "_martlet() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
        "    local options= files= choices=\n"
        "    COMPREPLY=()\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        COMPREPLY=($(compgen -W \"";
    for (const subcommand& s : subcommands())
        out.append(s.name) += ' ';
    out +=
        "help --help --version\" -- \"$cur\"))\n"
        "        return\n"
        "    fi\n"
        "    [[ $command == help ]] && command= \n"
        "    case $command in\n";
    for (const subcommand& s : subcommands()) {
        std::string all, files, values;
        std::string choices;
        for (const option& row : options()) {
            if (!belongs_to(row, s.id) || row.available == availability::not_yet) continue;
            for (const std::string_view name : {row.short_name, row.long_name}) {
                if (name.empty()) continue;
                all.append(name) += ' ';
                if (row.value_name.empty()) continue;
                const std::string words = choices_of(row);
                if (takes_file(row)) {
                    files.append(files.empty() ? "" : "|").append(name);
                } else if (!words.empty()) {
                    choices.append("                ")
                        .append(name)
                        .append(") choices=\"")
                        .append(words)
                        .append("\" ;;\n");
                } else {
                    values.append(values.empty() ? "" : "|").append(name);
                }
            }
        }
        out.append("        ").append(s.name).append(")\n            options=\"").append(all).append("\"\n");
        out += "            case $prev in\n" + choices;
        if (!files.empty()) out += "                " + files + ") files=1 ;;\n";
        if (!values.empty()) out += "                " + values + ") return ;;\n";
        out += "            esac\n            ;;\n";
    }
    out +=
        "    esac\n"
        "    if [[ -n $choices ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$choices\" -- \"$cur\"))\n"
        "    elif [[ -n $files || $cur != -* ]]; then\n"
        "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
        "    else\n"
        "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
        "    fi\n"
        "}\n"
        "complete -o filenames -F _martlet martlet\n";
    return out;
}

std::string zsh_script() {
    std::string out =
        "#compdef martlet\n"
        "# zsh completion for martlet; made by `martlet completion zsh`\n"
        "_martlet() {\n"
        "    if ((CURRENT == 2)); then\n"
        "        local -a commands=(\n";
    for (const subcommand& s : subcommands())
        out += "            " + quoted(std::string(s.name) + ':' + std::string(s.summary)) + '\n';
    out +=
        "        )\n"
        "        _describe command commands\n"
        "        return\n"
        "    fi\n"
        "    local command=$words[2]\n"
        "    shift words\n"
        "    ((CURRENT--))\n"
        "    case $command in\n";
    for (const subcommand& s : subcommands()) {
        out.append("        ").append(s.name).append(")\n            _arguments \\\n");
        for (const option& row : options()) {
            if (!belongs_to(row, s.id) || row.available == availability::not_yet) continue;
            for (const std::string_view name : {row.short_name, row.long_name}) {
                if (name.empty()) continue;
                std::string spec = "*" + std::string(name) + '[' + first_sentence(row.help) + ']';
                if (!row.value_name.empty()) {
                    const std::string words = choices_of(row);
                    spec += ':' + std::string(row.value_name) + ':';
                    if (takes_file(row)) spec += "_files";
                    if (!words.empty()) spec += '(' + words + ')';
                }
                out += "                " + quoted(spec) + " \\\n";
            }
        }
        out += "                '*:file:_files'\n            ;;\n";
    }
    return out + "    esac\n}\n_martlet \"$@\"\n";
}

std::string fish_script() {
    std::string out = "# fish completion for martlet; made by `martlet completion fish`\ncomplete -c martlet -f\n";
    for (const subcommand& s : subcommands()) {
        out.append("complete -c martlet -n __fish_use_subcommand -a ").append(s.name).append(" -d ");
        out += quoted(s.summary) + '\n';
    }
    for (const subcommand& s : subcommands()) {
        for (const option& row : options()) {
            if (!belongs_to(row, s.id) || row.available == availability::not_yet) continue;
            out.append("complete -c martlet -n '__fish_seen_subcommand_from ").append(s.name).append("'");
            if (!row.short_name.empty()) out.append(" -s ").append(row.short_name.substr(1));
            if (!row.long_name.empty()) out.append(" -l ").append(row.long_name.substr(2));
            if (!row.value_name.empty()) out += takes_file(row) ? " -r -F" : " -x";
            if (const std::string words = choices_of(row); !words.empty()) out += " -a " + quoted(words);
            out += " -d " + quoted(first_sentence(row.help)) + '\n';
        }
    }
    return out;
}

}  // namespace

int run_completion(std::span<char* const> arguments, profile p, std::string_view program) {
    std::string folder;
    command_line in(arguments, command::completion, p);
    in.allow_operands();
    const auto done = read_options(in, program, [&](const option& row) {
        if (row.id != option_id::directory) return false;
        if (const auto name = in.value()) folder = *name;
        return true;
    });
    if (done) return *done;
    if (!folder.empty()) {
        const bool good = write_text_file(folder + "/martlet.bash", bash_script()) &&
                          write_text_file(folder + "/_martlet", zsh_script()) &&
                          write_text_file(folder + "/martlet.fish", fish_script());
        return good ? exit_ok : exit_failure;
    }
    const std::string_view shell = in.operands().size() == 1 ? in.operands()[0] : "";
    std::string script;
    if (shell == "bash") script = bash_script();
    if (shell == "zsh") script = zsh_script();
    if (shell == "fish") script = fish_script();
    if (script.empty()) {
        in.fail("It takes the name of a shell: bash, zsh or fish.");
        return report_usage_error(in, program);
    }
    std::fwrite(script.data(), 1, script.size(), stdout);
    return exit_ok;
}

}  // namespace martlet::cli
