#include "backlog_actors.hpp"

#include "clock.hpp"

#include <chrono>
#include <span>
#include <string_view>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr std::uint64_t outstanding_max = 500;
constexpr inbox_limits backlog_inbox = {1'000'000, 512u * 1024 * 1024};

}  // namespace

// -- loader

loader::loader(worker& on, client_options options, backlog_settings settings)
    : worker_(on), settings_(std::move(settings)), client_(on, std::move(options)) {
    payload_.resize(settings_.size);
    fill_payload(payload_, settings_.run);
}

std::string loader::topic_of(std::uint64_t n) const {
    return settings_.is_retained ? settings_.topic + std::to_string(n) : settings_.topic;
}

void loader::load(ready_handler done) {
    ready_ = std::move(done);
    publish_next();
}

void loader::publish_next() {
    while (begun_ < settings_.messages && begun_ - settled_ < outstanding_max) {
        const std::uint64_t n = begun_++;
        publish_options how;
        how.qos = qos::at_least_once;  // to know when all are there
        how.retain = settings_.is_retained;
        if (settings_.qos == qos::exactly_once) how.qos = qos::exactly_once;
        const nanoseconds now = run_now();
        write_stamp(payload_, {settings_.run, settings_.number, n, now, 0});
        const std::string_view bytes = is_removing_ ? std::string_view() : std::string_view(payload_);
        client_.get().async_publish(topic_of(n), bytes, how, [this, now](const error_code& error, publish_result) {
            if (error && !is_removing_) {
                failure_ = "publishing the backlog: " + error_text(error);
            } else if (!is_removing_) {
                worker_.counts().of(timing::ack).record(run_now() - now);
                ++worker_.counts().acked_ever;
            }
            ++settled_;
            settle();
        });
        ++worker_.counts().sent_ever;
    }
}

void loader::settle() {
    if (settled_ < settings_.messages) return publish_next();
    if (auto ready = std::exchange(ready_, nullptr)) ready(failure_);
}

void loader::leave(std::function<void()> done) {
    if (!settings_.is_retained || begun_ == 0 || !client_.is_connected()) return client_.leave(std::move(done));
    is_removing_ = true;
    begun_ = settled_ = 0;
    ready_ = [this, done = std::move(done)](const std::string&) mutable { client_.leave(std::move(done)); };
    publish_next();
}

// -- collector

collector::collector(worker& on, client_options options, backlog_settings settings, std::size_t publishers,
                     std::uint64_t expected)
    : worker_(on),
      settings_(std::move(settings)),
      options_(std::move(options)),
      checks_(publishers, false),
      expected_(expected) {
    if (!settings_.is_retained) {
        options_.session = session_mode::resume;
        options_.session_expiry = std::chrono::hours(1);
    }
}

void collector::subscribe(std::function<void(const error_code&)> done) {
    subscribe_options how;
    how.qos = settings_.qos;
    how.inbox = backlog_inbox;
    const nanoseconds asked = run_now();
    client_->get().async_subscribe(settings_.filter, how,
                                   [this, asked, done = std::move(done)](const error_code& error, subscription s) {
                                       if (!error) worker_.counts().of(timing::suback).record(run_now() - asked);
                                       stream_ = std::move(s);
                                       done(error);
                                   });
}

// A session is made here, and left; its client comes back in the run.
void collector::prepare(ready_handler done) {
    client_ = std::make_unique<bench_client>(worker_, options_);
    client_->connect([this, done = std::move(done)](std::string failure) {
        if (!failure.empty() || settings_.is_retained) return done(std::move(failure));
        subscribe([this, done](const error_code& error) {
            if (error) return done("subscribing to " + settings_.filter + ": " + error_text(error));
            client_->leave([done] { done({}); });
        });
    });
}

void collector::go(const timing_plan& plan) {
    plan_ = plan;
    worker_.counts().expected += expected_;
    began_ = run_now();
    if (settings_.is_retained) {
        subscribe([this](const error_code& error) {
            if (error) worker_.counts().count_error("subscribing: " + error_text(error));
        });
        // Retained messages come with the SUBACK: the stream is asked for as soon as it is there.
        boost::asio::post(worker_.io(), [this] { receive(); });
        return;
    }
    client_->connect([this](const std::string& failure) {
        if (!failure.empty()) worker_.counts().count_error(failure);
    });
    receive();
}

void collector::receive() {
    if (!stream_.is_open()) {
        if (is_stopped_) return;
        boost::asio::post(worker_.io(), [this] { receive(); });
        return;
    }
    stream_.async_receive_some(std::span<message>(batch_), [this](const error_code& error, std::size_t count) {
        if (error) return;
        take(count);
        receive();
    });
}

void collector::take(std::size_t count) {
    const nanoseconds now = run_now();
    tally& counts = worker_.counts();
    for (const message& m : std::span<const message>(batch_.data(), count)) {
        const std::string_view bytes = m.text();
        ++counts.received_ever;
        const auto s = read_stamp(std::span<const char>(bytes.data(), bytes.size()), settings_.run);
        if (!s || !checks_.is_known(s->publisher)) {
            ++counts.corrupt;
            continue;
        }
        const arrival_order order = checks_.take(*s);
        if (order == arrival_order::duplicate) {
            ++counts.duplicates;
            continue;
        }
        // Retained messages come in the broker's order of topics.
        counts.reordered += order == arrival_order::reordered && !settings_.is_retained;
        ++counts.unique;
        counts.last_event = now;
        ++counts.received_in_time;
        counts.received_bytes_in_time += bytes.size();
        counts.of(timing::e2e).record(now - began_);
        if (++unique_ == expected_) counts.of(timing::drain).record(now - began_);
    }
}

void collector::leave(std::function<void()> done) {
    if (settings_.is_retained || !client_->is_connected()) return client_->leave(std::move(done));
    // The session goes with its subscription: at once in MQTT 5, before it at least nothing is queued for it.
    client_->get().async_unsubscribe(
        stream_, [this, done = std::move(done)](const error_code&, const std::vector<reason_code>&) mutable {
            client_->leave(std::move(done));
        });
}

}  // namespace martlet::cli::bench
