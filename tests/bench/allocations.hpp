// Counts what the code under measurement allocates: allocations.cpp replaces operator new in this executable.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace martlet::bench {

/// Calls of operator new since the process began.
[[nodiscard]] std::uint64_t allocations() noexcept;

/// Of the loop over a benchmark's state: time, messages and allocations, each per message.
class measured {
public:
    explicit measured(benchmark::State& state) noexcept : state_(state), before_(allocations()) {}
    /// Ends it; `messages` are those of one turn of the loop.
    void per_message(std::size_t messages) {
        const auto all = static_cast<double>(state_.iterations()) * static_cast<double>(messages);
        const auto allocated = static_cast<double>(allocations() - before_);
        using counter = benchmark::Counter;
        state_.counters["time/message"] = counter(all, counter::kIsRate | counter::kInvert);
        state_.counters["allocations/message"] =
            allocated < 0.001 * all ? 0 : allocated / all;  // what grows once is none
    }

private:
    benchmark::State& state_;
    std::uint64_t before_;
};

}  // namespace martlet::bench
