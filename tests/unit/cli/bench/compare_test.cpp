#include "bench/compare.hpp"

#include "bench/report.hpp"
#include "bench/statistics.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace martlet::cli::bench;

namespace {

run_result with_rate(std::uint64_t received, std::size_t size = 64) {
    run_result r;
    r.settings.flows.push_back({});
    r.settings.flows.front().size_min = r.settings.flows.front().size_max = size;
    r.window = 1;
    r.total.received_in_time = received;
    for (std::uint64_t i = 1; i < 100; ++i)
        r.total.of(timing::e2e).record(static_cast<nanoseconds>(i * received));
    return r;
}

std::vector<run_result> runs(std::uint64_t around) {
    std::vector<run_result> out;
    for (std::uint64_t i = 0; i < 8; ++i)
        out.push_back(with_rate(around + 10 * i));
    return out;
}

}  // namespace

TEST_CASE("statistics: median and its interval by order statistics") {
    CHECK(median(std::vector<double>{3, 1, 2}) == 2);
    CHECK(median(std::vector<double>{4, 1, 2, 3}) == 2.5);
    CHECK(median({}) == 0);
    const std::vector<double> ten = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const interval i = median_interval(ten, 0.95);
    CHECK(i.low == 2);
    CHECK(i.high == 9);
    CHECK(i.confidence == doctest::Approx(0.978515625));
    CHECK(median_interval(std::vector<double>{1, 2, 3, 4, 5}, 0.95).confidence == doctest::Approx(0.9375));
    CHECK(median_interval(std::vector<double>{1}, 0.95).confidence == 0);
}

TEST_CASE("statistics: Mann-Whitney has the p-values of the tables") {
    // 3 against 3, completely apart: 2 of the 20 orders.
    CHECK(mann_whitney(std::vector<double>{1, 2, 3}, std::vector<double>{4, 5, 6}) == doctest::Approx(0.1));
    // 5 against 5, completely apart: 2 of 252; U = 2: 8 of 252.
    CHECK(mann_whitney(std::vector<double>{1, 2, 3, 4, 5}, std::vector<double>{6, 7, 8, 9, 10}) ==
          doctest::Approx(2.0 / 252));
    CHECK(mann_whitney(std::vector<double>{1, 2, 3, 4, 7}, std::vector<double>{5, 6, 8, 9, 10}) ==
          doctest::Approx(8.0 / 252));
    CHECK(mann_whitney(std::vector<double>{1, 1, 1, 1}, std::vector<double>{1, 1, 1, 1}) == 1);
    CHECK(mann_whitney({}, std::vector<double>{1}) == 1);
    std::vector<double> a;
    std::vector<double> b;
    for (int i = 0; i < 30; ++i) {
        a.push_back(i);
        b.push_back(i + 20);
    }
    CHECK(mann_whitney(a, b) < 1e-6);
    CHECK(mann_whitney(a, a) > 0.9);
}

TEST_CASE("compare: a difference is told with its p-value, chance with ~") {
    const std::vector<run_set> apart = {make_run_set("a", runs(1'000)), make_run_set("b", runs(2'000))};
    const std::string text = comparison_text(apart);
    CHECK(text.find("+96.6 % (p=0.000)") != std::string::npos);
    CHECK(text.find("interval of 99.2 % confidence") != std::string::npos);

    const std::vector<run_set> same = {make_run_set("a", runs(1'000)), make_run_set("b", runs(1'003))};
    CHECK(comparison_text(same).find("+0.3 % ~") != std::string::npos);
    CHECK(comparison_html(apart).find("<polyline") != std::string::npos);
}

TEST_CASE("compare: a report is read back as it was written") {
    std::string wrong;
    const auto one = read_run_set(json_text(with_rate(1'234)), "x.json", wrong);
    REQUIRE_MESSAGE(one, wrong);
    CHECK(one->runs.at(0).at("received") == 1'234);
    CHECK(one->e2e.count() == 99);
    const auto all = runs(100);
    CHECK(read_run_set(json_text(all), "y.json", wrong)->runs.size() == 8);
}

TEST_CASE("compare: unlike configurations are refused, and what is no report") {
    const std::vector<run_result> small = {with_rate(1, 64)};
    const std::vector<run_result> large = {with_rate(1, 1'024)};
    const std::vector<run_set> sets = {make_run_set("a", small), make_run_set("b", large)};
    CHECK(unlike(sets).find("different configurations") != std::string::npos);
    CHECK(unlike(std::span<const run_set>(sets).first(1)).empty());

    for (const char* bad : {"", "{", "[]", "{}", "{\"runs\":[]}", "{\"schema\":\"x\",\"metrics\":{},\"config\":{}}",
                            "{\"schema\":1,\"metrics\":{},\"config\":{}}"}) {
        std::string wrong;
        CHECK_MESSAGE(!read_run_set(bad, "x.json", wrong), bad);
        CHECK_MESSAGE(wrong.find("x.json") != std::string::npos, bad);
    }
}
