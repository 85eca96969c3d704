// `martlet bench` as a process, by counts: against its own broker, ours, and nobody.
#include "e2e/cli_peers.hpp"
#include "e2e/cli_process.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <string>

using namespace martlet::test;

namespace {

run_result bench(strings words) {
    strings all = {martlet_tool(), "bench", "run"};
    all.insert(all.end(), words.begin(), words.end());
    return run(all);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The number of a JSON report without looking at its structure: names are unique there up to the definitions.
double number(const std::string& json, const std::string& name) {
    const auto at = json.find("\"metrics\"");
    const auto found = json.find('"' + name + "\":", at);
    REQUIRE_MESSAGE(found != std::string::npos, name);
    return std::stod(json.substr(found + name.size() + 3));
}

}  // namespace

TEST_CASE("bench: every message of a counted run arrives once, at every QoS and version") {
    for (const char* qos : {"0", "1", "2"}) {
        for (const char* version : {"31", "311", "5"}) {
            const auto r = bench({"one2one", "--embedded", "-n", "2000", "-q", qos, "-V", version, "--json", "-"});
            CHECK_MESSAGE(r.status == 0, r.err);
            CHECK(number(r.out, "expected") == 2'000);
            CHECK(number(r.out, "lost") == 0);
            CHECK(number(r.out, "duplicates") == 0);
            CHECK(number(r.out, "reordered") == 0);
            CHECK(number(r.out, "corrupt") == 0);
        }
    }
}

TEST_CASE("bench: the copies of the crowds are all expected, and all come") {
    struct row {
        strings words;
        double expected;
    };
    for (const row& one : {row{{"fan-in", "--pubs", "5"}, 1'000}, row{{"fan-out", "--subs", "5"}, 5'000},
                           row{{"mesh", "--pubs", "4"}, 4'000}, row{{"shared", "--subs", "3", "--pubs", "2"}, 1'000},
                           row{{"rr", "--pubs", "2", "--subs", "2"}, 1'000}}) {
        strings words = one.words;
        words.insert(words.end(), {"--embedded", "-n", "1000", "--threads", "2", "--json", "-", "--strict"});
        const auto r = bench(words);
        CHECK_MESSAGE(r.status == 0, r.err);
        CHECK_MESSAGE(number(r.out, "expected") == one.expected, words.front());
        CHECK_MESSAGE(number(r.out, "lost") == 0, words.front());
    }
}

TEST_CASE("bench: what a broker keeps arrives: retained messages and the queue of a session") {
    for (const strings& words :
         {strings{"retained", "--topics", "300", "--subs", "2"}, strings{"session", "--subs", "2", "-n", "300"}}) {
        strings all = words;
        all.insert(all.end(), {"--embedded", "--json", "-"});
        const auto r = bench(all);
        CHECK_MESSAGE(r.status == 0, r.err);
        CHECK(number(r.out, "expected") == 600);
        CHECK(number(r.out, "lost") == 0);
        CHECK(has(r.out, "\"drain_ns\":{\"count\":2"));
    }
}

TEST_CASE("bench: against our broker as a process, whose CPU time it reads; topics are gone afterwards") {
    our_broker broker;
    const auto r = bench({"one2one", "-p", broker.port(), "--broker-pid", std::to_string(broker.program().id()), "-n",
                          "500", "-q", "1", "--pubs", "3"});
    CHECK_MESSAGE(r.status == 0, r.err);
    CHECK(has(r.out, "broker "));
    CHECK(has(r.out, "resident"));
}

TEST_CASE("bench: an assertion that does not hold is exit code 3, a wrong one is told before the run") {
    const auto broken = bench({"one2one", "--embedded", "-n", "100", "--assert", "lost=1", "--assert", "lost=0"});
    CHECK(broken.status == 3);
    CHECK(has(broken.out, "assert lost=1: DOES NOT HOLD (0)"));
    CHECK(has(broken.out, "assert lost=0: holds"));

    const auto wrong = bench({"one2one", "--embedded", "-n", "100", "--assert", "speed>1"});
    CHECK(wrong.status == 1);
    CHECK(has(wrong.err, "'speed' is no number of a report"));
}

TEST_CASE("bench: too few descriptors are told before the run, with what to do") {
    const auto r =
        run({"/bin/sh", "-c", "ulimit -n 100; exec \"$0\" bench run conn --embedded --clients 500", martlet_tool()});
    CHECK(r.status == 1);
    CHECK(r.err ==
          "Error: 500 clients need 1064 descriptors, and there may be 100: raise the hard limit (ulimit -Hn), "
          "or take fewer clients.\n");
}

TEST_CASE("bench: nobody there is exit code 2 and one line") {
    const auto r = bench({"one2one", "-p", "1", "-n", "10", "--quiet"});
    CHECK(r.status == 2);
    CHECK(r.err.starts_with("Error: "));
    CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
}

TEST_CASE("bench: files are written, and what cannot be written is told") {
    const scratch_folder folder;
    const auto r = bench({"one2one", "--embedded", "-n", "300", "--json", folder.path("r.json"), "--csv",
                          folder.path("r.csv"), "--hlog", folder.path("r.hlog"), "--html", folder.path("r.html")});
    CHECK_MESSAGE(r.status == 0, r.err);
    CHECK(has(contents_of(folder.path("r.json")), "\"schema\":\"martlet.bench/1\""));
    CHECK(has(contents_of(folder.path("r.csv")), "seconds,"));
    CHECK(has(contents_of(folder.path("r.hlog")), "Tag=e2e,"));
    CHECK(has(contents_of(folder.path("r.html")), "<svg"));

    const auto wrong = bench({"one2one", "--embedded", "-n", "10", "--json", folder.path("none/r.json")});
    CHECK(wrong.status == 1);
    CHECK(has(wrong.err, "Unable to write"));
}

TEST_CASE("bench: a loss of 1 % by a seed is counted to the message") {
    process peer({MARTLET_BENCH_PEER, "faulty", "--drop", "1", "--seed", "7"});
    const std::string port = peer.out().line().substr(std::string("listening on ").size());
    const auto r = bench({"one2one", "-p", port, "-n", "20000", "--drain", "300ms", "--json", "-"});
    CHECK_MESSAGE(r.status == 0, r.err);
    peer.signal(SIGTERM);
    const std::string counts = peer.out().line_with("dropped");
    peer.wait();

    const double dropped = std::stod(counts.substr(counts.rfind(' ')));
    CHECK(dropped > 100);
    CHECK(number(r.out, "expected") == 20'000);
    CHECK(number(r.out, "lost") == dropped);
    CHECK(number(r.out, "duplicates") == 0);
}

TEST_CASE("bench: through a relay that copies bytes, from many to many") {
    process peer({MARTLET_BENCH_PEER, "relay"});
    const std::string port = peer.out().line().substr(std::string("listening on ").size());
    const auto r = bench({"mesh", "--pubs", "4", "-p", port, "-n", "20000", "-s", "1KiB", "--json", "-", "--strict"});
    CHECK_MESSAGE(r.status == 0, r.err);
    CHECK(number(r.out, "expected") == 80'000);
    CHECK(number(r.out, "lost") == 0);
    peer.signal(SIGTERM);
    CHECK(peer.wait() == 0);
}

TEST_CASE("bench: Ctrl-C ends the run with the report so far") {
    process p({martlet_tool(), "bench", "run", "one2one", "--embedded", "-r", "500", "-z", "600s", "--warmup", "0",
               "--interval", "100ms"});
    CHECK(p.err().line_with("measuring") != "");
    p.signal(SIGINT);
    const std::string out = p.out().rest();
    CHECK(p.wait() == 130);
    CHECK(has(out, "Interrupted: this is what there was so far."));
    CHECK(has(out, "e2e"));
}

TEST_CASE("bench: a broker that goes away is counted, and what was lost is lost") {
    process p = [] {
        our_broker broker;
        process running({martlet_tool(), "bench", "run", "one2one", "-p", broker.port(), "-r", "500", "-z", "600s",
                         "--warmup", "0", "--interval", "100ms", "--drain", "100ms"});
        CHECK(running.err().line_with("measuring") != "");
        return running;
    }();
    // The next interval shows errors: the connections were lost.
    std::string line;
    do {
        line = p.err().line_with("measuring");
    } while (!line.empty() && has(line, " 0  measuring"));
    CHECK(line != "");
    p.signal(SIGINT);
    const std::string out = p.out().rest();
    CHECK(p.wait() == 130);
    CHECK(has(out, "connection lost"));
    CHECK(has(out, "disconnects"));
}
