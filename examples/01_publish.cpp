// Publishes one message and leaves when the broker has it for certain.
//   01_publish [url [topic [text]]]
#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;

asio::awaitable<void> app(martlet::client& client, std::string topic, std::string text) {
    co_await client.async_publish(topic, std::move(text), {.qos = martlet::qos::exactly_once});
    co_await client.async_disconnect();
}

int main(int argc, char** argv) {
    asio::io_context io;
    const auto* const url = argc > 1 ? argv[1] : "mqtt://localhost";
    martlet::client client(io, {.urls = {url}, .reconnect = {.before_first_connect = false}});

    int exit_code = 0;
    client.async_run([&](martlet::error_code error) {
        if (!error) return;
        std::cerr << "01_publish: " << error.message() << '\n';
        exit_code = 1;
    });
    asio::co_spawn(io, app(client, argc > 2 ? argv[2] : "pump/7/state", argc > 3 ? argv[3] : "on"), asio::detached);
    io.run();
    return exit_code;
}
