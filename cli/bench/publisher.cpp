#include "publisher.hpp"

#include "clock.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr int batch_max = 256;             // messages in one turn of the loop, then others have theirs
constexpr int messages_between_looks = 8;  // at the clock
constexpr std::uint64_t open_outstanding_max = 50'000;
constexpr std::chrono::milliseconds retry_interval{5};

}  // namespace

publisher::publisher(worker& on, client_options options, publisher_settings settings, std::shared_ptr<bench::flow> flow)
    : worker_(on),
      settings_(std::move(settings)),
      flow_(std::move(flow)),
      client_(on, std::move(options)),
      timer_(on.io()),
      sizes_(settings_.seed) {
    payload_.resize(settings_.size_max);
    fill_payload(payload_, settings_.run);
    how_.qos = settings_.qos;
    if (!settings_.response_topic.empty()) how_.properties.response_topic = settings_.response_topic;
    client_.on_reconnected([this] { pump_later(); });
}

void publisher::go(const timing_plan& plan) {
    sender_options o;
    o.publisher = settings_.number;
    o.run = settings_.run;
    o.open = std::move(settings_.open);
    o.start = plan.start;
    o.stop = plan.stop;
    o.window = plan.window;
    if (settings_.count != 0) o.count_max = settings_.count;
    o.outstanding_max = settings_.outstanding_max;
    o.copies = settings_.copies;
    sender_.emplace(o);
    timer_.expires_at(steady_time(plan.start));
    timer_.async_wait([this](const error_code& error) {
        if (!error) pump();
    });
}

void publisher::stop(nanoseconds now) {
    if (sender_) sender_->stop(now);
    is_stopped_ = true;
}

bool publisher::is_done(nanoseconds now) const {
    if (!sender_) return false;
    if (!sender_->is_finished(now)) return false;
    return settings_.qos == qos::at_most_once || sender_->outstanding() == 0;
}

void publisher::leave(std::function<void()> done) {
    timer_.cancel();
    client_.leave(std::move(done));
}

void publisher::pump_later() {
    if (std::exchange(is_posted_, true)) return;
    boost::asio::post(worker_.io(), [this] {
        is_posted_ = false;
        pump();
    });
}

void publisher::pump() {
    if (!sender_ || is_blocked_) return;
    const nanoseconds now = run_now();
    if (sender_->is_open_loop()) {
        pump_open(now);
    } else {
        pump_closed(now);
    }
}

void publisher::pump_open(nanoseconds now) {
    for (int n = 1; sender_->is_due(now); ++n) {
        if (!send_one(now)) return;
        if (n == batch_max) return pump_later();
        if (n % messages_between_looks == 0) now = run_now();
    }
    const nanoseconds next = sender_->next_due();
    if (next == no_time) return;
    timer_.expires_at(steady_time(next));
    timer_.async_wait([this](const error_code& error) {
        if (!error) pump();
    });
}

void publisher::pump_closed(nanoseconds now) {
    const bool is_acknowledged = settings_.qos != qos::at_most_once;
    std::uint64_t room = batch_max;
    if (flow_->has_subscribers()) room = std::min(room, flow_->room());
    if (is_acknowledged) room = std::min(room, sender_->room());
    std::uint64_t taken = 0;
    while (taken < room && sender_->is_due(now)) {
        ++taken;
        if (!send_one(now)) break;
        if (taken % messages_between_looks == 0) now = run_now();
    }
    flow_->sent(taken);
    if (is_blocked_ || sender_->is_finished(now)) return;
    if (taken == batch_max) return pump_later();
    if (is_acknowledged && sender_->room() == 0) return;  // an acknowledgement goes on
    if (flow_->has_subscribers() && flow_->wait()) pump_later();
}

// False if nothing more can be sent now.
bool publisher::send_one(nanoseconds now) {
    const stamp s = sender_->next(now);
    std::size_t size = settings_.size_min;
    if (settings_.size_max > size) size += sizes_.below(settings_.size_max - size + 1);
    const std::string_view bytes(payload_.data(), size);
    write_stamp(std::span<char>(payload_.data(), size), s);
    if (settings_.qos == qos::at_most_once) {
        const error_code error = client_.get().publish(settings_.topic, bytes, how_);
        if (!error) {
            sender_->commit(s, now, worker_.counts());
            return true;
        }
        if (error == errc::queue_full) {
            // Congested: this one is taken, and its completion says when there is room again.
            sender_->commit(s, now, worker_.counts());
            block(now);
            client_.get().async_publish(settings_.topic, bytes, how_,
                                        [this](const error_code& failure, publish_result) {
                                            if (failure)
                                                worker_.counts().count_error("publishing: " + error_text(failure));
                                            unblock();
                                        });
            return false;
        }
        if (error == errc::not_connected) {
            wait_for_connection();
            return false;
        }
        worker_.counts().count_error("publishing: " + error_text(error));
        sender_->commit(s, now, worker_.counts());
        return true;
    }

    sender_->commit(s, now, worker_.counts());
    client_.get().async_publish(settings_.topic, bytes, how_,
                                [this, intended = s.intended](const error_code& failure, publish_result) {
                                    if (failure) worker_.counts().count_error("publishing: " + error_text(failure));
                                    sender_->acknowledged(intended, run_now(), !failure, worker_.counts());
                                    if (is_blocked_) {
                                        if (sender_->outstanding() < open_outstanding_max / 2) unblock();
                                    } else if (!sender_->is_open_loop()) {
                                        pump_later();
                                    }
                                });
    if (sender_->is_open_loop() && sender_->outstanding() >= open_outstanding_max) {
        block(now);
        return false;
    }
    return true;
}

void publisher::block(nanoseconds now) {
    is_blocked_ = true;
    blocked_since_ = now;
}

void publisher::unblock() {
    if (!std::exchange(is_blocked_, false)) return;
    sender_->was_blocked(blocked_since_, run_now());
    pump_later();
}

// The broker is gone; what is due stays due.
void publisher::wait_for_connection() {
    if (is_stopped_) return;
    block(run_now());
    timer_.expires_after(retry_interval);
    timer_.async_wait([this](const error_code& error) {
        if (!error) unblock();
    });
}

}  // namespace martlet::cli::bench
