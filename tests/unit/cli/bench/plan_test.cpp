#include "bench/plan.hpp"

#include "bench/options.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace martlet::cli::bench;

namespace {

run_settings parse(std::vector<std::string> words) {
    std::vector<char*> tokens;
    for (std::string& word : words)
        tokens.push_back(word.data());
    parsed_options parsed = parse_run_options(tokens);
    REQUIRE_MESSAGE(parsed.failure.empty(), parsed.failure);
    return std::move(parsed.settings);
}

struct dealt {
    std::size_t actors = 0;
    std::size_t numbered = 0;
};

dealt deal(const run_settings& settings, crew_share share) {
    run_plan plan;
    plan.share = share;
    plan.prefix = "p/";
    std::vector<std::unique_ptr<worker>> workers;
    for (std::size_t i = 0; i < settings.threads; ++i)
        workers.push_back(std::make_unique<worker>());
    build_actors(settings, plan, workers);
    dealt out;
    out.numbered = plan.clients;
    for (const auto& w : workers)
        out.actors += w->actors.size();
    CHECK(out.actors == count_clients(settings, plan));
    return out;
}

}  // namespace

TEST_CASE("plan: the shares of agents add up to the run of one process, with the same numbers") {
    for (const std::vector<std::string>& words :
         std::vector<std::vector<std::string>>{{"one2one", "--pubs", "7"},
                                               {"fan-in", "--pubs", "9", "-q", "1"},
                                               {"fan-out", "--subs", "5", "-q", "1"},
                                               {"mesh", "--pubs", "4", "-r", "100"},
                                               {"shared", "--pubs", "3", "--subs", "5", "-q", "1"},
                                               {"rr", "--pubs", "5", "--subs", "2"},
                                               {"conn", "--clients", "11"},
                                               {"subscribe", "--clients", "4"},
                                               {"retained", "--subs", "3", "--topics", "10"},
                                               {"session", "--subs", "3", "--pubs", "2", "-n", "10"}}) {
        for (const char* threads : {"1", "2"}) {
            auto given = words;
            given.insert(given.end(), {"--threads", threads});
            const run_settings settings = parse(given);
            const dealt alone = deal(settings, {0, 1});
            CHECK(alone.actors == alone.numbered);
            CHECK(alone.actors == count_clients(settings));
            for (const std::size_t agents : {2u, 3u}) {
                std::size_t sum = 0;
                for (std::size_t i = 0; i < agents; ++i) {
                    const dealt one = deal(settings, {i, agents});
                    CHECK(one.numbered == alone.numbered);
                    sum += one.actors;
                }
                CHECK_MESSAGE(sum == alone.actors, words.front());
            }
        }
    }
}
