// Asks and answers: a request with its reply in one call. Both ends are in this program; they could be anywhere.
//   03_request_response [url]
#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;

// Answers on the topic that the request names, with its Correlation Data.
asio::awaitable<void> answer(martlet::client& client, martlet::subscription requests) {
    for (;;) {
        const auto request = co_await requests.async_receive();
        const auto asked = request.properties();
        if (!asked.response_topic) continue;  // an ordinary message
        std::string text(request.text());
        std::reverse(text.begin(), text.end());
        martlet::publish_options how{.qos = martlet::qos::at_least_once};
        how.properties.correlation_data = asked.correlation_data;
        co_await client.async_publish(*asked.response_topic, std::move(text), how);
    }
}

asio::awaitable<void> ask(martlet::client& client, martlet::client& service) {
    auto requests = co_await service.async_subscribe("service/reverse", martlet::qos::at_least_once);
    asio::co_spawn(service.get_executor(), answer(service, std::move(requests)), asio::detached);

    const auto reply =
        co_await client.async_request("service/reverse", "level up", {.timeout = std::chrono::seconds(5)});
    std::cout << reply.text() << '\n';
}

int main(int argc, char** argv) {
    asio::io_context io;
    const auto* const url = argc > 1 ? argv[1] : "mqtt://localhost";
    martlet::client client(io, {.urls = {url}, .reconnect = {.before_first_connect = false}});
    martlet::client service(io, {.urls = {url}, .reconnect = {.before_first_connect = false}});
    int exit_code = 0;
    const auto end = [&](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const std::exception& e) {
            std::cerr << "03_request_response: " << e.what() << '\n';
            exit_code = 1;
        }
        client.stop();
        service.stop();
    };
    client.async_run(asio::detached);
    service.async_run(asio::detached);
    asio::co_spawn(io, ask(client, service), end);
    io.run();
    return exit_code;
}
