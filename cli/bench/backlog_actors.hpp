// Actors for what a broker keeps: retained messages, and sessions of clients that are away.
#pragma once

#include "bench_client.hpp"
#include "receiver.hpp"
#include "worker.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace martlet::cli::bench {

struct backlog_settings {
    std::uint16_t run = 0;
    std::uint32_t number = 0;  ///< of the publisher, in the stamps
    std::string topic = {};    ///< retained: a prefix, to which a number is added
    std::string filter = {};   ///< of those who get it
    std::uint64_t messages = 0;
    martlet::qos qos = martlet::qos::at_least_once;
    std::size_t size = 64;
    bool is_retained = false;
};

/// Publishes the backlog before the run, and removes it afterwards if it is retained.
class loader : public actor {
public:
    loader(worker& on, client_options options, backlog_settings settings);

    void prepare(ready_handler done) override { client_.connect(std::move(done)); }
    void load(ready_handler done) override;
    void go(const timing_plan&) override {}
    void stop(nanoseconds) override {}
    [[nodiscard]] bool is_done(nanoseconds) const override { return true; }
    void leave(std::function<void()> done) override;

private:
    void publish_next();
    void settle();
    [[nodiscard]] std::string topic_of(std::uint64_t n) const;

    worker& worker_;
    backlog_settings settings_;
    bench_client client_;
    ready_handler ready_;
    std::string payload_;
    std::string failure_;
    std::uint64_t begun_ = 0;
    std::uint64_t settled_ = 0;
    bool is_removing_ = false;
};

/// Gets the backlog in the run: a subscription to retained messages, or a session that comes back.
class collector : public actor {
public:
    /// `publishers`: numbers below it are in the stamps; `expected`: messages that it should get.
    collector(worker& on, client_options options, backlog_settings settings, std::size_t publishers,
              std::uint64_t expected);

    void prepare(ready_handler done) override;
    void go(const timing_plan& plan) override;
    void stop(nanoseconds) override { is_stopped_ = true; }
    [[nodiscard]] bool is_done(nanoseconds) const override { return is_stopped_ || unique_ >= expected_; }
    void leave(std::function<void()> done) override;

private:
    void subscribe(std::function<void(const error_code&)> done);
    void receive();
    void take(std::size_t count);

    worker& worker_;
    backlog_settings settings_;
    client_options options_;
    std::unique_ptr<bench_client> client_;
    subscription stream_;
    sequence_checks checks_;
    std::array<message, 256> batch_;
    timing_plan plan_;
    nanoseconds began_ = 0;
    std::uint64_t expected_;
    std::uint64_t unique_ = 0;
    bool is_stopped_ = false;
};

}  // namespace martlet::cli::bench
