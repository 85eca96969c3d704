// A user's own test: the broker runs in the same program, on a port that is free; nothing is installed or started.
//   07_broker_in_your_tests
#include <martlet/broker.hpp>
#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;

// What is to be tested: it turns a lamp on and says so.
asio::awaitable<void> lamp(martlet::client& client) {
    auto commands = co_await client.async_subscribe("lamp/set", martlet::qos::at_least_once);
    for (;;) {
        const auto command = co_await commands.async_receive();
        co_await client.async_publish("lamp/state", std::string(command.text()), {.qos = martlet::qos::at_least_once});
    }
}

asio::awaitable<bool> lamp_says_what_it_does(martlet::client& tester) {
    auto states = co_await tester.async_subscribe("lamp/state", martlet::qos::at_least_once);
    co_await tester.async_publish("lamp/set", "on", {.qos = martlet::qos::at_least_once, .retain = true});
    const auto state = co_await states.async_receive(std::chrono::seconds(10));
    co_return state.text() == "on";
}

int main() {
    asio::io_context io;
    martlet::broker broker(io.get_executor());
    const auto where = broker.listen("mqtt://127.0.0.1:0").value();
    const auto url = "mqtt://127.0.0.1:" + std::to_string(where.port);
    martlet::client subject(io, {.urls = {url}});
    martlet::client tester(io, {.urls = {url}});
    subject.async_run(asio::detached);
    tester.async_run(asio::detached);

    int exit_code = 1;
    asio::co_spawn(io, lamp(subject), asio::detached);
    asio::co_spawn(io, lamp_says_what_it_does(tester), [&](std::exception_ptr error, bool is_right) {
        exit_code = !error && is_right ? 0 : 1;
        std::cout << (exit_code == 0 ? "passed" : "failed") << '\n';
        io.stop();
    });
    io.run();
    return exit_code;
}
