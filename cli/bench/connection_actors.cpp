#include "connection_actors.hpp"

#include "clock.hpp"

#include <chrono>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr std::chrono::milliseconds pause_after_failure{10};

}  // namespace

connector::connector(worker& on, std::function<client_options()> make_options, connection_mode mode, nanoseconds slot)
    : worker_(on), make_options_(std::move(make_options)), mode_(mode), slot_(slot), timer_(on.io()) {}

void connector::go(const timing_plan& plan) {
    plan_ = plan;
    is_busy_ = true;
    timer_.expires_at(steady_time(plan.start + slot_));
    timer_.async_wait([this](const error_code& error) {
        if (!error) connect();
    });
}

void connector::connect() {
    if (is_stopped_) {
        is_busy_ = false;
        return;
    }
    previous_ = std::move(client_);
    client_ = std::make_unique<bench_client>(worker_, make_options_());
    const nanoseconds intended = plan_.start + slot_;
    if (mode_ != connection_mode::churn && plan_.window.contains(intended)) {
        worker_.counts().of(timing::lag).record(run_now() - intended);
    }
    client_->connect([this](const std::string& failure) {
        if (failure.empty()) return connected();
        worker_.counts().count_error(failure);
        is_busy_ = mode_ == connection_mode::churn;
        if (!is_busy_) return;
        timer_.expires_after(pause_after_failure);
        timer_.async_wait([this](const error_code& error) {
            if (!error) connect();
        });
    });
}

void connector::connected() {
    if (plan_.window.contains(run_now())) ++worker_.counts().operations;
    if (mode_ != connection_mode::churn) {
        is_busy_ = false;
        return;
    }
    client_->leave([this] { boost::asio::post(worker_.io(), [this] { connect(); }); });
}

bool connector::is_done(nanoseconds) const { return !is_busy_; }

void connector::leave(std::function<void()> done) {
    timer_.cancel();
    if (!client_) {
        boost::asio::post(worker_.io(), std::move(done));
        return;
    }
    client_->leave(std::move(done));
}

subscribe_looper::subscribe_looper(worker& on, client_options options, std::string prefix, std::uint64_t filters,
                                   martlet::qos qos)
    : worker_(on),
      client_(on, std::move(options)),
      prefix_(std::move(prefix)),
      filters_(filters),
      qos_(qos),
      timer_(on.io()) {}

void subscribe_looper::go(const timing_plan& plan) {
    plan_ = plan;
    timer_.expires_at(steady_time(plan.start));
    timer_.async_wait([this](const error_code& error) {
        if (!error) next();
    });
}

void subscribe_looper::count() {
    if (plan_.window.contains(run_now())) ++worker_.counts().operations;
}

void subscribe_looper::next() {
    const nanoseconds asked = run_now();
    if (is_stopped_ || asked >= plan_.stop) {
        is_idle_ = true;
        return;
    }
    // One in four has a wildcard in the middle, one in four at the end.
    const std::uint64_t n = number_++ % filters_;
    const std::string filter = prefix_ + std::to_string(n) + (n % 4 == 1 ? "/+/x" : n % 4 == 2 ? "/#" : "/x");
    client_.get().async_subscribe(filter, qos_, [this, asked, filter](const error_code& error, subscription stream) {
        if (error) {
            worker_.counts().count_error("subscribing: " + error_text(error));
            timer_.expires_after(pause_after_failure);
            timer_.async_wait([this](const error_code& aborted) {
                if (!aborted) next();
            });
            return;
        }
        const nanoseconds now = run_now();
        if (plan_.window.contains(asked)) worker_.counts().of(timing::suback).record(now - asked);
        count();
        auto kept = std::make_shared<subscription>(std::move(stream));
        client_.get().async_unsubscribe(filter,
                                        [this, kept](const error_code& failure, const std::vector<reason_code>&) {
                                            if (failure)
                                                worker_.counts().count_error("unsubscribing: " + error_text(failure));
                                            count();
                                            next();
                                        });
    });
}

}  // namespace martlet::cli::bench
