// `martlet proxy`, and --fault of `martlet broker`, as programs.
#include "e2e/cli_tools.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>

using namespace martlet::test;

namespace {

/// The number behind "key": in a line of JSON.
std::string number_in(const std::string& line, const std::string& key) {
    const std::size_t at = line.find("\"" + key + "\":");
    if (at == std::string::npos) return "";
    const std::size_t begin = at + key.size() + 3;
    return line.substr(begin, line.find_first_not_of("0123456789", begin) - begin);
}

}  // namespace

TEST_CASE("proxy: a publisher of QoS 2 gets everything across resets, once and in order, and the summary counts them") {
    our_broker broker;
    prepare(broker.port());
    process proxy({martlet_tool(), "proxy", "--to", "127.0.0.1:" + broker.port(), "--fault",
                   "reset after=500..5000B times=2", "--seed", "3", "--json-ready"});
    const std::string port = number_in(proxy.out().line(), "port");
    REQUIRE(port != "");
    const std::string lines = numbered_lines(500);
    process sub = subscribe(our_sub(broker.port()) + strings{"-t", "lines", "-q", "2", "-C", "501"});
    const run_result pub = run(our_pub(port) + strings{"-t", "lines", "-q", "2", "-l"}, lines);
    CHECK_MESSAGE(pub.status == 0, pub.err);
    CHECK(sub.out().rest() == lines);
    CHECK(sub.wait() == 0);
    proxy.signal(SIGTERM);
    const std::string summary = proxy.out().rest();
    CHECK(number_in(summary, "seed") == "3");
    CHECK(number_in(summary, "faults") == "2");
    CHECK(number_in(summary, "times") == "2");
    CHECK(summary.find(R"("rule":"reset after=500..5000B times=2")") != std::string::npos);
    CHECK(proxy.wait() == 0);
}

TEST_CASE("proxy: --once ends with the last connection, -v tells each fault") {
    our_broker broker;
    process proxy({martlet_tool(), "proxy", "--to", "127.0.0.1:" + broker.port(), "--fault", "drop in>publish n=1",
                   "--json-ready", "--once", "-v"});
    const std::string port = number_in(proxy.out().line(), "port");
    CHECK(run(our_pub(port) + strings{"-i", "me", "-t", "a", "-m", "x"}).status == 0);
    CHECK(number_in(proxy.out().rest(), "faults") == "1");
    CHECK(proxy.err().rest().find("Connection 1 of me, to the broker: PUBLISH: drop in>publish n=1\n") !=
          std::string::npos);
    CHECK(proxy.wait() == 0);
}

TEST_CASE("proxy: what is wrong with its options, in one line") {
    const run_result nothing = run({martlet_tool(), "proxy"});
    CHECK(nothing.status == 1);
    CHECK(nothing.err.starts_with("Error: There is no broker to pass anything on to: it takes --to HOST:PORT.\n"));
    const run_result rule = run({martlet_tool(), "proxy", "--to", "a:1", "--fault", "dorp publish"});
    CHECK(rule.status == 1);
    CHECK(rule.err.starts_with("Error: --fault: 'dorp publish': 'dorp' is not an action: drop,"));
    const scratch_folder folder;
    const run_result file =
        run({martlet_tool(), "proxy", "--to", "a:1", "--fault-file", folder.file("f", "split 1\n\ndrop x\n")});
    CHECK(file.err.find(", line 3: 'x' is not a part of a rule.\n") != std::string::npos);
    const run_result tls = run({martlet_tool(), "proxy", "--to", "mqtts://a:1"});
    CHECK(tls.status == 1);
    CHECK(tls.err.find("a proxy passes on bytes") != std::string::npos);
}

TEST_CASE("broker: --fault and --fault-file") {
    const scratch_folder folder;
    our_broker broker({"--fault", "puback rc=0x97 topic=full", "--fault-file",
                       folder.file("faults", "# the first one is refused\nconnack rc=0x87 client=no*\n")});
    const run_result full = run(our_pub(broker.port()) + strings{"-V", "5", "-t", "full", "-m", "x", "-q", "1"});
    CHECK(full.err.find("Quota exceeded") != std::string::npos);
    CHECK(run(our_pub(broker.port()) + strings{"-t", "free", "-m", "x", "-q", "1"}).status == 0);
    CHECK(run(our_pub(broker.port()) + strings{"-V", "5", "-i", "nobody", "-t", "free", "-m", "x"}).status == 135);
}
