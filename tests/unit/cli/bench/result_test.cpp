#include "bench/result.hpp"

#include "bench/html_report.hpp"
#include "bench/report.hpp"
#include "bench/search.hpp"
#include "bench/summary.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace martlet::cli::bench;

namespace {

run_result sample() {
    run_result r;
    r.settings.flows.push_back({});
    r.settings.flows.front().rate = rate_profile(1'000);
    r.settings.arguments = {"one2one", "-r", "1k", "--topic-prefix", "<b>&'\""};
    r.window = 10;
    r.offered = 10'000;
    r.broker_url = "mqtt://127.0.0.1:1883";
    r.total.sent = r.total.sent_in_time = 10'000;
    r.total.expected = 10'000;
    r.total.unique = 9'990;
    r.total.received_in_time = 9'990;
    for (int i = 0; i < 9'990; ++i) {
        r.total.of(timing::e2e).record(100'000 + i * 100);
        r.total.of(timing::lag).record(1'000);
    }
    r.total.count_error("connection lost: <evil>&");
    for (int i = 1; i <= 10; ++i) {
        series_row row;
        row.at = i;
        row.length = 1;
        row.sent = row.received = 1'000;
        row.e2e_p50 = 100'000;
        row.e2e_p90 = 200'000;
        row.e2e_p99 = 300'000;
        row.e2e_max = 400'000;
        r.series.push_back(row);
    }
    return r;
}

bool holds(const run_result& r, const char* expression) {
    std::string why;
    const auto checked = check_assertion(r, expression, why);
    REQUIRE_MESSAGE(checked, why);
    return checked->is_met;
}

}  // namespace

TEST_CASE("result: assertions compare numbers, times, shares and multiples") {
    const run_result r = sample();
    CHECK(holds(r, "e2e.p99<10ms"));
    CHECK_FALSE(holds(r, "e2e.p99<1us"));
    CHECK(holds(r, "p50 > 100us"));
    CHECK(holds(r, "lost=10"));
    CHECK_FALSE(holds(r, "lost=0"));
    CHECK(holds(r, "loss<=0.1%"));
    CHECK(holds(r, "received>=0.99*offered"));
    CHECK_FALSE(holds(r, "received>=1k"));
    CHECK(holds(r, "duplicates!=1"));
}

TEST_CASE("result: an assertion that cannot be read says why") {
    const run_result r = sample();
    for (const char* bad :
         {"", "e2e.p99", "e2e.p101<1s", "speed>1", "e2e.p99<", "e2e.p99<fast", "sent=>1", "sent>2*speed"}) {
        std::string why;
        CHECK_MESSAGE(!check_assertion(r, bad, why), bad);
        CHECK_MESSAGE(!why.empty(), bad);
    }
}

TEST_CASE("result: every number has a value and a definition") {
    const run_result r = sample();
    for (const metric_row& row : metrics()) {
        CHECK_MESSAGE(metric(r, row.name), row.name);
        CHECK_MESSAGE(!row.definition.empty(), row.name);
    }
    CHECK(metric(r, "received") == 999);
    CHECK_FALSE(metric(r, "nothing"));
}

TEST_CASE("result: lag above a tenth of the latency, or a busy thread, is GENERATOR-BOUND in an open loop") {
    run_result r = sample();
    judge(r);
    CHECK(r.judgement == verdict::good);

    r.busiest_thread = 0.95;
    judge(r);
    CHECK(r.judgement == verdict::generator_bound);

    r = sample();
    for (int i = 0; i < 1'000; ++i)
        r.total.of(timing::lag).record(200'000);
    judge(r);
    CHECK(r.judgement == verdict::generator_bound);
    CHECK(summary_text(r).find("GENERATOR-BOUND: lag.p99 200 µs is more than 10 % of e2e.p99") != std::string::npos);
}

TEST_CASE("result: in a closed loop the generator is the limit when it is busy and the broker is not") {
    run_result r = sample();
    r.offered = 0;
    r.busiest_thread = 0.99;
    judge(r);
    CHECK(r.judgement == verdict::good);  // nobody knows what the broker did
    r.broker_cpu = 5 * second;
    judge(r);
    CHECK(r.judgement == verdict::generator_bound);
    r.broker_cpu = 9'900 * millisecond;
    judge(r);
    CHECK(r.judgement == verdict::good);
}

TEST_CASE("result: the summary has definitions beside the numbers") {
    const std::string text = summary_text(sample());
    CHECK(text.find("lost") != std::string::npos);
    CHECK(text.find("expected copies that never came, the drain included") != std::string::npos);
    CHECK(text.find("received - intended") != std::string::npos);
}

TEST_CASE("result: JSON has schema, configuration, numbers, definitions and series") {
    const auto value = boost::json::parse(json_text(sample()));
    const auto& o = value.as_object();
    CHECK(o.at("schema").as_string() == "martlet.bench/1");
    CHECK(o.at("metrics").as_object().at("lost").to_number<double>() == 10);
    CHECK(o.at("metrics").as_object().at("e2e_ns").as_object().at("p50").to_number<double>() ==
          doctest::Approx(599'500).epsilon(0.002));
    CHECK(o.at("config").as_object().at("flows").as_array().at(0).as_object().at("loop").as_string() == "open");
    CHECK(o.at("series").as_array().size() == 10);
    CHECK(o.at("definitions").as_object().size() == metrics().size());
    CHECK(o.at("histograms").as_object().at("e2e").as_string().starts_with("HISTFAAA"));
}

TEST_CASE("result: CSV has a header and a line per interval") {
    const std::string text = csv_text(sample());
    CHECK(std::count(text.begin(), text.end(), '\n') == 11);
    const std::string header = text.substr(0, text.find('\n'));
    const std::string last = text.substr(text.rfind('\n', text.size() - 2) + 1);
    CHECK(std::count(header.begin(), header.end(), ',') == std::count(last.begin(), last.end(), ','));
}

TEST_CASE("result: the page stands alone, has its plots, and no text of others breaks it") {
    const run_result r = sample();
    const std::string page = html_report({&r, 1});
    CHECK(page.find("<polyline") != std::string::npos);
    CHECK(page.find("prefers-color-scheme:dark") != std::string::npos);
    CHECK(page.find("http") == std::string::npos);
    CHECK(page.find("<script") == std::string::npos);
    CHECK(page.find("<evil>") == std::string::npos);
    CHECK(page.find("&lt;b&gt;&amp;&#39;&quot;") != std::string::npos);
    CHECK(page.find("nan") == std::string::npos);
    CHECK(page.find("inf ") == std::string::npos);

    run_result nothing;
    nothing.settings.flows.push_back({});
    CHECK(html_report({&nothing, 1}).find("too little data") != std::string::npos);
}

TEST_CASE("search: finds the edge from below and from above, in few runs") {
    for (const double first : {100.0, 50'000.0, 1e6}) {
        const auto found = bisect(first, 0.05, 40, [](double rate) { return rate <= 50'000; });
        CHECK(found.greatest_kept <= 50'000);
        CHECK(found.greatest_kept > 47'000);
        CHECK(found.least_broken > 50'000);
        CHECK(found.runs < 20);
    }
    CHECK(bisect(1'000, 0.05, 40, [](double) { return false; }).greatest_kept == 0);
    CHECK(bisect(1'000, 0.05, 10, [](double) { return true; }).runs == 10);
}
