// Subscribes, announces itself, and prints what arrives; reconnects by itself.
//   02_subscribe [url [filter]]
#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;

asio::awaitable<void> app(martlet::client& client, std::string filter) {
    auto setpoints = co_await client.async_subscribe(filter, martlet::qos::exactly_once);
    co_await client.async_publish("pump/7/state", "on", {.qos = martlet::qos::at_least_once, .retain = true});
    for (;;) {
        auto message = co_await setpoints.async_receive();
        std::cout << message.topic() << ' ' << message.text() << std::endl;
    }  // acknowledged when the next one is asked for
}

int main(int argc, char** argv) {
    asio::io_context io;
    const auto* const url = argc > 1 ? argv[1] : "mqtt://localhost";
    martlet::client client(io, {.urls = {url}, .client_id = "pump-7"});
    const auto report = [&](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const std::exception& e) {
            std::cerr << e.what() << '\n';
        }
        client.stop();
    };
    asio::co_spawn(io, app(client, argc > 2 ? argv[2] : "pump/+/set"), report);
    client.async_run([](martlet::error_code error) {
        if (error) std::cerr << error.message() << '\n';
    });
    io.run();
}
