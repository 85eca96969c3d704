#include "options_file.hpp"

#include "subcommands.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace martlet::cli {
namespace {

constexpr std::size_t file_size_max = 1024 * 1024;

std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr ? value : "";
}

/// $XDG_CONFIG_HOME/name or $HOME/.config/name; empty if neither variable is set.
std::string configuration_path(const std::string& name) {
    if (const std::string folder = environment("XDG_CONFIG_HOME"); !folder.empty()) return folder + '/' + name;
    if (const std::string home = environment("HOME"); !home.empty()) return home + "/.config/" + name;
    return {};
}

std::optional<std::string> contents_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string text(file_size_max, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

/// The project's file is for whoever works in this folder: one that belongs to another user, or that others may write
/// to, does not decide where we connect.
std::optional<std::string> project_file() {
    struct stat about {};
    if (::stat(".martlet", &about) != 0 || !S_ISREG(about.st_mode)) return std::nullopt;
    if (about.st_uid != ::geteuid() || (about.st_mode & S_IWOTH) != 0) return std::nullopt;
    return contents_of(".martlet");
}

/// The value after `name` among the arguments, also as name=value; the last one counts.
std::string argument_after(std::span<char* const> arguments, std::string_view name) {
    std::string found;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view word = arguments[i];
        if (word == name && i + 1 < arguments.size()) found = arguments[i + 1];
        if (word.starts_with(std::string(name) + '=')) found = word.substr(name.size() + 1);
    }
    return found;
}

/// What is in a file for all subcommands may name options that this one lacks.
void drop_foreign(std::vector<option_line>& lines, command c) {
    std::erase_if(lines, [&](const option_line& line) {
        if (find_option(line[0], c, profile::native) != nullptr) return false;
        return std::any_of(subcommands().begin(), subcommands().end(), [&](const subcommand& other) {
            return find_option(line[0], other.id, profile::native) != nullptr;
        });
    });
}

void append(std::vector<option_line>& to, std::vector<option_line> more) {
    std::move(more.begin(), more.end(), std::back_inserter(to));
}

std::vector<option_line> environment_lines() {
    static constexpr std::array<std::pair<const char*, const char*>, 5> names = {
        {{"MARTLET_HOST", "--host"},
         {"MARTLET_PORT", "--port"},
         {"MARTLET_URL", "--url"},
         {"MARTLET_USERNAME", "--username"},
         {"MARTLET_PASSWORD_FILE", "--password-file"}}};
    std::vector<option_line> lines;
    for (const auto& [variable, option] : names) {
        if (const std::string value = environment(variable); !value.empty()) lines.push_back({option, value});
    }
    return lines;
}

std::vector<option_line> native_lines(std::span<char* const> arguments, command c) {
    std::string context = argument_after(arguments, "--profile");
    if (context.empty()) context = environment("MARTLET_PROFILE");
    const std::string everyone;
    const std::string own(subcommand_of(c).name);
    std::vector<option_line> lines;
    for (const auto& text : {contents_of(configuration_path("martlet/config")), project_file()}) {
        if (!text) continue;
        auto shared = parse_options_file(*text, std::span(&everyone, 1), profile::native);
        drop_foreign(shared, c);
        append(lines, std::move(shared));
        if (!context.empty()) {
            const std::string section = "profile " + context;
            auto chosen = parse_options_file(*text, std::span(&section, 1), profile::native);
            drop_foreign(chosen, c);
            append(lines, std::move(chosen));
        }
        append(lines, parse_options_file(*text, std::span(&own, 1), profile::native));
    }
    auto from_environment = environment_lines();
    drop_foreign(from_environment, c);
    append(lines, std::move(from_environment));
    return lines;
}

}  // namespace

std::vector<option_line> parse_options_file(std::string_view text, std::span<const std::string> wanted, profile p) {
    std::vector<option_line> lines;
    std::string section;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        while (line.ends_with('\r'))
            line.remove_suffix(1);
        if (line.empty() || line[0] == '#') continue;
        if (p == profile::native && line.starts_with('[') && line.ends_with(']')) {
            section = line.substr(1, line.size() - 2);
            continue;
        }
        if (p == profile::native && std::find(wanted.begin(), wanted.end(), section) == wanted.end()) continue;
        line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
        if (line.empty()) continue;
        const std::size_t blank = line.find(' ');
        option_line words = {std::string(line.substr(0, blank))};
        if (blank != std::string_view::npos && blank + 1 < line.size()) words.emplace_back(line.substr(blank + 1));
        lines.push_back(std::move(words));
    }
    return lines;
}

std::vector<option_line> collect_option_lines(std::span<char* const> arguments, command c, profile p,
                                              std::string& complaint) {
    const auto is_file_option = [](const char* word) { return std::string_view(word) == "-o"; };
    if (std::count_if(arguments.begin(), arguments.end(), is_file_option) > 1) {
        complaint = "Duplicate -o argument given.\n";
        return {};
    }
    if (const std::string name = argument_after(arguments, "-o"); !name.empty()) {
        const auto text = contents_of(name);
        if (!text) {
            complaint = "Unable to open options file \"" + name + "\": " + std::strerror(errno) + ".";
            return {};
        }
        const std::array<std::string, 2> sections = {"", std::string(subcommand_of(c).name)};
        return parse_options_file(*text, sections, p);
    }
    if (p == profile::native) return native_lines(arguments, c);
    const auto text = contents_of(configuration_path("mosquitto_" + std::string(subcommand_of(c).name)));
    return text ? parse_options_file(*text, {}, p) : std::vector<option_line>();
}

}  // namespace martlet::cli
