// `martlet bench agent`: two agents and a coordinator as three processes beside a run of one process, by their totals.
#include "e2e/cli_peers.hpp"
#include "e2e/cli_process.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <csignal>
#include <string>

using namespace martlet::test;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

double number(const std::string& json, const std::string& name) {
    const auto at = json.find("\"metrics\"");
    const auto found = json.find('"' + name + "\":", at);
    REQUIRE_MESSAGE(found != std::string::npos, name);
    return std::stod(json.substr(found + name.size() + 3));
}

process start_agent(const our_broker& broker, const std::string& name) {
    process p({martlet_tool(), "bench", "agent", "-h", "127.0.0.1", "-p", broker.port(), "--name", name});
    REQUIRE(has(p.out().line_with("is ready"), "agent " + name));
    return p;
}

run_result bench(const our_broker& broker, strings words, bool with_agents) {
    strings all = {martlet_tool(), "bench", "run"};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), {"-h", "127.0.0.1", "-p", broker.port(), "--json", "-"});
    if (with_agents) all.insert(all.end(), {"--agents", "2"});
    return run(all);
}

}  // namespace

TEST_CASE("bench agent: two agents give the same totals as one process, in every scenario with messages") {
    our_broker broker;
    process a1 = start_agent(broker, "a1");
    process a2 = start_agent(broker, "a2");
    for (const strings& words :
         {strings{"one2one", "--pubs", "3", "-n", "600"}, strings{"fan-in", "--pubs", "5", "-n", "1000", "-q", "1"},
          strings{"fan-out", "--subs", "5", "-n", "200", "-q", "2"},
          strings{"mesh", "--pubs", "4", "-n", "400", "-q", "1"},
          strings{"shared", "--pubs", "2", "--subs", "3", "-n", "500", "-q", "1"},
          strings{"rr", "--pubs", "3", "--subs", "2", "-n", "90"},
          strings{"retained", "--topics", "150", "--subs", "3"},
          strings{"session", "--pubs", "2", "--subs", "3", "-n", "150"},
          // A schedule is the same whoever keeps it.
          strings{"fan-in", "--pubs", "4", "-r", "4k", "-z", "250ms", "--warmup", "50ms", "--arrival", "poisson",
                  "--seed", "5"}}) {
        const run_result alone = bench(broker, words, false);
        const run_result together = bench(broker, words, true);
        // 4: late by more than a tenth of the latency, which is no matter of totals.
        CHECK_MESSAGE((alone.status == 0 || alone.status == 4), words.front() << ": " << alone.err);
        CHECK_MESSAGE((together.status == 0 || together.status == 4), words.front() << ": " << together.err);
        for (const char* name : {"expected", "lost", "duplicates", "reordered", "corrupt", "refused", "errors"}) {
            CHECK_MESSAGE(number(together.out, name) == number(alone.out, name), words.front() << ' ' << name);
        }
        CHECK(number(together.out, "expected") > 0);
        CHECK(number(together.out, "lost") == 0);
        CHECK(has(together.out, "\"clock_error_ns\":"));
        CHECK(has(together.out, "\"name\":\"a2\""));
    }
    for (process* agent : {&a1, &a2}) {
        agent->signal(SIGINT);
        CHECK(agent->wait() == 0);
    }
}

TEST_CASE("bench agent: clocks of one machine are the same, and found so within the error bar") {
    our_broker broker;
    process a1 = start_agent(broker, "a1");
    process a2 = start_agent(broker, "a2");
    const run_result r = bench(broker, {"fan-in", "--pubs", "2", "-n", "10", "-q", "1"}, true);
    CHECK_MESSAGE(r.status == 0, r.err);
    for (std::size_t at = r.out.find("\"agents\":[{");
         (at = r.out.find("\"clock_offset_ns\":", at)) != std::string::npos; ++at) {
        const double offset = std::stod(r.out.substr(at + 18));
        const double error = std::stod(r.out.substr(r.out.find("\"clock_error_ns\":", at) + 17));
        CHECK(error > 0);
        CHECK(std::abs(offset) <= error);
    }
}

TEST_CASE("bench agent: one that goes ends the run with a report, and the others are free again") {
    our_broker broker;
    process a1 = start_agent(broker, "a1");
    process a2 = start_agent(broker, "a2");
    process coordinator({martlet_tool(), "bench",       "run",      "fan-in", "--pubs",     "2",    "-q", "1",
                         "-r",           "100",         "-z",       "1h",     "--warmup",   "0s",   "-h", "127.0.0.1",
                         "-p",           broker.port(), "--agents", "2",      "--interval", "100ms"});
    CHECK(coordinator.err().line_with("measuring") != "");
    a2.signal(SIGKILL);
    CHECK(has(coordinator.out().rest(), "Ended early: Agent a2 is gone."));
    CHECK(coordinator.wait() == 2);

    process a3 = start_agent(broker, "a3");
    const run_result again = bench(broker, {"fan-in", "--pubs", "2", "-n", "100", "-q", "1"}, true);
    CHECK_MESSAGE(again.status == 0, again.err);
    CHECK(number(again.out, "expected") == 100);
}

TEST_CASE("bench agent: a coordinator that is killed leaves its agents free") {
    our_broker broker;
    process a1 = start_agent(broker, "a1");
    process a2 = start_agent(broker, "a2");
    process coordinator({martlet_tool(), "bench",       "run",      "fan-in", "--pubs",     "2",    "-q", "1",
                         "-r",           "100",         "-z",       "1h",     "--warmup",   "0s",   "-h", "127.0.0.1",
                         "-p",           broker.port(), "--agents", "2",      "--interval", "100ms"});
    CHECK(coordinator.err().line_with("measuring") != "");
    coordinator.signal(SIGKILL);
    for (process* agent : {&a1, &a2})
        CHECK(agent->err().line_with("the coordinator is gone") != "");
    const run_result again = bench(broker, {"fan-in", "--pubs", "2", "-n", "100", "-q", "1"}, true);
    CHECK_MESSAGE(again.status == 0, again.err);
}

TEST_CASE("bench agent: what cannot be is told before the run") {
    our_broker broker;
    const run_result r = bench(broker, {"fan-in"}, true);
    CHECK(r.status == 1);
    CHECK(has(r.err, "over several agents at QoS 0 needs a --rate"));
    const run_result nobody = run({martlet_tool(), "bench", "agent", "-h", "127.0.0.1", "-p", "1"});
    CHECK(nobody.status == 2);
    CHECK(nobody.err.starts_with("Error: "));
    CHECK(run({martlet_tool(), "bench", "agent", "--name", "a/b"}).status == 1);
}
