#include "local_crew.hpp"

#include "clock.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr std::size_t preparing_max = 200;                  // actors that connect at the same time
constexpr nanoseconds local_head_start = 30 * millisecond;  // between "go" and the first message
constexpr nanoseconds stalled_after = 500 * millisecond;
constexpr nanoseconds farewell_max = 3 * second;
constexpr std::uint64_t spare_descriptors = 64;

}  // namespace

nanoseconds crew_state::total_cpu() const noexcept { return std::accumulate(cpu.begin(), cpu.end(), nanoseconds{0}); }

local_crew::local_crew(const run_settings& settings, run_plan plan, crew_hooks hooks)
    : settings_(settings), plan_(std::move(plan)), hooks_(std::move(hooks)) {}

local_crew::~local_crew() {
    for (const auto& w : workers_)
        w->join();
}

std::string local_crew::set_up() {
    const std::size_t clients = count_clients(settings_, plan_);
    const std::uint64_t descriptors = raise_descriptor_limit();
    const std::uint64_t needed = clients * (settings_.is_embedded ? 2 : 1) + spare_descriptors;
    if (needed > descriptors) {
        return std::to_string(clients) + " clients need " + std::to_string(needed) + " descriptors, and there may be " +
               std::to_string(descriptors) + ": raise the hard limit (ulimit -Hn), or take fewer clients.";
    }
    const std::uint64_t places =
        std::max<std::size_t>(plan_.urls.size(), 1) * std::max<std::size_t>(plan_.source_addresses.size(), 1);
    if (clients > local_ports() * places && settings_.connection.unix_path.empty()) {
        return std::to_string(clients) + " clients need as many local ports, and there are " +
               std::to_string(local_ports()) +
               " to one address: give several --source addresses or several -L URLs, or widen "
               "net.ipv4.ip_local_port_range.";
    }
    for (std::size_t i = 0; i < settings_.threads; ++i)
        workers_.push_back(std::make_unique<worker>());
    build_actors(settings_, plan_, workers_);
    for (const auto& w : workers_)
        w->start();
    return {};
}

// Calls a step of every actor on its thread, some at a time, and waits for all answers.
std::string local_crew::take_step(crew_step what) {
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
    const auto step = what == crew_step::prepare ? &actor::prepare : &actor::load;
    const double per_second =
        what == crew_step::prepare ? settings_.connect_rate / static_cast<double>(plan_.share.count) : 0;
    const nanoseconds begin = monotonic_now();
    std::unique_lock lock(mutex_);
    ready_ = 0;
    ready_failure_.clear();
    std::size_t begun = 0;
    while (ready_ < all.size()) {
        if (!ready_failure_.empty()) return ready_failure_;
        if (hooks_.is_interrupted && hooks_.is_interrupted()) return "Interrupted.";
        nanoseconds pause = glance;
        while (begun < all.size() && begun - ready_ < preparing_max) {
            if (per_second > 0) {
                const nanoseconds due = begin + static_cast<nanoseconds>(static_cast<double>(begun) / per_second * 1e9);
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
        if (hooks_.progress) hooks_.progress(what, ready_, all.size());
    }
    return ready_failure_;
}

nanoseconds local_crew::earliest_start() { return run_now() + local_head_start; }

void local_crew::go(const timing_plan& when) {
    for (const auto& w : workers_) {
        boost::asio::post(w->io(), [&w, when] {
            for (const auto& a : w->actors)
                a->go(when);
        });
    }
}

crew_state local_crew::collect(tally& into) {
    crew_state state;
    std::vector<std::unique_ptr<tally>> got;
    ask_all([&](worker& w) {
        const nanoseconds now = run_now();
        const auto busy = static_cast<std::size_t>(
            std::count_if(w.actors.begin(), w.actors.end(), [now](const auto& a) { return !a->is_done(now); }));
        const std::lock_guard guard(mutex_);
        std::unique_ptr<tally> empty;
        if (spares_.empty()) {
            empty = std::make_unique<tally>();
        } else {
            empty = std::move(spares_.back());
            spares_.pop_back();
        }
        got.push_back(w.take_counts(std::move(empty)));
        state.busy += busy;
    });
    for (const auto& w : workers_)
        state.cpu.push_back(w->cpu());
    for (auto& one : got) {
        into.add(*one);
        one->clear();
        spares_.push_back(std::move(one));
    }
    return state;
}

// Lost QoS 0 messages would hold the credit of a closed loop for ever.
void local_crew::look_after() {
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

void local_crew::stop(nanoseconds end) {
    for (const auto& w : workers_) {
        boost::asio::post(w->io(), [&w, end] {
            for (const auto& a : w->actors)
                a->stop(end);
        });
    }
}

void local_crew::leave() {
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
    {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::nanoseconds(farewell_max), [&] { return left == all; });
    }
    for (const auto& w : workers_)
        w->join();
    workers_.clear();
}

// Runs `what` on every worker's thread and waits for all.
void local_crew::ask_all(const std::function<void(worker&)>& what) {
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

}  // namespace martlet::cli::bench
