// Lines through a cluster, at QoS 1: from standard input to a topic, and from the topic to standard output. Both know every
// node and go on with another one when theirs dies.
//   cluster_lines publish TOPIC URL...      ends when every line is acknowledged
//   cluster_lines subscribe TOPIC URL...    a line is acknowledged when it is written
#include <martlet/blocking_client.hpp>
#include <martlet/client.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <cstdint>
#include <deque>
#include <exception>
#include <future>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace asio = boost::asio;

constexpr std::size_t unacknowledged_max = 1'000;

martlet::client_options options_for(std::string_view mode, char** urls, char** end) {
    martlet::client_options options{.urls = {urls, end},
                                    .client_id = "cluster-" + std::string(mode),
                                    .version = martlet::protocol_version::v3_1_1,
                                    .session = martlet::session_mode::resume,  // the next node knows what is owed
                                    .keep_alive = std::chrono::seconds(5)};
    options.connect_timeout = std::chrono::seconds(5);
    options.reconnect.delay_min = std::chrono::milliseconds(100);
    options.reconnect.delay_max = std::chrono::seconds(2);
    return options;
}

std::uint64_t publish_lines(martlet::client& client, const std::string& topic) {
    std::deque<std::future<martlet::publish_result>> under_way;
    std::uint64_t acknowledged = 0;
    const auto wait_for_oldest = [&] {
        under_way.front().get();  // throws if the line was refused
        under_way.pop_front();
        ++acknowledged;
    };
    for (std::string line; std::getline(std::cin, line);) {
        if (under_way.size() == unacknowledged_max) wait_for_oldest();
        under_way.push_back(
            client.async_publish(topic, std::move(line), {.qos = martlet::qos::at_least_once}, asio::use_future));
    }
    while (!under_way.empty())
        wait_for_oldest();
    client.async_disconnect(asio::use_future).get();
    return acknowledged;
}

void publish(martlet::client_options options, const std::string& topic) {
    asio::io_context io;
    martlet::client client(io, std::move(options));
    client.async_run([](martlet::error_code error) {
        if (error) std::cerr << "cluster_lines: " << error.message() << '\n';
    });
    std::thread network([&] { io.run(); });
    try {
        std::cout << publish_lines(client, topic) << " lines are acknowledged" << std::endl;
    } catch (...) {
        client.stop();
        network.join();
        throw;
    }
    network.join();
}

void subscribe(martlet::client_options options, const std::string& topic) {
    martlet::blocking_client client(std::move(options));
    auto lines = client.subscribe(topic, {.qos = martlet::qos::at_least_once});
    std::cerr << "subscribed" << std::endl;
    while (const auto line = lines.receive())
        std::cout << line->text() << std::endl;
}

int main(int argc, char** argv) try {
    const std::string_view mode = argc > 3 ? argv[1] : "";
    if (mode == "publish") {
        publish(options_for(mode, argv + 3, argv + argc), argv[2]);
    } else if (mode == "subscribe") {
        subscribe(options_for(mode, argv + 3, argv + argc), argv[2]);
    } else {
        std::cerr << "usage: cluster_lines publish|subscribe TOPIC URL...\n";
        return 2;
    }
    return 0;
} catch (const std::exception& error) {
    std::cerr << "cluster_lines: " << error.what() << '\n';
    return 1;
}
