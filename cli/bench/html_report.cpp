#include "html_report.hpp"

#include "summary.hpp"
#include "svg_plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr const char* style = R"css(
:root{color-scheme:light dark;--ink:#1c2430;--dim:#5d6878;--paper:#fff;--panel:#f4f6f9;--edge:#d8dee6;
--c0:#1f6feb;--c1:#d9480f;--c2:#2b8a3e;--c3:#9c36b5;--c4:#b08900;--c5:#0c8599;--bad:#c92a2a;--good:#2b8a3e}
@media(prefers-color-scheme:dark){:root{--ink:#e4e9f0;--dim:#9aa6b6;--paper:#12161c;--panel:#1b2129;--edge:#333c48;
--c0:#6ea8fe;--c1:#ff9a62;--c2:#69db7c;--c3:#da9cf0;--c4:#f1c94b;--c5:#66d9e8;--bad:#ff8787;--good:#69db7c}}
body{margin:0 auto;max-width:1180px;padding:24px;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:22px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 4px}p{margin:4px 0;color:var(--dim)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(125px,1fr));gap:10px;margin:16px 0}
.tile{background:var(--panel);border:1px solid var(--edge);border-radius:8px;padding:10px 12px}
.tile b{display:block;font-size:20px;font-variant-numeric:tabular-nums}.tile span{color:var(--dim);font-size:13px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(460px,1fr));gap:14px}
svg{width:100%;height:auto;background:var(--panel);border:1px solid var(--edge);border-radius:8px}
svg text{font:12px system-ui,sans-serif;fill:var(--dim)}svg .title{font-size:14px;font-weight:600;fill:var(--ink)}
svg .legend{fill:var(--ink)}.grid{stroke:var(--edge);stroke-width:1}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.line.c0{stroke:var(--c0)}.line.c1{stroke:var(--c1)}.line.c2{stroke:var(--c2)}.line.c3{stroke:var(--c3)}
.line.c4{stroke:var(--c4)}.line.c5{stroke:var(--c5)}.key.c0,.bar.c0{fill:var(--c0)}.key.c1{fill:var(--c1)}
.key.c2{fill:var(--c2)}.key.c3{fill:var(--c3)}.key.c4{fill:var(--c4)}.key.c5{fill:var(--c5)}
table{border-collapse:collapse;margin:12px 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:3px 14px 3px 0;border-bottom:1px solid var(--edge);vertical-align:top}
td.n,th.n{text-align:right}.bad{color:var(--bad);font-weight:600}.good{color:var(--good)}
details{margin:10px 0}summary{cursor:pointer;color:var(--dim)}code{font:13px ui-monospace,monospace}
)css";

std::string tile(const std::string& value, const std::string& name) {
    return "<div class='tile'><b>" + escaped(value) + "</b><span>" + escaped(name) + "</span></div>";
}

std::string row(std::initializer_list<std::string> cells, bool is_head = false) {
    std::string out = "<tr>";
    bool is_first = true;
    for (const std::string& cell : cells) {
        out += (is_head ? "<th" : "<td") + std::string(is_first ? ">" : " class='n'>") + escaped(cell) +
               (is_head ? "</th>" : "</td>");
        is_first = false;
    }
    return out + "</tr>";
}

std::string tiles_of(const run_result& r) {
    std::string out = "<div class='tiles'>";
    for (const auto& [name, label] : {std::pair("received", "received/s"), std::pair("sent", "sent/s"),
                                      std::pair("acked", "acked/s"), std::pair("operations", "operations/s")}) {
        const double value = metric(r, name).value_or(0);
        if (value != 0) out += tile(count_text(std::round(value)), label);
    }
    for (const timing t : {timing::e2e, timing::connect, timing::suback, timing::drain}) {
        const histogram& h = r.total.of(t);
        if (h.empty() || (t != timing::e2e && !r.total.of(timing::e2e).empty() && t != timing::drain)) continue;
        const std::string name(timing_names[static_cast<std::size_t>(t)]);
        out += tile(time_text(h.percentile(50)), name + " p50") + tile(time_text(h.percentile(99)), name + " p99");
    }
    if (r.total.expected != 0) out += tile(count_text(static_cast<double>(r.total.lost())), "lost");
    if (r.broker_cpu) out += tile(decimal_text(r.seconds_per_million(*r.broker_cpu), 3), "broker CPU s per million");
    out += tile(decimal_text(r.seconds_per_million(r.generator_cpu), 3), "generator CPU s per million");
    return out + "</div>";
}

// The drain ends when everything has arrived: a rate of a few milliseconds is none.
bool is_whole(const run_result& r, const series_row& row) {
    return row.length * 4 >= static_cast<double>(r.settings.interval) / 1e9;
}

plot_series over_time(const run_result& r, std::string name, double series_row::*value) {
    plot_series s{std::move(name), {}};
    for (const series_row& one : r.series)
        if (is_whole(r, one)) s.points.emplace_back(one.at, one.*value);
    return s;
}

plot_series over_time(const run_result& r, std::string name, nanoseconds series_row::*value) {
    plot_series s{std::move(name), {}};
    for (const series_row& one : r.series) {
        if (one.*value > 0 && is_whole(r, one)) s.points.emplace_back(one.at, static_cast<double>(one.*value));
    }
    return s;
}

bool is_any(const run_result& r, double series_row::*value) {
    return std::any_of(r.series.begin(), r.series.end(), [value](const series_row& one) { return one.*value > 0; });
}

std::string rate_plot(const run_result& r) {
    plot p;
    p.title = "Rate over time";
    p.x_name = "seconds since the start, warm-up included";
    p.y_name = "messages per second";
    p.has_like_lines = true;
    for (const auto& [name, field] :
         {std::pair("sent", &series_row::sent), std::pair("received", &series_row::received),
          std::pair("acked", &series_row::acked)}) {
        if (is_any(r, field)) p.series.push_back(over_time(r, name, field));
    }
    return svg_text(p);
}

std::string latency_plot(const run_result& r) {
    plot p;
    p.title = "End-to-end latency over time";
    p.x_name = "seconds since the start";
    p.y_name = "from the intended time";
    p.y_unit = axis_unit::time;
    p.is_y_log = true;
    p.series = {over_time(r, "p50", &series_row::e2e_p50), over_time(r, "p90", &series_row::e2e_p90),
                over_time(r, "p99", &series_row::e2e_p99), over_time(r, "max", &series_row::e2e_max),
                over_time(r, "generator lag p99", &series_row::lag_p99)};
    if (p.series.back().points.empty()) p.series.pop_back();
    return svg_text(p);
}

std::string curve_plot(const run_result& r) {
    plot p = percentile_plot("Percentiles");
    for (std::size_t i = 0; i < timing_count; ++i) {
        if (!r.total.times[i].empty())
            p.series.push_back(percentile_curve(std::string(timing_names[i]), r.total.times[i]));
    }
    return svg_text(p);
}

// Twenty bars to a decade.
std::string histogram_plot(const run_result& r) {
    std::size_t which = 0;
    while (which < timing_count && r.total.times[which].empty())
        ++which;
    plot p;
    p.x_name = "time";
    p.y_name = "messages";
    p.x_unit = axis_unit::time;
    p.is_x_log = true;
    p.is_bars = true;
    p.title = "Histogram";
    p.series.emplace_back();
    if (which == timing_count) return svg_text(p);
    const histogram& h = r.total.times[which];
    p.title += " of " + std::string(timing_names[which]);
    const double ratio = std::pow(10, 1.0 / 20);
    for (double low = std::pow(10, std::floor(std::log10(std::max<double>(1, static_cast<double>(h.minimum())))));
         low <= static_cast<double>(h.maximum()) * ratio; low *= ratio) {
        const auto high = static_cast<nanoseconds>(low * ratio) - 1;
        p.series.front().points.emplace_back(low,
                                             static_cast<double>(h.count_between(static_cast<nanoseconds>(low), high)));
    }
    return svg_text(p);
}

std::string cpu_plot(const run_result& r) {
    plot p;
    p.title = "Processor time";
    p.x_name = "seconds since the start";
    p.y_name = "cores";
    p.series.push_back(over_time(r, "generator", &series_row::generator_cores));
    if (is_any(r, &series_row::broker_cores)) p.series.push_back(over_time(r, "broker", &series_row::broker_cores));
    return svg_text(p);
}

std::string timings_table(const run_result& r) {
    std::string out = "<table>" + row({"time", "p50", "p90", "p99", "p99.9", "p99.99", "max", "count"}, true);
    for (std::size_t i = 0; i < timing_count; ++i) {
        const histogram& h = r.total.times[i];
        if (h.empty()) continue;
        out += row({std::string(timing_names[i]), time_text(h.percentile(50)), time_text(h.percentile(90)),
                    time_text(h.percentile(99)), time_text(h.percentile(99.9)), time_text(h.percentile(99.99)),
                    time_text(h.maximum()), count_text(static_cast<double>(h.count()))});
    }
    return out + "</table>";
}

std::string errors_table(const run_result& r) {
    if (r.total.errors.empty()) return "<p>No errors.</p>";
    std::string out = "<table>" + row({"error", "count"}, true);
    for (const auto& [cause, count] : r.total.errors)
        out += row({cause, std::to_string(count)});
    return out + "</table>";
}

std::string numbers_table(const run_result& r) {
    std::string out = "<table><tr><th>number</th><th class='n'>value</th><th>definition</th></tr>";
    for (const metric_row& m : metrics()) {
        if (m.name.find('.') != std::string::npos) continue;
        const double value = metric(r, m.name).value_or(0);
        out += "<tr><td>" + m.name + "</td><td class='n'>" +
               (m.unit == "s/M" || m.unit == "share" ? decimal_text(value, 4) : count_text(std::round(value))) + ' ' +
               escaped(m.unit) + "</td><td>" + escaped(m.definition) + "</td></tr>";
    }
    for (std::size_t i = 0; i < timing_count; ++i) {
        const std::string name(timing_names[i]);
        for (const metric_row& m : metrics()) {
            if (m.name == name + ".p50")
                out += "<tr><td>" + name + "</td><td></td><td>" + escaped(m.definition) + "</td></tr>";
        }
    }
    return out + "</table>";
}

std::string configuration_table(const run_result& r) {
    const run_settings& s = r.settings;
    std::string command = "martlet bench run";
    for (const std::string& a : s.arguments)
        command += ' ' + a;
    std::string out = "<table>";
    out += row({"command", command});
    out += row({"broker", r.broker_url + (r.broker_name.empty() ? "" : ", " + r.broker_name)});
    out += row({"measured", decimal_text(r.window, 2) + " s after " + duration_text(static_cast<double>(s.warm_up)) +
                                " of warm-up"});
    out += row({"threads of the generator", std::to_string(s.threads)});
    for (const agent_info& a : r.agents) {
        out += row({"agent " + a.name, a.host + ", " + a.cpu + ", " + std::to_string(a.cores) +
                                           " cores; clock right to within " +
                                           duration_text(static_cast<double>(a.clock_error)) + ", drift " +
                                           duration_text(std::abs(static_cast<double>(a.clock_drift)))});
    }
    if (r.clock_error() != 0) {
        out += row({"e2e and service between agents",
                    "may be wrong by up to " + duration_text(static_cast<double>(r.clock_error()))});
    }
    out += row({"seed", std::to_string(s.seed)});
    out += row({"machine", r.machine.cpu + ", " + std::to_string(r.machine.cores) + " cores, " + r.machine.kernel});
    out += row({"load at the start", decimal_text(r.machine.load, 2)});
    out += row({"martlet", MARTLET_VERSION});
    return out + "</table>";
}

std::string section(const run_result& r) {
    std::string out = "<h2>" + escaped(describe(r.settings)) + "</h2><p>" + escaped(r.broker_url) +
                      (r.broker_name.empty() ? "" : ", " + escaped(r.broker_name)) + "</p>";
    if (r.judgement == verdict::generator_bound) {
        out += "<p class='bad'>GENERATOR-BOUND: " + escaped(r.judgement_text) + "</p>";
    }
    if (!r.trouble.empty()) out += "<p class='bad'>Ended early: " + escaped(r.trouble) + "</p>";
    if (r.is_interrupted) out += "<p class='bad'>Interrupted: this is what there was so far.</p>";
    for (const assertion_result& a : r.assertions) {
        out += std::string("<p class='") + (a.is_met ? "good" : "bad") + "'>" + escaped(a.expression) +
               (a.is_met ? " holds: " : " does not hold: ") + escaped(a.actual) + "</p>";
    }
    out += tiles_of(r) + "<div class='plots'>" + rate_plot(r) + latency_plot(r) + curve_plot(r) + histogram_plot(r) +
           cpu_plot(r) + "</div>";
    out += timings_table(r) + errors_table(r);
    out += "<details><summary>Configuration</summary>" + configuration_table(r) + "</details>";
    out += "<details><summary>All numbers and their definitions</summary>" + numbers_table(r) + "</details>";
    return out;
}

std::string overview(std::span<const run_result> results) {
    std::string out =
        "<table>" + row({"run", "received/s", "e2e p50", "e2e p99", "lost", "generator s/M", "broker s/M"}, true);
    plot curves = percentile_plot("End-to-end percentiles");
    for (const run_result& r : results) {
        const histogram& e2e = r.total.of(timing::e2e);
        out += row({describe(r.settings), count_text(std::round(metric(r, "received").value_or(0))),
                    time_text(e2e.percentile(50)), time_text(e2e.percentile(99)), std::to_string(r.total.lost()),
                    decimal_text(r.seconds_per_million(r.generator_cpu), 3),
                    r.broker_cpu ? decimal_text(r.seconds_per_million(*r.broker_cpu), 3) : "-"});
        curves.series.push_back(percentile_curve(std::string(to_string(r.settings.flows.front().scenario)), e2e));
    }
    return out + "</table><div class='plots'>" + svg_text(curves) + "</div>";
}

}  // namespace

plot percentile_plot(std::string title) {
    plot p;
    p.title = std::move(title);
    p.x_name = "percentile";
    p.y_name = "time";
    p.x_unit = axis_unit::percentile;
    p.y_unit = axis_unit::time;
    p.is_x_log = true;
    p.is_y_log = true;
    return p;
}

plot_series percentile_curve(std::string name, const histogram& h) {
    plot_series s{std::move(name), {}};
    if (h.empty()) return s;
    for (double odds = 1; odds <= std::min(static_cast<double>(h.count()), 1e6); odds *= 1.12) {
        const double percent = 100 * (1 - 1 / odds);
        s.points.emplace_back(odds, static_cast<double>(std::max<nanoseconds>(h.percentile(percent), 1)));
    }
    return s;
}

std::string html_page(const std::string& title, const std::string& body) {
    return "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
           "content='width=device-width,initial-scale=1'><title>" +
           escaped(title) + "</title><style>" + style + "</style></head><body><h1>" + escaped(title) + "</h1>\n" +
           body + "\n</body></html>\n";
}

std::string html_report(std::span<const run_result> results) {
    std::string body;
    if (results.size() > 1) body += overview(results);
    for (const run_result& r : results)
        body += section(r);
    return html_page("martlet bench", body);
}

}  // namespace martlet::cli::bench
