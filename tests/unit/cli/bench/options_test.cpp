#include "bench/options.hpp"

#include "bench/scenario_file.hpp"
#include "bench/settings.hpp"
#include "bench/summary.hpp"
#include "option_table.hpp"
#include "subcommands.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace martlet::cli;
using namespace martlet::cli::bench;

namespace {

parsed_options parse(std::vector<std::string> words) {
    std::vector<char*> tokens;
    for (std::string& word : words)
        tokens.push_back(word.data());
    return parse_run_options(tokens);
}

}  // namespace

TEST_CASE("bench options: a scenario with its load") {
    const auto p =
        parse({"fan-in",    "--pubs",  "7",  "-q",  "1",        "--sub-qos=2", "-s",        "64..1KiB", "-r",     "50k",
               "--arrival", "poisson", "-z", "30s", "--warmup", "500ms",       "--threads", "2",        "--seed", "9"});
    CHECK(p.failure == "");
    const flow_settings f = with_defaults(p.settings.flows.at(0));
    CHECK(f.scenario == scenario::fan_in);
    CHECK(f.publishers == 7);
    CHECK(f.subscribers == 1);
    CHECK(f.qos == martlet::qos::at_least_once);
    CHECK(f.subscriber_qos == martlet::qos::exactly_once);
    CHECK(f.size_min == 64);
    CHECK(f.size_max == 1024);
    CHECK(f.rate->rate_at(0) == 50'000);
    CHECK(f.arrivals.kind == arrival_kind::poisson);
    CHECK(p.settings.duration == 30 * second);
    CHECK(p.settings.warm_up == 500 * millisecond);
    CHECK(p.settings.threads == 2);
    CHECK(p.settings.seed == 9);
}

TEST_CASE("bench options: those of a connection are the same as of the other tools") {
    const auto p = parse({"one2one", "-h", "broker.example", "-p", "1884", "-u", "me", "-P", "secret", "-V", "311"});
    CHECK(p.failure == "");
    CHECK(p.settings.connection.host == "broker.example");
    CHECK(p.settings.connection.port == 1884);
    CHECK(p.settings.connection.user_name == "me");
    CHECK(p.settings.connection.version == martlet::protocol_version::v3_1_1);
}

TEST_CASE("bench options: reports have the command line without its passwords") {
    const auto p =
        parse({"one2one", "-u", "me", "-P", "secret", "-L", "mqtt://a:secret@h:1883,mqtt://b:secret@h", "-q", "1"});
    CHECK(p.failure == "");
    CHECK(p.settings.connection.password == "secret");
    CHECK(p.settings.urls.front() == "mqtt://a:secret@h:1883");
    CHECK(p.settings.arguments == std::vector<std::string>{"one2one", "-u", "me", "-P", "***", "-L",
                                                           "mqtt://a:***@h:1883,mqtt://b:***@h", "-q", "1"});
}

TEST_CASE("bench options: URLs and source addresses are lists") {
    const auto p =
        parse({"conn", "-L", "mqtt://127.0.0.1:1883,mqtt://127.0.0.2:1883", "--source", "127.0.0.2-4,127.0.1.1"});
    CHECK(p.failure == "");
    CHECK(p.settings.urls.size() == 2);
    CHECK(p.settings.source_addresses == std::vector<std::string>{"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.1.1"});
}

TEST_CASE("bench options: what is wrong is told in one sentence that names it") {
    const auto failure = [](std::vector<std::string> words) { return parse(std::move(words)).failure; };
    CHECK(failure({}) == "No scenario given; 'martlet bench list' has them.");
    CHECK(failure({"one2many"}).find("no scenario and no file 'one2many'") != std::string::npos);
    CHECK(failure({"one2one", "fan-in"}).find("Only one scenario") != std::string::npos);
    CHECK(failure({"one2one", "--size", "8"}).find("at least 16 bytes") != std::string::npos);
    CHECK(failure({"one2one", "--size", "9..4"}).find("Invalid size '9..4'") != std::string::npos);
    CHECK(failure({"one2one", "--size", "16..64"}).find("both ends") != std::string::npos);
    CHECK(failure({"one2one", "-q", "3"}) == "Invalid QoS '3': 0, 1 or 2.");
    CHECK(failure({"one2one", "-r", "quick"}).find("Invalid rate 'quick'") != std::string::npos);
    CHECK(failure({"one2one", "--arrival", "poisson"}) == "--arrival needs a --rate.");
    CHECK(failure({"one2one", "--threads", "0"}).find("--threads") != std::string::npos);
    CHECK(failure({"one2one", "--pubs"}) == "--pubs wants a value.");
    CHECK(failure({"one2one", "--frobnicate"}) == "Unknown option '--frobnicate'.");
    CHECK(failure({"one2one", "-p", "99999"}).find("Invalid port") != std::string::npos);
    CHECK(failure({"one2one", "-L", "http://x"}).find("Invalid URL 'http://x'") != std::string::npos);
    CHECK(failure({"one2one", "--embedded", "-L", "mqtt://x"}).find("--embedded") != std::string::npos);
    CHECK(failure({"one2one", "-z", "0"}).find("--duration") != std::string::npos);
    CHECK(failure({"one2one", "--find-max"}).find("--find-max needs a --rate") != std::string::npos);
    CHECK(failure({"--preset", "best"}).find("no preset 'best'") != std::string::npos);
    CHECK(failure({"conn", "--mode", "wild"}).find("Invalid mode 'wild'") != std::string::npos);
}

TEST_CASE("bench options: a scenario file has flows that run together") {
    run_settings s;
    CHECK(read_scenario_text(R"({"duration":"30s","flows":[{"scenario":"fan-in","pubs":5,"rate":"1k","qos":1},
                                 {"scenario":"fan-out","subs":3,"size":"200"}]})",
                             "x.json", s) == "");
    REQUIRE(s.flows.size() == 2);
    CHECK(s.duration == 30 * second);
    CHECK(s.flows[0].publishers == 5);
    CHECK(s.flows[0].rate->rate_at(0) == 1'000);
    CHECK(s.flows[1].size_max == 200);
    CHECK(describe(s).find(" + ") != std::string::npos);
}

TEST_CASE("bench options: a scenario file's faults are told with file, flow and key") {
    const auto failure = [](const char* text) {
        run_settings s;
        return read_scenario_text(text, "x.json", s);
    };
    CHECK(failure("{").find("'x.json' is not JSON") != std::string::npos);
    CHECK(failure("[]").find("must be an object") != std::string::npos);
    CHECK(failure("{}").find("\"flows\" must be a list") != std::string::npos);
    CHECK(failure(R"({"flows":[]})").find("at least one flow") != std::string::npos);
    CHECK(failure(R"({"flows":[1]})").find("flow 1: a flow is an object") != std::string::npos);
    CHECK(failure(R"({"flows":[{"scenario":"x"}]})").find("flow 1: \"scenario\"") != std::string::npos);
    CHECK(failure(R"({"flows":[{"scenario":"mesh","qos":7}]})").find("flow 1: Invalid QoS '7'") != std::string::npos);
    CHECK(failure(R"({"flows":[{"scenario":"mesh","colour":7}]})").find("Unknown field 'colour'") != std::string::npos);
    CHECK(failure(R"({"flows":[{"scenario":"mesh","pubs":[1]}]})").find("\"pubs\" must be a string or a number") !=
          std::string::npos);
    CHECK(failure(R"({"speed":1,"flows":[{"scenario":"mesh"}]})").find("unknown key \"speed\"") != std::string::npos);
    CHECK(failure(R"({"duration":true,"flows":[{"scenario":"mesh"}]})").find("\"duration\" must be a time") !=
          std::string::npos);
}

TEST_CASE("bench options: every option is in the help") {
    const std::string help = run_help();
    for (const char* name : {"--pubs", "--rate", "--find-max", "--slo", "--assert", "--html", "--embedded", "--source"})
        CHECK_MESSAGE(help.find(name) != std::string::npos, name);
}

TEST_CASE("bench options: the rows of the table for pages and completion are those that are parsed") {
    const std::string help = run_help();
    for (const option& row : options()) {
        const bool is_for_agents_only = row.long_name == "--name" || row.long_name == "--once";
        if (row.id != option_id::load || !belongs_to(row, command::bench) || is_for_agents_only) continue;
        std::string names = row.short_name.empty() ? "    " : std::string(row.short_name) + ", ";
        names += row.long_name;
        CAPTURE(names);
        CHECK(help.find("\n  " + names + (row.value_name.empty() ? "" : " ")) != std::string::npos);
    }
    for (std::size_t at = help.find("\nOptions:"); (at = help.find("\n  ", at + 1)) != std::string::npos;) {
        const std::size_t name = help.find_first_not_of(' ', at + 1);
        if (help[name] != '-') continue;
        const std::string word = help.substr(name, help.find_first_of(" ,\n", name) - name);
        CAPTURE(word);
        CHECK(find_option(word, command::bench, profile::native) != nullptr);
    }
    for (const scenario_row& row : scenarios())
        CHECK_MESSAGE(subcommand_of(command::bench).description.find(row.name) != std::string_view::npos, row.name);
}
