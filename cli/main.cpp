// martlet: one binary, git-like subcommands. Called by another name (a link), it is that subcommand; mosquitto's names
// bring mosquitto's profile.
#include "broker.hpp"
#include "exit_code.hpp"
#include "help.hpp"
#include "option_table.hpp"
#include "pub.hpp"
#include "sub.hpp"

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

namespace {

using namespace martlet::cli;

struct invocation {
    std::string_view name;
    int (*run)(std::span<char* const> arguments, profile p, std::string_view program);
    profile manners = profile::native;
};

constexpr invocation subcommands[] = {{"pub", run_pub}, {"sub", run_sub}, {"broker", run_broker}};
constexpr invocation other_names[] = {
    {"mosquitto_pub", run_pub, profile::mosquitto},
    {"mosquitto_sub", run_sub, profile::mosquitto},
    {"martlet-pub", run_pub},
    {"martlet-sub", run_sub},
    {"martlet-broker", run_broker},
};

const invocation* find(std::span<const invocation> among, std::string_view name) {
    for (const invocation& i : among) {
        if (i.name == name) return &i;
    }
    return nullptr;
}

std::string_view file_name(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

void print(std::string_view text, std::FILE* where) { std::fwrite(text.data(), 1, text.size(), where); }

int run_subcommand(std::span<char* const> words) {
    const std::string_view word = words.empty() ? std::string_view("help") : std::string_view(words.front());
    if (const invocation* const found = find(subcommands, word)) {
        return found->run(words.subspan(1), found->manners, "martlet " + std::string(word));
    }
    if (word == "--version") {
        print(std::string(version_text()) + '\n', stdout);
        return exit_ok;
    }
    if (word == "help" && words.size() == 2) {
        if (const invocation* const found = find(subcommands, words[1])) {
            std::string help = "--help";
            const std::array<char*, 1> arguments = {help.data()};
            return found->run(arguments, found->manners, "martlet " + std::string(words[1]));
        }
    }
    if (word == "--help" || word == "help") {
        print(overview(), words.empty() ? stderr : stdout);
        return words.empty() ? exit_failure : exit_ok;
    }
    print("Error: Unknown command '" + std::string(word) + "'.\nUse 'martlet --help' to see the commands.\n", stderr);
    return exit_failure;
}

}  // namespace

int main(int argc, char* argv[]) {
    std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of write()
    const std::span<char* const> words(argv, static_cast<std::size_t>(argc));
    const std::string_view name = words.empty() ? std::string_view() : file_name(words.front());
    const std::span<char* const> arguments = words.empty() ? words : words.subspan(1);
    if (const invocation* const found = find(other_names, name)) return found->run(arguments, found->manners, name);
    return run_subcommand(arguments);
}
