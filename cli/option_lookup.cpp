// Looking things up in the table of options.
#include "option_table.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace martlet::cli {
namespace {

bool known(const option& row, command c, profile p) noexcept {
    return belongs_to(row, c) && (p == profile::native || row.available != availability::native_only);
}

}  // namespace

std::span<const option> options() noexcept {
    static const std::vector<option> all = [] {
        std::vector<option> rows;
        for (const auto piece :
             {client_options_table(), broker_options_table(), tool_options_table(), bench_options_table()})
            rows.insert(rows.end(), piece.begin(), piece.end());
        return rows;
    }();
    return all;
}

const option* find_option(std::string_view name, command c, profile p) noexcept {
    if (name.empty()) return nullptr;
    for (const option& row : options()) {
        if ((row.short_name == name || row.long_name == name) && known(row, c, p)) return &row;
    }
    return nullptr;
}

std::string_view nearest_option(std::string_view name, command c, profile p) {
    if (!name.starts_with("--") || name.size() > 64) return {};
    std::string_view best;
    std::size_t best_distance = 3;  // more wrong letters than two: a guess
    for (const option& row : options()) {
        if (row.long_name.empty() || !known(row, c, p)) continue;
        const std::size_t distance = edit_distance(name, row.long_name);
        const bool closer = distance < best_distance;
        const bool begins_so = name.size() > 4 && best.empty() && row.long_name.starts_with(name);
        if (!closer && !begins_so) continue;
        best = row.long_name;
        best_distance = std::min(best_distance, distance);
    }
    return best;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j + 1] + 1, row[j] + 1});
        }
    }
    return row.back();
}

std::string_view heading(option_group group, command c) noexcept {
    switch (group) {
        case option_group::what:
            switch (c) {
                case command::pub:
                case command::replay: return "What to publish";
                case command::rr: return "What to ask";
                case command::sub:
                case command::record: return "What to receive";
                default: return "What to do";
            }
        case option_group::how_long: return "How many, how long";
        case option_group::output: return "Output";
        case option_group::listening: return "Where to listen";
        case option_group::connection: return "Connection";
        case option_group::security: return "Security";
        case option_group::will: return "Will";
        case option_group::diagnostics: return "Diagnostics";
    }
    return "";
}

}  // namespace martlet::cli
