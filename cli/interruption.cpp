#include "interruption.hpp"

#include "exit_code.hpp"

#include <csignal>
#include <unistd.h>

namespace martlet::cli {
namespace {

volatile std::sig_atomic_t interruptions = 0;

void on_signal(int) {
    if (interruptions > 0) ::_exit(exit_by_second_signal);
    interruptions = 1;
}

}  // namespace

void watch_interruption() noexcept {
    struct sigaction action {};
    action.sa_handler = on_signal;  // no SA_RESTART: what waits for input returns
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

bool was_interrupted() noexcept { return interruptions > 0; }

}  // namespace martlet::cli
