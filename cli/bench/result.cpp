#include "result.hpp"

#include "plan.hpp"

#include <algorithm>
#include <cstdlib>

namespace martlet::cli::bench {
namespace {

constexpr double lag_share_max = 0.10;  // of e2e.p99
constexpr double busy_thread = 0.90;    // of a core
constexpr double idle_broker = 0.85;    // of a core, below which it is not the limit

struct counter_row {
    const char* name;
    const char* unit;
    const char* definition;
    double (*value)(const run_result&);
};

double as_double(std::uint64_t n) { return static_cast<double>(n); }

const counter_row counters[] = {
    {"offered", "1/s", "messages due in the window by the schedule; closed loop: 0",
     [](const run_result& r) { return r.window > 0 ? r.offered / r.window : 0; }},
    {"sent", "1/s", "PUBLISH handed to the client library in the window; it writes them in the same turn of its loop",
     [](const run_result& r) { return r.rate(r.total.sent_in_time); }},
    {"acked", "1/s", "PUBACK (QoS 1) or PUBCOMP (QoS 2) in the window; QoS 0 has none",
     [](const run_result& r) { return r.rate(r.total.acked_in_time); }},
    {"received", "1/s", "PUBLISH that subscribers got in the window; a fan-out counts each copy",
     [](const run_result& r) { return r.rate(r.total.received_in_time); }},
    {"goodput", "B/s", "payload bytes received in the window; no headers",
     [](const run_result& r) { return r.rate(r.total.received_bytes_in_time); }},
    {"operations", "1/s", "connections made, or SUBSCRIBE and UNSUBSCRIBE completed, in the window",
     [](const run_result& r) { return r.rate(r.total.operations); }},
    {"expected", "", "copies due to subscribers of messages intended in the window",
     [](const run_result& r) { return as_double(r.total.expected); }},
    {"lost", "", "expected copies that never came, the drain included",
     [](const run_result& r) { return as_double(r.total.lost()); }},
    {"loss", "share", "lost / expected",
     [](const run_result& r) {
         return r.total.expected == 0 ? 0 : as_double(r.total.lost()) / as_double(r.total.expected);
     }},
    {"duplicates", "", "copies that came again", [](const run_result& r) { return as_double(r.total.duplicates); }},
    {"reordered", "", "copies that came after a later one of the same publisher",
     [](const run_result& r) { return as_double(r.total.reordered); }},
    {"corrupt", "", "payloads that are not what any publisher of the run sent",
     [](const run_result& r) { return as_double(r.total.corrupt); }},
    {"refused", "", "publications that failed, or that the broker refused",
     [](const run_result& r) { return as_double(r.total.refused); }},
    {"errors", "", "everything that went wrong, see the list",
     [](const run_result& r) {
         double sum = 0;
         for (const auto& [cause, count] : r.total.errors)
             sum += as_double(count);
         return sum;
     }},
    {"disconnects", "", "connections that were lost",
     [](const run_result& r) { return as_double(r.total.disconnects); }},
    {"connect_failures", "", "connections that did not come about",
     [](const run_result& r) { return as_double(r.total.connect_failures); }},
    {"generator_cpu", "s/M", "CPU seconds of the generator's threads for a million messages received (else sent)",
     [](const run_result& r) { return r.seconds_per_million(r.generator_cpu); }},
    {"broker_cpu", "s/M",
     "CPU seconds of the broker for a million messages received (else sent); --broker-pid, --embedded",
     [](const run_result& r) { return r.seconds_per_million(r.broker_cpu.value_or(0)); }},
    {"broker_memory", "B", "the broker's resident memory at the end",
     [](const run_result& r) { return as_double(r.broker_memory_after.value_or(0)); }},
    {"broker_memory_growth", "B", "from the start of the window to its end",
     [](const run_result& r) {
         return as_double(r.broker_memory_after.value_or(0)) - as_double(r.broker_memory_before.value_or(0));
     }},
};

const char* const timing_definitions[timing_count] = {
    "received - intended: from when the message was meant to be sent; closed loop: from when it was sent",
    "received - handed to the client: without the generator's lag",
    "handed to the client - intended: the generator's own delay",
    "PUBACK or PUBCOMP - intended",
    "CONNACK - start of the attempt",
    "SUBACK - SUBSCRIBE asked for",
    "last message of a backlog - asked for it",
};

const std::pair<const char*, double> percentiles[] = {{"p50", 50}, {"p90", 90},     {"p95", 95},
                                                      {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};

std::optional<double> timing_metric(const histogram& h, std::string_view what) {
    if (what == "min") return static_cast<double>(h.minimum());
    if (what == "max") return static_cast<double>(h.maximum());
    if (what == "mean") return h.mean();
    if (what == "count") return as_double(h.count());
    if (!what.starts_with('p')) return std::nullopt;
    const auto percent = parse_amount(what.substr(1));
    if (!percent || *percent > 100) return std::nullopt;
    return static_cast<double>(h.percentile(*percent));
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return text;
}

// "10ms", "5", "0.1%", "0.99*offered", "sent"
std::optional<double> operand(const run_result& result, std::string_view text) {
    text = trimmed(text);
    if (const std::size_t star = text.find('*'); star != std::string_view::npos) {
        const auto factor = parse_amount(trimmed(text.substr(0, star)));
        const auto value = metric(result, trimmed(text.substr(star + 1)));
        if (!factor || !value) return std::nullopt;
        return *factor * *value;
    }
    if (const auto value = metric(result, text)) return value;
    if (const auto value = parse_amount(text)) return value;
    if (text.ends_with('%')) {
        const auto value = parse_amount(text.substr(0, text.size() - 1));
        if (value) return *value / 100;
    }
    if (const auto value = parse_duration(text)) return static_cast<double>(*value);
    if (const auto value = parse_bytes(text)) return static_cast<double>(*value);
    return std::nullopt;
}

}  // namespace

// The two clocks that are the least sure: each agent's is compared with ours, not with the others'.
nanoseconds run_result::clock_error() const noexcept {
    const bool crosses = std::any_of(settings.flows.begin(), settings.flows.end(),
                                     [](const flow_settings& f) { return crosses_agents(f.scenario); });
    if (agents.size() < 2 || !crosses) return 0;
    nanoseconds greatest = 0;
    nanoseconds second_greatest = 0;
    for (const agent_info& one : agents) {
        second_greatest = std::max(second_greatest, std::min(greatest, one.clock_error));
        greatest = std::max(greatest, one.clock_error);
    }
    return greatest + second_greatest;
}

std::optional<double> metric(const run_result& result, std::string_view name) {
    for (const counter_row& row : counters) {
        if (row.name == name) return row.value(result);
    }
    const std::size_t dot = name.find('.');
    // "p99" alone is that of e2e.
    if (dot == std::string_view::npos || name.starts_with('p')) {
        return name.starts_with('p') ? timing_metric(result.total.of(timing::e2e), name) : std::nullopt;
    }
    for (std::size_t i = 0; i < timing_count; ++i) {
        if (timing_names[i] == name.substr(0, dot)) return timing_metric(result.total.times[i], name.substr(dot + 1));
    }
    return std::nullopt;
}

const std::vector<metric_row>& metrics() {
    static const std::vector<metric_row> rows = [] {
        std::vector<metric_row> out;
        for (const counter_row& row : counters)
            out.push_back({row.name, row.unit, row.definition});
        for (std::size_t i = 0; i < timing_count; ++i) {
            const std::string name(timing_names[i]);
            for (const char* part : {"min", "mean"})
                out.push_back({name + '.' + part, "ns", timing_definitions[i]});
            for (const auto& [part, percent] : percentiles)
                out.push_back({name + '.' + part, "ns", timing_definitions[i]});
            out.push_back({name + ".max", "ns", timing_definitions[i]});
        }
        return out;
    }();
    return rows;
}

void judge(run_result& result) {
    const histogram& lag = result.total.of(timing::lag);
    const histogram& e2e = result.total.of(timing::e2e);
    result.judgement = verdict::good;
    if (result.is_open_loop()) {
        const auto lag_p99 = static_cast<double>(lag.percentile(99));
        const auto e2e_p99 = static_cast<double>(e2e.percentile(99));
        if (!e2e.empty() && lag_p99 > lag_share_max * e2e_p99) {
            result.judgement = verdict::generator_bound;
            result.judgement_text = "lag.p99 " + duration_text(lag_p99) + " is more than 10 % of e2e.p99 " +
                                    duration_text(e2e_p99) + ": a part of the latency is the generator's own";
        } else if (result.busiest_thread > busy_thread) {
            result.judgement = verdict::generator_bound;
            result.judgement_text = "a thread of the generator was busy for " +
                                    decimal_text(100 * result.busiest_thread, 0) + " % of the time; try --threads";
        }
        return;
    }
    if (!result.broker_cpu || result.window <= 0) return;
    const double broker = static_cast<double>(*result.broker_cpu) / 1e9 / result.window;
    if (result.busiest_thread > busy_thread && broker < idle_broker) {
        result.judgement = verdict::generator_bound;
        result.judgement_text = "a thread of the generator was busy for " +
                                decimal_text(100 * result.busiest_thread, 0) + " % of the time, the broker for " +
                                decimal_text(100 * broker, 0) + " %: it could do more";
    }
}

std::optional<assertion_result> check_assertion(const run_result& result, std::string_view expression,
                                                std::string& why) {
    const std::size_t at = expression.find_first_of("<>=!");
    if (at == std::string_view::npos) {
        why = "'" + std::string(expression) + "' has no comparison: NAME<VALUE, <=, >, >=, = or !=";
        return std::nullopt;
    }
    const std::size_t end = expression.find_first_not_of("<>=!", at);
    const std::string_view relation = expression.substr(at, end == std::string_view::npos ? end : end - at);
    const std::string_view name = trimmed(expression.substr(0, at));
    const auto left = metric(result, name);
    if (!left) {
        why = "'" + std::string(name) + "' is no number of a report; 'martlet bench list' has their names";
        return std::nullopt;
    }
    const auto right = operand(result, end == std::string_view::npos ? std::string_view() : expression.substr(end));
    if (!right) {
        why = "'" + std::string(expression) + "': what follows " + std::string(relation) +
              " is no number, time, share or FACTOR*NAME";
        return std::nullopt;
    }
    bool is_met = false;
    if (relation == "<") {
        is_met = *left < *right;
    } else if (relation == "<=") {
        is_met = *left <= *right;
    } else if (relation == ">") {
        is_met = *left > *right;
    } else if (relation == ">=") {
        is_met = *left >= *right;
    } else if (relation == "=" || relation == "==") {
        is_met = *left == *right;
    } else if (relation == "!=") {
        is_met = *left != *right;
    } else {
        why = "'" + std::string(relation) + "' is no comparison: <, <=, >, >=, = or !=";
        return std::nullopt;
    }
    const bool is_time = name.find('.') != std::string_view::npos || name.starts_with('p');
    return assertion_result{std::string(expression), is_time ? duration_text(*left) : count_text(*left), is_met};
}

}  // namespace martlet::cli::bench
