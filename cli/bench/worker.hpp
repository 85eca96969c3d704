// A thread of the generator: an io_context and what is counted on it. An actor is a client with a part in the scenario;
// it lives on one worker, and only that thread touches it.
#pragma once

#include "clock.hpp"
#include "tally.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace martlet::cli::bench {

/// When a run begins and what of it counts; fixed when everybody is ready.
struct timing_plan {
    nanoseconds start = 0;
    nanoseconds stop = 0;
    measurement_window window = {};
};

/// "" or why it failed.
using ready_handler = std::function<void(std::string)>;

class actor {
public:
    virtual ~actor() = default;
    /// Connects, subscribes. Calls `done` once.
    virtual void prepare(ready_handler done) = 0;
    /// What has to be there before the run, once all are prepared: retained messages, a backlog. Calls `done` once.
    virtual void load(ready_handler done) { done({}); }
    virtual void go(const timing_plan& plan) = 0;
    /// Nothing new from now on; what is under way may end.
    virtual void stop(nanoseconds now) = 0;
    /// Nothing is due and nothing is outstanding.
    [[nodiscard]] virtual bool is_done(nanoseconds now) const = 0;
    /// Takes leave. Calls `done` once.
    virtual void leave(std::function<void()> done) = 0;
};

class worker {
public:
    worker() : keep_(io_.get_executor()) {}
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;
    ~worker() { join(); }

    void start();
    /// Stops the thread; the actors may be destroyed then.
    void join();

    [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }
    /// What is counted at present. On the worker's thread.
    [[nodiscard]] tally& counts() noexcept { return *counts_; }
    /// Exchanges the present tally for an empty one. On the worker's thread.
    [[nodiscard]] std::unique_ptr<tally> take_counts(std::unique_ptr<tally> empty) {
        counts_.swap(empty);
        return empty;
    }
    /// CPU time of the thread.
    [[nodiscard]] nanoseconds cpu() const noexcept;

private:
    boost::asio::io_context io_{1};  // outlives the actors

public:
    std::vector<std::unique_ptr<actor>> actors;  ///< on the worker's thread

private:
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_;
    std::unique_ptr<tally> counts_ = std::make_unique<tally>();
    std::optional<std::thread> thread_;
    std::optional<clockid_t> cpu_clock_;
    nanoseconds cpu_at_end_ = 0;
};

}  // namespace martlet::cli::bench
