#include <martlet/blocking_client.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace martlet;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

// A port at which nobody listens.
std::string closed_url() {
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor(io, {asio::ip::make_address("127.0.0.1"), 0});
    return "mqtt://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
}

}  // namespace

TEST_CASE("blocking_client: says why there will be no connection") {
    blocking_client c({.urls = {closed_url()}, .reconnect = {.enabled = false}});

    try {
        (void)c.wait_connected();
        FAIL("connected to nobody");
    } catch (const boost::system::system_error& error) {
        CHECK(error.code() == boost::system::errc::connection_refused);
    }
    CHECK_THROWS_AS((void)c.publish("t", "x"), boost::system::system_error);
}

TEST_CASE("blocking_client: waits no longer than it is told, and can be destroyed at any time") {
    blocking_client c({.urls = {closed_url()}, .reconnect = {.delay_min = 1h, .jitter = 0}});

    CHECK_FALSE(c.wait_connected(1ms));
    try {
        (void)c.publish("t", "x", {.qos = qos::at_least_once, .timeout = 1ms});
        FAIL("published to nobody");
    } catch (const boost::system::system_error& error) {
        CHECK(error.code() == errc::operation_timeout);
    }
    CHECK(c.statistics().queued == 1);
}
