#include "option_table.hpp"
#include "subcommands.hpp"

#include <martlet/faults.hpp>

#include <doctest/doctest.h>

#include <fstream>
#include <initializer_list>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace martlet;
using namespace martlet::cli;

namespace {

/// What stands between two of the signs, in one line.
std::vector<std::string> quoted(std::string_view text, char sign) {
    std::vector<std::string> found;
    for (;;) {
        const std::size_t begin = text.find(sign);
        if (begin == text.npos) return found;
        const std::size_t end = text.find(sign, begin + 1);
        if (end == text.npos) return found;
        if (const auto inside = text.substr(begin + 1, end - begin - 1); inside.find('\n') == inside.npos)
            found.emplace_back(inside);
        text.remove_prefix(end + 1);
    }
}

void replace(std::string& text, std::string_view what, std::string_view with) {
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}

void check_rule(const std::string& rule) {
    const auto added = faults().add(rule);
    CHECK_MESSAGE(added.has_value(), (added ? std::string() : added.error().text));
}

}  // namespace

TEST_CASE("fault_options: each rule that the help names is one") {
    int count = 0;
    for (const option& row : options()) {
        if (row.id != option_id::fault) continue;
        for (const std::string& rule : quoted(row.help, '\'')) {
            check_rule(rule);
            ++count;
        }
    }
    CHECK(count >= 3);
    for (const command c : {command::broker, command::proxy}) {
        std::string_view examples = subcommand_of(c).examples;
        for (std::size_t at = examples.find("--fault '"); at != examples.npos; at = examples.find("--fault '")) {
            examples.remove_prefix(at + 8);
            check_rule(quoted(examples, '\'').at(0));
        }
    }
}

TEST_CASE("fault_options: each rule of docs/faults.md is one") {
    std::ifstream file(MARTLET_FAULTS_PAGE);
    REQUIRE(file);
    std::set<std::string> rules;
    std::set<std::string> conditions;
    std::set<std::string>* table = nullptr;
    for (std::string line; std::getline(file, line);) {
        for (const std::string_view before : {"--fault '", "add(\""}) {
            for (std::size_t at = line.find(before); at != line.npos; at = line.find(before, at + 1)) {
                const std::size_t begin = at + before.size();
                rules.insert(line.substr(begin, line.find(before.back(), begin) - begin));
            }
        }
        if (line.starts_with("| action ")) table = &rules;
        if (line.starts_with("| condition ")) table = &conditions;
        if (!line.starts_with("|")) table = nullptr;
        if (table == nullptr) continue;
        for (std::string word : quoted(line.substr(0, line.find('|', 1)), '`')) {
            for (const auto& [what, with] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
                     {"CODE", "0x97"}, {"FILTER", "a/#"}, {"N", "3"}, {"[", ""}, {"]", ""}}) {
                replace(word, what, with);
            }
            table->insert(word);
        }
    }
    CHECK(rules.size() > 20);
    CHECK(conditions.size() > 15);
    for (const std::string& rule : rules)
        check_rule(rule);
    for (const std::string& condition : conditions) {
        CAPTURE(condition);
        const bool fits =
            faults().add("reset " + condition).has_value() || faults().add("drop publish " + condition).has_value();
        CHECK(fits);
    }
}
