#include "check.hpp"

#include "exit_code.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "json_text.hpp"
#include "probes.hpp"
#include "standard_output.hpp"
#include "terminal.hpp"
#include "tool_client.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace martlet::cli {
namespace {

constexpr unsigned probes_at_once = 4;

struct probe_settings {
    connection_settings connection;
    std::vector<std::string> only;
    std::vector<std::string> assertions;
    std::chrono::milliseconds patience{5'000};
    bool json = false;
};

std::vector<probe> all_probes() {
    std::vector<probe> all(capability_probes().begin(), capability_probes().end());
    all.insert(all.end(), rule_probes().begin(), rule_probes().end());
    return all;
}

bool read_names(command_line& in, std::string_view option_name, std::vector<std::string>& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    const std::vector<probe> all = all_probes();
    std::string_view rest = *text;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(','), rest.size());
        const std::string_view name = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (std::none_of(all.begin(), all.end(), [&](const probe& p) { return p.name == name; })) {
            return in.fail("There is no probe '" + std::string(name) + "' for " + std::string(option_name) + ".");
        }
        out.emplace_back(name);
    }
    return true;
}

bool read_check_option(const option& row, command_line& in, probe_settings& out) {
    switch (row.id) {
        case option_id::only: read_names(in, "--only", out.only); return true;
        case option_id::assertion: read_names(in, "--assert", out.assertions); return true;
        case option_id::timeout: read_seconds(in, "Invalid timeout \"{}\".", out.patience); return true;
        case option_id::json: out.json = true; return true;
        default: return read_connection_option(row, in, out.connection);
    }
}

struct finding {
    probe asked;
    probe_result result;
    double milliseconds = 0;
};

std::string_view word(probe_verdict v) {
    switch (v) {
        case probe_verdict::pass: return "pass";
        case probe_verdict::fail: return "FAIL";
        case probe_verdict::unsupported: return "unsupported";
    }
    return "";
}

/// A refusal that says the broker does not have this is no breach of the protocol.
probe_result result_of(const error_code& cause) {
    const bool lacks = cause == reason_code::unsupported_protocol_version || cause == errc::qos_not_supported ||
                       cause == errc::retain_not_supported || cause == errc::shared_subscription_not_supported ||
                       cause == errc::wildcard_not_supported || cause == reason_code::qos_not_supported ||
                       cause == reason_code::retain_not_supported ||
                       cause == reason_code::shared_subscriptions_not_supported;
    return {lacks ? probe_verdict::unsupported : probe_verdict::fail, cause.message()};
}

finding run_probe(const probe& p, const probe_settings& settings, const std::string& run, bool has_version_5) {
    const auto begin = std::chrono::steady_clock::now();
    finding f{p, {}, 0};
    try {
        f.result = p.run(
            {settings.connection, "martlet/check/" + run + std::string(p.name), settings.patience, has_version_5});
    } catch (const boost::system::system_error& e) {
        f.result = result_of(e.code());
    }
    f.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    return f;
}

std::vector<finding> run_all(const probe_settings& settings) {
    std::vector<probe> wanted = all_probes();
    if (!settings.only.empty()) {
        std::erase_if(wanted, [&](const probe& p) {
            return std::find(settings.only.begin(), settings.only.end(), p.name) == settings.only.end();
        });
    }
    const std::string run = std::to_string(std::random_device{}() % 1'000'000) + '-';
    const probe asks_for_5 = *std::find_if(capability_probes().begin(), capability_probes().end(),
                                           [](const probe& p) { return p.name == "version-5"; });
    const bool has_version_5 = run_probe(asks_for_5, settings, run, true).result.verdict == probe_verdict::pass;
    progress_bar bar("probing", wanted.size(), settings.connection.quiet);
    std::vector<finding> findings(wanted.size());
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::uint64_t done = 0;
    std::vector<std::thread> workers;
    for (unsigned n = 0; n < probes_at_once; ++n) {
        workers.emplace_back([&] {
            for (std::size_t i = 0; (i = next++) < wanted.size();) {
                findings[i] = was_interrupted() ? finding{wanted[i], {probe_verdict::fail, "interrupted"}, 0}
                                                : run_probe(wanted[i], settings, run, has_version_5);
                const std::lock_guard lock(mutex);
                bar.set(++done);
            }
        });
    }
    for (std::thread& worker : workers)
        worker.join();
    return findings;
}

void print_table(const std::vector<finding>& findings, const std::string& where) {
    const bool colour = wants_colour(STDOUT_FILENO);
    std::string out = "martlet check of " + where + "\n\n";
    std::size_t counts[3] = {};
    for (const finding& f : findings) {
        ++counts[static_cast<std::size_t>(f.result.verdict)];
        const std::string verdict = fitted(word(f.result.verdict), 12, true);
        const char* const code = f.result.verdict == probe_verdict::fail ? "\x1b[1;31m" : "\x1b[32m";
        out += colour && f.result.verdict != probe_verdict::unsupported ? code + verdict + "\x1b[0m" : verdict;
        std::string line = fitted(f.asked.name, 20, true) + fitted(f.asked.rule, 15, true) + std::string(f.asked.what);
        if (!f.result.detail.empty()) line += ": " + fitted(f.result.detail, 200);
        out += line + '\n';
    }
    out += "\n" + std::to_string(counts[0]) + " pass, " + std::to_string(counts[1]) + " fail, " +
           std::to_string(counts[2]) + " unsupported\n";
    print(out);
}

void print_json(const std::vector<finding>& findings, const std::string& where) {
    std::string out;
    json_writer json(out, false);
    json.begin_object();
    json.key("schema");
    json.string("martlet.check/1");
    json.key("broker");
    json.string(where);
    json.key("probes");
    json.begin_array();
    for (const finding& f : findings) {
        json.begin_object();
        json.key("name");
        json.string(f.asked.name);
        json.key("rule");
        json.string(f.asked.rule);
        json.key("what");
        json.string(f.asked.what);
        json.key("verdict");
        json.string(f.result.verdict == probe_verdict::fail ? "fail" : word(f.result.verdict));
        json.key("detail");
        json.string(fitted(f.result.detail, 200));
        json.key("ms");
        char text[32] = {};
        std::snprintf(text, sizeof(text), "%.3f", f.milliseconds);
        json.raw(text);
        json.end_object();
    }
    json.end_array();
    json.end_object();
    out += '\n';
    print(out);
}

int verdict_of(const std::vector<finding>& findings, const probe_settings& settings) {
    bool asserted = true;
    bool failed = false;
    for (const finding& f : findings) {
        failed = failed || f.result.verdict == probe_verdict::fail;
        const bool wanted = std::find(settings.assertions.begin(), settings.assertions.end(), f.asked.name) !=
                            settings.assertions.end();
        if (!wanted || f.result.verdict == probe_verdict::pass) continue;
        complain("Assertion failed: " + std::string(f.asked.name) + ": " + std::string(word(f.result.verdict)));
        asserted = false;
    }
    if (!settings.assertions.empty()) return asserted ? exit_ok : exit_assertion_failed;
    return failed ? exit_failure : exit_ok;
}

}  // namespace

int run_check(std::span<char* const> arguments, profile p, std::string_view program) {
    probe_settings settings;
    settings.connection = default_settings(p);
    command_line in(arguments, command::check, p);
    const auto done =
        read_options(in, program, [&](const option& row) { return read_check_option(row, in, settings); });
    if (done) return *done;
    if (!finish_connection_options(in, settings.connection)) return report_usage_error(in, program);
    if (!settings.only.empty()) {
        for (const std::string& name : settings.assertions) {
            if (std::find(settings.only.begin(), settings.only.end(), name) == settings.only.end())
                settings.only.push_back(name);
        }
    }

    watch_interruption();
    int code = exit_failure;
    const auto client = open_client(settings.connection, false, code);  // one clear line if there is no broker at all
    if (!client) return code;
    say_goodbye(*client);
    const std::vector<finding> findings = run_all(settings);
    const std::string where = destination(settings.connection);
    if (settings.json) {
        print_json(findings, where);
    } else {
        print_table(findings, where);
    }
    if (was_interrupted()) return exit_by_second_signal;
    return verdict_of(findings, settings);
}

}  // namespace martlet::cli
