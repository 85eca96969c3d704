// A user's own tests, with doctest: the broker runs in the same program, clients reach it without a socket, and faults
// come when the test wants them. Nothing is installed, started or waited for by time.
//   07_broker_in_your_tests
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/faults.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <exception>
#include <memory>
#include <string>

namespace asio = boost::asio;

// What is to be tested: it counts what it is told to, and says the sum.
asio::awaitable<void> counter(martlet::client& client) {
    auto commands = co_await client.async_subscribe("counter/add", martlet::qos::exactly_once);
    for (int sum = 0;;) {
        const auto command = co_await commands.async_receive();
        sum += std::stoi(std::string(command.text()));
        co_await client.async_publish("counter/sum", std::to_string(sum), {.qos = martlet::qos::exactly_once});
    }
}

struct world {
    asio::io_context io;
    std::shared_ptr<martlet::faults> faults = std::make_shared<martlet::faults>();
    martlet::broker broker{io.get_executor(), {.faults = faults}};
    martlet::client subject{io, {.urls = {broker.in_process()}, .reconnect = {.delay_min = {}, .delay_max = {}}}};
    martlet::client tester{io, {.urls = {broker.in_process()}}};

    void run(asio::awaitable<void> test) {
        subject.async_run(asio::detached);
        tester.async_run(asio::detached);
        asio::co_spawn(io, counter(subject), asio::detached);
        std::exception_ptr failure;
        asio::co_spawn(io, std::move(test), [&](std::exception_ptr error) {
            failure = error;
            io.stop();
        });
        io.run();
        if (failure) std::rethrow_exception(failure);
    }
};

asio::awaitable<void> sums_are_right(martlet::client& tester) {
    auto sums = co_await tester.async_subscribe("counter/sum", martlet::qos::exactly_once);
    // retained: the counter may not have subscribed yet
    co_await tester.async_publish("counter/add", "1", {.qos = martlet::qos::exactly_once, .retain = true});
    CHECK((co_await sums.async_receive()).text() == "1");
    co_await tester.async_publish("counter/add", "2", {.qos = martlet::qos::exactly_once});
    CHECK((co_await sums.async_receive()).text() == "3");
}

TEST_CASE("the counter counts") {
    world w;
    w.run(sums_are_right(w.tester));
}

TEST_CASE("and counts each number once, also if its connection breaks at the worst moments") {
    world w;
    w.faults->add("reset out>publish topic=counter/add n=1 times=2").value();  // the number does not arrive
    w.faults->add("reset in>pubrec n=1 times=2").value();                      // it has, but the broker cannot know
    w.faults->add("reset in>pubcomp n=1 times=2").value();
    w.run(sums_are_right(w.tester));
    CHECK(w.faults->total() == 6);
}
