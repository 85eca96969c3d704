// A subscribing client: takes messages in batches and has them measured. A responder sends each one back.
#pragma once

#include "bench_client.hpp"
#include "flow.hpp"
#include "receiver.hpp"
#include "worker.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace martlet::cli::bench {

struct subscriber_settings {
    std::uint16_t run = 0;
    std::string filter = {};
    martlet::qos qos = martlet::qos::at_most_once;
    std::size_t index = 0;  ///< in its flow
    std::shared_ptr<const std::string> pattern = {};
    std::shared_ptr<sequence_checks> checks = {};
    bool is_closed_loop = false;
    bool is_responder = false;  ///< answers instead of measuring
};

class subscriber : public actor {
public:
    subscriber(worker& on, client_options options, subscriber_settings settings, std::shared_ptr<bench::flow> flow);

    void prepare(ready_handler done) override;
    void go(const timing_plan& plan) override;
    void stop(nanoseconds) override {}
    [[nodiscard]] bool is_done(nanoseconds) const override { return true; }
    void leave(std::function<void()> done) override { client_.leave(std::move(done)); }

private:
    static constexpr std::size_t batch_max = 256;

    void receive();
    void take(std::size_t count);
    void respond(const message& request);

    worker& worker_;
    subscriber_settings settings_;
    std::shared_ptr<flow> flow_;
    bench_client client_;
    subscription stream_;
    std::optional<receiver> receiver_;
    std::array<message, batch_max> batch_;
};

}  // namespace martlet::cli::bench
