// A user of the installed package: a broker of its own on a free port, and a client that publishes to itself.
#include <martlet/broker.hpp>
#include <martlet/martlet.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;

asio::awaitable<void> app(martlet::client& client, martlet::broker& broker) {
    auto states = co_await client.async_subscribe("garden/+/state", martlet::qos::exactly_once);
    co_await client.async_publish("garden/gate/state", "open", {.qos = martlet::qos::exactly_once});
    auto message = co_await states.async_receive();
    std::cout << message.topic() << ' ' << message.text() << '\n';
    states.acknowledge(message);
    co_await client.async_disconnect();
    co_await broker.async_stop();
}

int main() {
    asio::io_context io;
    martlet::broker broker(io.get_executor());
    const auto where = broker.listen("mqtt://127.0.0.1:0").value();
    martlet::client client(io.get_executor(), {.urls = {"mqtt://127.0.0.1:" + std::to_string(where.port)}});
    bool is_done = false;
    asio::co_spawn(io, app(client, broker), [&](std::exception_ptr error) { is_done = !error; });
    client.async_run(asio::detached);
    io.run();
    return is_done ? 0 : 1;
}
