#include "broker/log_quota.hpp"

#include <doctest/doctest.h>

using namespace martlet;
using namespace std::chrono_literals;
using broker_impl::log_quota;

TEST_CASE("log_quota: ten lines a minute, and the number of those that were not told") {
    log_quota subject;
    steady_time now = steady_time() + 5h;
    for (unsigned i = 0; i != log_quota::lines_max; ++i)
        CHECK(subject.admits(now += 1s));
    CHECK(subject.take_untold() == 0);
    for (int i = 0; i != 1'000; ++i)
        CHECK_FALSE(subject.admits(now));
    now += 49s;
    CHECK_FALSE(subject.admits(now));
    now += 2s;
    CHECK(subject.admits(now));
    CHECK(subject.take_untold() == 1'001);
    CHECK(subject.take_untold() == 0);
}
