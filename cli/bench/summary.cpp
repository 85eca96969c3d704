#include "summary.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace martlet::cli::bench {
namespace {

std::string padded(std::string text, std::size_t width) {
    std::size_t letters = 0;  // not bytes: µ has two
    for (const char c : text)
        letters += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    if (letters < width) text.insert(0, width - letters, ' ');
    return text;
}

std::string named(std::string_view name, std::size_t width) {
    std::string out(name);
    out.resize(std::max(width, out.size()), ' ');
    return out;
}

void add_rate(std::string& out, std::string_view name, double value, std::string_view definition) {
    out += "  " + named(name, 12) + padded(count_text(value), 14) + "/s  " + std::string(definition) + '\n';
}

void add_count(std::string& out, std::string_view name, double value, std::string_view definition) {
    out += "  " + named(name, 12) + padded(count_text(value), 14) + "    " + std::string(definition) + '\n';
}

std::string_view definition(std::string_view name) {
    for (const metric_row& row : metrics()) {
        if (row.name == name) return row.definition;
    }
    return {};
}

void add_timings(std::string& out, const run_result& r) {
    bool is_any = false;
    for (const histogram& h : r.total.times)
        is_any = is_any || !h.empty();
    if (!is_any) return;
    out += "\n  " + named("", 8) + padded("p50", 10) + padded("p90", 10) + padded("p99", 10) + padded("p99.9", 10) +
           padded("max", 10) + padded("count", 13) + '\n';
    for (std::size_t i = 0; i < timing_count; ++i) {
        const histogram& h = r.total.times[i];
        if (h.empty()) continue;
        out += "  " + named(timing_names[i], 8);
        const bool is_of_two_clocks =
            i == static_cast<std::size_t>(timing::e2e) || i == static_cast<std::size_t>(timing::service);
        const nanoseconds error = is_of_two_clocks ? r.clock_error() : 0;
        for (const double p : {50.0, 90.0, 99.0, 99.9, 100.0}) {
            const nanoseconds value = h.percentile(p);
            const bool is_known = value >= error;  // what is below the clocks' error is not
            out += padded((is_known ? "" : "<") + duration_text(static_cast<double>(is_known ? value : error)), 10);
        }
        out += padded(count_text(static_cast<double>(h.count())), 13);
        out += "   " + std::string(definition(std::string(timing_names[i]) + ".p50")) + '\n';
        if (h.clipped() != 0) out += "           " + count_text(static_cast<double>(h.clipped())) + " beyond an hour\n";
    }
}

void add_resources(std::string& out, const run_result& r) {
    out += "\n  generator   " + decimal_text(r.seconds_per_million(r.generator_cpu), 3) +
           " CPU s per million messages, busiest thread " + decimal_text(100 * r.busiest_thread, 0) + " %";
    if (r.broker_cpu) {
        out += "\n  broker      " + decimal_text(r.seconds_per_million(*r.broker_cpu), 3) +
               " CPU s per million messages, " +
               decimal_text(r.window > 0 ? static_cast<double>(*r.broker_cpu) / 1e7 / r.window : 0, 0) + " % of a core";
    }
    if (r.broker_memory_after) {
        out += ", " + bytes_text(static_cast<double>(*r.broker_memory_after)) + " resident";
        if (r.broker_memory_before) {
            const double growth =
                static_cast<double>(*r.broker_memory_after) - static_cast<double>(*r.broker_memory_before);
            out += " (" + std::string(growth < 0 ? "-" : "+") + bytes_text(growth < 0 ? -growth : growth) +
                   " in the window)";
        }
    }
    out += '\n';
}

void add_agents(std::string& out, const run_result& r) {
    if (r.agents.empty()) return;
    out += "\n  agents\n";
    for (const agent_info& a : r.agents) {
        out += "  " + named(a.name, 12) + ' ' + a.host + ", " + std::to_string(a.cores) + " cores; clock off by " +
               (a.clock_offset < 0 ? "-" : "") + duration_text(std::abs(static_cast<double>(a.clock_offset))) +
               ", right to within " + duration_text(static_cast<double>(a.clock_error)) + ", drift " +
               duration_text(std::abs(static_cast<double>(a.clock_drift))) + '\n';
    }
    if (r.clock_error() == 0) return;
    out += "  Between two agents, e2e and service may be wrong by up to " +
           duration_text(static_cast<double>(r.clock_error())) + ", which is the error of their clocks.\n";
}

}  // namespace

std::string describe(const flow_settings& given) {
    const flow_settings f = with_defaults(given);
    std::string out(to_string(f.scenario));
    if (f.scenario == scenario::conn || f.scenario == scenario::subscribe) {
        out += ' ' + std::to_string(f.subscribers) + " clients";
        if (f.scenario == scenario::conn) {
            out += f.mode == connection_mode::hold    ? ", hold"
                   : f.mode == connection_mode::storm ? ", storm"
                                                      : ", churn";
        }
        return out;
    }
    out += ' ' + std::to_string(f.publishers) + ':' + std::to_string(f.subscribers);
    out += ", QoS " + std::to_string(to_number(f.qos));
    if (f.subscriber_qos && *f.subscriber_qos != f.qos) out += "/" + std::to_string(to_number(*f.subscriber_qos));
    out += ", " + std::to_string(f.size_min);
    if (f.size_max != f.size_min) out += ".." + std::to_string(f.size_max);
    out += " B";
    if (f.scenario == scenario::retained) return out + ", " + std::to_string(f.topics) + " messages";
    if (f.scenario == scenario::session) return out + ", " + std::to_string(f.count) + " messages";
    if (f.rate) {
        const double first = f.rate->rate_at(0);
        const double last = f.rate->rate_at(f.rate->length());
        out += ", open loop " + count_text(first) + (first == last ? "" : " to " + count_text(last)) + "/s";
        if (f.arrivals.kind == arrival_kind::poisson) out += " Poisson";
        if (f.arrivals.kind == arrival_kind::burst) {
            out += " in bursts of " + std::to_string(f.arrivals.burst_size);
        }
    } else {
        out += ", closed loop, " + std::to_string(f.outstanding_max) + " under way per publisher";
    }
    if (f.count != 0) out += ", " + std::to_string(f.count) + " messages";
    return out;
}

std::string describe(const run_settings& settings) {
    std::string out;
    for (const flow_settings& f : settings.flows)
        out += (out.empty() ? "" : " + ") + describe(f);
    return out;
}

std::string summary_text(const run_result& r) {
    std::string out = describe(r.settings) + '\n';
    out += "  broker " + r.broker_url + (r.broker_name.empty() ? "" : ", " + r.broker_name) + "; window " +
           decimal_text(r.window, 2) + " s; " + std::to_string(r.settings.threads) + " thread" +
           (r.settings.threads == 1 ? "" : "s") + "; " + std::to_string(r.machine.cores) + " cores, load " +
           decimal_text(r.machine.load, 2) + " at the start\n\n";
    for (const char* name : {"offered", "sent", "acked", "received", "operations"}) {
        const double value = metric(r, name).value_or(0);
        if (value != 0) add_rate(out, name, value, definition(name));
    }
    if (r.total.received_in_time != 0) {
        out += "  " + named("goodput", 12) + padded(bytes_text(metric(r, "goodput").value_or(0)), 14) + "/s  " +
               std::string(definition("goodput")) + '\n';
    }
    if (r.total.expected != 0) {
        for (const char* name : {"expected", "lost", "duplicates", "reordered"})
            add_count(out, name, metric(r, name).value_or(0), definition(name));
    }
    for (const char* name : {"corrupt", "refused", "disconnects", "connect_failures"}) {
        const double value = metric(r, name).value_or(0);
        if (value != 0) add_count(out, name, value, definition(name));
    }
    add_timings(out, r);
    add_resources(out, r);
    add_agents(out, r);
    if (!r.total.errors.empty()) {
        out += "\n  errors\n";
        for (const auto& [cause, count] : r.total.errors)
            out += "  " + padded(count_text(static_cast<double>(count)), 12) + "  " + cause + '\n';
    }
    if (r.judgement == verdict::generator_bound) out += "\n  GENERATOR-BOUND: " + r.judgement_text + '\n';
    for (const assertion_result& a : r.assertions) {
        out += "\n  assert " + a.expression + ": " + (a.is_met ? "holds" : "DOES NOT HOLD") + " (" + a.actual + ")";
    }
    if (!r.assertions.empty()) out += '\n';
    if (!r.trouble.empty()) out += "\n  Ended early: " + r.trouble + " This is what there was so far.\n";
    if (r.is_interrupted) out += "\n  Interrupted: this is what there was so far.\n";
    return out;
}

const std::vector<seed_row>& seed_rows() {
    static const std::vector<seed_row> rows = [] {
        const auto make = [](scenario s, std::size_t pubs, std::size_t subs) {
            flow_settings f;
            f.scenario = s;
            f.publishers = pubs;
            f.subscribers = subs;
            f.size_min = f.size_max = 1'024;
            return f;
        };
        return std::vector<seed_row>{
            {make(scenario::one2one, 1, 1), "1:1", 400'000, 1'000'000},
            {make(scenario::fan_in, 20, 1), "fan-in 20:1", 450'000, 1'000'000},
            {make(scenario::fan_out, 1, 20), "fan-out 1:20", 750'000, 1'900'000},
            {make(scenario::mesh, 20, 20), "mesh 20", 700'000, 1'700'000},
        };
    }();
    return rows;
}

std::string preset_text(const std::vector<run_result>& results) {
    std::string out =
        "The seed's four configurations: 1,024-byte payloads, QoS 0, messages per second at the receivers\n\n";
    out += "  " + named("", 14) + padded("received/s", 14) + padded("seed, 4 cores", 15) + padded("ratio", 8) +
           padded("generator", 12) + padded("broker", 10) + padded("lost", 8) + "\n";
    for (std::size_t i = 0; i < results.size() && i < seed_rows().size(); ++i) {
        const run_result& r = results[i];
        const double rate = metric(r, "received").value_or(0);
        out += "  " + named(seed_rows()[i].name, 14) + padded(count_text(rate), 14) +
               padded(count_text(seed_rows()[i].seed_rate), 15) +
               padded(decimal_text(rate / seed_rows()[i].seed_rate, 2), 8) +
               padded(decimal_text(r.seconds_per_million(r.generator_cpu), 3), 12) +
               padded(r.broker_cpu ? decimal_text(r.seconds_per_million(*r.broker_cpu), 3) : "-", 10) +
               padded(count_text(static_cast<double>(r.total.lost())), 8) + '\n';
    }
    out += "\n  generator, broker: CPU seconds per million messages received\n";
    return out;
}

}  // namespace martlet::cli::bench
