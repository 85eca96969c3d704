#include "remote_crew.hpp"

#include "clock.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>

namespace martlet::cli::bench {
namespace {

namespace json = boost::json;

constexpr int exchanges = 50;                              // of clocks, with each agent, before and after the run
constexpr nanoseconds exchange_limit = 500 * millisecond;  // then it is taken for lost
constexpr int lost_exchanges_max = 10;
constexpr nanoseconds remote_head_start = 300 * millisecond;  // for "go" to reach everybody
constexpr nanoseconds patience = 2 * second;                  // with a silent agent, after Ctrl-C

std::string random_name() {
    std::random_device source;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (int i = 0; i < 16; ++i)
        out.push_back(digits[source() % digits.size()]);
    return out;
}

client_options control_options(const run_settings& settings) {
    client_options o = to_client_options(settings.connection);
    if (!settings.control_url.empty()) {
        o.user_name.reset();  // they are for the broker under test
        o.password.reset();
        o.urls = {settings.control_url};
    } else if (!settings.urls.empty()) {
        o.urls = {settings.urls.front()};
    }
    return o;
}

}  // namespace

remote_crew::remote_crew(const run_settings& settings, run_plan plan, crew_hooks hooks)
    : settings_(settings), plan_(std::move(plan)), hooks_(std::move(hooks)), coordinator_(random_name()) {}

remote_crew::~remote_crew() { leave(); }

// -- gathering

std::string remote_crew::set_up() {
    client_options options = control_options(settings_);
    options.client_id = "bench-coordinator-" + coordinator_;
    options.will.emplace();
    options.will->topic = gone_topic(settings_.group, coordinator_);
    options.will->payload = coordinator_;
    options.will->qos = qos::at_least_once;
    control_hooks hooks;
    hooks.receive = [this](const message& m, nanoseconds arrived) { receive(m, arrived); };
    hooks.lost = [this](const std::string& why) {
        const std::lock_guard lock(mutex_);
        if (trouble_.empty()) trouble_ = "The connection to the control broker was lost: " + why + '.';
        for (member& one : members_) {  // our will has told them to stop
            one.is_gone = true;
            one.asked = 0;
        }
        changed_.notify_all();
    };
    link_.emplace(
        std::move(options),
        std::vector<std::string>{agent_topic(settings_.group, "+"), answer_topic(settings_.group, coordinator_, "+")},
        std::move(hooks));
    if (std::string failure = link_->open(); !failure.empty()) return failure;
    if (std::string failure = gather(); !failure.empty()) return failure;
    has_plan_ = true;
    return ask(
        [this](std::size_t index) {
            run_plan share = plan_;
            share.share = {index, members_.size()};
            json::object out = encode_plan(settings_, share);
            out["do"] = "plan";
            return out;
        },
        true);
}

// Waits for as many as are wanted, and takes the first ones by name, so that each has the same share in every run.
std::string remote_crew::gather() {
    std::unique_lock lock(mutex_);
    while (free_.size() < settings_.agents) {
        if (!trouble_.empty()) return trouble_;
        if (is_interrupted()) return "Interrupted.";
        const std::size_t ready = free_.size();
        lock.unlock();
        if (hooks_.progress) hooks_.progress(crew_step::gather, ready, settings_.agents);
        lock.lock();
        changed_.wait_for(lock, std::chrono::nanoseconds(glance));
    }
    for (const auto& [name, about] : free_) {
        if (members_.size() == settings_.agents) break;
        member m;
        m.info.name = name;
        m.info.host = text_of(about, "host");
        m.info.cpu = text_of(about, "cpu");
        m.info.cores = static_cast<std::size_t>(integer_of(about, "cores"));
        members_.push_back(std::move(m));
    }
    return {};
}

// -- what agents say

void remote_crew::receive(const message& m, nanoseconds arrived) {
    const std::string_view name = name_of_topic(m.topic());
    if (m.topic() == agent_topic(settings_.group, name)) return note_agent(name, m.text());
    auto answer = parse_object(m.text());
    const std::lock_guard lock(mutex_);
    const auto from =
        std::find_if(members_.begin(), members_.end(), [&](const member& one) { return one.info.name == name; });
    if (!answer || from == members_.end()) return;
    const auto id = static_cast<std::uint64_t>(integer_of(*answer, "id"));
    if (id == 0 || id != from->asked) return;
    if (answer->contains("ready")) {
        from->ready = static_cast<std::size_t>(integer_of(*answer, "ready"));
        from->all = static_cast<std::size_t>(integer_of(*answer, "all"));
    } else {
        from->asked = 0;
        from->answered = arrived;
        from->answer = std::move(*answer);
    }
    changed_.notify_all();
}

void remote_crew::note_agent(std::string_view name, std::string_view text) {
    auto about = parse_object(text);
    const std::lock_guard lock(mutex_);
    if (about && text_of(*about, "state") == "free") {
        free_.insert_or_assign(std::string(name), std::move(*about));
    } else if (const auto known = free_.find(name); known != free_.end()) {
        free_.erase(known);
    }
    if (text.empty()) {
        for (member& one : members_) {
            if (one.info.name != name || one.is_gone || !has_plan_) continue;
            one.is_gone = true;
            one.asked = 0;
            if (trouble_.empty()) trouble_ = "Agent " + one.info.name + " is gone.";
        }
    }
    changed_.notify_all();
}

// -- asking

void remote_crew::send(std::size_t index, json::object command, qos quality) {
    std::string name;
    {
        const std::lock_guard lock(mutex_);
        member& to = members_[index];
        to.asked = ++last_id_;
        to.sent = monotonic_now();
        command["id"] = to.asked;
        name = to.info.name;
    }
    command["coordinator"] = coordinator_;
    link_->publish(command_topic(settings_.group, name), json::serialize(command), quality);
}

// Sends every agent that is there its command, and waits for all answers. Returns the first failure.
std::string remote_crew::ask(const make_command& command, bool may_be_interrupted, const std::function<void()>& watch) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
        {
            const std::lock_guard lock(mutex_);
            if (members_[i].is_gone) continue;
        }
        send(i, command(i), qos::at_least_once);
    }
    nanoseconds interrupted_at = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto silent =
            std::find_if(members_.begin(), members_.end(), [](const member& one) { return one.asked != 0; });
        if (silent == members_.end()) break;
        if (may_be_interrupted && !trouble_.empty()) return trouble_;
        if (is_interrupted()) {
            if (may_be_interrupted) return "Interrupted.";
            const nanoseconds now = monotonic_now();
            if (interrupted_at == 0) interrupted_at = now;
            if (now - interrupted_at > patience) {
                silent->is_gone = true;
                silent->asked = 0;
                if (trouble_.empty()) trouble_ = "Agent " + silent->info.name + " does not answer.";
                continue;
            }
        }
        changed_.wait_for(lock, std::chrono::nanoseconds(glance));
        if (!watch) continue;
        lock.unlock();
        watch();
        lock.lock();
    }
    for (const member& one : members_) {
        if (one.is_gone) continue;
        if (std::string failure = text_of(one.answer, "failure"); !failure.empty()) {
            return one.info.name + ": " + failure;
        }
    }
    return trouble_;
}

std::string remote_crew::take_step(crew_step step) {
    {
        const std::lock_guard lock(mutex_);
        for (member& one : members_)
            one.ready = one.all = 0;
    }
    return ask(
        [&](std::size_t) {
            return json::object{{"do", step == crew_step::prepare ? "prepare" : "load"}};
        },
        true,
        [&] {
            std::size_t ready = 0;
            std::size_t all = 0;
            {
                const std::lock_guard lock(mutex_);
                for (const member& one : members_) {
                    ready += one.ready;
                    all += one.all;
                }
            }
            if (hooks_.progress) hooks_.progress(step, ready, std::max(all, count_clients(settings_)));
        });
}

// -- clocks

void remote_crew::compare_clocks(clock_offset member::*into) {
    for (std::size_t i = 0; i < members_.size(); ++i)
        compare_clock(i, members_[i].*into);
}

void remote_crew::compare_clock(std::size_t index, clock_offset& into) {
    int lost = 0;
    for (int n = 0; n < exchanges && lost < lost_exchanges_max; ++n) {
        {
            const std::lock_guard lock(mutex_);
            if (members_[index].is_gone || !trouble_.empty()) return;
        }
        send(index, json::object{{"do", "clock"}}, qos::at_most_once);
        std::unique_lock lock(mutex_);
        member& one = members_[index];
        changed_.wait_for(lock, std::chrono::nanoseconds(exchange_limit),
                          [&] { return one.asked == 0 || !trouble_.empty(); });
        if (one.asked != 0 || one.is_gone) {
            one.asked = 0;
            ++lost;
            continue;
        }
        into.add(one.sent, integer_of(one.answer, "arrived"), integer_of(one.answer, "left"), one.answered);
    }
    const std::lock_guard lock(mutex_);
    if (into.exchanges() == 0 && trouble_.empty()) {
        trouble_ = "Agent " + members_[index].info.name + " does not answer.";
    }
}

// -- the run

nanoseconds remote_crew::earliest_start() {
    compare_clocks(&member::before);
    return monotonic_now() + remote_head_start;
}

void remote_crew::go(const timing_plan& when) {
    (void)ask(
        [&](std::size_t index) {
            return json::object{{"do", "go"},
                                {"offset", -members_[index].before.ahead()},
                                {"start", when.start},
                                {"stop", when.stop},
                                {"begin", when.window.begin},
                                {"end", when.window.end}};
        },
        false);
}

crew_state remote_crew::collect(tally& into) {
    (void)ask([](std::size_t) { return json::object{{"do", "collect"}}; }, false);
    crew_state state;
    const std::lock_guard lock(mutex_);
    for (member& one : members_) {
        if (!one.is_gone) {
            const json::value* const counts = one.answer.if_contains("tally");
            const auto decoded =
                counts != nullptr && counts->is_object() ? decode_tally(counts->get_object()) : std::nullopt;
            if (decoded) {
                into.add(*decoded);
            } else if (trouble_.empty()) {
                trouble_ = "Agent " + one.info.name + " sent something that is no count.";
            }
            state.busy += static_cast<std::size_t>(integer_of(one.answer, "busy"));
            one.cpu.clear();
            if (const json::value* const cpu = one.answer.if_contains("cpu"); cpu != nullptr && cpu->is_array()) {
                for (const json::value& of_thread : cpu->get_array())
                    one.cpu.push_back(of_thread.is_int64() ? of_thread.get_int64() : 0);
            }
        }
        state.cpu.insert(state.cpu.end(), one.cpu.begin(), one.cpu.end());
    }
    return state;
}

void remote_crew::stop(nanoseconds end) {
    (void)ask([end](std::size_t) { return json::object{{"do", "stop"}, {"end", end}}; }, false);
}

void remote_crew::leave() {
    if (!link_) return;
    if (std::exchange(has_plan_, false)) {
        if (std::any_of(members_.begin(), members_.end(), [](const member& m) { return m.before.exchanges() != 0; })) {
            compare_clocks(&member::after);
        }
        (void)ask([](std::size_t) { return json::object{{"do", "leave"}}; }, false);
    }
    link_->close();
}

// -- what became of it

std::string remote_crew::trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
}

std::vector<agent_info> remote_crew::agents() const {
    const std::lock_guard lock(mutex_);
    std::vector<agent_info> out;
    for (const member& one : members_) {
        agent_info info = one.info;
        info.clock_offset = -one.before.ahead();
        info.clock_error = one.before.error();
        info.round_trip = one.before.round_trip();
        if (one.after.exchanges() != 0) {
            // What the offset was at the end is known to within the error of then.
            info.clock_drift = one.before.ahead() - one.after.ahead();
            info.clock_error = std::max(info.clock_error, std::abs(info.clock_drift) + one.after.error());
        }
        out.push_back(std::move(info));
    }
    return out;
}

}  // namespace martlet::cli::bench
