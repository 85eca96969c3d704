#include "control_link.hpp"

#include "clock.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr std::chrono::seconds keep_alive{10};  // a machine that is gone is noticed within 15 s
constexpr std::chrono::seconds farewell_limit{3};
constexpr inbox_limits control_inbox = {100'000, 256u * 1024 * 1024};

client_options prepared(client_options options) {
    options.keep_alive = keep_alive;
    options.session = session_mode::clean;
    options.reconnect.enabled = true;
    options.reconnect.before_first_connect = false;
    options.reconnect.delay_min = std::chrono::milliseconds(100);
    options.reconnect.delay_max = std::chrono::milliseconds(2'000);
    return options;
}

}  // namespace

control_link::control_link(client_options options, std::vector<std::string> filters, control_hooks hooks)
    : client_(io_, prepared(std::move(options))), filters_(std::move(filters)), hooks_(std::move(hooks)) {}

control_link::~control_link() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] { client_.stop(); });
    io_.stop();
    thread_.join();
}

std::string control_link::open() {
    next_event();
    client_.async_run(
        [this](const error_code& error) { settle(last_failure_.empty() && error ? error.message() : last_failure_); });
    subscribe();
    thread_ = std::thread([this] { io_.run(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return outcome_.has_value(); });
    return *std::exchange(outcome_, std::nullopt);
}

void control_link::subscribe() {
    std::vector<subscription_request> wanted;
    for (const std::string& filter : filters_)
        wanted.push_back({.filter = filter, .qos = qos::at_least_once});
    subscribe_options how;
    how.inbox = control_inbox;
    client_.async_subscribe(
        std::span<const subscription_request>(wanted), how, [this](const error_code& error, subscription s) {
            if (error && !last_failure_.empty()) return settle(last_failure_);
            if (error) return settle("subscribing to " + filters_.front() + ": " + error.message());
            stream_ = std::move(s);
            for (const reason_code granted : stream_.granted()) {
                if (is_failure(granted)) {
                    return settle("subscribing to " + filters_.front() + ": " + make_error_code(granted).message());
                }
            }
            receive();
            settle({});
        });
}

void control_link::receive() {
    stream_.async_receive([this](const error_code& error, const message& m) {
        if (error) return;
        hooks_.receive(m, monotonic_now());
        receive();
    });
}

void control_link::next_event() {
    client_.async_next_event([this](const error_code& error, const client_event& event) {
        if (error) return;
        using kind = client_event::kind_type;
        if (event.kind == kind::connect_failed) {
            last_failure_ =
                event.url + ": " + event.cause.message() + (event.text.empty() ? "" : " (" + event.text + ')');
        } else if (event.kind == kind::connected) {
            if (std::exchange(was_connected_, true) && hooks_.restored) hooks_.restored();
        } else if (event.kind == kind::lost && hooks_.lost) {
            hooks_.lost(event.cause.message());
        }
        next_event();
    });
}

void control_link::publish(std::string topic, std::string text, qos quality, bool retain) {
    boost::asio::dispatch(io_, [this, topic = std::move(topic), text = std::move(text), quality, retain]() mutable {
        publish_options how;
        how.qos = quality;
        how.retain = retain;
        // At QoS 1 it waits for a connection; at QoS 0 there is another one to come.
        (void)client_.publish(topic, payload(std::move(text)), how);
    });
}

void control_link::close() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        outcome_.reset();
    }
    boost::asio::post(io_, [this] {
        disconnect_options how;
        how.drain = true;
        how.timeout = farewell_limit;
        client_.async_disconnect(how, [this](const error_code&) { settle({}); });
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return outcome_.has_value(); });
    lock.unlock();
    io_.stop();
    thread_.join();
}

// The first answer counts.
void control_link::settle(std::string text) {
    const std::lock_guard lock(mutex_);
    if (!outcome_) outcome_ = std::move(text);
    changed_.notify_all();
}

}  // namespace martlet::cli::bench
