#include "client/reconnect.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;
using detail::reconnect_policy;

namespace {

reconnect_options without_jitter() {
    reconnect_options o;
    o.delay_min = 1s;
    o.delay_max = 8s;
    o.jitter = 0;
    return o;
}

}  // namespace

TEST_CASE("reconnect: goes through the endpoints in order, and waits after each round") {
    reconnect_policy policy(without_jitter(), 3, 1);

    CHECK(policy.endpoint() == 0);
    auto next = policy.after_failure();
    CHECK(next.endpoint == 1);
    CHECK(next.delay == 0ms);
    next = policy.after_failure();
    CHECK(next.endpoint == 2);
    CHECK(next.delay == 0ms);
    next = policy.after_failure();
    CHECK(next.endpoint == 0);
    CHECK(next.delay == 1s);
}

TEST_CASE("reconnect: the delay doubles up to its maximum") {
    reconnect_policy policy(without_jitter(), 1, 1);

    std::vector<std::chrono::milliseconds> delays;
    for (int i = 0; i < 6; ++i)
        delays.push_back(policy.after_failure().delay);

    CHECK(delays == std::vector<std::chrono::milliseconds>{1s, 2s, 4s, 8s, 8s, 8s});
}

TEST_CASE("reconnect: a connection that lasted begins anew, at once and at the same endpoint") {
    reconnect_policy policy(without_jitter(), 2, 1);
    (void)policy.after_failure();
    (void)policy.after_failure();
    (void)policy.after_failure();

    const auto next = policy.after_loss(1h);

    CHECK(next.endpoint == 1);
    CHECK(next.delay == 0ms);
    (void)policy.after_failure();
    CHECK(policy.after_failure().delay == 1s);
}

TEST_CASE("reconnect: a server that hangs up on us at once is not hammered") {
    reconnect_policy policy(without_jitter(), 1, 1);

    CHECK(policy.after_loss(10ms).delay == 1s);
    CHECK(policy.after_loss(10ms).delay == 2s);
    CHECK(policy.after_loss(10ms).delay == 4s);
}

TEST_CASE("reconnect: jitter keeps within its share, and depends on the seed only") {
    auto options = without_jitter();
    options.jitter = 0.25;
    options.delay_max = options.delay_min;
    reconnect_policy a(options, 1, 42);
    reconnect_policy b(options, 1, 42);
    reconnect_policy c(options, 1, 43);

    bool differs = false;
    for (int i = 0; i < 1000; ++i) {
        const auto delay = a.after_failure().delay;
        CHECK(delay >= 750ms);
        CHECK(delay <= 1250ms);
        CHECK(delay == b.after_failure().delay);
        differs = differs || delay != c.after_failure().delay;
    }
    CHECK(differs);
}

TEST_CASE("reconnect: refusals that cannot get better are fatal, others are not") {
    using detail::is_fatal_disconnect;
    using detail::is_fatal_refusal;

    CHECK(is_fatal_refusal(reason_code::bad_user_name_or_password));
    CHECK(is_fatal_refusal(reason_code::not_authorized));
    CHECK(is_fatal_refusal(reason_code::client_identifier_not_valid));
    CHECK_FALSE(is_fatal_refusal(reason_code::server_unavailable));
    CHECK_FALSE(is_fatal_refusal(reason_code::server_busy));
    CHECK_FALSE(is_fatal_refusal(reason_code::unspecified_error));
    CHECK(is_fatal_disconnect(reason_code::session_taken_over));
    CHECK_FALSE(is_fatal_disconnect(reason_code::server_shutting_down));
}
