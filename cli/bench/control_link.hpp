// The connection over which coordinator and agents talk: a client on a thread of its own.
#pragma once

#include "quantities.hpp"

#include <martlet/client.hpp>

#include <boost/asio/io_context.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace martlet::cli::bench {

struct control_hooks {
    /// A message, and when it was here, by monotonic_now(). On the link's thread, like the others.
    std::function<void(const message&, nanoseconds arrived)> receive;
    /// The connection was lost. It is being made again.
    std::function<void(std::string why)> lost = {};
    /// It is there again, and so are the subscriptions.
    std::function<void()> restored = {};
};

class control_link {
public:
    control_link(client_options options, std::vector<std::string> filters, control_hooks hooks);
    control_link(const control_link&) = delete;
    control_link& operator=(const control_link&) = delete;
    ~control_link();

    /// Connects and subscribes. Returns why it could not, or an empty string.
    [[nodiscard]] std::string open();
    /// On any thread, also the link's: then the message leaves with this turn of it.
    void publish(std::string topic, std::string text, qos quality = qos::at_least_once, bool retain = false);
    /// Sends what is under way and takes leave.
    void close();

private:
    void subscribe();
    void receive();
    void next_event();
    void settle(std::string text);

    boost::asio::io_context io_{1};
    client client_;
    std::vector<std::string> filters_;
    control_hooks hooks_;
    subscription stream_;
    std::string last_failure_;
    bool was_connected_ = false;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<std::string> outcome_;  // of open() or close(); guarded by mutex_
    std::thread thread_;
};

}  // namespace martlet::cli::bench
