// martlet_simulation [--seeds N] [--first S] | --list FILE | --seed S [--trace]: runs seeds and reports the first that
// breaks a promise.
#include "simulation/world.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet::simulation;

namespace {

// One seed a line, and after # what it was about.
std::vector<std::uint64_t> read_list(const char* file) {
    std::vector<std::uint64_t> seeds;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (const std::uint64_t seed = std::strtoull(line.c_str(), nullptr, 10); seed != 0) seeds.push_back(seed);
    }
    return seeds;
}

int fail(const scenario& what, const outcome& end) {
    std::printf("%s\n", what.describe().c_str());
    for (const violation& v : end.violations)
        std::printf("VIOLATION %s: %s\n", v.rule.c_str(), v.text.c_str());
    std::printf("replay: scripts/simulate --seed %llu --trace\n", static_cast<unsigned long long>(what.seed));
    if (end.chart.empty()) {
        // The packets around the fault: run it again and print the end of the chart.
        const outcome again = world(what, true).run();
        constexpr std::size_t most = 6'000;
        std::size_t from = again.chart.size() > most ? again.chart.find('\n', again.chart.size() - most) + 1 : 0;
        std::printf("the last packets:\n%s", again.chart.c_str() + from);
    }
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t first = 1;
    std::uint64_t count = 1'000;
    bool one = false;
    std::vector<std::uint64_t> list;
    bool trace = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const char* const value = i + 1 < argc ? argv[i + 1] : "";
        if (option == "--seeds") {
            count = std::strtoull(value, nullptr, 10);
            ++i;
        } else if (option == "--first") {
            first = std::strtoull(value, nullptr, 10);
            ++i;
        } else if (option == "--seed") {
            first = std::strtoull(value, nullptr, 10);
            one = true;
            ++i;
        } else if (option == "--list") {
            list = read_list(value);
            count = list.size();
            ++i;
            if (list.empty()) {
                std::fprintf(stderr, "%s: no seed in %s\n", argv[0], value);
                return 2;
            }
        } else if (option == "--trace") {
            trace = true;
        } else {
            std::fprintf(stderr, "usage: %s [--seeds N] [--first S] | --list FILE | --seed S [--trace]\n", argv[0]);
            return 2;
        }
    }
    if (one) {
        const scenario what = scenario::from_seed(first);
        const outcome end = world(what, trace).run();
        if (trace) std::fputs(end.chart.c_str(), stdout);
        if (!end.ok) return fail(what, end);
        std::printf("%s\nok: %llu messages received, %llu faults, %.3f virtual seconds\n", what.describe().c_str(),
                    static_cast<unsigned long long>(end.received), static_cast<unsigned long long>(end.faults),
                    static_cast<double>(end.duration) / 1e6);
        return 0;
    }
    const auto started = std::chrono::steady_clock::now();
    outcome all;
    double virtual_seconds = 0;
    for (std::uint64_t i = 0; i != count; ++i) {
        const scenario what = scenario::from_seed(list.empty() ? first + i : list[i]);
        const outcome end = world(what, false).run();
        if (!end.ok) return fail(what, end);
        all.received += end.received;
        all.wills += end.wills;
        all.retained += end.retained;
        all.faults += end.faults;
        all.take_overs += end.take_overs;
        all.sessions_lost += end.sessions_lost;
        virtual_seconds += static_cast<double>(end.duration) / 1e6;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    const auto number = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
    std::printf(
        "seeds=%llu violations=0 faults=%llu take_overs=%llu sessions_lost=%llu received=%llu wills=%llu "
        "retained=%llu virtual_hours=%.1f seconds=%.1f seeds_per_second=%.0f\n",
        number(count), number(all.faults), number(all.take_overs), number(all.sessions_lost), number(all.received),
        number(all.wills), number(all.retained), virtual_seconds / 3600, took.count(),
        static_cast<double>(count) / took.count());
    return 0;
}
