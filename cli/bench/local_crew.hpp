// The clients of this process: workers, and the actors that were made for them by plan.cpp.
#pragma once

#include "crew.hpp"

#include <condition_variable>
#include <mutex>

namespace martlet::cli::bench {

class local_crew : public crew {
public:
    /// `settings` must outlive it. `plan` says which run it is and which share of the clients are ours.
    local_crew(const run_settings& settings, run_plan plan, crew_hooks hooks);
    local_crew(const local_crew&) = delete;
    local_crew& operator=(const local_crew&) = delete;
    ~local_crew() override;

    [[nodiscard]] std::string set_up() override;
    [[nodiscard]] std::string take_step(crew_step step) override;
    [[nodiscard]] nanoseconds earliest_start() override;
    void go(const timing_plan& when) override;
    crew_state collect(tally& into) override;
    void look_after() override;
    void stop(nanoseconds end) override;
    void leave() override;

private:
    struct credit_state {
        std::uint64_t settled = 0;
        nanoseconds since = 0;
    };
    void ask_all(const std::function<void(worker&)>& what);

    const run_settings& settings_;
    run_plan plan_;
    crew_hooks hooks_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<std::unique_ptr<tally>> spares_;
    std::vector<credit_state> credits_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t ready_ = 0;
    std::string ready_failure_;
};

}  // namespace martlet::cli::bench
