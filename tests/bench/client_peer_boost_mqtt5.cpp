// Boost.MQTT5 as one of the other clients; only where Boost has it (1.88 and newer).
#include "client_peers.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/mqtt5/mqtt_client.hpp>
#include <boost/mqtt5/types.hpp>

#include <cstdlib>
#include <string>
#include <vector>

namespace martlet::bench {

namespace {

namespace asio = boost::asio;
namespace mqtt5 = boost::mqtt5;

using client = mqtt5::mqtt_client<asio::ip::tcp::socket>;

const std::string payload(64, 'x');

void require(mqtt5::error_code error) {
    if (error) std::abort();
}

struct session {
    explicit session(std::uint16_t port) : c(io) {
        c.brokers("127.0.0.1", port).credentials("bench").async_run(asio::detached);
    }

    asio::io_context io{1};
    client c;
};

template <mqtt5::qos_e Qos>
struct in_window {
    session& on;
    std::size_t left;
    std::size_t window;
    std::size_t open = 0;

    void next() {
        while (left != 0 && open < window) {
            --left;
            ++open;
            on.c.template async_publish<Qos>("bench", payload, mqtt5::retain_e::no, mqtt5::publish_props{},
                                             [this](mqtt5::error_code error, const auto&...) {
                                                 require(error);
                                                 --open;
                                                 next();
                                             });
        }
        if (left == 0 && open == 0) on.io.stop();
    }
};

void publishes(std::uint16_t port, std::size_t messages, int qos, std::size_t window) {
    session s(port);
    in_window<mqtt5::qos_e::at_most_once> at_most_once{s, messages, window};
    in_window<mqtt5::qos_e::at_least_once> at_least_once{s, messages, window};
    if (qos == 0) {
        at_most_once.next();
    } else {
        at_least_once.next();
    }
    s.io.run();
}

struct receiver {
    session& on;
    std::size_t left;

    void next() {
        on.c.async_receive(
            [this](mqtt5::error_code error, const std::string&, const std::string&, const mqtt5::publish_props&) {
                require(error);
                if (--left == 0) return on.io.stop();
                next();
            });
    }
};

void receives(std::uint16_t port, std::size_t messages) {
    session s(port);
    receiver r{s, messages};
    s.c.async_subscribe(
        mqtt5::subscribe_topic{"bench", {mqtt5::qos_e::at_most_once}}, mqtt5::subscribe_props{},
        [&](mqtt5::error_code error, const std::vector<mqtt5::reason_code>&, const mqtt5::suback_props&) {
            require(error);
            r.next();
        });
    s.io.run();
}

}  // namespace

other_client boost_mqtt5() { return {"boost.mqtt5", publishes, receives}; }

}  // namespace martlet::bench
