#include "completion.hpp"

#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "standard_output.hpp"
#include "subcommands.hpp"
#include "text_file.hpp"

#include <array>
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

/// The first sentence of a help text, or of its first line.
std::string first_sentence(std::string_view help) {
    std::string out(help.substr(0, std::min(help.find(". "), help.find('\n'))));
    while (out.ends_with('.') || out.ends_with(','))
        out.pop_back();
    return out;
}

/// The same for zsh, without what _arguments would take for its own signs.
std::string zsh_sentence(std::string_view help) {
    std::string out = first_sentence(help);
    for (char& c : out) {
        if (c == '[' || c == ']' || c == ':') c = ' ';
    }
    return out;
}

std::string names_of_commands() {
    std::string out;
    for (const subcommand& s : subcommands())
        out.append(out.empty() ? "" : " ").append(s.name);
    return out;
}

std::string operand_words_of(const subcommand& s) {
    return s.id == command::man ? names_of_commands() : std::string(s.operand_words);
}

bool operands_are_files(const subcommand& s) {
    return s.operands.find("FILE") != std::string_view::npos || s.operands.find("DIR") != std::string_view::npos ||
           s.operands.find("ARGUMENT") != std::string_view::npos;
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
        "    local options= files= choices= words=\n"
        "    COMPREPLY=()\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        COMPREPLY=($(compgen -W \"";
    out += names_of_commands();
    out +=
        " help --help --version\" -- \"$cur\"))\n"
        "        return\n"
        "    fi\n"
        "    case $command in\n"
        "        help) words=\"" +
        names_of_commands() + "\" ;;\n";
    for (const subcommand& s : subcommands()) {
        std::string all, files, values;
        std::string choices;
        for (const option& row : options()) {
            if (!belongs_to(row, s.id) || row.available == availability::refused) continue;
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
        if (const std::string words = operand_words_of(s); !words.empty())
            out.append("            words=\"").append(words).append("\"\n");
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
        "        [[ -n $files ]] || COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
        "        ((${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- \"$cur\"))\n"
        "    else\n"
        "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
        "    fi\n"
        "}\n"
        "complete -o filenames -F _martlet martlet\n";
    return out;
}

std::string zsh_operands(const subcommand& s) {
    const std::string words = operand_words_of(s);
    if (words.empty()) return "'*:file:_files'";
    if (!operands_are_files(s)) return "'*:word:(" + words + ")'";
    return "'*:word:_alternative \"words:word:(" + words + ")\" \"files:file:_files\"'";
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
            if (!belongs_to(row, s.id) || row.available == availability::refused) continue;
            for (const std::string_view name : {row.short_name, row.long_name}) {
                if (name.empty()) continue;
                std::string spec = "*" + std::string(name) + '[' + zsh_sentence(row.help) + ']';
                if (!row.value_name.empty()) {
                    const std::string words = choices_of(row);
                    spec += ':' + std::string(row.value_name) + ':';
                    if (takes_file(row)) spec += "_files";
                    if (!words.empty()) spec += '(' + words + ')';
                }
                out += "                " + quoted(spec) + " \\\n";
            }
        }
        out += "                " + zsh_operands(s) + "\n            ;;\n";
    }
    out += "        help) _arguments '*:command:(" + names_of_commands() + ")' ;;\n";
    return out + "    esac\n}\n_martlet \"$@\"\n";
}

std::string fish_script() {
    std::string out = "# fish completion for martlet; made by `martlet completion fish`\ncomplete -c martlet -f\n";
    for (const subcommand& s : subcommands()) {
        out.append("complete -c martlet -n __fish_use_subcommand -a ").append(s.name).append(" -d ");
        out += quoted(s.summary) + '\n';
    }
    out += "complete -c martlet -n __fish_use_subcommand -a help -d 'help on a command'\n";
    out += "complete -c martlet -n '__fish_seen_subcommand_from help' -a " + quoted(names_of_commands()) + '\n';
    for (const subcommand& s : subcommands()) {
        const std::string here = "complete -c martlet -n '__fish_seen_subcommand_from " + std::string(s.name) + "'";
        if (const std::string words = operand_words_of(s); !words.empty()) out += here + " -a " + quoted(words) + '\n';
        if (operands_are_files(s)) out += here + " -F\n";
        for (const option& row : options()) {
            if (!belongs_to(row, s.id) || row.available == availability::refused) continue;
            out += here;
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
    print(script);
    return exit_ok;
}

}  // namespace martlet::cli
