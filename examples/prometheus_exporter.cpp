// Readings as metrics: the last number of each topic, and the state of the connection, for Prometheus to scrape.
//   prometheus_exporter [url [filter [port]]]      then: curl http://127.0.0.1:9641/metrics
#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr std::size_t topics_max = 10'000;  // whoever may publish could invent topics without end

class readings {
public:
    void take(const martlet::message& message) {
        double value = 0;
        const auto text = message.text();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc() || end != text.data() + text.size()) return;  // not a number
        const std::string topic(message.topic());
        if (values_.size() < topics_max || values_.contains(topic)) values_[topic] = value;
    }

    [[nodiscard]] std::string to_prometheus(const martlet::client_statistics& client) const {
        std::string text = "# TYPE mqtt_connected gauge\nmqtt_connected " + std::string(client.connected ? "1" : "0") +
                           "\n# TYPE mqtt_messages_received_total counter\nmqtt_messages_received_total " +
                           std::to_string(client.messages_received) + "\n# TYPE mqtt_reading gauge\n";
        for (const auto& [topic, value] : values_) {
            text += "mqtt_reading{topic=\"" + escaped(topic) + "\"} " + std::to_string(value) + '\n';
        }
        return text;
    }

private:
    static std::string escaped(std::string_view label) {
        std::string text;
        for (const char c : label) {
            if (c == '\\' || c == '"') text += '\\';
            text += c == '\n' ? ' ' : c;
        }
        return text;
    }

    std::map<std::string, double> values_;
};

asio::awaitable<void> collect(martlet::client& client, std::string filter, readings& into) {
    auto messages = co_await client.async_subscribe(filter, martlet::qos::at_least_once);
    for (;;)
        into.take(co_await messages.async_receive());
}

// One scrape: whatever is asked for, the answer is the metrics. A scraper that takes longer than 10 seconds is cut off.
asio::awaitable<void> answer(tcp::socket scraper, const martlet::client& client, const readings& from) {
    const auto connection = std::make_shared<tcp::socket>(std::move(scraper));
    asio::steady_timer patience(connection->get_executor(), 10s);
    patience.async_wait([connection](boost::system::error_code cancelled) {
        if (!cancelled) connection->close();
    });
    try {
        std::string request;
        co_await asio::async_read_until(*connection, asio::dynamic_buffer(request, 8'192), "\r\n\r\n",
                                        asio::use_awaitable);
        const auto body = from.to_prometheus(client.statistics());
        const std::string reply =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n"
            "Content-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + body;
        co_await asio::async_write(*connection, asio::buffer(reply), asio::use_awaitable);
    } catch (const boost::system::system_error&) {
        // it went away
    }
}

asio::awaitable<void> serve(tcp::acceptor& door, const martlet::client& client, const readings& from) {
    for (;;)
        co_await answer(co_await door.async_accept(asio::use_awaitable), client, from);  // one at a time
}

int main(int argc, char** argv) try {
    asio::io_context io;
    martlet::client client(io, {.urls = {argc > 1 ? argv[1] : "mqtt://localhost"}});
    const auto port = static_cast<unsigned short>(argc > 3 ? std::atoi(argv[3]) : 9641);
    tcp::acceptor door(io, {asio::ip::address_v4::loopback(), port});
    std::cout << "http://127.0.0.1:" << door.local_endpoint().port() << "/metrics" << std::endl;

    int exit_code = 0;
    const auto end = [&](std::exception_ptr error) {
        if (!error) return;
        exit_code = 1;
        io.stop();
        std::rethrow_exception(error);
    };
    readings latest;
    asio::co_spawn(io, collect(client, argc > 2 ? argv[2] : "sensors/#", latest), end);
    asio::co_spawn(io, serve(door, client, latest), end);
    client.async_run([&](martlet::error_code error) {
        if (error) std::cerr << "prometheus_exporter: " << error.message() << '\n';
        exit_code = error ? 1 : 0;
        io.stop();
    });
    io.run();
    return exit_code;
} catch (const std::exception& e) {
    std::cerr << "prometheus_exporter: " << e.what() << '\n';
    return 1;
}
