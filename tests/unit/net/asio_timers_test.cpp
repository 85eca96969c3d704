#include "net/asio_timers.hpp"

#include "unit/net/loop.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <doctest/doctest.h>

#include <chrono>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
using namespace std::chrono_literals;

TEST_CASE("timers: expire in the order of their times, not before them") {
    loop l;
    std::string order;
    const instant begin = l.net->now();
    const auto a = l.net->make_timer([&] { order += 'a'; });
    const auto b = l.net->make_timer([&] { order += 'b'; });
    const auto c = l.net->make_timer([&] { order += 'c'; });

    a->set(begin.steady + 3ms);
    b->set(begin.steady + 1ms);
    c->set(begin.steady - 1h);
    l.until([&] { return order.size() == 3; });

    CHECK(order == "cba");
    CHECK(l.net->now().steady >= begin.steady + 3ms);
}

TEST_CASE("timers: setting again replaces, to earlier and to later") {
    loop l;
    int fired = 0;
    const auto t = l.net->make_timer([&] { ++fired; });
    const auto present = l.net->now().steady;

    t->set(present + 1h);
    t->set(present + 2ms);
    t->set(present + 1ms);
    t->set(present + 4ms);
    l.until([&] { return fired != 0; });

    CHECK(l.net->now().steady >= present + 4ms);
    l.settle();
    CHECK(fired == 1);
}

TEST_CASE("timers: cancelled, destroyed and never-set ones leave nothing to wait for") {
    loop l;
    auto cancelled = l.net->make_timer([] { FAIL("cancelled"); });
    auto destroyed = l.net->make_timer([] { FAIL("destroyed"); });
    auto unset = l.net->make_timer([] { FAIL("not set"); });

    cancelled->set(l.net->now().steady + 1h);
    destroyed->set(l.net->now().steady + 1h);
    unset->set(never);
    cancelled->cancel();
    destroyed.reset();

    l.io.run();  // returns: out of work
    CHECK(l.io.stopped());
}

TEST_CASE("timers: a handler may set, cancel and destroy timers, its own too") {
    loop l;
    const auto past = l.net->now().steady - 1s;
    int first = 0;
    std::unique_ptr<timer> a;
    std::unique_ptr<timer> b;
    std::unique_ptr<timer> c;
    a = l.net->make_timer([&] {
        if (++first == 1) return a->set(past);  // comes up again
        a.reset();
        b.reset();
        c->cancel();
    });
    b = l.net->make_timer([&] { FAIL("destroyed by a"); });
    c = l.net->make_timer([&] { FAIL("cancelled by a"); });

    a->set(past);
    l.until([&] { return first == 1; });
    b->set(past + 1ms);  // due in one go with a's second time, after it
    c->set(past + 1ms);
    l.until([&] { return first == 2; });

    l.io.run();
    CHECK(first == 2);
}

TEST_CASE("timers: outlive the network that made them") {
    loop l;
    int fired = 0;
    const auto t = l.net->make_timer([&] { ++fired; });
    l.net.reset();
    t->set(steady_time{});
    l.until([&] { return fired == 1; });
}

TEST_CASE("network: now() has both clocks") {
    loop l;
    const instant present = l.net->now();
    CHECK(present.steady > steady_time{});
    const auto wall = std::chrono::system_clock::now() - present.wall;
    CHECK(wall < 1min);
    CHECK(wall > -1min);
}

TEST_CASE("timers: one clock for all who use an executor, another for another strand") {
    boost::asio::io_context io;
    const boost::asio::any_io_executor plain = io.get_executor();
    const boost::asio::any_io_executor strand = boost::asio::make_strand(io);
    const auto first = timer_heap::of(plain);
    CHECK(timer_heap::of(plain) == first);
    const auto other = timer_heap::of(strand);
    CHECK(other != first);
    CHECK(timer_heap::of(strand) == other);
}

}  // namespace
