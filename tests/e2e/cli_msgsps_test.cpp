// msgsps_pub and msgsps_sub: integers on lines, by counts.
#include "e2e/cli_peers.hpp"
#include "e2e/cli_process.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>

using namespace martlet::test;

namespace {

long sum_of_lines(const std::string& text) {
    long sum = 0;
    std::size_t from = 0;
    while (from < text.size()) {
        const std::size_t end = text.find('\n', from);
        const std::string line = text.substr(from, end - from);
        REQUIRE(!line.empty());
        REQUIRE(std::all_of(line.begin(), line.end(), [](char c) { return c >= '0' && c <= '9'; }));
        sum += std::strtol(line.c_str(), nullptr, 10);
        from = end + 1;
    }
    return sum;
}

}  // namespace

TEST_CASE("msgsps: called by the old names, lines of integers that add up to what was sent") {
    const scratch_folder folder;
    const std::string pub = folder.path("msgsps_pub");
    const std::string sub = folder.path("msgsps_sub");
    std::filesystem::create_symlink(martlet_tool(), pub);
    std::filesystem::create_symlink(martlet_tool(), sub);
    our_broker broker;

    process receiver({sub, "-p", broker.port(), "-C", "3000"});
    // A subscription shows in the first line, which comes once it is there.
    const std::string first = receiver.out().line();
    const auto sent = run({pub, "-p", broker.port(), "-C", "3000"});

    CHECK_MESSAGE(sent.status == 0, sent.err);
    CHECK(sum_of_lines(sent.out) == 3'000);
    CHECK(std::strtol(first.c_str(), nullptr, 10) + sum_of_lines(receiver.out().rest()) == 3'000);
    CHECK(receiver.wait() == 0);
}

TEST_CASE("msgsps: JSON, latency, and what is wrong in one line") {
    our_broker broker;
    const auto r =
        run({martlet_tool(), "msgsps", "pub", "-p", broker.port(), "-C", "500", "-r", "max", "--json", "--latency"});
    CHECK(r.status == 0);
    CHECK(r.out.find("\"messages\":500") != std::string::npos);
    CHECK(r.out.find("\"p99_us\":") != std::string::npos);

    for (const strings& words : {strings{"-q", "3"}, strings{"-t", "a/#"}, strings{"--speed", "1"}, strings{"-C"}}) {
        strings all = {martlet_tool(), "msgsps", "pub"};
        all.insert(all.end(), words.begin(), words.end());
        const auto wrong = run(all);
        CHECK(wrong.status == 1);
        CHECK(wrong.err.starts_with("Error: "));
    }
    const auto nobody = run({martlet_tool(), "msgsps", "sub", "-p", "1"});
    CHECK(nobody.status == 1);
    CHECK(nobody.err.starts_with("Error: "));
}
