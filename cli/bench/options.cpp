#include "options.hpp"

#include "agent_protocol.hpp"
#include "command_line.hpp"
#include "connection_options.hpp"
#include "help.hpp"
#include "option_table.hpp"
#include "scenario_file.hpp"
#include "stamp.hpp"

#include <martlet/endpoint.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

namespace martlet::cli::bench {
namespace {

using setter = std::string (*)(run_settings&, std::string_view value);

enum class option_kind : std::uint8_t {
    flow,  ///< set_flow_field(), by its long name
    run,   ///< with a value
    flag,
};

struct bench_option {
    std::string_view short_name;
    std::string_view long_name;
    std::string_view value_name;
    option_kind kind;
    setter set;
    std::string_view help;
};

std::string set_time(nanoseconds& out, std::string_view value, std::string_view name) {
    const auto time = parse_duration(value);
    if (!time) return "Invalid time '" + std::string(value) + "' for " + std::string(name) + ": e.g. 30s, 500ms, 2m.";
    out = *time;
    return {};
}

std::string set_number(std::size_t& out, std::string_view value, std::string_view name, double low, double high) {
    const auto number = parse_amount(value);
    if (!number || *number < low || *number > high || std::floor(*number) != *number) {
        return "Invalid number '" + std::string(value) + "' for " + std::string(name) + ": a whole one from " +
               decimal_text(low, 0) + " to " + decimal_text(high, 0) + '.';
    }
    out = static_cast<std::size_t>(*number);
    return {};
}

std::vector<std::string> split(std::string_view text, char at) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(at), text.size());
        if (end != 0) out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string set_url(run_settings& s, std::string_view value) { return read_urls(value, s.urls); }
std::string set_sources(run_settings& s, std::string_view value) { return read_sources(value, s.source_addresses); }

const bench_option table[] = {
    {"", "--pubs", "N", option_kind::flow, nullptr, "publishers; pairs in one2one"},
    {"", "--subs", "N", option_kind::flow, nullptr, "subscribers"},
    {"", "--clients", "N", option_kind::flow, nullptr, "clients, in conn and subscribe"},
    {"-q", "--qos", "0|1|2", option_kind::flow, nullptr, "QoS of the publications (0)"},
    {"", "--sub-qos", "0|1|2", option_kind::flow, nullptr, "QoS of the subscriptions (as --qos)"},
    {"-s", "--size", "BYTES", option_kind::flow, nullptr, "payload: 64, 1KiB, 16..4096 (64)"},
    {"-r", "--rate", "RATE", option_kind::flow, nullptr,
     "messages per second in all: an open loop. 50k; ramp 1k..200k/60s; steps 10k,20k,40k@20s.\n"
     "'max', or no --rate: a closed loop, as fast as the window allows"},
    {"", "--arrival", "PATTERN", option_kind::flow, nullptr, "constant, poisson, burst:100@10ms (its own rate)"},
    {"", "--inflight", "N", option_kind::flow, nullptr, "closed loop: messages under way, per publisher"},
    {"", "--topics", "N", option_kind::flow, nullptr, "retained: messages; subscribe: filters of each client"},
    {"-n", "--count", "N", option_kind::flow, nullptr, "messages in all, instead of a duration"},
    {"", "--mode", "MODE", option_kind::flow, nullptr, "conn: hold, storm or churn"},
    {"-z", "--duration", "TIME", option_kind::run,
     [](run_settings& s, std::string_view v) { return set_time(s.duration, v, "--duration"); },
     "what is measured (10s)"},
    {"", "--warmup", "TIME", option_kind::run,
     [](run_settings& s, std::string_view v) { return set_time(s.warm_up, v, "--warmup"); }, "before it (1s)"},
    {"", "--drain", "TIME", option_kind::run,
     [](run_settings& s, std::string_view v) { return set_time(s.drain, v, "--drain"); },
     "after it, at most, until everything has arrived (5s)"},
    {"", "--interval", "TIME", option_kind::run,
     [](run_settings& s, std::string_view v) { return set_time(s.interval, v, "--interval"); }, "of the series (1s)"},
    {"", "--connect-rate", "N", option_kind::run,
     [](run_settings& s, std::string_view v) {
         const auto rate = parse_amount(v);
         if (!rate || *rate <= 0) return "Invalid rate '" + std::string(v) + "' for --connect-rate.";
         s.connect_rate = *rate;
         return std::string();
     },
     "connections per second (conn: 1,000; others: as they come)"},
    {"", "--threads", "N", option_kind::run,
     [](run_settings& s, std::string_view v) { return set_number(s.threads, v, "--threads", 1, threads_max); },
     "of the generator (1)"},
    {"", "--seed", "N", option_kind::run,
     [](run_settings& s, std::string_view v) {
         std::size_t seed = 0;
         const std::string failure = set_number(seed, v, "--seed", 0, 9e15);
         s.seed = seed;
         return failure;
     },
     "of arrivals and sizes (1)"},
    {"", "--source", "A,B", option_kind::run, set_sources, "local addresses of the clients, in turn: 127.0.0.2-9"},
    {"", "--topic-prefix", "TEXT", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.topic_prefix = v;
         return std::string();
     },
     "of all topics (bench/ and the run's number)"},
    {"", "--preset", "NAME", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.preset = v;
         return v == "seed" ? std::string() : "There is no preset '" + std::string(v) + "'; there is: seed.";
     },
     "seed: the four configurations of surgemq's benchmark"},
    {"", "--embedded", "", option_kind::flag,
     [](run_settings& s, std::string_view) {
         s.is_embedded = true;
         return std::string();
     },
     "starts our broker for the run"},
    {"", "--broker-pid", "PID", option_kind::run,
     [](run_settings& s, std::string_view v) {
         std::size_t pid = 0;
         const std::string failure = set_number(pid, v, "--broker-pid", 1, 4'194'304);
         s.broker_pid = static_cast<int>(pid);
         return failure;
     },
     "whose CPU time and memory are read"},
    {"-L", "--url", "URL,...", option_kind::run, set_url, "brokers; the clients are dealt out over them"},
    {"", "--agents", "N", option_kind::run,
     [](run_settings& s, std::string_view v) { return set_number(s.agents, v, "--agents", 1, 1'000); },
     "machines that run 'martlet bench agent' generate the load, as one"},
    {"", "--control", "URL", option_kind::run,
     [](run_settings& s, std::string_view v) {
         std::vector<std::string> urls;
         std::string failure = read_urls(v, urls);
         if (failure.empty() && urls.size() != 1) failure = "--control wants one URL.";
         if (failure.empty()) s.control_url = urls.front();
         return failure;
     },
     "where agents and we meet (the broker under test)"},
    {"", "--group", "NAME", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.group = v;
         return complaint_about_name(v);
     },
     "of the agents (default)"},
    {"", "--find-max", "", option_kind::flag,
     [](run_settings& s, std::string_view) {
         s.find_max = true;
         return std::string();
     },
     "searches the greatest rate that keeps --slo, from --rate on"},
    {"", "--slo", "EXPR,...", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.slo = v;
         return std::string();
     },
     "what --find-max keeps (e2e.p99<10ms,lost=0)"},
    {"", "--assert", "EXPR", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.assertions.emplace_back(v);
         return std::string();
     },
     "e2e.p99<10ms, received>=0.99*offered, lost=0; exit code 3 if it does not hold. Repeatable"},
    {"", "--strict", "", option_kind::flag,
     [](run_settings& s, std::string_view) {
         s.is_strict = true;
         return std::string();
     },
     "exit code 5 on lost, repeated, reordered or damaged messages"},
    {"", "--json", "FILE", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.json_file = v;
         return std::string();
     },
     "everything, for programs and `bench compare`; - for standard output"},
    {"", "--csv", "FILE", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.csv_file = v;
         return std::string();
     },
     "the series"},
    {"", "--hlog", "FILE", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.hlog_file = v;
         return std::string();
     },
     "interval histograms for HdrHistogram's viewers"},
    {"", "--html", "FILE", option_kind::run,
     [](run_settings& s, std::string_view v) {
         s.html_file = v;
         return std::string();
     },
     "one page with plots"},
    {"", "--no-live", "", option_kind::flag,
     [](run_settings& s, std::string_view) {
         s.no_live = true;
         return std::string();
     },
     "plain lines also on a terminal"},
    {"", "--quiet", "", option_kind::flag,
     [](run_settings& s, std::string_view) {
         s.is_quiet = true;
         return std::string();
     },
     "nothing before the summary"},
    {"", "--ab", "URL1,URL2", option_kind::run,
     [](run_settings& s, std::string_view v) {
         run_settings parsed;
         const std::string failure = set_url(parsed, v);
         s.ab_urls = parsed.urls;
         if (failure.empty() && s.ab_urls.size() < 2) return std::string("--ab wants two URLs or more, with commas.");
         return failure;
     },
     "runs against each in turn, and compares"},
    {"", "--interleave", "", option_kind::flag, [](run_settings&, std::string_view) { return std::string(); },
     "with --ab: one run of each in turn (it always does)"},
    {"", "--runs", "N", option_kind::run,
     [](run_settings& s, std::string_view v) { return set_number(s.runs, v, "--runs", 1, 1'000); },
     "how often; the report has medians and intervals (--ab: 5)"},
};

const bench_option* find_bench_option(std::string_view token) {
    for (const bench_option& row : table) {
        if (row.long_name == token || (!row.short_name.empty() && row.short_name == token)) return &row;
    }
    return nullptr;
}

std::string set_qos(martlet::qos& out, std::string_view value) {
    if (value.size() != 1 || value[0] < '0' || value[0] > '2')
        return "Invalid QoS '" + std::string(value) + "': 0, 1 or 2.";
    out = static_cast<martlet::qos>(value[0] - '0');
    return {};
}

std::string set_size(flow_settings& flow, std::string_view value) {
    const std::size_t dots = value.find("..");
    const auto low = parse_bytes(value.substr(0, dots));
    const auto high = dots == std::string_view::npos ? low : parse_bytes(value.substr(dots + 2));
    if (!low || !high || *low > *high) return "Invalid size '" + std::string(value) + "': 64, 1KiB or 64..4096.";
    flow.size_min = *low;
    flow.size_max = *high;
    return {};
}

// As a report may have them: no passwords.
std::vector<std::string> without_secrets(std::span<char* const> arguments) {
    std::vector<std::string> out;
    for (const char* const argument : arguments) {
        std::string text = argument;
        const bool is_password = !out.empty() && (out.back() == "-P" || out.back() == "--pw");
        if (is_password) text = "***";
        if (text.starts_with("--pw=")) text = "--pw=***";
        for (std::size_t at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
            const std::size_t end = std::min(text.find_first_of("/,", at + 3), text.size());
            const std::size_t host = text.rfind('@', end);
            const std::size_t colon = text.find(':', at + 3);
            if (host != std::string::npos && host > at && colon < host)
                text.replace(colon + 1, host - colon - 1, "***");
        }
        out.push_back(std::move(text));
    }
    return out;
}

}  // namespace

const option* find_connection_option(std::string_view token) {
    const option* const row = find_option(token, command::pub, profile::native);
    if (row == nullptr || row->id == option_id::property || row->id == option_id::url) return nullptr;
    return row->group == option_group::connection || row->group == option_group::security ? row : nullptr;
}

std::string read_connection(std::vector<std::string> words, connection_settings& settings) {
    std::vector<char*> tokens;
    for (std::string& word : words)
        tokens.push_back(word.data());
    command_line in(tokens, command::pub, profile::native);
    while (const option* row = in.next()) {
        if (!read_connection_option(*row, in, settings)) return "Unknown option '" + std::string(row->long_name) + "'.";
        if (in.failed()) break;
    }
    if (!in.failed()) finish_connection_options(in, settings);
    std::string text = in.error();
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text.starts_with("Error: ") ? text.substr(7) : text;
}

std::string read_urls(std::string_view text, std::vector<std::string>& urls) {
    for (const std::string& url : split(text, ',')) {
        std::string_view why;
        const auto parsed = parse_endpoint(url, &why);
        if (!parsed) return "Invalid URL '" + url + "': " + std::string(why) + '.';
        urls.push_back(url);
    }
    return {};
}

// 127.0.0.2-9 are eight of them.
std::string read_sources(std::string_view text, std::vector<std::string>& addresses) {
    for (const std::string& one : split(text, ',')) {
        const std::size_t dash = one.find('-');
        const std::size_t dot = one.rfind('.');
        if (dash == std::string::npos || dot == std::string::npos || dash < dot) {
            addresses.push_back(one);
            continue;
        }
        const auto from = parse_integer(std::string_view(one).substr(dot + 1, dash - dot - 1));
        const auto to = parse_integer(std::string_view(one).substr(dash + 1));
        if (!from || !to || *from < 0 || *to > 255 || *from > *to) {
            return "Invalid addresses '" + one + "' for --source: e.g. 127.0.0.2-9.";
        }
        for (auto n = *from; n <= *to; ++n)
            addresses.push_back(one.substr(0, dot + 1) + std::to_string(n));
    }
    return {};
}

std::string set_flow_field(flow_settings& flow, std::string_view name, std::string_view value) {
    const std::string option = "--" + std::string(name);
    constexpr double many = 1e15;
    if (name == "pubs") return set_number(flow.publishers, value, option, 1, 1e6);
    if (name == "subs" || name == "clients") return set_number(flow.subscribers, value, option, 1, 1e6);
    if (name == "qos") return set_qos(flow.qos, value);
    if (name == "sub-qos") return set_qos(flow.subscriber_qos.emplace(), value);
    if (name == "size") return set_size(flow, value);
    if (name == "inflight") return set_number(flow.outstanding_max, value, option, 1, 1e9);
    if (name == "topics") return set_number(flow.topics, value, option, 1, 1e8);
    if (name == "count") return set_number(flow.count, value, option, 1, many);
    if (name == "rate") {
        if (value == "max") {
            flow.rate.reset();
            return {};
        }
        std::string_view why;
        flow.rate = rate_profile::parse(value, why);
        return flow.rate ? std::string() : "Invalid rate '" + std::string(value) + "': " + std::string(why) + '.';
    }
    if (name == "arrival") {
        const auto parsed = arrivals::parse(value);
        if (!parsed) return "Invalid arrival '" + std::string(value) + "': constant, poisson or burst:100@10ms.";
        flow.arrivals = *parsed;
        if (parsed->kind == arrival_kind::burst) {
            flow.rate = rate_profile(static_cast<double>(parsed->burst_size) * 1e9 /
                                     static_cast<double>(parsed->burst_interval));
        }
        return {};
    }
    if (name == "mode") {
        for (const auto& [text, mode] :
             {std::pair("hold", connection_mode::hold), std::pair("storm", connection_mode::storm),
              std::pair("churn", connection_mode::churn)}) {
            if (value == text) {
                flow.mode = mode;
                return {};
            }
        }
        return "Invalid mode '" + std::string(value) + "': hold, storm or churn.";
    }
    return "Unknown field '" + std::string(name) + "'.";
}

parsed_options parse_run_options(std::span<char* const> arguments) {
    parsed_options out;
    run_settings& s = out.settings;
    s.connection = default_settings(profile::native);
    s.arguments = without_secrets(arguments);
    std::vector<std::pair<std::string, std::string>> flow_fields;
    std::string scenario_name;

    for (std::size_t i = 0; i < arguments.size() && out.failure.empty(); ++i) {
        std::string token = arguments[i];
        std::optional<std::string> attached;
        if (const std::size_t equals = token.find('='); token.starts_with("--") && equals != std::string::npos) {
            attached = token.substr(equals + 1);
            token.resize(equals);
        }
        const auto value = [&]() -> std::optional<std::string> {
            if (attached) return attached;
            if (i + 1 < arguments.size()) return arguments[++i];
            out.failure = token + " wants a value.";
            return std::nullopt;
        };
        if (token == "--help") {
            out.wants_help = true;
            return out;
        }
        if (const bench_option* const row = find_bench_option(token)) {
            if (row->kind == option_kind::flag) {
                out.failure = row->set(s, {});
            } else if (const auto text = value()) {
                if (row->kind == option_kind::flow) {
                    flow_fields.emplace_back(row->long_name.substr(2), *text);
                } else {
                    out.failure = row->set(s, *text);
                }
            }
        } else if (!token.starts_with('-')) {
            if (!scenario_name.empty()) out.failure = "Only one scenario: '" + scenario_name + "' or '" + token + "'.";
            scenario_name = token;
        } else if (const option* const row_of_all = find_connection_option(token)) {
            s.connection_words.push_back(token);
            if (!row_of_all->value_name.empty()) {
                if (const auto text = value()) s.connection_words.push_back(*text);
            }
        } else {
            out.failure = "Unknown option '" + token + "'.";
        }
    }
    if (out.failure.empty() && !s.connection_words.empty()) {
        out.failure = read_connection(s.connection_words, s.connection);
    }
    if (!out.failure.empty()) return out;

    flow_settings flow;
    if (!s.preset.empty()) {
        if (!scenario_name.empty())
            out.failure = "--preset brings its scenarios; '" + scenario_name + "' is one too many.";
    } else if (const auto known = parse_scenario(scenario_name)) {
        flow.scenario = *known;
        s.flows.push_back(flow);
    } else if (scenario_name.empty()) {
        out.failure = "No scenario given; 'martlet bench list' has them.";
    } else {
        out.failure = read_scenario_file(scenario_name, s);
    }
    if (s.flows.empty() && !s.preset.empty()) s.flows.push_back(flow);
    for (const auto& [name, text] : flow_fields) {
        if (!out.failure.empty()) break;
        for (flow_settings& one : s.flows) {
            if (out.failure.empty()) out.failure = set_flow_field(one, name, text);
        }
    }
    if (out.failure.empty()) out.failure = complaint_about(s);
    return out;
}

std::string run_help() {
    std::string out =
        "Usage: martlet bench run SCENARIO [option]...\n\n"
        "Sends messages through a broker and measures rates, latencies and losses.\n\n"
        "  martlet bench run one2one --embedded                 our own broker, as fast as it goes\n"
        "  martlet bench run fan-out --subs 200 -r 2k -q 1 -z 60s --html out.html\n"
        "  martlet bench run one2one -r 10k --find-max --slo 'e2e.p99<5ms,lost=0'\n"
        "  martlet bench run --preset seed --embedded\n"
        "  martlet bench compare base.json new.json\n"
        "  martlet bench agent --help                           several machines as one generator\n\nScenarios:\n";
    for (const scenario_row& row : scenarios())
        out += "  " + std::string(row.name) + std::string(12 - row.name.size(), ' ') + std::string(row.help) + '\n';
    out += "  FILE.json   several flows together, see docs/benchmarks.md\n\nOptions:\n";
    for (const bench_option& row : table) {
        std::string names = row.short_name.empty() ? "    " : std::string(row.short_name) + ", ";
        names += row.long_name;
        if (!row.value_name.empty()) names += ' ' + std::string(row.value_name);
        std::string help(row.help);
        for (std::size_t at = help.find('\n'); at != std::string::npos; at = help.find('\n', at + 1))
            help.insert(at + 1, std::string(29, ' '));
        out += "  " + names + (names.size() < 26 ? std::string(27 - names.size(), ' ') : "\n" + std::string(29, ' ')) +
               help + '\n';
    }
    out +=
        "\nConnection: -h, -p, -u, -P, -V, -k, -I, -M, --unix and the TLS options as in 'martlet pub --help'.\n"
        "Exit codes: 0 good, 1 usage or set-up, 2 no connection, 3 an assertion does not hold, 4 the generator was "
        "the\n"
        "limit of an open loop, 5 --strict, 130 interrupted (with the report so far).\n";
    return out;
}

}  // namespace martlet::cli::bench
