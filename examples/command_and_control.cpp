// Command and control: devices in the field take commands and answer; whoever sends one learns what came of it, or that
// the device is not there. MQTT 5.
//   command_and_control device ID [url]            a device: knows "status", "set NUMBER", "restart"
//   command_and_control send ID COMMAND [url]      one command to one device
//   command_and_control list [url]                 which devices there are, and whether they are connected
#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A command that its sender has given up must not be carried out later: the message expires with the sender's patience.
constexpr auto patience = 5s;

class device {
public:
    std::string obey(std::string_view command) {
        if (command == "status") return "setpoint " + std::to_string(setpoint_);
        if (command == "restart") return "restarted";
        if (command.starts_with("set ")) {
            setpoint_ = std::atoi(std::string(command.substr(4)).c_str());
            return "setpoint " + std::to_string(setpoint_);
        }
        return "error: unknown command";
    }

private:
    int setpoint_ = 0;
};

asio::awaitable<void> serve(martlet::client& client, std::string id) {
    auto commands = co_await client.async_subscribe("devices/" + id + "/command", martlet::qos::exactly_once);
    const martlet::publish_options retained{.qos = martlet::qos::at_least_once, .retain = true};
    co_await client.async_publish("devices/" + id + "/state", "online", retained);  // the will says "offline"
    std::cout << "ready" << std::endl;

    device thing;
    for (;;) {
        const auto command = co_await commands.async_receive();
        auto answer = thing.obey(command.text());
        std::cout << command.text() << ": " << answer << std::endl;
        const auto asked = command.properties();
        if (!asked.response_topic) continue;
        martlet::publish_options reply{.qos = martlet::qos::at_least_once};
        reply.properties.correlation_data = asked.correlation_data;
        co_await client.async_publish(*asked.response_topic, std::move(answer), reply);
    }
}

asio::awaitable<int> send(martlet::client& client, std::string id, std::string command) {
    martlet::request_options how{.qos = martlet::qos::at_least_once, .timeout = patience};
    how.properties.message_expiry_interval = std::chrono::seconds(patience).count();
    martlet::error_code error;
    const auto reply = co_await client.async_request("devices/" + id + "/command", std::move(command), how,
                                                     asio::redirect_error(asio::use_awaitable, error));
    if (error == martlet::reason_code::no_matching_subscribers) {
        std::cerr << id << " is not connected\n";
    } else if (error) {
        std::cerr << id << ": " << error.message() << '\n';
    } else {
        std::cout << reply.text() << '\n';
    }
    co_await client.async_disconnect();
    co_return error || reply.text().starts_with("error") ? 1 : 0;
}

// The states are retained, so they come at once. The end of them is our own message, which the server sends after them.
asio::awaitable<int> list(martlet::client& client) {
    auto states = co_await client.async_subscribe("devices/+/state", martlet::qos::at_least_once);
    co_await client.async_publish("devices/none/state", "end of the list", {.qos = martlet::qos::at_least_once});
    for (;;) {
        const auto state = co_await states.async_receive();
        if (!state.retain() && state.topic() == "devices/none/state") break;
        auto id = state.topic().substr(sizeof "devices/" - 1);
        id.remove_suffix(sizeof "/state" - 1);
        std::cout << id << ' ' << state.text() << '\n';
    }
    co_await client.async_disconnect();
    co_return 0;
}

int main(int argc, char** argv) {
    const std::string_view mode = argc > 1 ? argv[1] : "";
    const int url_at = mode == "list" ? 2 : mode == "device" ? 3 : mode == "send" ? 4 : argc;
    if (url_at > argc || argc == 1) {
        std::cerr << "usage: command_and_control device ID [url] | send ID COMMAND [url] | list [url]\n";
        return 2;
    }

    martlet::client_options options{.urls = {argc > url_at ? argv[url_at] : "mqtt://localhost"},
                                    .version = martlet::protocol_version::v5};
    if (mode == "device") {
        options.client_id = std::string("device-") + argv[2];
        options.keep_alive = 10s;
        options.will = martlet::will_options{.topic = std::string("devices/") + argv[2] + "/state",
                                             .payload = "offline",
                                             .qos = martlet::qos::at_least_once,
                                             .retain = true};
    } else {
        options.reconnect.before_first_connect = false;
    }

    asio::io_context io;
    martlet::client client(io, std::move(options));
    int exit_code = 1;
    const auto end = [&](std::exception_ptr error, int code = 1) {
        try {
            if (error) std::rethrow_exception(error);
            exit_code = code;
        } catch (const std::exception& e) {
            std::cerr << "command_and_control: " << e.what() << '\n';
        }
        client.stop();
    };
    if (mode == "device") asio::co_spawn(io, serve(client, argv[2]), [&](std::exception_ptr error) { end(error); });
    if (mode == "send") asio::co_spawn(io, send(client, argv[2], argv[3]), end);
    if (mode == "list") asio::co_spawn(io, list(client), end);
    client.async_run([](martlet::error_code error) {
        if (error) std::cerr << "command_and_control: " << error.message() << '\n';
    });
    io.run();
    return exit_code;
}
