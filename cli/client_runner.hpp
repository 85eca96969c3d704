// What pub and sub share around a client: the run from connecting to the exit code, its events, the time limit.
#pragma once

#include "connection_options.hpp"
#include "failure.hpp"

#include <martlet/client.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli {

class client_runner {
public:
    client_runner(const connection_settings& settings, client_options options, profile p);

    [[nodiscard]] boost::asio::io_context& io() noexcept { return io_; }
    [[nodiscard]] martlet::client& client() noexcept { return client_; }
    /// Of the connection; absent before it is known.
    [[nodiscard]] std::optional<protocol_version> version() const noexcept { return version_; }
    [[nodiscard]] bool was_connected() const noexcept { return was_connected_; }
    [[nodiscard]] bool is_finishing() const noexcept { return is_finishing_; }

    /// Called after each successful CONNECT.
    void on_connected(std::function<void()> handler) { on_connected_ = std::move(handler); }

    /// Ends with exit_timed_out after `limit`, taking leave as `how` says.
    void limit_time(std::chrono::milliseconds limit, disconnect_options how = {});

    /// SIGINT and SIGTERM take leave, so that the broker publishes the will, and end with `code`; before the first
    /// connection, and at the second signal, the process exits at once.
    void leave_on_signal(int code = 0);
    /// The first SIGINT or SIGTERM calls `stop`, which sees to the end; before the first connection, and at the second
    /// signal, the process exits at once.
    void stop_on_signal(std::function<void()> stop);
    /// mosquitto_pub says in a second line that a refused connection did not come about.
    void explain_refusals() noexcept { explains_refusals_ = true; }

    /// Runs until finish(), or until the client gives up; returns the exit code.
    int run();

    /// Takes leave of the broker, then run() returns `code`. Only the first call counts.
    void finish(int code, disconnect_options how = {});

    /// A line on standard error, unless --quiet.
    void tell(std::string_view line) const;

private:
    void next_event();
    void handle(const client_event& event);
    void conclude();
    [[nodiscard]] failure refused(const error_code& cause, std::string_view detail) const;
    void await_signal(std::function<void()> first);

    boost::asio::io_context io_{1};
    const connection_settings& settings_;
    profile profile_;
    martlet::client client_;
    boost::asio::steady_timer limit_;
    boost::asio::signal_set signals_;
    std::function<void()> on_connected_;
    int exit_code_ = 0;
    bool has_told_loss_ = false;
    bool was_connected_ = false;
    bool is_finishing_ = false;
    bool explains_refusals_ = false;
    bool has_had_signal_ = false;

    // the end of the run
    bool has_run_ended_ = false;
    bool has_told_stop_ = false;  // the client's last event came, so the cause of a failure is known
    error_code run_error_;
    error_code last_cause_;      // why there is no connection
    std::uint64_t retries_ = 0;  // since there was one
    bool has_given_up_ = false;
    std::string detail_;
    std::optional<protocol_version> version_;
};

}  // namespace martlet::cli
