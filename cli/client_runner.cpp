#include "client_runner.hpp"

#include "exit_code.hpp"

#include <csignal>
#include <cstdlib>
#include <utility>

namespace martlet::cli {
namespace {

constexpr std::chrono::seconds farewell_timeout{5};

}  // namespace

client_runner::client_runner(const connection_settings& settings, client_options options, profile p)
    : settings_(settings),
      profile_(p),
      client_(io_, std::move(options)),
      limit_(io_),
      signals_(io_),
      version_(settings.version) {}

void client_runner::limit_time(std::chrono::milliseconds limit, disconnect_options how) {
    limit_.expires_after(limit);
    limit_.async_wait([this, how](const error_code& error) {
        if (error) return;
        tell("Timed out");
        if (is_finishing_) {  // taking leave takes too long
            exit_code_ = exit_timed_out;
            client_.stop();
            return;
        }
        const bool early = profile_ == profile::mosquitto && !was_connected_;
        finish(early ? exit_interrupted_early : exit_timed_out, how);
    });
}

void client_runner::leave_on_signal(int code) {
    stop_on_signal([this, code] { finish(code, {.reason = reason_code::disconnect_with_will}); });
}

void client_runner::stop_on_signal(std::function<void()> stop) {
    signals_.add(SIGINT);
    signals_.add(SIGTERM);
    await_signal(std::move(stop));
}

void client_runner::await_signal(std::function<void()> first) {
    signals_.async_wait([this, first = std::move(first)](const error_code& error, int) {
        if (error) return;
        if (is_finishing_ || std::exchange(has_had_signal_, true)) std::_Exit(exit_by_second_signal);
        if (!was_connected_) std::_Exit(exit_interrupted_early);
        first();
        await_signal(first);
    });
}

int client_runner::run() {
    next_event();
    client_.async_run([this](const error_code& error) {
        has_run_ended_ = true;
        if (!has_given_up_) run_error_ = error;
        conclude();
    });
    io_.run();
    return exit_code_;
}

void client_runner::finish(int code, disconnect_options how) {
    if (std::exchange(is_finishing_, true)) return;
    exit_code_ = code;
    if (!how.drain) {
        limit_.cancel();
        how.timeout = farewell_timeout;
    }
    const property_arguments& p = settings_.properties;
    if (p.disconnect_session_expiry_interval) how.session_expiry_interval = p.disconnect_session_expiry_interval;
    how.reason_string = p.disconnect_reason_string;
    how.user_properties = p.disconnect_user_properties;
    client_.async_disconnect(how, [](const error_code&) {});
}

void client_runner::tell(std::string_view line) const {
    if (!settings_.quiet) complain(line);
}

void client_runner::next_event() {
    client_.async_next_event([this](const error_code& error, client_event event) {
        if (error) return;
        handle(event);
        if (!has_told_stop_) next_event();
    });
}

void client_runner::handle(const client_event& event) {
    const bool native = profile_ == profile::native;
    switch (event.kind) {
        case client_event::kind_type::connected:
            was_connected_ = true;
            retries_ = 0;
            if (std::exchange(has_told_loss_, false)) tell("Connected again.");
            version_ = event.info.version;
            if (on_connected_) on_connected_();
            break;
        case client_event::kind_type::connect_failed:
            detail_ = event.text;
            last_cause_ = event.cause;
            if (event.info.reason != reason_code::success) version_ = event.info.version;
            if (native && was_connected_ && settings_.debug) {
                tell(refused(event.cause, event.text).text);
            }
            break;
        case client_event::kind_type::lost:
            detail_ = event.text;
            last_cause_ = event.cause;
            break;
        case client_event::kind_type::retry_in:
            if (settings_.retries && retries_++ >= *settings_.retries && !is_finishing_) {
                run_error_ = last_cause_;
                has_given_up_ = true;
                client_.stop();
                break;
            }
            if (native && !is_finishing_ && !std::exchange(has_told_loss_, true)) {
                tell("Warning: no connection to " + destination(settings_) + "; trying again.");
            }
            break;
        case client_event::kind_type::resubscribe_refused:
            tell("Warning: Subscription to '" + event.text + "' was denied: " + describe(event.cause));
            break;
        case client_event::kind_type::messages_dropped:
            tell("Warning: " + std::to_string(event.count) + " received messages were dropped: " + event.text);
            break;
        case client_event::kind_type::stopped:
            has_told_stop_ = true;
            conclude();
            break;
        default: break;  // messages dropped from the queue: each has its own completion
    }
}

failure client_runner::refused(const error_code& cause, std::string_view detail) const {
    return connect_failure(cause, version_, destination(settings_), detail, profile_, settings_.user_name.has_value());
}

void client_runner::conclude() {
    if (!has_run_ended_ || !has_told_stop_) return;
    if (run_error_ && !is_finishing_) {
        const failure f =
            was_connected_ ? connection_loss(run_error_, detail_, profile_) : refused(run_error_, detail_);
        tell(f.text);
        if (explains_refusals_ && !was_connected_ && run_error_.category() == reason_category()) {
            const bool v5 = version_.value_or(protocol_version::v5) == protocol_version::v5;
            tell(v5 ? "Error: A network protocol error occurred when communicating with the broker."
                    : "Error: The connection was refused.");
        }
        exit_code_ = f.exit_code;
    }
    io_.stop();
}

}  // namespace martlet::cli
