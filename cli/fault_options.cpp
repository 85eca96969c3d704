#include "fault_options.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>

namespace martlet::cli {
namespace {

void add_rule(command_line& in, std::string_view rule, std::string_view flag, fault_settings& out) {
    if (const auto added = faults().add(rule); !added) {
        in.fail(std::string(flag) + ": " + added.error().text + '.');
    } else {
        out.rules.emplace_back(rule);
    }
}

void read_file(command_line& in, std::string_view name, fault_settings& out) {
    std::ifstream file{std::string(name), std::ios::binary};
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
        in.fail("--fault-file: " + std::string(name) + ": " + std::strerror(errno) + '.');
        return;
    }
    std::string why;
    faults checked;
    if (checked.add_lines(text.str(), &why)) {
        in.fail("--fault-file: " + std::string(name) + ", " + why + '.');
        return;
    }
    for (const fault_count& one : checked.counts())
        out.rules.push_back(one.rule);
}

}  // namespace

bool read_fault_option(const option& row, command_line& in, fault_settings& out) {
    switch (row.id) {
        case option_id::fault:
            if (const auto rule = in.value()) add_rule(in, *rule, "--fault", out);
            return true;
        case option_id::fault_file:
            if (const auto name = in.value()) read_file(in, *name, out);
            return true;
        case option_id::cuts:
            if (const auto count = in.number(1, 1'000'000'000, "Invalid number of cuts: {}")) {
                add_rule(in, "reset after=100..4000B times=" + std::to_string(*count), "--cuts", out);
            }
            return true;
        case option_id::seed:
            if (const auto seed = in.number(0, INT64_MAX, "Invalid seed: {}"))
                out.seed = static_cast<std::uint64_t>(*seed);
            return true;
        default: return false;
    }
}

std::shared_ptr<faults> make_faults(const fault_settings& settings) {
    auto made = std::make_shared<faults>(settings.seed);
    for (const std::string& rule : settings.rules)
        static_cast<void>(made->add(rule));
    return made;
}

}  // namespace martlet::cli
