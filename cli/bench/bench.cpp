#include "bench/bench.hpp"

#include "agent.hpp"
#include "compare.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "live_view.hpp"
#include "options.hpp"
#include "report.hpp"
#include "run.hpp"
#include "search.hpp"
#include "summary.hpp"

#include <cstdio>
#include <string>
#include <vector>

namespace martlet::cli {

using namespace bench;  // NOLINT(google-build-using-namespace): its own front

namespace {

enum bench_exit : int {
    bench_ok = 0,
    bench_usage = 1,
    bench_no_connection = 2,
    bench_assertion = 3,
    bench_generator_bound = 4,
    bench_not_strict = 5,
    bench_interrupted = 130,
};

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

std::string list_text() {
    std::string out = "Scenarios:\n";
    for (const scenario_row& row : scenarios())
        out += "  " + std::string(row.name) + std::string(12 - row.name.size(), ' ') + std::string(row.help) + '\n';
    out += "\nNumbers, for --assert and --slo:\n";
    for (const metric_row& row : metrics()) {
        out += "  " + row.name + std::string(row.name.size() < 22 ? 22 - row.name.size() : 1, ' ') + row.unit +
               std::string(row.unit.size() < 7 ? 7 - row.unit.size() : 1, ' ') + row.definition + '\n';
    }
    return out;
}

int exit_code_of(const run_result& r) {
    if (r.is_interrupted) return bench_interrupted;
    if (!r.trouble.empty()) return bench_no_connection;
    for (const assertion_result& a : r.assertions) {
        if (!a.is_met) return bench_assertion;
    }
    const tally& t = r.total;
    if (r.settings.is_strict && (t.lost() != 0 || t.duplicates != 0 || t.reordered != 0 || t.corrupt != 0)) {
        return bench_not_strict;
    }
    if (r.judgement == verdict::generator_bound && r.is_open_loop()) return bench_generator_bound;
    return bench_ok;
}

int tell(const run_failure& failure) {
    complain("Error: " + failure.text);
    return failure.is_interrupted ? bench_interrupted : failure.is_set_up ? bench_usage : bench_no_connection;
}

bool add_assertions(run_result& r) {
    for (const std::string& expression : r.settings.assertions) {
        std::string why;
        const auto checked = check_assertion(r, expression, why);
        if (!checked) {
            complain("Error: --assert: " + why + '.');
            return false;
        }
        r.assertions.push_back(*checked);
    }
    return true;
}

int run_once(const run_settings& settings) {
    run_failure failure;
    auto result = execute_watched(settings, failure);
    if (!result) {
        return tell(failure);
    }
    add_assertions(*result);
    if (settings.json_file != "-") print(summary_text(*result));
    if (std::string wrong = write_files(*result); !wrong.empty()) {
        complain("Error: " + wrong);
        return bench_usage;
    }
    return exit_code_of(*result);
}

// --runs: the summary of each, and a report with all, which `bench compare` reads.
int run_repeatedly(const run_settings& settings) {
    std::vector<run_result> results;
    int code = bench_ok;
    for (std::size_t i = 0; i < settings.runs && !is_interrupted(); ++i) {
        run_failure failure;
        auto result = execute_watched(settings, failure);
        if (!result) {
            return tell(failure);
        }
        add_assertions(*result);
        if (code == bench_ok) code = exit_code_of(*result);
        if (settings.json_file != "-") print(summary_text(*result) + '\n');
        results.push_back(std::move(*result));
    }
    if (std::string wrong = write_preset_files(settings, results); !wrong.empty()) {
        complain("Error: " + wrong);
        return bench_usage;
    }
    return code;
}

int run_preset(run_settings settings) {
    std::vector<run_result> results;
    int code = bench_ok;
    const flow_settings given = settings.flows.front();
    for (const seed_row& row : seed_rows()) {
        settings.flows = {row.flow};
        settings.flows.front().outstanding_max = given.outstanding_max;
        run_failure failure;
        auto result = execute_watched(settings, failure);
        if (!result) {
            return tell(failure);
        }
        add_assertions(*result);
        if (code == bench_ok) code = exit_code_of(*result);
        results.push_back(std::move(*result));
        if (is_interrupted()) break;
    }
    if (settings.json_file != "-") print(preset_text(results));
    if (std::string wrong = write_preset_files(settings, results); !wrong.empty()) {
        complain("Error: " + wrong);
        return bench_usage;
    }
    return code;
}

int run_command(std::span<char* const> arguments) {
    parsed_options parsed = parse_run_options(arguments);
    if (parsed.wants_help) {
        print(run_help());
        return bench_ok;
    }
    if (parsed.failure.empty()) {
        // A wrong assertion is told before the run, not after it.
        run_result nothing;
        for (const std::string& expression : parsed.settings.assertions) {
            std::string why;
            if (parsed.failure.empty() && !check_assertion(nothing, expression, why)) {
                parsed.failure = "--assert: " + why + '.';
            }
        }
    }
    if (!parsed.failure.empty()) {
        complain("Error: " + parsed.failure + "\nUse 'martlet bench run --help' to see usage.");
        return bench_usage;
    }
    watch_interruption();
    if (!parsed.settings.preset.empty()) return run_preset(parsed.settings);
    if (parsed.settings.find_max) return find_max(parsed.settings);
    if (!parsed.settings.ab_urls.empty()) return run_ab(parsed.settings);
    return parsed.settings.runs > 1 ? run_repeatedly(parsed.settings) : run_once(parsed.settings);
}

}  // namespace

int run_bench(std::span<char* const> arguments, profile, std::string_view) {
    const std::string_view word = arguments.empty() ? std::string_view("--help") : std::string_view(arguments.front());
    if (word == "run") return run_command(arguments.subspan(1));
    if (word == "agent") return run_agent(arguments.subspan(1));
    if (word == "compare") return run_compare(arguments.subspan(1));
    if (word == "list") {
        print(list_text());
        return bench_ok;
    }
    if (word == "--help" || word == "help") {
        print(run_help());
        return arguments.empty() ? bench_usage : bench_ok;
    }
    complain("Error: Unknown command 'bench " + std::string(word) + "'.\nUse 'martlet bench --help' to see usage.");
    return bench_usage;
}

}  // namespace martlet::cli
