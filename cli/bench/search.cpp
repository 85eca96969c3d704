#include "search.hpp"

#include "failure.hpp"
#include "interruption.hpp"
#include "live_view.hpp"
#include "report.hpp"
#include "summary.hpp"

#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace martlet::cli::bench {
namespace {

constexpr double precision = 0.05;
constexpr int runs_max = 24;
constexpr double rate_min = 1;
constexpr double rate_max = 1e9;
constexpr const char* default_slo = "e2e.p99<10ms,lost=0";

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> out;
    std::size_t from = 0;
    while (from <= text.size()) {
        const std::size_t comma = std::min(text.find(',', from), text.size());
        if (comma != from) out.push_back(text.substr(from, comma - from));
        from = comma + 1;
    }
    return out;
}

}  // namespace

search_result bisect(double first, double wanted_precision, int most, const std::function<bool(double)>& keeps) {
    search_result out;
    const auto try_one = [&](double rate) {
        ++out.runs;
        const bool is_kept = keeps(rate);
        (is_kept ? out.greatest_kept : out.least_broken) = rate;
        return is_kept;
    };
    double rate = first;
    if (try_one(rate)) {
        while (out.runs < most && rate * 2 <= rate_max && try_one(rate * 2))
            rate *= 2;
    } else {
        while (out.runs < most && rate / 2 >= rate_min && !try_one(rate / 2))
            rate /= 2;
    }
    while (out.runs < most && out.greatest_kept > 0 && out.least_broken > 0 &&
           out.least_broken - out.greatest_kept > wanted_precision * out.greatest_kept) {
        try_one((out.greatest_kept + out.least_broken) / 2);
    }
    return out;
}

int find_max(const run_settings& given) {
    run_settings settings = given;
    const std::vector<std::string> slo = split(settings.slo.empty() ? default_slo : settings.slo);
    for (const std::string& expression : slo) {
        std::string why;
        if (!check_assertion(run_result{}, expression, why)) {
            complain("Error: --slo: " + why + '.');
            return 1;
        }
    }
    settings.is_quiet = true;
    std::optional<run_result> best;
    run_failure failure;
    bool has_failed = false;
    const std::vector<flow_settings> flows = settings.flows;
    const double first = flows.front().rate->rate_at(0);
    const auto keeps = [&](double rate) {
        if (has_failed || is_interrupted()) return false;
        settings.flows = flows;
        for (flow_settings& f : settings.flows) {
            if (f.rate) f.rate = f.rate->scaled(rate / first);
        }
        auto result = execute_watched(settings, failure);
        if (!result) {
            has_failed = true;
            return false;
        }
        // A rate that the generator could not offer is not kept, whatever the times say.
        bool is_kept = result->rate(result->total.sent_in_time) >= 0.99 * metric(*result, "offered").value_or(0);
        std::string line = count_text(rate) + "/s:";
        for (const std::string& expression : slo) {
            std::string why;
            const auto checked = check_assertion(*result, expression, why);
            is_kept = is_kept && checked && checked->is_met;
            if (checked) line += ' ' + expression + " (" + checked->actual + ')';
        }
        complain(line + (is_kept ? ": kept" : ": not kept"));
        if (is_kept) best = std::move(*result);
        return is_kept;
    };
    const search_result found = bisect(first, precision, runs_max, keeps);
    if (has_failed) {
        complain("Error: " + failure.text);
        return failure.is_set_up ? 1 : 2;
    }
    if (!best) {
        std::printf("No rate from %s/s down was kept.\n", count_text(first).c_str());
        return 3;
    }
    const std::string text = summary_text(*best) + "\n  greatest rate kept: " + count_text(found.greatest_kept) + "/s" +
                             (found.least_broken > 0 ? ", not kept: " + count_text(found.least_broken) + "/s" : "") +
                             " (" + std::to_string(found.runs) + " runs)\n";
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::string wrong = write_files(*best); !wrong.empty()) {
        complain("Error: " + wrong);
        return 1;
    }
    return is_interrupted() ? 130 : 0;
}

}  // namespace martlet::cli::bench
