// The measuring heart against brokers whose faults are known, on a virtual clock: what they did must be what is reported.
#include "bench/receiver.hpp"
#include "bench/schedule.hpp"
#include "bench/sender.hpp"
#include "bench/tally.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>

using namespace martlet::cli::bench;

namespace {

constexpr std::uint16_t run_id = 77;

/// What a broker does with a message that reaches it at a time: when the subscriber gets it, and how often.
struct fate {
    nanoseconds arrives = 0;
    int copies = 1;
};

struct experiment {
    double rate = 10'000;
    nanoseconds length = 10 * second;
    /// The generator handles what is due at multiples of this time only: its own lag.
    nanoseconds wake_up = 0;
    std::size_t size = 64;
    std::function<fate(nanoseconds now, std::uint64_t number)> broker;
};

tally measure(const experiment& e) {
    tally out;
    std::string pattern(e.size, '\0');
    fill_payload(pattern, run_id);
    sender_options options;
    options.run = run_id;
    options.open = schedule(rate_profile(e.rate), {}, 0, 1, 1);
    options.stop = e.length;
    options.window = {0, e.length};
    sender from(options);
    receiver to({run_id, options.window, pattern}, std::make_shared<sequence_checks>(1, false));

    for (std::uint64_t number = 0; from.next_due() != no_time; ++number) {
        nanoseconds now = from.next_due();
        if (e.wake_up != 0) now = (now + e.wake_up - 1) / e.wake_up * e.wake_up;
        REQUIRE(from.is_due(now));
        const stamp s = from.next(now);
        std::string payload = pattern;
        write_stamp(payload, s);
        from.commit(s, now, out);
        const fate f = e.broker(now, number);
        for (int i = 0; i < f.copies; ++i)
            to.take(payload, f.arrives, out);
    }
    return out;
}

}  // namespace

TEST_CASE("honesty: a broker that stops for 1 s shows as rate x 1 s late messages, evenly from 0 to 1 s") {
    const nanoseconds from = 4 * second;
    const nanoseconds until = 5 * second;
    const nanoseconds usual = 100 * microsecond;

    const tally t = measure({.broker = [&](nanoseconds now, std::uint64_t) {
        return fate{now >= from && now < until ? until + usual : now + usual};
    }});

    const histogram& e2e = t.of(timing::e2e);
    CHECK(t.sent == 100'000);
    CHECK(e2e.count() == 100'000);
    CHECK(std::fabs(static_cast<double>(e2e.count_between(millisecond, second)) - 10'000) < 50);
    for (int tenth = 0; tenth < 10; ++tenth) {
        const auto here = e2e.count_between(tenth * second / 10 + millisecond, (tenth + 1) * second / 10 - millisecond);
        CHECK_MESSAGE(std::fabs(static_cast<double>(here) - 980) < 15, tenth);
    }
    CHECK(e2e.percentile(50) == doctest::Approx(usual).epsilon(0.001));
    CHECK(e2e.percentile(95) == doctest::Approx(second / 2).epsilon(0.01));
    CHECK(t.lost() == 0);
}

TEST_CASE("honesty: a delay of 20 ms moves p50 by 20 ms") {
    const auto with_delay = [](nanoseconds delay) {
        return measure({.broker = [=](nanoseconds now, std::uint64_t number) {
            return fate{now + 80 * microsecond + static_cast<nanoseconds>(number % 41) * microsecond + delay};
        }});
    };
    const tally before = with_delay(0);
    const tally after = with_delay(20 * millisecond);
    const auto moved = after.of(timing::e2e).percentile(50) - before.of(timing::e2e).percentile(50);
    CHECK(std::abs(moved - 20 * millisecond) < 50 * microsecond);
}

TEST_CASE("honesty: a loss of 1 % by a seed is counted exactly") {
    random_source random(7);
    std::uint64_t dropped = 0;
    const tally t = measure({.broker = [&](nanoseconds now, std::uint64_t) {
        const bool is_lost = random.below(100) == 0;
        dropped += is_lost;
        return fate{now + microsecond, is_lost ? 0 : 1};
    }});
    CHECK(dropped > 800);
    CHECK(t.lost() == dropped);
    CHECK(t.unique == 100'000 - dropped);
    CHECK(t.duplicates == 0);
}

TEST_CASE("honesty: messages delivered twice are counted, and timed once") {
    const tally t = measure({.broker = [](nanoseconds now, std::uint64_t number) {
        return fate{now + microsecond, number % 100 == 0 ? 2 : 1};
    }});
    CHECK(t.duplicates == 1'000);
    CHECK(t.lost() == 0);
    CHECK(t.of(timing::e2e).count() == 100'000);
}

TEST_CASE("honesty: a sluggish generator owns up to it: lag is its own, service is the broker's, e2e has both") {
    const tally t = measure({.wake_up = 10 * millisecond,
                             .broker = [](nanoseconds now, std::uint64_t) { return fate{now + millisecond}; }});
    CHECK(t.of(timing::lag).maximum() > 9 * millisecond);
    CHECK(t.of(timing::lag).percentile(50) == doctest::Approx(5 * millisecond).epsilon(0.02));
    CHECK(t.of(timing::service).percentile(50) == doctest::Approx(millisecond).epsilon(0.001));
    CHECK(t.of(timing::service).percentile(100) == doctest::Approx(millisecond).epsilon(0.001));
    CHECK(t.of(timing::e2e).percentile(50) == doctest::Approx(6 * millisecond).epsilon(0.02));
}

TEST_CASE("honesty: a clock that jumps leaves no message out: what was due meanwhile is late by what it is late") {
    // The machine was asleep from 4 s to 7 s: nothing happened in it, and then it is 7 s.
    const nanoseconds from = 4 * second;
    const nanoseconds until = 7 * second;
    tally out;
    std::string pattern(64, '\0');
    fill_payload(pattern, run_id);
    sender_options options;
    options.run = run_id;
    options.open = schedule(rate_profile(1'000), {}, 0, 1, 1);
    options.stop = 10 * second;
    options.window = {0, 10 * second};
    sender sending(options);
    receiver to({run_id, options.window, pattern}, std::make_shared<sequence_checks>(1, false));
    for (nanoseconds now = 0; sending.next_due() != no_time;) {
        now = std::max(now, sending.next_due());
        if (now >= from && now < until) now = until;
        std::string payload = pattern;
        const stamp s = sending.next(now);
        write_stamp(payload, s);
        sending.commit(s, now, out);
        to.take(payload, now + millisecond, out);
    }
    CHECK(out.sent == 10'000);
    CHECK(out.lost() == 0);
    CHECK(out.reordered == 0);
    const histogram& e2e = out.of(timing::e2e);
    CHECK(e2e.maximum() == doctest::Approx(3 * second + millisecond).epsilon(0.001));
    CHECK(std::fabs(static_cast<double>(e2e.count_between(2 * millisecond, 4 * second)) - 3'000) < 3);
    // A clock that went back would have answers before questions: they count as 0, and are no wrap-around.
    to.take(
        [&] {
            std::string payload = pattern;
            write_stamp(payload, {run_id, 0, 10'000, 9 * second, 0});
            return payload;
        }(),
        8 * second, out);
    CHECK(e2e.minimum() == 0);
    CHECK(e2e.maximum() == doctest::Approx(3 * second + millisecond).epsilon(0.001));
}

TEST_CASE("honesty: damaged messages are corrupt and, since they are not what was sent, lost") {
    tally out;
    std::string payload(64, '\0');
    fill_payload(payload, run_id);
    const std::string pattern = payload;
    receiver to({run_id, {0, second}, pattern}, std::make_shared<sequence_checks>(1, false));

    write_stamp(payload, {run_id, 0, 0, 10, 0});
    payload[50] ^= 1;
    CHECK_FALSE(to.take(payload, 20, out));
    write_stamp(payload, {run_id, 5, 0, 10, 0});
    CHECK_FALSE(to.take(payload, 20, out));

    CHECK(out.corrupt == 2);
    CHECK(out.unique == 0);
}

TEST_CASE("honesty: only what is intended inside the window counts, whenever it arrives") {
    tally out;
    sender_options options;
    options.run = run_id;
    options.open = schedule(rate_profile(1'000), {}, 0, 1, 1);
    options.window = {second, 2 * second};
    options.stop = 3 * second;
    sender from(options);
    std::string pattern(64, '\0');
    fill_payload(pattern, run_id);
    receiver to({run_id, options.window, pattern}, std::make_shared<sequence_checks>(1, false));
    while (from.next_due() != no_time) {
        const nanoseconds now = from.next_due();
        const stamp s = from.next(now);
        std::string payload = pattern;
        write_stamp(payload, s);
        from.commit(s, now, out);
        to.take(payload, now + 500 * millisecond, out);
    }
    CHECK(out.sent_ever == 3'000);
    CHECK(out.sent == 1'000);
    CHECK(out.expected == 1'000);
    CHECK(out.unique == 1'000);
    CHECK(out.of(timing::e2e).count() == 1'000);
    CHECK(out.received_in_time == 1'000);
    CHECK(out.received_ever == 3'000);
}

TEST_CASE("honesty: a closed loop never has more outstanding than its window, and times from sending") {
    tally out;
    sender_options options;
    options.outstanding_max = 3;
    options.window = {0, second};
    options.stop = second;
    options.count_max = 5;
    sender from(options);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(from.is_due(10));
        from.commit(from.next(10), 10, out);
    }
    CHECK(from.room() == 0);
    from.acknowledged(10, 60, true, out);
    CHECK(from.room() == 1);
    from.acknowledged(10, 60, false, out);
    from.commit(from.next(70), 70, out);
    from.commit(from.next(70), 70, out);
    CHECK(from.is_finished(71));
    CHECK(out.acked == 1);
    CHECK(out.refused == 1);
    CHECK(out.of(timing::ack).maximum() == 50);
    CHECK(out.of(timing::lag).empty());
}
