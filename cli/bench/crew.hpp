// Those who generate the load of a run: clients in this process, or agents on other machines. The runner (run.cpp) leads
// them through the phases and adds up what they count; it does not know which of the two they are.
#pragma once

#include "plan.hpp"
#include "result.hpp"
#include "settings.hpp"
#include "tally.hpp"
#include "worker.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli::bench {

/// What is done before a run, one after the other.
enum class crew_step : std::uint8_t {
    gather,   ///< agents; only told as progress
    prepare,  ///< actor::prepare
    load,     ///< actor::load
};

struct crew_hooks {
    /// How many are ready, of how many. May be empty.
    std::function<void(crew_step, std::size_t ready, std::size_t all)> progress = {};
    std::function<bool()> is_interrupted = {};
};

/// How they are at the moment.
struct crew_state {
    std::size_t busy = 0;          ///< actors with something to do or to wait for
    std::vector<nanoseconds> cpu;  ///< of each thread since it began
    [[nodiscard]] nanoseconds total_cpu() const noexcept;
};

class crew {
public:
    virtual ~crew() = default;

    /// Makes the clients. Returns why it cannot, or an empty string; like the next one.
    [[nodiscard]] virtual std::string set_up() = 0;
    [[nodiscard]] virtual std::string take_step(crew_step step) = 0;
    /// When the first message may be: everybody knows of it by then. On the run's clock.
    [[nodiscard]] virtual nanoseconds earliest_start() = 0;
    virtual void go(const timing_plan& when) = 0;
    /// Adds what was counted since the last time.
    virtual crew_state collect(tally& into) = 0;
    /// To be called every now and then while a run goes on.
    virtual void look_after() = 0;
    virtual void stop(nanoseconds end) = 0;
    /// Ends all connections and threads.
    virtual void leave() = 0;

    /// Why the run cannot go on; empty: it can.
    [[nodiscard]] virtual std::string trouble() const { return {}; }
    /// Agents, and how sure their clocks are.
    [[nodiscard]] virtual std::vector<agent_info> agents() const { return {}; }
};

}  // namespace martlet::cli::bench
