// The client for programs without an event loop: own thread, thread-safe, the same verbs, each waits.
#pragma once

#include <martlet/client_options.hpp>
#include <martlet/message.hpp>
#include <martlet/payload.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace martlet {

namespace detail {
class blocking_core;
class blocking_stream;
}  // namespace detail

/// A stream of received messages; see subscription. One thread at a time.
class [[nodiscard]] blocking_subscription {
public:
    blocking_subscription() noexcept;
    blocking_subscription(std::shared_ptr<detail::blocking_core> core,
                          std::unique_ptr<detail::blocking_stream> stream) noexcept;
    blocking_subscription(blocking_subscription&&) noexcept;
    blocking_subscription& operator=(blocking_subscription&&) noexcept;
    ~blocking_subscription();

    /// What the server said for each filter.
    [[nodiscard]] std::vector<reason_code> granted() const;
    /// Waits for the next message; nothing after `timeout` (no_timeout: waits for ever). Acknowledges those handed over
    /// before. Throws boost::system::system_error: errc::subscription_ended.
    [[nodiscard]] std::optional<message> receive(std::chrono::milliseconds timeout = no_timeout);
    /// See subscription::acknowledge.
    void acknowledge(const message& m, reason_code reason = reason_code::success);

private:
    std::shared_ptr<detail::blocking_core> core_;
    std::unique_ptr<detail::blocking_stream> stream_;
};

/// An MQTT client with a thread of its own. Every function may be called from any thread and waits for its end; errors
/// are thrown as boost::system::system_error with the codes of the asynchronous operation of the same name; when the
/// client has given up for good, with the reason for that instead of errc::not_running.
class blocking_client {
public:
    /// Starts the thread, which connects and reconnects.
    explicit blocking_client(client_options options);
    blocking_client(const blocking_client&) = delete;
    blocking_client& operator=(const blocking_client&) = delete;
    /// Cuts the connection and waits for the thread.
    ~blocking_client();

    /// Waits until there is a connection, or throws why there will be none. False after `timeout`.
    bool wait_connected(std::chrono::milliseconds timeout = no_timeout);
    publish_result publish(std::string_view topic, payload bytes, const publish_options& options = {});
    [[nodiscard]] blocking_subscription subscribe(std::string_view filter, const subscribe_options& options = {});
    [[nodiscard]] blocking_subscription subscribe(std::span<const subscription_request> filters,
                                                  const subscribe_options& options = {});
    std::vector<reason_code> unsubscribe(std::span<const std::string_view> filters,
                                         const unsubscribe_options& options = {});
    /// See client::publish_enqueued().
    void publish_enqueued();
    void disconnect(const disconnect_options& options = {});
    [[nodiscard]] client_statistics statistics() const;

private:
    std::shared_ptr<detail::blocking_core> core_;
};

}  // namespace martlet
