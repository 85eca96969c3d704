#include "agent.hpp"

#include "agent_protocol.hpp"
#include "clock.hpp"
#include "control_link.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "local_crew.hpp"
#include "options.hpp"
#include "resources.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <unistd.h>
#include <utility>

namespace martlet::cli::bench {
namespace {

namespace json = boost::json;

constexpr nanoseconds progress_interval = 200 * millisecond;

enum agent_exit : int { agent_ok = 0, agent_usage = 1, agent_no_connection = 2 };

struct agent_settings {
    connection_settings connection = default_settings(profile::native);
    std::vector<std::string> urls;
    std::vector<std::string> source_addresses;
    std::string name;
    std::string group = "default";
    bool is_once = false;
    bool is_quiet = false;
};

struct order {
    std::uint64_t id = 0;
    std::string coordinator;
    std::string what;
    json::object arguments;
    nanoseconds arrived = 0;
};

class agent {
public:
    explicit agent(const agent_settings& settings) : settings_(settings), machine_(this_machine()) {}

    int run() {
        client_options options = to_client_options(settings_.connection);
        if (!settings_.urls.empty()) options.urls = settings_.urls;
        options.client_id = "bench-agent-" + settings_.group + '-' + settings_.name;
        options.will.emplace();
        options.will->topic = agent_topic(settings_.group, settings_.name);
        options.will->qos = qos::at_least_once;
        options.will->retain = true;
        control_hooks hooks;
        hooks.receive = [this](const message& m, nanoseconds arrived) { receive(m, arrived); };
        hooks.lost = [this](const std::string& why) {
            abandon({});
            if (!settings_.is_quiet) complain("connection to the control broker lost: " + why);
        };
        hooks.restored = [this] { announce(); };
        link_.emplace(
            std::move(options),
            std::vector<std::string>{command_topic(settings_.group, settings_.name), gone_topic(settings_.group, "+")},
            std::move(hooks));
        if (const std::string failure = link_->open(); !failure.empty()) {
            complain("Error: " + failure);
            return agent_no_connection;
        }
        announce();
        if (!settings_.is_quiet) {
            std::printf("agent %s of group %s is ready\n", settings_.name.c_str(), settings_.group.c_str());
            std::fflush(stdout);
        }
        work();
        end_run();
        link_->publish(agent_topic(settings_.group, settings_.name), {}, qos::at_least_once, true);
        link_->close();
        return agent_ok;
    }

private:
    // -- on the link's thread

    void receive(const message& m, nanoseconds arrived) {
        auto object = parse_object(m.text());
        const std::string_view name = name_of_topic(m.topic());
        if (m.topic() == gone_topic(settings_.group, name)) return abandon(name);
        if (!object) return;
        order c;
        c.id = static_cast<std::uint64_t>(integer_of(*object, "id"));
        c.coordinator = text_of(*object, "coordinator");
        c.what = text_of(*object, "do");
        c.arguments = std::move(*object);
        c.arrived = arrived;
        if (c.id == 0 || !complaint_about_name(c.coordinator).empty()) return;
        if (c.what == "clock") return answer(c, {}, qos::at_most_once);
        const std::lock_guard lock(mutex_);
        commands_.push_back(std::move(c));
        changed_.notify_all();
    }

    // The coordinator is gone, or so is the connection to it (`coordinator` is empty then).
    void abandon(std::string_view coordinator) {
        const std::lock_guard lock(mutex_);
        if (coordinator_.empty() || (!coordinator.empty() && coordinator != coordinator_)) return;
        is_abandoned_ = true;
        changed_.notify_all();
    }

    // -- on any thread

    void answer(const order& to, json::object with, qos quality = qos::at_least_once) {
        with["id"] = to.id;
        with["arrived"] = to.arrived;
        with["left"] = monotonic_now();
        link_->publish(answer_topic(settings_.group, to.coordinator, settings_.name), json::serialize(with), quality);
    }

    void announce() {
        json::object about;
        {
            const std::lock_guard lock(mutex_);
            about["state"] = coordinator_.empty() ? "free" : "busy";
        }
        about["version"] = MARTLET_VERSION;
        about["host"] = machine_.host;
        about["cpu"] = machine_.cpu;
        about["cores"] = machine_.cores;
        link_->publish(agent_topic(settings_.group, settings_.name), json::serialize(about), qos::at_least_once, true);
    }

    // -- on the main thread

    [[nodiscard]] bool is_abandoned() {
        const std::lock_guard lock(mutex_);
        return is_abandoned_;
    }

    void work() {
        while (!is_interrupted() && !(settings_.is_once && has_run_)) {
            std::optional<order> next;
            {
                std::unique_lock lock(mutex_);
                changed_.wait_for(lock, std::chrono::nanoseconds(glance),
                                  [this] { return !commands_.empty() || is_abandoned_; });
                if (!is_abandoned_ && !commands_.empty()) {
                    next = std::move(commands_.front());
                    commands_.pop_front();
                }
            }
            if (is_abandoned()) {
                if (!settings_.is_quiet) complain("the coordinator is gone: its run is given up");
                end_run();
                announce();
            }
            if (next) obey(*next);
            if (crew_) crew_->look_after();
        }
    }

    void obey(const order& c) {
        if (c.what == "plan") return take_plan(c);
        if (!crew_ || c.coordinator != coordinator_) {
            return answer(c, {{"failure", "there is no run of this coordinator"}});
        }
        if (c.what == "prepare" || c.what == "load") {
            present_ = &c;
            const std::string failure = crew_->take_step(c.what == "prepare" ? crew_step::prepare : crew_step::load);
            present_ = nullptr;
            return answer(c, failed(failure));
        }
        if (c.what == "go") return go(c);
        if (c.what == "collect") return collect(c);
        if (c.what == "stop") {
            crew_->stop(integer_of(c.arguments, "end"));
            return answer(c, {});
        }
        if (c.what == "leave") {
            end_run();
            answer(c, {});
            announce();
            return;
        }
        answer(c, {{"failure", "'" + c.what + "' is no command that this version knows"}});
    }

    static json::object failed(const std::string& failure) {
        json::object out;
        if (!failure.empty()) out["failure"] = failure;
        return out;
    }

    void take_plan(const order& c) {
        if (crew_) return answer(c, {{"failure", "busy with another run"}});
        run_ = std::make_unique<run_settings>();
        run_->connection = default_settings(profile::native);
        run_plan plan;
        if (const std::string failure = decode_plan(c.arguments, *run_, plan); !failure.empty()) {
            return answer(c, failed(failure));
        }
        plan.source_addresses = settings_.source_addresses;
        crew_hooks hooks;
        hooks.is_interrupted = [this] { return is_interrupted() || is_abandoned(); };
        hooks.progress = [this](crew_step, std::size_t ready, std::size_t all) { tell_progress(ready, all); };
        crew_ = std::make_unique<local_crew>(*run_, std::move(plan), std::move(hooks));
        if (const std::string failure = crew_->set_up(); !failure.empty()) {
            crew_.reset();
            return answer(c, failed(failure));
        }
        {
            const std::lock_guard lock(mutex_);
            coordinator_ = c.coordinator;
        }
        if (!settings_.is_quiet) {
            std::printf("run of coordinator %s\n", c.coordinator.c_str());
            std::fflush(stdout);
        }
        answer(c, {});
        announce();
    }

    void tell_progress(std::size_t ready, std::size_t all) {
        const nanoseconds now = monotonic_now();
        if (present_ == nullptr || now - told_ < progress_interval) return;
        told_ = now;
        answer(*present_, {{"ready", ready}, {"all", all}});
    }

    void go(const order& c) {
        run_clock_offset.store(integer_of(c.arguments, "offset"));
        timing_plan when;
        when.start = integer_of(c.arguments, "start");
        when.stop = integer_of(c.arguments, "stop");
        when.window.begin = integer_of(c.arguments, "begin");
        when.window.end = integer_of(c.arguments, "end");
        crew_->go(when);
        answer(c, {});
    }

    void collect(const order& c) {
        tally counts;
        const crew_state state = crew_->collect(counts);
        json::array cpu;
        for (const nanoseconds of_thread : state.cpu)
            cpu.emplace_back(of_thread);
        answer(c, {{"tally", encode_tally(counts)}, {"busy", state.busy}, {"cpu", std::move(cpu)}});
    }

    void end_run() {
        if (crew_) crew_->leave();
        has_run_ = has_run_ || crew_;
        crew_.reset();
        run_.reset();
        run_clock_offset.store(0);
        const std::lock_guard lock(mutex_);
        coordinator_.clear();
        is_abandoned_ = false;
    }

    const agent_settings& settings_;
    machine_info machine_;
    std::unique_ptr<run_settings> run_;
    std::unique_ptr<local_crew> crew_;  // null: free
    bool has_run_ = false;
    const order* present_ = nullptr;  // the step that is being taken
    nanoseconds told_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<order> commands_;
    std::string coordinator_;  // whose run it is; written on the main thread only
    bool is_abandoned_ = false;
    std::optional<control_link> link_;  // last: its thread uses the others
};

std::string default_name() { return this_machine().host + '-' + std::to_string(::getpid()); }

std::string help() {
    return "Usage: martlet bench agent [option]...\n\n"
           "Waits for 'martlet bench run ... --agents N', and generates a part of its load. Stops at Ctrl-C.\n\n"
           "  martlet bench agent -h broker --name a1              on each machine\n"
           "  martlet bench run fan-in -h broker -r 100k --agents 2   on any one\n\n"
           "  -L, --url, --control URL   the control broker: that of --control, or the one under test (localhost)\n"
           "      --name NAME            one for each agent (host and process id)\n"
           "      --group NAME           whose coordinators it obeys (default)\n"
           "      --source A,B           local addresses of the clients, in turn: 127.0.0.2-9\n"
           "      --once                 ends after one run\n"
           "      --quiet                says nothing\n\n"
           "Connection to the control broker: -h, -p, -u, -P, -V, --unix and the TLS options as in 'martlet pub "
           "--help'.\n"
           "Whoever may publish there may have this machine send: use a broker that you trust.\n"
           "Exit codes: 0 good, 1 usage, 2 no connection.\n";
}

std::string parse(std::span<char* const> arguments, agent_settings& s, bool& wants_help) {
    std::vector<std::string> connection;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::string token = arguments[i];
        std::optional<std::string> text;
        if (const std::size_t equals = token.find('='); token.starts_with("--") && equals != std::string::npos) {
            text = token.substr(equals + 1);
            token.resize(equals);
        }
        if (token == "--help") {
            wants_help = true;
            return {};
        }
        if (token == "--once" || token == "--quiet") {
            (token == "--once" ? s.is_once : s.is_quiet) = true;
            continue;
        }
        const option* const row = find_connection_option(token);
        const bool is_url = token == "-L" || token == "--url" || token == "--control";
        const bool is_ours = is_url || token == "--name" || token == "--group" || token == "--source";
        if (row == nullptr && !is_ours) return "Unknown option '" + token + "'.";
        if (is_ours || !row->value_name.empty()) {
            if (!text && i + 1 < arguments.size()) text = arguments[++i];
            if (!text) return token + " wants a value.";
        }
        std::string failure;
        if (is_url) {
            failure = read_urls(*text, s.urls);
        } else if (token == "--source") {
            failure = read_sources(*text, s.source_addresses);
        } else if (is_ours) {
            failure = complaint_about_name(*text);
            (token == "--name" ? s.name : s.group) = *text;
        } else {
            connection.push_back(token);
            if (text) connection.push_back(*text);
        }
        if (!failure.empty()) return failure;
    }
    if (s.name.empty()) s.name = default_name();
    return read_connection(std::move(connection), s.connection);
}

}  // namespace

int run_agent(std::span<char* const> arguments) {
    agent_settings settings;
    bool wants_help = false;
    if (const std::string failure = parse(arguments, settings, wants_help); !failure.empty()) {
        complain("Error: " + failure + "\nUse 'martlet bench agent --help' to see usage.");
        return agent_usage;
    }
    if (wants_help) {
        const std::string text = help();
        std::fwrite(text.data(), 1, text.size(), stdout);
        return agent_ok;
    }
    watch_interruption();
    return agent(settings).run();
}

}  // namespace martlet::cli::bench
