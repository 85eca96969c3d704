#include "run.hpp"

#include "clock.hpp"
#include "embedded_broker.hpp"
#include "hlog.hpp"
#include "plan.hpp"
#include "worker.hpp"

#include <martlet/endpoint.hpp>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr std::size_t preparing_max = 200;  // actors that connect at the same time
constexpr nanoseconds glance = 20 * millisecond;
constexpr nanoseconds done_glance = 100 * millisecond;
constexpr nanoseconds head_start = 30 * millisecond;  // between "go" and the first message
constexpr nanoseconds stalled_after = 500 * millisecond;
constexpr nanoseconds farewell_max = 3 * second;
constexpr std::uint64_t spare_descriptors = 64;
constexpr nanoseconds no_end = 1'000 * 3600 * second;

double to_seconds(nanoseconds time) { return static_cast<double>(time) / 1e9; }

class runner {
public:
    runner(const run_settings& settings, const run_hooks& hooks) : settings_(settings), hooks_(hooks) {
        result_.settings = settings;
        result_.machine = this_machine();
    }
    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;
    ~runner() {
        for (const auto& w : workers_)
            w->join();
    }

    std::optional<run_result> run(std::string& failure) {
        if (!set_up(failure) || !prepare(failure)) return std::nullopt;
        measure();
        leave();
        judge(result_);
        return std::move(result_);
    }

private:
    // -- before

    bool set_up(std::string& failure) {
        const std::size_t clients = count_clients(settings_);
        const std::uint64_t descriptors = raise_descriptor_limit();
        const std::uint64_t needed = clients * (settings_.is_embedded ? 2 : 1) + spare_descriptors;
        if (needed > descriptors) {
            failure = std::to_string(clients) + " clients need " + std::to_string(needed) +
                      " descriptors, and there may be " + std::to_string(descriptors) +
                      ": raise the hard limit (ulimit -Hn), or take fewer clients.";
            return false;
        }
        plan_.urls = settings_.urls;
        plan_.source_addresses = settings_.source_addresses;
        const std::uint64_t places =
            std::max<std::size_t>(plan_.urls.size(), 1) * std::max<std::size_t>(plan_.source_addresses.size(), 1);
        if (clients > local_ports() * places && settings_.connection.unix_path.empty()) {
            failure = std::to_string(clients) + " clients need as many local ports, and there are " +
                      std::to_string(local_ports()) +
                      " to one address: give several --source addresses or several -L URLs, or widen "
                      "net.ipv4.ip_local_port_range.";
            return false;
        }
        if (settings_.broker_pid != 0 && !process_cpu(settings_.broker_pid)) {
            failure = "--broker-pid: there is no process " + std::to_string(settings_.broker_pid) + '.';
            return false;
        }
        if (settings_.is_embedded) {
            try {
                embedded_ = std::make_unique<embedded_broker>();
            } catch (const boost::system::system_error& error) {
                failure = std::string("--embedded: ") + error.what();
                return false;
            }
            plan_.urls = {embedded_->url()};
            result_.broker_name = "martlet (embedded)";
        }
        result_.broker_url = plan_.urls.empty() ? destination(settings_.connection) : redacted(plan_.urls);

        plan_.run = static_cast<std::uint16_t>(std::random_device{}());
        plan_.prefix =
            settings_.topic_prefix.empty() ? "bench/" + std::to_string(plan_.run) + '/' : settings_.topic_prefix + '/';
        for (std::size_t i = 0; i < settings_.threads; ++i)
            workers_.push_back(std::make_unique<worker>());
        build_actors(settings_, plan_, workers_);
        for (const auto& w : workers_)
            w->start();
        return true;
    }

    static std::string redacted(const std::vector<std::string>& urls) {
        std::string out;
        for (const std::string& url : urls) {
            const auto parsed = parse_endpoint(url);
            out += (out.empty() ? "" : ", ") + (parsed ? to_string(*parsed) : url);
        }
        return out;
    }

    // Calls a step of every actor on its thread, some at a time, and waits for all answers.
    bool for_all(std::string_view phase, void (actor::*step)(ready_handler), double per_second, std::string& failure) {
        struct place {
            worker* on;
            actor* who;
        };
        std::vector<place> all;
        for (std::size_t i = 0, rest = 1; rest != 0; ++i) {
            rest = 0;
            for (const auto& w : workers_) {
                if (i >= w->actors.size()) continue;
                all.push_back({w.get(), w->actors[i].get()});
                ++rest;
            }
        }
        const nanoseconds begin = monotonic_now();
        std::unique_lock lock(mutex_);
        ready_ = 0;
        ready_failure_.clear();
        std::size_t begun = 0;
        while (ready_ < all.size()) {
            if (!ready_failure_.empty() || is_interrupted()) {
                failure = ready_failure_.empty() ? "Interrupted." : ready_failure_;
                return false;
            }
            nanoseconds pause = glance;
            while (begun < all.size() && begun - ready_ < preparing_max) {
                if (per_second > 0) {
                    const nanoseconds due =
                        begin + static_cast<nanoseconds>(static_cast<double>(begun) / per_second * 1e9);
                    const nanoseconds now = monotonic_now();
                    if (due > now) {
                        pause = std::min(pause, due - now);
                        break;
                    }
                }
                const place p = all[begun++];
                boost::asio::post(p.on->io(), [this, p, step] {
                    (p.who->*step)([this](std::string text) {
                        const std::lock_guard guard(mutex_);
                        ++ready_;
                        if (!text.empty() && ready_failure_.empty()) ready_failure_ = std::move(text);
                        changed_.notify_one();
                    });
                });
            }
            changed_.wait_for(lock, std::chrono::nanoseconds(pause));
            tell_progress(phase, nullptr, nullptr, ready_, all.size());
        }
        if (!ready_failure_.empty()) failure = ready_failure_;
        return ready_failure_.empty();
    }

    bool prepare(std::string& failure) {
        return for_all("connecting", &actor::prepare, settings_.connect_rate, failure) &&
               for_all("loading", &actor::load, 0, failure);
    }

    // -- the run

    void measure() {
        collect(nullptr);  // what preparing took is in the total, but in no interval
        is_preparing_over_ = true;
        const bool by_count = std::any_of(settings_.flows.begin(), settings_.flows.end(),
                                          [](const flow_settings& f) { return with_defaults(f).count != 0; });
        const bool is_backlog = std::all_of(settings_.flows.begin(), settings_.flows.end(), [](const flow_settings& f) {
            return f.scenario == scenario::retained || f.scenario == scenario::session;
        });
        is_by_count_ = by_count || is_backlog;
        timing_plan when;
        when.start = monotonic_now() + head_start;
        // Connections that come and stay are counted from the first on.
        const bool has_connections = std::any_of(settings_.flows.begin(), settings_.flows.end(), [](const auto& f) {
            return f.scenario == scenario::conn && f.mode != connection_mode::churn;
        });
        when.window.begin = when.start + (is_by_count_ || has_connections ? 0 : settings_.warm_up);
        when.window.end = is_by_count_ ? when.start + no_end : when.window.begin + settings_.duration;
        when.stop = when.window.end;
        start_ = when.start;
        window_ = when.window;
        result_.started = to_seconds(
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count());
        if (is_by_count_) sample_begin();
        for (const auto& w : workers_) {
            boost::asio::post(w->io(), [&w, when] {
                for (const auto& a : w->actors)
                    a->go(when);
            });
        }
        result_.offered = plan_.offered_messages;
        if (is_by_count_) result_.offered = 0;
        std::size_t number = 1;
        nanoseconds deadline = when.window.end;
        bool is_draining = false;
        for (;;) {
            const nanoseconds tick = start_ + static_cast<nanoseconds>(number) * settings_.interval;
            const bool is_over = wait_until(std::min(tick, deadline), is_draining);
            const nanoseconds now = monotonic_now();
            if (now >= tick || is_over || now >= deadline) {
                collect_interval(now, is_draining);
                if (now >= tick) ++number;
            }
            if (!is_draining && (is_over || now >= window_.end || is_interrupted())) {
                end_window(now);
                is_draining = true;
                deadline = monotonic_now() + (is_interrupted() ? std::min(settings_.drain, second) : settings_.drain);
                continue;
            }
            if (is_draining && (is_over || now >= deadline)) break;
        }
        collect_interval(monotonic_now(), true);
        if (is_by_count_ && result_.total.last_event > start_) {
            result_.window = to_seconds(result_.total.last_event - start_);
        }
    }

    // Waits until `time`, or until nothing more is to be expected; true then.
    bool wait_until(nanoseconds time, bool is_draining) {
        while (monotonic_now() < time) {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, std::chrono::nanoseconds(std::min(glance, time - monotonic_now())));
            lock.unlock();
            look_after_credit();
            const nanoseconds now = monotonic_now();
            if (!has_begun_window_ && now >= window_.begin) sample_begin();
            if (is_interrupted() && !is_draining) return false;
            if (now < start_ + glance) continue;
            if (!(is_draining || is_by_count_) || now - last_glance_ < done_glance) continue;
            last_glance_ = now;
            if (is_draining ? is_sending_over() && has_everything_come() : is_sending_over()) return true;
        }
        return false;
    }

    // Everybody has sent what there was to send, and has it acknowledged; or nothing has happened for as long as a drain
    // may take.
    bool is_sending_over() {
        std::size_t busy = 0;
        ask_all([&](worker& w) {
            const nanoseconds now = monotonic_now();
            const auto here = static_cast<std::size_t>(
                std::count_if(w.actors.begin(), w.actors.end(), [now](const auto& a) { return !a->is_done(now); }));
            const std::lock_guard guard(mutex_);
            busy += here;
        });
        if (busy == 0) return true;
        collect(nullptr);
        return monotonic_now() - std::max(result_.total.last_event, start_) > std::max(settings_.drain, second);
    }

    // Open-loop publishers have no credit to settle, so the tallies decide.
    bool has_everything_come() {
        collect(nullptr);
        return result_.total.unique + result_.total.refused >= result_.total.expected;
    }

    // Lost QoS 0 messages would hold the credit of a closed loop for ever.
    void look_after_credit() {
        const nanoseconds now = monotonic_now();
        credits_.resize(plan_.flows.size());
        for (std::size_t i = 0; i < plan_.flows.size(); ++i) {
            flow& f = *plan_.flows[i];
            auto& seen = credits_[i];
            const std::uint64_t settled = f.settled();
            if (settled != seen.settled || f.room() != 0 || !f.has_subscribers()) {
                seen = {settled, now};
            } else if (now - seen.since >= stalled_after) {
                f.write_off();
                seen = {f.settled(), now};
            }
        }
    }

    // -- counting

    void sample_begin() {
        has_begun_window_ = true;
        cpu_at_begin_ = generator_cpu();
        threads_at_begin_.clear();
        for (const auto& w : workers_)
            threads_at_begin_.push_back(w->cpu());
        broker_at_begin_ = broker_cpu();
        sampled_at_ = monotonic_now();
        if (settings_.broker_pid != 0) result_.broker_memory_before = process_memory(settings_.broker_pid);
    }

    void end_window(nanoseconds now) {
        if (!has_begun_window_) sample_begin();
        const nanoseconds end = std::min(now, window_.end);
        const double sampled = to_seconds(monotonic_now() - sampled_at_);
        result_.generator_cpu = generator_cpu() - cpu_at_begin_;
        for (std::size_t i = 0; i < workers_.size() && sampled > 0; ++i) {
            const double share = to_seconds(workers_[i]->cpu() - threads_at_begin_[i]) / sampled;
            result_.busiest_thread = std::max(result_.busiest_thread, share);
        }
        if (const auto cpu = broker_cpu(); cpu && broker_at_begin_) result_.broker_cpu = *cpu - *broker_at_begin_;
        if (settings_.broker_pid != 0) result_.broker_memory_after = process_memory(settings_.broker_pid);
        result_.is_interrupted = is_interrupted();
        result_.window = std::max(0.0, to_seconds(end - window_.begin));
        if (result_.offered > 0 && end < window_.end) {
            result_.offered *= result_.window / to_seconds(window_.length());
        }
        for (const auto& w : workers_) {
            boost::asio::post(w->io(), [&w, end] {
                for (const auto& a : w->actors)
                    a->stop(end);
            });
        }
    }

    void collect_interval(nanoseconds now, bool is_draining) {
        tally interval;
        collect(&interval);
        const nanoseconds begin = last_collected_ == 0 ? start_ : last_collected_;
        last_collected_ = now;
        series_row row;
        row.at = to_seconds(now - start_);
        row.length = to_seconds(now - begin);
        if (row.length <= 0) return;
        const auto per_second = [&](std::uint64_t n) { return static_cast<double>(n) / row.length; };
        row.sent = per_second(interval.sent_ever);
        row.acked = per_second(interval.acked_ever);
        row.received = per_second(interval.received_ever != 0 ? interval.received_ever : interval.operations);
        const histogram& e2e = interval.of(timing::e2e);
        row.e2e_p50 = e2e.percentile(50);
        row.e2e_p90 = e2e.percentile(90);
        row.e2e_p99 = e2e.percentile(99);
        row.e2e_max = e2e.maximum();
        row.lag_p99 = interval.of(timing::lag).percentile(99);
        for (const auto& [cause, count] : interval.errors)
            row.errors += count;
        const nanoseconds cpu = generator_cpu();
        row.generator_cores = to_seconds(cpu - interval_cpu_) / row.length;
        interval_cpu_ = cpu;
        if (const auto broker = broker_cpu()) {
            row.broker_cores = to_seconds(*broker - interval_broker_cpu_) / row.length;
            interval_broker_cpu_ = *broker;
        }
        if (settings_.broker_pid != 0) row.broker_memory = process_memory(settings_.broker_pid).value_or(0);
        row.is_measured = !is_draining && begin >= window_.begin - glance && begin < window_.end;
        result_.series.push_back(row);
        if (!settings_.hlog_file.empty()) {
            for (std::size_t i = 0; i < timing_count; ++i) {
                if (interval.times[i].empty()) continue;
                result_.hlog += hlog_line(timing_names[i], row.at - row.length, row.length, interval.times[i]);
            }
        }
        const std::string_view phase = is_draining                      ? "draining"
                                       : begin < window_.begin - glance ? "warm-up"
                                                                        : "measuring";
        tell_progress(phase, &result_.series.back(), &interval, plan_.clients, plan_.clients);
    }

    // Takes what the workers counted: into the total, the present interval and, if given, `interval`, which takes the
    // interval as a whole.
    void collect(tally* interval) {
        std::vector<std::unique_ptr<tally>> got(workers_.size());
        std::size_t index = 0;
        ask_all([&](worker& w) {
            const std::lock_guard guard(mutex_);
            std::unique_ptr<tally> empty;
            if (spares_.empty()) {
                empty = std::make_unique<tally>();
            } else {
                empty = std::move(spares_.back());
                spares_.pop_back();
            }
            got[index++] = w.take_counts(std::move(empty));
        });
        for (auto& one : got) {
            result_.total.add(*one);
            if (is_preparing_over_) pending_interval_.add(*one);
            one->clear();
            spares_.push_back(std::move(one));
        }
        if (interval == nullptr) return;
        std::swap(*interval, pending_interval_);
        pending_interval_.clear();
    }

    // Runs `what` on every worker's thread and waits for all.
    void ask_all(const std::function<void(worker&)>& what) {
        std::size_t answers = 0;
        for (const auto& w : workers_) {
            boost::asio::post(w->io(), [&, on = w.get()] {
                what(*on);
                const std::lock_guard guard(mutex_);
                ++answers;
                changed_.notify_one();
            });
        }
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return answers == workers_.size(); });
    }

    [[nodiscard]] nanoseconds generator_cpu() const {
        nanoseconds sum = 0;
        for (const auto& w : workers_)
            sum += w->cpu();
        return sum;
    }
    [[nodiscard]] std::optional<nanoseconds> broker_cpu() const {
        if (embedded_) return embedded_->cpu();
        if (settings_.broker_pid != 0) return process_cpu(settings_.broker_pid);
        return std::nullopt;
    }

    // -- after

    void leave() {
        std::size_t left = 0;
        std::size_t all = 0;
        for (const auto& w : workers_) {
            all += w->actors.size();
            boost::asio::post(w->io(), [this, &w, &left] {
                for (const auto& a : w->actors) {
                    a->leave([this, &left] {
                        const std::lock_guard guard(mutex_);
                        ++left;
                        changed_.notify_one();
                    });
                }
            });
        }
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::nanoseconds(farewell_max), [&] { return left == all; });
        lock.unlock();
        for (const auto& w : workers_)
            w->join();
    }

    [[nodiscard]] bool is_interrupted() const { return hooks_.is_interrupted && hooks_.is_interrupted(); }

    void tell_progress(std::string_view phase, const series_row* row, const tally* interval, std::size_t ready,
                       std::size_t clients) {
        if (!hooks_.watch) return;
        progress p;
        p.phase = phase;
        p.clients_ready = ready;
        p.clients = clients;
        if (start_ != 0 && !is_by_count_) {
            p.share = std::clamp(to_seconds(monotonic_now() - start_) / to_seconds(window_.end - start_), 0.0, 1.0);
        }
        p.result = &result_;
        p.row = row;
        p.interval = interval;
        hooks_.watch(p);
    }

    struct credit_state {
        std::uint64_t settled = 0;
        nanoseconds since = 0;
    };

    const run_settings& settings_;
    const run_hooks& hooks_;
    run_result result_;
    run_plan plan_;
    std::unique_ptr<embedded_broker> embedded_;
    std::vector<std::unique_ptr<worker>> workers_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t ready_ = 0;
    std::string ready_failure_;

    nanoseconds start_ = 0;
    measurement_window window_;
    bool is_by_count_ = false;
    bool has_begun_window_ = false;
    bool is_preparing_over_ = false;
    nanoseconds last_collected_ = 0;
    nanoseconds last_glance_ = 0;
    nanoseconds sampled_at_ = 0;
    nanoseconds cpu_at_begin_ = 0;
    nanoseconds interval_cpu_ = 0;
    nanoseconds interval_broker_cpu_ = 0;
    std::vector<nanoseconds> threads_at_begin_;
    std::optional<nanoseconds> broker_at_begin_;
    tally pending_interval_;
    std::vector<std::unique_ptr<tally>> spares_;
    std::vector<credit_state> credits_;
};

}  // namespace

std::optional<run_result> execute(const run_settings& settings, const run_hooks& hooks, std::string& failure) {
    return runner(settings, hooks).run(failure);
}

}  // namespace martlet::cli::bench
