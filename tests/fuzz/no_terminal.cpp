// What the options of a tool must not do in a fuzz target: ask a person or a name server, read files, know all the tools.
#include "payload_source.hpp"
#include "srv_lookup.hpp"
#include "subcommands.hpp"
#include "terminal.hpp"

#include <cerrno>

namespace martlet::cli {

std::optional<std::string> ask_password(std::string_view, std::string& why) {
    why = "there is nobody";
    return std::nullopt;
}

std::vector<srv_record> lookup_srv(const std::string&, bool, std::string& why) {
    why = "there is no network";
    return {};
}

std::optional<std::string> read_file(const std::string&) {
    errno = ENOENT;
    return std::nullopt;
}

std::span<const subcommand> subcommands() noexcept {
    static constexpr subcommand only{.id = command::sub,
                                     .name = "sub",
                                     .summary = "",
                                     .synopsis = "",
                                     .examples = "",
                                     .description = "",
                                     .run = nullptr};
    return {&only, 1};
}
const subcommand& subcommand_of(command) noexcept { return subcommands().front(); }
const subcommand* find_subcommand(std::string_view) noexcept { return &subcommands().front(); }
std::string_view nearest_subcommand(std::string_view) { return {}; }

}  // namespace martlet::cli
