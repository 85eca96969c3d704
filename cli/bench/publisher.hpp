// A publishing client: hands over what its sender says is due, as fast as the connection takes it.
#pragma once

#include "bench_client.hpp"
#include "flow.hpp"
#include "sender.hpp"
#include "worker.hpp"

#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <optional>
#include <string>

namespace martlet::cli::bench {

struct publisher_settings {
    std::uint32_t number = 0;  ///< in the stamps
    std::uint16_t run = 0;
    std::string topic = {};
    std::string response_topic = {};  ///< MQTT 5; empty: none
    martlet::qos qos = martlet::qos::at_most_once;
    std::size_t size_min = 64;
    std::size_t size_max = 64;
    std::optional<schedule> open = {};
    std::uint64_t count = 0;  ///< 0: no limit
    std::uint64_t outstanding_max = 1;
    std::uint32_t copies = 1;
    std::uint64_t seed = 1;
};

class publisher : public actor {
public:
    publisher(worker& on, client_options options, publisher_settings settings, std::shared_ptr<bench::flow> flow);

    void prepare(ready_handler done) override { client_.connect(std::move(done)); }
    void go(const timing_plan& plan) override;
    void stop(nanoseconds now) override;
    [[nodiscard]] bool is_done(nanoseconds now) const override;
    void leave(std::function<void()> done) override;
    /// There is credit again. On the worker's thread.
    void wake() { pump(); }

private:
    void pump();
    void pump_later();
    void pump_open(nanoseconds now);
    void pump_closed(nanoseconds now);
    bool send_one(nanoseconds now);
    void block(nanoseconds now);
    void unblock();
    void wait_for_connection();

    worker& worker_;
    publisher_settings settings_;
    std::shared_ptr<flow> flow_;
    bench_client client_;
    boost::asio::steady_timer timer_;
    std::optional<sender> sender_;
    random_source sizes_;
    publish_options how_;
    std::string payload_;
    nanoseconds blocked_since_ = 0;
    bool is_blocked_ = false;
    bool is_posted_ = false;
    bool is_stopped_ = false;
};

}  // namespace martlet::cli::bench
