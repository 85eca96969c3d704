#include "worker.hpp"

#include <pthread.h>
#include <sys/prctl.h>

namespace martlet::cli::bench {

void worker::start() {
    thread_.emplace([this] {
        ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // the usual 50 µs would all be lag
        io_.run();
        cpu_at_end_ = clock_of(CLOCK_THREAD_CPUTIME_ID);
    });
    clockid_t clock{};
    if (::pthread_getcpuclockid(thread_->native_handle(), &clock) == 0) cpu_clock_ = clock;
}

void worker::join() {
    if (!thread_) return;
    io_.stop();
    thread_->join();
    thread_.reset();
    actors.clear();
}

nanoseconds worker::cpu() const noexcept {
    if (!thread_) return cpu_at_end_;
    return cpu_clock_ ? clock_of(*cpu_clock_) : 0;
}

}  // namespace martlet::cli::bench
