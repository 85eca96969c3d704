// Finding who gets a message, with 1, 1,000 and 1,000,000 subscriptions: of whole topics, with '+', with '#'. Each
// message has another topic than the one before, which one subscription matches.
#include "broker/subscriptions.hpp"

#include "bench/allocations.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace martlet::broker_impl;

std::string site(std::size_t number) { return "site/" + std::to_string(number % 1000) + '/' + std::to_string(number); }

void find(benchmark::State& state, const char* ending) {
    const auto count = static_cast<std::size_t>(state.range(0));
    constexpr std::size_t topics_max = 4096;
    subscriptions all(1);
    std::vector<std::string> topics;
    for (std::size_t i = 0; i != count; ++i)
        all.put(static_cast<session_index>(i), site(i) + ending, {});
    for (std::size_t i = 0; i != std::min(count, topics_max); ++i)
        topics.push_back(site(i * (count / std::min(count, topics_max))) + "/pump/state");
    match_result found;
    martlet::bench::measured measured(state);
    for (auto _ : state) {
        for (const std::string& topic : topics) {
            all.find(topic, found);
            if (found.sessions.size() != 1) std::abort();
        }
    }
    measured.per_message(topics.size());
    state.counters["bytes/subscription"] = static_cast<double>(all.memory()) / static_cast<double>(count);
}

void counts(benchmark::internal::Benchmark* all) { all->ArgName("subscriptions")->Arg(1)->Arg(1000)->Arg(1'000'000); }

BENCHMARK_CAPTURE(find, exact, "/pump/state")->Apply(counts);
BENCHMARK_CAPTURE(find, plus, "/+/state")->Apply(counts);
BENCHMARK_CAPTURE(find, hash, "/#")->Apply(counts);

}  // namespace

BENCHMARK_MAIN();
