// martlet: one binary, git-like subcommands. Called by another name (a link), it is that subcommand; mosquitto's names
// bring mosquitto's profile.
#include "bench/bench.hpp"
#include "bench/msgsps.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "help.hpp"
#include "option_table.hpp"
#include "standard_output.hpp"
#include "subcommands.hpp"

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace martlet::cli;

std::string_view file_name(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

void print(std::string_view text, std::FILE* where) { std::fwrite(text.data(), 1, text.size(), where); }

int print_version() {
    print(std::string(version_text()) + '\n', stdout);
    return exit_ok;
}

/// Programs beside the library of the others.
struct own_program {
    std::string_view name;
    int (*run)(std::span<char* const> arguments, profile p, std::string_view program);
};
constexpr own_program own_programs[] = {
    {"bench", run_bench}, {"msgsps", run_msgsps}, {"msgsps_pub", run_msgsps_pub}, {"msgsps_sub", run_msgsps_sub}};

const own_program* find_own_program(std::string_view name) {
    for (const own_program& one : own_programs) {
        if (one.name == name) return &one;
    }
    return nullptr;
}

/// Takes --profile mosquitto (or native) out of the words: it decides how all others are read.
profile take_profile(std::vector<char*>& words, profile p) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string_view word = words[i];
        std::size_t used = word == "--profile=mosquitto" || word == "--profile=native" ? 1 : 0;
        const std::string_view next = i + 1 < words.size() ? words[i + 1] : "";
        if (word == "--profile" && (next == "mosquitto" || next == "native")) used = 2;
        if (used == 0) continue;
        p = word.ends_with("mosquitto") || (used == 2 && next == "mosquitto") ? profile::mosquitto : profile::native;
        words.erase(words.begin() + static_cast<std::ptrdiff_t>(i),
                    words.begin() + static_cast<std::ptrdiff_t>(i + used));
        --i;
    }
    return p;
}

/// In mosquitto's profile the tool goes by mosquitto's name.
int run(const subcommand& what, std::span<char* const> arguments, profile p, std::string program) {
    if (what.run == nullptr) {
        if (!arguments.empty() && std::string_view(arguments.front()) == "--version") return print_version();
        return find_own_program(what.name)->run(arguments, p, program);
    }
    std::vector<char*> words(arguments.begin(), arguments.end());
    if (p == profile::native && !has_mosquitto_profile(what.id)) return what.run(words, p, program);
    if (p == profile::native) p = take_profile(words, p);
    if (p == profile::mosquitto) program = "mosquitto_" + std::string(what.name);
    return what.run(words, p, program);
}

int run_subcommand(std::span<char* const> words) {
    const std::string_view word = words.empty() ? std::string_view("help") : std::string_view(words.front());
    if (const subcommand* const found = find_subcommand(word)) {
        return run(*found, words.subspan(1), profile::native, "martlet " + std::string(word));
    }
    if (word == "--version") return print_version();
    if (word == "help" && words.size() == 2) {
        if (const subcommand* const found = find_subcommand(words[1])) {
            std::string help = "--help";
            const std::array<char*, 1> arguments = {help.data()};
            return run(*found, arguments, profile::native, "martlet " + std::string(words[1]));
        }
    }
    const bool wants_overview = word == "--help" || (word == "help" && words.size() < 2);
    if (wants_overview) {
        print(overview(), words.empty() ? stderr : stdout);
        return words.empty() ? exit_failure : exit_ok;
    }
    const std::string_view unknown = word == "help" ? std::string_view(words[1]) : word;
    std::string text = "Error: Unknown command '" + std::string(unknown) + "'.";
    if (const std::string_view nearest = nearest_subcommand(unknown); !nearest.empty()) {
        text.append(" Did you mean '").append(nearest).append("'?");
    }
    complain(text + "\nUse 'martlet --help' to see the commands.");
    return exit_failure;
}

int run(int argc, char* argv[]) {
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    const std::string_view name = words.empty() ? std::string_view() : file_name(words.front());
    const std::span<char* const> arguments = words.empty() ? words : words.subspan(1);
    for (const std::string_view prefix : {"mosquitto_", "martlet-"}) {
        if (!name.starts_with(prefix)) continue;
        const subcommand* const found = find_subcommand(name.substr(prefix.size()));
        if (found == nullptr) continue;
        const bool theirs = prefix == "mosquitto_" && has_mosquitto_profile(found->id);
        return run(*found, arguments, theirs ? profile::mosquitto : profile::native, std::string(name));
    }
    if (const own_program* const found = find_own_program(name)) return found->run(arguments, profile::native, name);
    return run_subcommand(arguments);
}

}  // namespace

int main(int argc, char* argv[]) {
    std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of write()
    return finish_standard_output(run(argc, argv));
}
