// blocking_client from several threads, against a broker on a thread of its own.
#include <martlet/blocking_client.hpp>
#include <martlet/broker.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>
#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;

namespace {

class broker_thread {
public:
    broker_thread() {
        url = "mqtt://127.0.0.1:" + std::to_string(broker_.listen("mqtt://127.0.0.1:0").value().port);
        thread_ = std::thread([this] { io_.run(); });
    }
    broker_thread(const broker_thread&) = delete;
    broker_thread& operator=(const broker_thread&) = delete;
    ~broker_thread() {
        io_.stop();
        thread_.join();
    }
    std::string url;

private:
    asio::io_context io_{1};
    martlet::broker broker_{io_.get_executor()};
    std::thread thread_;
};

}  // namespace

TEST_CASE("client_blocking: an operation throws why the client has given up, not that it has") {
    constexpr auto nowhere = "unix:/nowhere/socket";
    const auto cause = boost::system::errc::no_such_file_or_directory;
    blocking_client c({.urls = {nowhere}, .reconnect = {.before_first_connect = false}});
    const auto code_of = [](auto&& operation) {
        try {
            operation();
        } catch (const boost::system::system_error& error) {
            return error.code();
        }
        return error_code();
    };
    CHECK(code_of([&] { (void)c.publish("t", "x", {.qos = qos::at_least_once}); }) == cause);
    CHECK(code_of([&] { (void)c.subscribe("t"); }) == cause);
    CHECK(code_of([&] { (void)c.wait_connected(); }) == cause);

    blocking_client stopped({.urls = {nowhere}});
    stopped.disconnect();
    CHECK(code_of([&] { (void)stopped.publish("t", "x"); }) == errc::not_running);
}

TEST_CASE("client_blocking: publishes and receives at every QoS, unsubscribes and leaves") {
    broker_thread server;
    blocking_client c({.urls = {server.url}, .client_id = "b"});
    REQUIRE(c.wait_connected(10s));
    auto stream = c.subscribe("t/#");
    CHECK(stream.granted() == std::vector{reason_code::granted_qos_2});
    for (const auto q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        (void)c.publish("t/a", "x", {.qos = q});
        const auto m = stream.receive(10s);
        REQUIRE(m);
        CHECK(m->text() == "x");
    }
    CHECK_FALSE(stream.receive(1ms));
    const std::string_view filter = "t/#";
    CHECK(c.unsubscribe(std::span(&filter, 1)) == std::vector{reason_code::success});
    CHECK_THROWS_AS((void)stream.receive(), boost::system::system_error);
    CHECK(c.statistics().connected);
    c.disconnect({.drain = true});
    CHECK_THROWS_AS((void)c.publish("t", "x"), boost::system::system_error);
}

TEST_CASE("client_blocking: several threads publish and receive at the same time, nothing is lost") {
    constexpr int threads = 4;
    constexpr int each = 250;
    broker_thread server;
    blocking_client c({.urls = {server.url}, .client_id = "b"});
    auto stream = c.subscribe("n/#");
    std::vector<std::thread> publishers;
    for (int t = 0; t < threads; ++t) {
        publishers.emplace_back([&c, t] {
            for (int i = 0; i < each; ++i) {
                const auto q = static_cast<qos>(1 + i % 2);
                (void)c.publish("n/" + std::to_string(t), std::to_string(i), {.qos = q});
                if (i % 50 == 0) (void)c.statistics();
            }
        });
    }
    std::vector<int> next(threads, 0);
    for (int i = 0; i < threads * each; ++i) {
        const auto m = stream.receive(30s);
        REQUIRE(m);
        const auto from = static_cast<std::size_t>(std::stoi(std::string(m->topic().substr(2))));
        CHECK(m->text() == std::to_string(next[from]++));
    }
    for (auto& one : publishers)
        one.join();
}

TEST_CASE("client_blocking: a subscription may outlive the client and be destroyed on another thread") {
    broker_thread server;
    blocking_subscription stream;
    {
        blocking_client c({.urls = {server.url}, .client_id = "b"});
        stream = c.subscribe("t");
        (void)c.publish("t", "x", {.qos = qos::at_least_once});
    }
    std::thread([last = std::move(stream)] {}).join();
}
