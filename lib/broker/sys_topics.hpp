// The topics below $SYS/broker/, with mosquitto's names: retained, published when their values have changed.
#pragma once

#include <martlet/core/connection.hpp>
#include <martlet/time.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace martlet::broker_impl {

struct broker_state;

/// What has gone through all connections.
struct traffic_counters {
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t packets_received = 0;
    std::uint64_t packets_sent = 0;
    std::uint64_t publishes_received = 0;
    std::uint64_t publishes_sent = 0;
    std::uint64_t payload_bytes_received = 0;

    void add(const core::connection::counters& of) noexcept {
        packets_received += of.packets_received;
        packets_sent += of.packets_sent;
        publishes_received += of.messages_received;
        publishes_sent += of.messages_sent;
    }
};

class sys_topics {
public:
    /// `interval` 0: never.
    sys_topics(std::chrono::milliseconds interval, steady_time start)
        : interval_(interval), started_(start), next_(interval.count() > 0 ? start : never) {}

    [[nodiscard]] steady_time next() const noexcept { return next_; }
    [[nodiscard]] bool is_due(steady_time now) const noexcept { return next_ <= now; }
    void publish(broker_state& state);
    /// `count` clients are connected now.
    void on_connected(std::size_t count) noexcept { clients_max_ = count > clients_max_ ? count : clients_max_; }

private:
    /// Per minute, smoothed over 1, 5 and 15 minutes like the load of a system.
    struct load {
        std::uint64_t last = 0;
        std::array<double, 3> rates{};
    };

    void tell(broker_state& state, const std::string& name, std::string value);
    void tell_load(broker_state& state, const std::string& name, std::uint64_t total, double seconds);

    std::chrono::milliseconds interval_;
    steady_time started_;
    steady_time next_;
    steady_time last_{};
    std::size_t clients_max_ = 0;
    std::size_t memory_max_ = 0;
    std::map<std::string, std::string> told_;  // by name
    std::map<std::string, load> loads_;
};

}  // namespace martlet::broker_impl
