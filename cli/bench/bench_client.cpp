#include "bench_client.hpp"

#include "clock.hpp"

#include <chrono>
#include <utility>

namespace martlet::cli::bench {

namespace {
constexpr std::chrono::seconds farewell_limit{2};
}

std::string error_text(const error_code& error) { return error.message(); }

bench_client::bench_client(worker& on, client_options options) : worker_(on), client_(on.io(), std::move(options)) {}

void bench_client::connect(ready_handler done) {
    ready_ = std::move(done);
    started_ = run_now();
    next_event();
    client_.async_run([this](const error_code& error) {
        is_connected_ = false;
        if (error && !was_connected_) {
            ++worker_.counts().connect_failures;
            answer(last_failure_.empty() ? error_text(error) : last_failure_);
        } else if (error && !is_leaving_) {
            worker_.counts().count_error(error_text(error));
        }
        if (auto left = std::exchange(left_, nullptr)) left();
    });
}

void bench_client::next_event() {
    client_.async_next_event([this](const error_code& error, const client_event& event) {
        if (error) return;
        handle(event);
        next_event();
    });
}

void bench_client::handle(const client_event& event) {
    using kind = client_event::kind_type;
    tally& counts = worker_.counts();
    switch (event.kind) {
        case kind::connected:
            is_connected_ = true;
            ++counts.connects;
            if (!std::exchange(was_connected_, true)) {
                counts.of(timing::connect).record(run_now() - started_);
                answer({});
            } else if (on_reconnected_) {
                on_reconnected_();
            }
            break;
        case kind::connect_failed:
            last_failure_ =
                event.url + ": " + error_text(event.cause) + (event.text.empty() ? "" : " (" + event.text + ')');
            if (was_connected_) {
                ++counts.connect_failures;
                counts.count_error("reconnecting: " + error_text(event.cause));
            }
            break;
        case kind::lost:
            is_connected_ = false;
            if (is_leaving_) break;
            ++counts.disconnects;
            counts.count_error("connection lost: " + error_text(event.cause));
            break;
        case kind::messages_dropped: counts.count_error("dropped by the generator: " + event.text, event.count); break;
        case kind::resubscribe_refused: counts.count_error("resubscribing refused: " + error_text(event.cause)); break;
        default: break;
    }
}

void bench_client::answer(std::string text) {
    if (auto ready = std::exchange(ready_, nullptr)) ready(std::move(text));
}

void bench_client::leave(std::function<void()> done) {
    is_leaving_ = true;
    if (!is_connected_) {
        client_.stop();
        boost::asio::post(worker_.io(), std::move(done));
        return;
    }
    disconnect_options how;
    how.timeout = farewell_limit;
    client_.async_disconnect(how, [done = std::move(done)](const error_code&) { done(); });
}

}  // namespace martlet::cli::bench
