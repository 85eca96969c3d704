// The clients of other machines: agents, led over MQTT (agent_protocol.hpp).
#pragma once

#include "agent_protocol.hpp"
#include "clock_offset.hpp"
#include "control_link.hpp"
#include "crew.hpp"

#include <cstdint>
#include <map>

namespace martlet::cli::bench {

class remote_crew : public crew {
public:
    /// `settings` must outlive it, and says how many agents; `plan` is the whole run's.
    remote_crew(const run_settings& settings, run_plan plan, crew_hooks hooks);
    remote_crew(const remote_crew&) = delete;
    remote_crew& operator=(const remote_crew&) = delete;
    ~remote_crew() override;

    /// Waits until there are enough agents that are free.
    [[nodiscard]] std::string set_up() override;
    [[nodiscard]] std::string take_step(crew_step step) override;
    [[nodiscard]] nanoseconds earliest_start() override;
    void go(const timing_plan& when) override;
    crew_state collect(tally& into) override;
    void look_after() override {}
    void stop(nanoseconds end) override;
    void leave() override;
    [[nodiscard]] std::string trouble() const override;
    [[nodiscard]] std::vector<agent_info> agents() const override;

private:
    struct member {
        agent_info info;
        bool is_gone = false;
        std::uint64_t asked = 0;  // the command that waits for an answer; 0: none
        boost::json::object answer;
        nanoseconds sent = 0;
        nanoseconds answered = 0;
        std::size_t ready = 0;
        std::size_t all = 0;
        std::vector<nanoseconds> cpu;
        clock_offset before;
        clock_offset after;
    };
    using make_command = std::function<boost::json::object(std::size_t index)>;

    void receive(const message& m, nanoseconds arrived);
    void note_agent(std::string_view name, std::string_view text);
    std::string gather();
    std::string ask(const make_command& command, bool may_be_interrupted, const std::function<void()>& watch = {});
    void send(std::size_t index, boost::json::object command, qos quality);
    void compare_clocks(clock_offset member::*into);
    void compare_clock(std::size_t index, clock_offset& into);
    [[nodiscard]] bool is_interrupted() const { return hooks_.is_interrupted && hooks_.is_interrupted(); }

    const run_settings& settings_;
    run_plan plan_;
    crew_hooks hooks_;
    std::string coordinator_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, boost::json::object, std::less<>> free_;  // agents that could be ours
    std::vector<member> members_;
    std::string trouble_;
    std::uint64_t last_id_ = 0;
    bool has_plan_ = false;
    std::optional<control_link> link_;  // last: its thread uses the others
};

}  // namespace martlet::cli::bench
