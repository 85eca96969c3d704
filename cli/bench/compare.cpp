#include "compare.hpp"

#include "failure.hpp"
#include "hlog.hpp"
#include "html_report.hpp"
#include "interruption.hpp"
#include "live_view.hpp"
#include "report.hpp"
#include "statistics.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

namespace martlet::cli::bench {
namespace {

namespace json = boost::json;

constexpr double confidence = 0.95;
constexpr double significance = 0.05;
constexpr std::size_t ab_runs = 5;

const char* const compared[] = {"received",    "sent",       "acked",     "operations",    "lost",
                                "e2e.p50",     "e2e.p99",    "e2e.p99.9", "e2e.max",       "ack.p99",
                                "connect.p99", "suback.p99", "drain.p50", "generator_cpu", "broker_cpu"};

bool is_time(std::string_view name) { return name.find('.') != std::string_view::npos; }

std::string value_text(std::string_view name, double value) {
    if (is_time(name)) return duration_text(value);
    return name.ends_with("_cpu") ? decimal_text(value, 3) : count_text(std::round(value));
}

// Of one report: its numbers, its configuration and its histogram are added to the set.
std::string add_report(const json::value& from, run_set& set) {
    const json::object* const o = from.if_object();
    if (o == nullptr || !o->contains("schema") || !o->contains("metrics") || !o->contains("config")) {
        return "is no report of martlet bench.";
    }
    if (!o->at("schema").is_string() || o->at("schema").get_string() != json_schema) {
        return "has another schema than " + std::string(json_schema) + '.';
    }
    const std::string config = json::serialize(o->at("config"));
    if (!set.config.empty() && set.config != config) return "has runs of different configurations.";
    set.config = config;
    if (const json::value* text = o->if_contains("description"); text != nullptr && text->is_string()) {
        set.description = std::string(text->get_string());
    }
    if (const json::value* environment = o->if_contains("environment");
        environment != nullptr && environment->is_object()) {
        for (const char* key : {"host", "cpu", "kernel"}) {
            const json::value* const part = environment->get_object().if_contains(key);
            if (part != nullptr && part->is_string() && set.runs.empty())
                set.machine += std::string(part->get_string()) + ", ";
        }
    }
    std::map<std::string, double> numbers;
    const json::object* const metric_values = o->at("metrics").if_object();
    if (metric_values == nullptr) return "has no numbers.";
    for (const auto& [key, value] : *metric_values) {
        if (value.is_number()) numbers[std::string(key)] = value.to_number<double>();
        if (!value.is_object() || !key.ends_with("_ns")) continue;
        for (const auto& [part, number] : value.get_object()) {
            if (number.is_number()) {
                numbers[std::string(key.substr(0, key.size() - 3)) + '.' + std::string(part)] =
                    number.to_number<double>();
            }
        }
    }
    set.runs.push_back(std::move(numbers));
    if (const json::value* all = o->if_contains("histograms"); all != nullptr && all->is_object()) {
        const json::value* const e2e = all->get_object().if_contains("e2e");
        const auto decoded = e2e != nullptr && e2e->is_string() ? decode_histogram(e2e->get_string()) : std::nullopt;
        if (decoded) set.e2e.add(*decoded);
    }
    return {};
}

std::vector<double> values_of(const run_set& set, const std::string& name) {
    std::vector<double> out;
    for (const auto& run : set.runs) {
        if (const auto found = run.find(name); found != run.end()) out.push_back(found->second);
    }
    return out;
}

struct cell {
    double median = 0;
    interval range;
    double change = 0;  ///< against the first set
    double p = 1;
    bool is_comparable = false;
};

struct comparison_row {
    std::string name;
    std::vector<cell> cells;
};

std::vector<comparison_row> rows_of(std::span<const run_set> sets) {
    std::vector<comparison_row> out;
    for (const char* name : compared) {
        comparison_row row{name, {}};
        bool is_any = false;
        const std::vector<double> base = values_of(sets.front(), name);
        for (const run_set& set : sets) {
            const std::vector<double> values = values_of(set, name);
            cell c;
            c.median = median(values);
            c.range = median_interval(values, confidence);
            c.p = mann_whitney(base, values);
            c.is_comparable = !values.empty() && median(base) != 0;
            if (c.is_comparable) c.change = c.median / median(base) - 1;
            is_any = is_any || c.median != 0;
            row.cells.push_back(c);
        }
        if (is_any) out.push_back(std::move(row));
    }
    return out;
}

std::string change_text(const cell& c) {
    if (!c.is_comparable) return "";
    const std::string change = std::string(c.change < 0 ? "" : "+") + decimal_text(100 * c.change, 1) + " %";
    return change + (c.p < significance ? " (p=" + decimal_text(c.p, 3) + ")" : " ~");
}

std::string median_text(const std::string& name, const cell& c) {
    std::string out = value_text(name, c.median);
    if (c.range.confidence > 0)
        out += " [" + value_text(name, c.range.low) + ", " + value_text(name, c.range.high) + "]";
    return out;
}

std::string note(std::span<const run_set> sets) {
    const auto least = std::min_element(
        sets.begin(), sets.end(), [](const run_set& a, const run_set& b) { return a.runs.size() < b.runs.size(); });
    std::vector<double> as_many(least->runs.size());
    for (std::size_t i = 0; i < as_many.size(); ++i)
        as_many[i] = static_cast<double>(i);
    const double reached = median_interval(as_many, confidence).confidence;
    std::string out = "median [interval of " + decimal_text(100 * reached, 1) +
                      " % confidence]; ~ : chance explains it (Mann-Whitney U, p >= 0.05)";
    if (reached < confidence) out += "; 95 % takes at least 6 runs of each";
    return out;
}

std::string file_text(const std::string& name, std::string& wrong) {
    std::ifstream in(name, std::ios::binary);
    if (!in) wrong = "Unable to read \"" + name + "\".";
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::optional<run_set> read_run_set(const std::string& text, const std::string& name, std::string& wrong) {
    boost::system::error_code error;
    const json::value whole = json::parse(text, error);
    if (error) {
        wrong = "\"" + name + "\" is not JSON: " + error.message() + '.';
        return std::nullopt;
    }
    run_set out;
    out.name = name;
    std::string failure;
    const json::object* const o = whole.if_object();
    const json::value* const runs = o == nullptr ? nullptr : o->if_contains("runs");
    if (runs != nullptr && runs->is_array()) {
        for (const json::value& one : runs->get_array()) {
            if (failure.empty()) failure = add_report(one, out);
        }
        if (failure.empty() && out.runs.empty()) failure = "has no runs.";
    } else {
        failure = add_report(whole, out);
    }
    if (failure.empty()) return out;
    wrong = "\"" + name + "\" " + failure;
    return std::nullopt;
}

run_set make_run_set(std::string name, std::span<const run_result> results) {
    run_set out;
    out.name = std::move(name);
    for (const run_result& r : results)
        (void)add_report(json::parse(json_text(r)), out);
    return out;
}

std::string unlike(std::span<const run_set> sets) {
    for (const run_set& set : sets) {
        if (set.config == sets.front().config) continue;
        return "\"" + sets.front().name + "\" (" + sets.front().description + ") and \"" + set.name + "\" (" +
               set.description + ") are of different configurations; their numbers cannot be compared.";
    }
    return {};
}

std::string comparison_text(std::span<const run_set> sets) {
    std::string out = sets.front().description + '\n';
    for (std::size_t i = 0; i < sets.size(); ++i) {
        out += "  " + std::string(1, static_cast<char>('A' + i % 26)) + "  " + sets[i].name + ", " +
               std::to_string(sets[i].runs.size()) + " runs" + '\n';
        if (sets[i].machine != sets.front().machine) out += "     on another machine: " + sets[i].machine + '\n';
    }
    for (const comparison_row& row : rows_of(sets)) {
        out += "\n  " + row.name + '\n';
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            out +=
                "    " + std::string(1, static_cast<char>('A' + i % 26)) + "  " + median_text(row.name, row.cells[i]);
            if (i != 0) out += "   " + change_text(row.cells[i]);
            out += '\n';
        }
    }
    return out + "\n  " + note(sets) + '\n';
}

std::string comparison_html(std::span<const run_set> sets) {
    std::string body = "<p>" + escaped(sets.front().description) + "</p><table><tr><th></th>";
    plot curves = percentile_plot("End-to-end percentiles");
    for (const run_set& set : sets) {
        body += "<th class='n'>" + escaped(set.name) + " (" + std::to_string(set.runs.size()) + " runs)</th>";
        curves.series.push_back(percentile_curve(set.name, set.e2e));
    }
    body += "</tr>";
    for (const comparison_row& row : rows_of(sets)) {
        body += "<tr><td>" + row.name + "</td>";
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            body += "<td class='n'>" + escaped(median_text(row.name, row.cells[i])) +
                    (i == 0 ? "" : "<br>" + escaped(change_text(row.cells[i]))) + "</td>";
        }
        body += "</tr>";
    }
    body += "</table><p>" + escaped(note(sets)) + "</p><div class='plots'>" + svg_text(curves) + "</div>";
    return html_page("martlet bench compare", body);
}

int run_compare(std::span<char* const> arguments) {
    std::vector<run_set> sets;
    std::string html_file;
    std::string wrong;
    for (std::size_t i = 0; i < arguments.size() && wrong.empty(); ++i) {
        const std::string word = arguments[i];
        if (word == "--html" && i + 1 < arguments.size()) {
            html_file = arguments[++i];
            continue;
        }
        if (word.starts_with("--")) {
            wrong = "Unknown option '" + word + "'.";
            break;
        }
        const std::string text = file_text(word, wrong);
        if (wrong.empty()) {
            if (auto set = read_run_set(text, word, wrong)) sets.push_back(std::move(*set));
        }
    }
    if (wrong.empty() && sets.size() < 2)
        wrong = "compare wants two reports or more: martlet bench compare A.json B.json [--html FILE]";
    if (wrong.empty()) wrong = unlike(sets);
    if (!wrong.empty()) {
        complain("Error: " + wrong);
        return 1;
    }
    std::fputs(comparison_text(sets).c_str(), stdout);
    if (!html_file.empty()) {
        std::ofstream out(html_file, std::ios::binary);
        if (!(out << comparison_html(sets)).flush()) {
            complain("Error: Unable to write \"" + html_file + "\".");
            return 1;
        }
    }
    return 0;
}

int run_ab(const run_settings& given) {
    run_settings settings = given;
    const std::size_t runs = settings.runs > 1 ? settings.runs : ab_runs;
    std::vector<std::vector<run_result>> results(settings.ab_urls.size());
    for (std::size_t round = 0; round < runs && !is_interrupted(); ++round) {
        for (std::size_t i = 0; i < settings.ab_urls.size() && !is_interrupted(); ++i) {
            settings.urls = {settings.ab_urls[i]};
            run_failure failure;
            auto result = execute_watched(settings, failure);
            if (!result) {
                complain("Error: " + settings.ab_urls[i] + ": " + failure.text);
                return failure.is_set_up ? 1 : 2;
            }
            results[i].push_back(std::move(*result));
        }
    }
    std::vector<run_set> sets;
    std::vector<run_result> all;
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (results[i].empty()) return 130;
        sets.push_back(make_run_set(settings.ab_urls[i], results[i]));
        for (run_result& r : results[i])
            all.push_back(std::move(r));
    }
    std::fputs(comparison_text(sets).c_str(), stdout);
    if (!settings.html_file.empty()) {
        std::ofstream out(settings.html_file, std::ios::binary);
        if (!(out << comparison_html(sets)).flush()) {
            complain("Error: Unable to write \"" + settings.html_file + "\".");
            return 1;
        }
        settings.html_file.clear();
    }
    if (std::string wrong = write_preset_files(settings, all); !wrong.empty()) {
        complain("Error: " + wrong);
        return 1;
    }
    return is_interrupted() ? 130 : 0;
}

}  // namespace martlet::cli::bench
