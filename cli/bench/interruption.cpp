#include "interruption.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>

namespace martlet::cli::bench {
namespace {

constexpr int exit_by_second_signal = 130;
std::atomic<int> signals_seen{0};
static_assert(std::atomic<int>::is_always_lock_free);

void note(int) {
    if (signals_seen.fetch_add(1) != 0) std::_Exit(exit_by_second_signal);
}

}  // namespace

void watch_interruption() {
    std::signal(SIGINT, note);
    std::signal(SIGTERM, note);
}

bool is_interrupted() noexcept { return signals_seen.load() != 0; }

}  // namespace martlet::cli::bench
