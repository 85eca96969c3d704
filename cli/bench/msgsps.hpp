// msgsps_pub and msgsps_sub: libmosquitto's small test programs, which the seed used: without arguments they publish to
// and receive from "perf/test" on 127.0.0.1:1883, 1,024 bytes at QoS 1, and print how many messages each second had, as
// an integer on a line. Ticks here are true seconds; options are extras.
#pragma once

#include "option_table.hpp"

#include <span>
#include <string_view>

namespace martlet::cli {

int run_msgsps_pub(std::span<char* const> arguments, profile p, std::string_view program);
int run_msgsps_sub(std::span<char* const> arguments, profile p, std::string_view program);
/// `martlet msgsps pub|sub`.
int run_msgsps(std::span<char* const> arguments, profile p, std::string_view program);

}  // namespace martlet::cli
