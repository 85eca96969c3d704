#include "subscriber.hpp"

#include "clock.hpp"

#include <span>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr inbox_limits inbox = {200'000, 256u * 1024 * 1024};

// The answer to ".../q/3" goes to ".../a/3" before MQTT 5, which has no Response Topic.
std::string answer_topic(std::string_view topic) {
    const std::size_t at = topic.rfind("/q/");
    if (at == std::string_view::npos) return {};
    return std::string(topic.substr(0, at)) + "/a/" + std::string(topic.substr(at + 3));
}

}  // namespace

subscriber::subscriber(worker& on, client_options options, subscriber_settings settings,
                       std::shared_ptr<bench::flow> flow)
    : worker_(on), settings_(std::move(settings)), flow_(std::move(flow)), client_(on, std::move(options)) {}

void subscriber::prepare(ready_handler done) {
    client_.connect([this, done = std::move(done)](std::string failure) mutable {
        if (!failure.empty()) return done(std::move(failure));
        subscribe_options how;
        how.qos = settings_.qos;
        how.inbox = inbox;
        const nanoseconds asked = run_now();
        client_.get().async_subscribe(
            settings_.filter, how, [this, asked, ready = std::move(done)](const error_code& error, subscription s) {
                if (error) return ready("subscribing to " + settings_.filter + ": " + error_text(error));
                worker_.counts().of(timing::suback).record(run_now() - asked);
                stream_ = std::move(s);
                ready({});
            });
    });
}

void subscriber::go(const timing_plan& plan) {
    receiver_.emplace(receiver_options{settings_.run, plan.window, *settings_.pattern, 0, settings_.is_closed_loop},
                      settings_.checks);
    receive();
}

void subscriber::receive() {
    stream_.async_receive_some(std::span<message>(batch_), [this](const error_code& error, std::size_t count) {
        if (error) return;
        take(count);
        // What the same read brought is taken in the same turn.
        while ((count = stream_.try_receive_some(batch_)) != 0)
            take(count);
        receive();
    });
}

void subscriber::take(std::size_t count) {
    // Each message is given back as soon as it is looked at: the next ones then come to memory that is still in the cache.
    const std::span<message> messages(batch_.data(), count);
    if (settings_.is_responder) {
        for (message& m : messages)
            respond(std::exchange(m, {}));
        return;
    }
    const nanoseconds now = run_now();
    tally& counts = worker_.counts();
    for (message& m : messages) {
        const std::string_view bytes = m.text();
        receiver_->take(std::span<const char>(bytes.data(), bytes.size()), now, counts);
        m = message();
    }
    flow_->received(settings_.index, count);
}

void subscriber::respond(const message& request) {
    const auto properties = request.properties();
    const std::string topic =
        properties.response_topic ? std::string(*properties.response_topic) : answer_topic(request.topic());
    publish_options how;
    how.qos = settings_.qos;
    const error_code error = client_.get().publish(topic, request.payload(), how);
    if (error) worker_.counts().count_error("responding: " + error_text(error));
}

}  // namespace martlet::cli::bench
