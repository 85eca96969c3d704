// Actors whose work is not messages: connections that come, stay and go, and subscriptions that are made and ended.
#pragma once

#include "bench_client.hpp"
#include "settings.hpp"
#include "worker.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace martlet::cli::bench {

/// `conn`: one connection. hold and storm: connects when its turn comes, and stays; churn: connects, leaves, again.
class connector : public actor {
public:
    /// `slot`: when its turn is, from the start of the run on.
    connector(worker& on, std::function<client_options()> make_options, connection_mode mode, nanoseconds slot);

    void prepare(ready_handler done) override { done({}); }
    void go(const timing_plan& plan) override;
    void stop(nanoseconds) override { is_stopped_ = true; }
    [[nodiscard]] bool is_done(nanoseconds) const override;
    void leave(std::function<void()> done) override;

private:
    void connect();
    void connected();

    worker& worker_;
    std::function<client_options()> make_options_;
    connection_mode mode_;
    nanoseconds slot_;
    timing_plan plan_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<bench_client> client_;
    std::unique_ptr<bench_client> previous_;  // its last handlers have it yet
    bool is_busy_ = false;
    bool is_stopped_ = false;
};

/// `subscribe`: one client that subscribes and unsubscribes its filters in turn, one at a time.
class subscribe_looper : public actor {
public:
    subscribe_looper(worker& on, client_options options, std::string prefix, std::uint64_t filters, martlet::qos qos);

    void prepare(ready_handler done) override { client_.connect(std::move(done)); }
    void go(const timing_plan& plan) override;
    void stop(nanoseconds) override { is_stopped_ = true; }
    [[nodiscard]] bool is_done(nanoseconds) const override { return is_idle_; }
    void leave(std::function<void()> done) override { client_.leave(std::move(done)); }

private:
    void next();
    void count();

    worker& worker_;
    bench_client client_;
    std::string prefix_;
    std::uint64_t filters_;
    martlet::qos qos_;
    timing_plan plan_;
    boost::asio::steady_timer timer_;
    std::uint64_t number_ = 0;
    bool is_stopped_ = false;
    bool is_idle_ = false;
};

}  // namespace martlet::cli::bench
