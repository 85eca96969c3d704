#include "report.hpp"

#include "hlog.hpp"
#include "html_report.hpp"
#include "summary.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace martlet::cli::bench {
namespace {

namespace json = boost::json;

json::object timing_object(const histogram& h) {
    json::object out;
    out["count"] = h.count();
    out["min"] = h.minimum();
    out["mean"] = std::llround(h.mean());
    for (const auto& [name, percent] : {std::pair("p50", 50.0), std::pair("p90", 90.0), std::pair("p95", 95.0),
                                        std::pair("p99", 99.0), std::pair("p99.9", 99.9), std::pair("p99.99", 99.99)}) {
        out[name] = h.percentile(percent);
    }
    out["max"] = h.maximum();
    return out;
}

json::object flow_object(const flow_settings& given) {
    const flow_settings f = with_defaults(given);
    json::object out;
    out["scenario"] = to_string(f.scenario);
    out["pubs"] = f.publishers;
    out["subs"] = f.subscribers;
    out["qos"] = to_number(f.qos);
    out["sub_qos"] = to_number(f.subscriber_qos.value_or(f.qos));
    out["size_min"] = f.size_min;
    out["size_max"] = f.size_max;
    out["loop"] = f.rate ? "open" : "closed";
    if (f.rate) {
        out["rate_first"] = f.rate->rate_at(0);
        out["rate_last"] = f.rate->rate_at(f.rate->length());
        out["rate_seconds"] = static_cast<double>(f.rate->length()) / 1e9;
    } else {
        out["inflight"] = f.outstanding_max;
    }
    out["arrival"] = f.arrivals.kind == arrival_kind::constant  ? "constant"
                     : f.arrivals.kind == arrival_kind::poisson ? "poisson"
                                                                : "burst";
    if (f.topics != 0) out["topics"] = f.topics;
    if (f.count != 0) out["count"] = f.count;
    return out;
}

json::object config_object(const run_settings& s) {
    json::object out;
    json::array flows;
    for (const flow_settings& f : s.flows)
        flows.push_back(flow_object(f));
    out["flows"] = std::move(flows);
    out["duration_s"] = static_cast<double>(s.duration) / 1e9;
    out["warmup_s"] = static_cast<double>(s.warm_up) / 1e9;
    out["drain_s"] = static_cast<double>(s.drain) / 1e9;
    out["threads"] = s.threads;
    if (s.agents != 0) out["agents"] = s.agents;
    out["seed"] = s.seed;
    out["version"] = s.connection.version ? to_string(*s.connection.version) : "5.0 or 3.1.1";
    out["embedded"] = s.is_embedded;
    return out;
}

json::object result_object(const run_result& r) {
    json::object out;
    out["schema"] = json_schema;
    out["tool"] = {{"name", "martlet"}, {"version", MARTLET_VERSION}};
    json::array arguments;
    for (const std::string& a : r.settings.arguments)
        arguments.emplace_back(a);
    out["arguments"] = std::move(arguments);
    out["description"] = describe(r.settings);
    out["environment"] = {{"host", r.machine.host},   {"kernel", r.machine.kernel}, {"cpu", r.machine.cpu},
                          {"cores", r.machine.cores}, {"load", r.machine.load},     {"broker_url", r.broker_url},
                          {"broker", r.broker_name}};
    out["config"] = config_object(r.settings);
    out["started"] = r.started;
    out["window_s"] = r.window;
    out["interrupted"] = r.is_interrupted;
    if (!r.trouble.empty()) out["trouble"] = r.trouble;
    if (!r.agents.empty()) {
        json::array agents;
        for (const agent_info& a : r.agents) {
            agents.push_back({{"name", a.name},
                              {"host", a.host},
                              {"cpu", a.cpu},
                              {"cores", a.cores},
                              {"clock_offset_ns", a.clock_offset},
                              {"clock_error_ns", a.clock_error},
                              {"clock_drift_ns", a.clock_drift},
                              {"round_trip_ns", a.round_trip}});
        }
        out["agents"] = std::move(agents);
        out["clock_error_ns"] = r.clock_error();
    }

    json::object numbers;
    json::object definitions;
    for (const metric_row& row : metrics()) {
        definitions[row.name] = row.unit.empty() ? row.definition : row.unit + ": " + row.definition;
        if (row.name.find('.') == std::string::npos) numbers[row.name] = metric(r, row.name).value_or(0);
    }
    json::object histograms;
    for (std::size_t i = 0; i < timing_count; ++i) {
        if (r.total.times[i].empty()) continue;
        numbers[std::string(timing_names[i]) + "_ns"] = timing_object(r.total.times[i]);
        histograms[timing_names[i]] = encode_histogram(r.total.times[i]);
    }
    numbers["generator_busiest_thread"] = r.busiest_thread;
    out["metrics"] = std::move(numbers);
    out["histograms"] = std::move(histograms);

    json::array asserted;
    for (const assertion_result& a : r.assertions)
        asserted.push_back({{"expression", a.expression}, {"actual", a.actual}, {"ok", a.is_met}});
    out["verdicts"] = {{"generator_bound", r.judgement == verdict::generator_bound},
                       {"text", r.judgement_text},
                       {"assertions", std::move(asserted)}};
    json::array series;
    for (const series_row& row : r.series) {
        series.push_back({{"t", row.at},
                          {"length", row.length},
                          {"sent", row.sent},
                          {"acked", row.acked},
                          {"received", row.received},
                          {"e2e_p50_ns", row.e2e_p50},
                          {"e2e_p90_ns", row.e2e_p90},
                          {"e2e_p99_ns", row.e2e_p99},
                          {"e2e_max_ns", row.e2e_max},
                          {"lag_p99_ns", row.lag_p99},
                          {"generator_cores", row.generator_cores},
                          {"broker_cores", row.broker_cores},
                          {"broker_memory", row.broker_memory},
                          {"errors", row.errors},
                          {"measured", row.is_measured}});
    }
    out["series"] = std::move(series);
    json::array errors;
    for (const auto& [cause, count] : r.total.errors)
        errors.push_back({{"cause", cause}, {"count", count}});
    out["errors"] = std::move(errors);
    out["definitions"] = std::move(definitions);
    return out;
}

std::string write_file(const std::string& name, const std::string& text) {
    if (name.empty()) return {};
    std::FILE* const file = name == "-" ? stdout : std::fopen(name.c_str(), "wb");
    if (file == nullptr) return "Unable to write \"" + name + "\": " + std::strerror(errno) + '.';
    const bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    const bool is_closed = (file == stdout ? std::fflush(file) : std::fclose(file)) == 0;
    return is_written && is_closed ? std::string() : "Unable to write \"" + name + "\": " + std::strerror(errno) + '.';
}

std::string write_series(const run_result& r) {
    std::string wrong = write_file(r.settings.csv_file, r.settings.csv_file.empty() ? "" : csv_text(r));
    if (!wrong.empty() || r.settings.hlog_file.empty()) return wrong;
    return write_file(r.settings.hlog_file, hlog_header(r.started) + r.hlog);
}

}  // namespace

std::string json_text(const run_result& result) { return json::serialize(result_object(result)) + '\n'; }

std::string json_text(const std::vector<run_result>& results) {
    json::array runs;
    for (const run_result& r : results)
        runs.push_back(result_object(r));
    json::object out;
    out["schema"] = json_schema;
    out["runs"] = std::move(runs);
    return json::serialize(out) + '\n';
}

std::string csv_text(const run_result& result) {
    std::string out =
        "seconds,length,measured,sent_per_s,acked_per_s,received_per_s,e2e_p50_ns,e2e_p90_ns,e2e_p99_ns,e2e_max_ns,"
        "lag_p99_ns,generator_cores,broker_cores,broker_memory,errors\n";
    for (const series_row& r : result.series) {
        out += decimal_text(r.at, 3) + ',' + decimal_text(r.length, 3) + ',' + (r.is_measured ? '1' : '0');
        for (const double v : {r.sent, r.acked, r.received})
            out += ',' + decimal_text(v, 1);
        for (const nanoseconds v : {r.e2e_p50, r.e2e_p90, r.e2e_p99, r.e2e_max, r.lag_p99})
            out += ',' + std::to_string(v);
        out += ',' + decimal_text(r.generator_cores, 3) + ',' + decimal_text(r.broker_cores, 3) + ',' +
               std::to_string(r.broker_memory) + ',' + std::to_string(r.errors) + '\n';
    }
    return out;
}

std::string write_files(const run_result& r) {
    std::string wrong = write_file(r.settings.json_file, r.settings.json_file.empty() ? "" : json_text(r));
    if (wrong.empty()) wrong = write_series(r);
    if (wrong.empty() && !r.settings.html_file.empty()) wrong = write_file(r.settings.html_file, html_report({&r, 1}));
    return wrong;
}

std::string write_preset_files(const run_settings& settings, const std::vector<run_result>& results) {
    if (results.empty()) return {};
    std::string wrong = write_file(settings.json_file, settings.json_file.empty() ? "" : json_text(results));
    if (wrong.empty()) wrong = write_series(results.front());
    if (wrong.empty() && !settings.html_file.empty()) wrong = write_file(settings.html_file, html_report(results));
    return wrong;
}

}  // namespace martlet::cli::bench
