#include "embedded_broker.hpp"

#include <pthread.h>

namespace martlet::cli::bench {

embedded_broker::embedded_broker() {
    broker_.emplace(io_.get_executor());
    url_ = "mqtt://127.0.0.1:" + std::to_string(broker_->listen("mqtt://127.0.0.1:0").value().port);
    thread_ = std::thread([this] { io_.run(); });
    clockid_t clock{};
    if (::pthread_getcpuclockid(thread_.native_handle(), &clock) == 0) cpu_clock_ = clock;
}

embedded_broker::~embedded_broker() {
    io_.stop();
    thread_.join();
}

nanoseconds embedded_broker::cpu() const noexcept { return cpu_clock_ ? clock_of(*cpu_clock_) : 0; }

}  // namespace martlet::cli::bench
