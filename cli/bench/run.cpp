#include "run.hpp"

#include "clock.hpp"
#include "embedded_broker.hpp"
#include "hlog.hpp"
#include "local_crew.hpp"
#include "remote_crew.hpp"

#include <martlet/endpoint.hpp>

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <thread>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr nanoseconds done_glance = 100 * millisecond;
constexpr nanoseconds no_end = 1'000 * 3600 * second;

double to_seconds(nanoseconds time) { return static_cast<double>(time) / 1e9; }

// A run and its phases, with whatever crew.
class runner {
public:
    runner(const run_settings& settings, const run_hooks& hooks) : settings_(settings), hooks_(hooks) {
        result_.settings = settings;
        result_.machine = this_machine();
    }
    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;
    ~runner() = default;

    std::optional<run_result> run(run_failure& failure) {
        failure = {};
        failure.text = set_up();
        failure.is_set_up = !failure.text.empty() && settings_.agents == 0;
        for (const crew_step step : {crew_step::prepare, crew_step::load}) {
            if (failure.text.empty()) failure.text = crew_->take_step(step);
        }
        failure.is_interrupted = is_interrupted();
        if (!failure.text.empty()) return std::nullopt;
        measure();
        crew_->leave();
        result_.agents = crew_->agents();
        judge(result_);
        return std::move(result_);
    }

private:
    // -- before

    std::string set_up() {
        if (settings_.broker_pid != 0 && !process_cpu(settings_.broker_pid)) {
            return "--broker-pid: there is no process " + std::to_string(settings_.broker_pid) + '.';
        }
        run_plan plan;
        plan.urls = settings_.urls;
        plan.source_addresses = settings_.source_addresses;
        if (settings_.is_embedded) {
            try {
                embedded_ = std::make_unique<embedded_broker>();
            } catch (const boost::system::system_error& error) {
                return std::string("--embedded: ") + error.what();
            }
            plan.urls = {embedded_->url()};
            result_.broker_name = "martlet (embedded)";
        }
        result_.broker_url = plan.urls.empty() ? destination(settings_.connection) : redacted(plan.urls);

        plan.run = static_cast<std::uint16_t>(std::random_device{}());
        plan.prefix =
            settings_.topic_prefix.empty() ? "bench/" + std::to_string(plan.run) + '/' : settings_.topic_prefix + '/';
        clients_ = count_clients(settings_);
        crew_hooks hooks;
        hooks.is_interrupted = [this] { return is_interrupted(); };
        hooks.progress = [this](crew_step step, std::size_t ready, std::size_t all) {
            const std::string_view phase = step == crew_step::gather    ? "waiting for agents"
                                           : step == crew_step::prepare ? "connecting"
                                                                        : "loading";
            tell_progress(phase, nullptr, nullptr, ready, all);
        };
        if (settings_.agents != 0) {
            crew_ = std::make_unique<remote_crew>(settings_, std::move(plan), std::move(hooks));
        } else {
            crew_ = std::make_unique<local_crew>(settings_, std::move(plan), std::move(hooks));
        }
        return crew_->set_up();
    }

    static std::string redacted(const std::vector<std::string>& urls) {
        std::string out;
        for (const std::string& url : urls) {
            const auto parsed = parse_endpoint(url);
            out += (out.empty() ? "" : ", ") + (parsed ? to_string(*parsed) : url);
        }
        return out;
    }

    // -- the run

    void measure() {
        collect(nullptr);  // what preparing took is in the total, but in no interval
        is_preparing_over_ = true;
        result_.total.last_event = 0;
        const bool by_count = std::any_of(settings_.flows.begin(), settings_.flows.end(),
                                          [](const flow_settings& f) { return with_defaults(f).count != 0; });
        const bool is_backlog = std::all_of(settings_.flows.begin(), settings_.flows.end(), [](const flow_settings& f) {
            return f.scenario == scenario::retained || f.scenario == scenario::session;
        });
        is_by_count_ = by_count || is_backlog;
        timing_plan when;
        when.start = crew_->earliest_start();
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
        crew_->go(when);
        result_.offered = is_by_count_ ? 0 : offered_messages(settings_);
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
            if (!is_draining && (is_over || now >= window_.end || must_end())) {
                end_window(now);
                is_draining = true;
                deadline = monotonic_now() + (must_end() ? std::min(settings_.drain, second) : settings_.drain);
                continue;
            }
            if (is_draining && (is_over || now >= deadline)) break;
        }
        collect_interval(monotonic_now(), true);
        if (is_by_count_ && result_.total.last_event > start_) {
            result_.window = to_seconds(result_.total.last_event - start_);
        }
        result_.trouble = crew_->trouble();
    }

    // Waits until `time`, or until nothing more is to be expected; true then.
    bool wait_until(nanoseconds time, bool is_draining) {
        while (monotonic_now() < time) {
            std::this_thread::sleep_for(std::chrono::nanoseconds(std::min(glance, time - monotonic_now())));
            crew_->look_after();
            const nanoseconds now = monotonic_now();
            if (!has_begun_window_ && now >= window_.begin) sample_begin();
            if (must_end() && !is_draining) return false;
            if (now < start_ + glance) continue;
            if (!(is_draining || is_by_count_) || now - last_glance_ < done_glance) continue;
            last_glance_ = now;
            if (is_draining ? is_sending_over() && has_everything_come() : is_sending_over()) return true;
        }
        return false;
    }

    [[nodiscard]] bool must_end() const { return is_interrupted() || !crew_->trouble().empty(); }

    // Everybody has sent what there was to send, and has it acknowledged; or nothing has happened for as long as a drain
    // may take.
    bool is_sending_over() {
        if (collect(nullptr).busy == 0) return true;
        return monotonic_now() - std::max(result_.total.last_event, start_) > std::max(settings_.drain, second);
    }

    // Open-loop publishers have no credit to settle, so the tallies decide.
    [[nodiscard]] bool has_everything_come() const {
        return result_.total.unique + result_.total.refused >= result_.total.expected;
    }

    // -- counting

    void sample_begin() {
        has_begun_window_ = true;
        at_begin_ = collect(nullptr);
        broker_at_begin_ = broker_cpu();
        sampled_at_ = monotonic_now();
        if (settings_.broker_pid != 0) result_.broker_memory_before = process_memory(settings_.broker_pid);
    }

    void end_window(nanoseconds now) {
        if (!has_begun_window_) sample_begin();
        const nanoseconds end = std::min(now, window_.end);
        const crew_state at_end = collect(nullptr);
        const double sampled = to_seconds(monotonic_now() - sampled_at_);
        result_.generator_cpu = at_end.total_cpu() - at_begin_.total_cpu();
        for (std::size_t i = 0; i < std::min(at_end.cpu.size(), at_begin_.cpu.size()) && sampled > 0; ++i) {
            result_.busiest_thread =
                std::max(result_.busiest_thread, to_seconds(at_end.cpu[i] - at_begin_.cpu[i]) / sampled);
        }
        if (const auto cpu = broker_cpu(); cpu && broker_at_begin_) result_.broker_cpu = *cpu - *broker_at_begin_;
        if (settings_.broker_pid != 0) result_.broker_memory_after = process_memory(settings_.broker_pid);
        result_.is_interrupted = is_interrupted();
        result_.window = std::max(0.0, to_seconds(end - window_.begin));
        if (result_.offered > 0 && end < window_.end) {
            result_.offered *= result_.window / to_seconds(window_.length());
        }
        crew_->stop(end);
    }

    void collect_interval(nanoseconds now, bool is_draining) {
        tally interval;
        const nanoseconds cpu = collect(&interval).total_cpu();
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
        tell_progress(phase, &result_.series.back(), &interval, clients_, clients_);
    }

    // Takes what was counted: into the total, the present interval and, if given, `interval`, which takes the interval as
    // a whole.
    crew_state collect(tally* interval) {
        crew_state state = crew_->collect(collected_);
        result_.total.add(collected_);
        if (is_preparing_over_) pending_interval_.add(collected_);
        collected_.clear();
        if (interval != nullptr) {
            std::swap(*interval, pending_interval_);
            pending_interval_.clear();
        }
        return state;
    }

    [[nodiscard]] std::optional<nanoseconds> broker_cpu() const {
        if (embedded_) return embedded_->cpu();
        if (settings_.broker_pid != 0) return process_cpu(settings_.broker_pid);
        return std::nullopt;
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

    const run_settings& settings_;
    const run_hooks& hooks_;
    run_result result_;
    std::unique_ptr<embedded_broker> embedded_;
    std::unique_ptr<crew> crew_;
    std::size_t clients_ = 0;

    nanoseconds start_ = 0;
    measurement_window window_;
    bool is_by_count_ = false;
    bool has_begun_window_ = false;
    bool is_preparing_over_ = false;
    nanoseconds last_collected_ = 0;
    nanoseconds last_glance_ = 0;
    nanoseconds sampled_at_ = 0;
    nanoseconds interval_cpu_ = 0;
    nanoseconds interval_broker_cpu_ = 0;
    crew_state at_begin_;
    std::optional<nanoseconds> broker_at_begin_;
    tally collected_;
    tally pending_interval_;
};

}  // namespace

std::optional<run_result> execute(const run_settings& settings, const run_hooks& hooks, run_failure& failure) {
    return runner(settings, hooks).run(failure);
}

}  // namespace martlet::cli::bench
