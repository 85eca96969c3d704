// The same client with callbacks instead of coroutines: subscribes, publishes, and leaves after its own message.
//   06_callbacks [url]
#include <martlet/client.hpp>

#include <boost/asio/io_context.hpp>

#include <iostream>
#include <utility>

namespace asio = boost::asio;

class app {
public:
    explicit app(martlet::client& client) : client_(client) {}

    void start() {
        client_.async_subscribe("pump/+/state", martlet::qos::at_least_once,
                                [this](martlet::error_code error, martlet::subscription stream) {
                                    if (error) return give_up("subscribing", error);
                                    states_ = std::move(stream);
                                    receive();
                                    publish();
                                });
    }

private:
    void publish() {
        client_.async_publish("pump/7/state", "on", {.qos = martlet::qos::at_least_once},
                              [this](martlet::error_code error, martlet::publish_result) {
                                  if (error) give_up("publishing", error);
                              });
    }

    void receive() {
        states_.async_receive([this](martlet::error_code error, martlet::message message) {
            if (error) return;
            std::cout << message.topic() << ' ' << message.text() << '\n';
            states_.acknowledge(message);
            client_.async_disconnect({.drain = true}, [](martlet::error_code) {});  // once the PUBACK is here, too
        });
    }

    void give_up(const char* what, martlet::error_code error) {
        std::cerr << "06_callbacks: " << what << ": " << error.message() << '\n';
        client_.stop();
    }

    martlet::client& client_;
    martlet::subscription states_;
};

int main(int argc, char** argv) {
    asio::io_context io;
    const auto* const url = argc > 1 ? argv[1] : "mqtt://localhost";
    martlet::client client(io, {.urls = {url}, .reconnect = {.before_first_connect = false}});
    app example(client);
    example.start();

    int exit_code = 0;
    client.async_run([&](martlet::error_code error) {
        if (!error) return;
        std::cerr << "06_callbacks: " << error.message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
