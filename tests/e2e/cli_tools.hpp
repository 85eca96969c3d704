// The tools as words, and a subscriber that surely is subscribed.
#pragma once

#include "e2e/cli_peers.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace martlet::test {

inline strings operator+(strings a, const strings& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

/// Which publisher and subscriber are meant: ours, or Mosquitto's.
inline strings our_pub(const std::string& port) { return {martlet_tool(), "pub", "-h", "127.0.0.1", "-p", port}; }
inline strings our_sub(const std::string& port) { return {martlet_tool(), "sub", "-h", "127.0.0.1", "-p", port}; }

inline constexpr std::string_view ready_topic = "test/ready";

/// Leaves the retained message at the broker that tells a subscriber that it is subscribed.
inline void prepare(const std::string& port) {
    const run_result r = run(our_pub(port) + strings{"-t", std::string(ready_topic), "-m", "ready", "-r", "-q", "1"});
    REQUIRE_MESSAGE(r.status == 0, r.err);
}

/// Starts `words`, a subscriber, with the ready topic added, and takes its first line. Counts given to -C must include
/// that message.
inline process subscribe(const strings& words) {
    process p(words + strings{"-t", std::string(ready_topic)});
    REQUIRE(p.out().line_with("ready") != "");
    return p;
}

/// `count` lines of different lengths.
inline std::string numbered_lines(int count) {
    std::string text;
    for (int i = 1; i <= count; ++i) {
        text += std::to_string(i);
        text.append(static_cast<std::size_t>(i % 97), static_cast<char>('a' + i % 26)) += '\n';
    }
    return text;
}

}  // namespace martlet::test
