// The broker for Boost.Asio: listens on the user's executor and serves MQTT 3.1, 3.1.1 and 5.0 on every listener.
//
//   martlet::broker broker(io);
//   auto where = broker.listen("mqtt://127.0.0.1:0").value();   // where.port is the one it got
//   io.run();
//
//   martlet::client client(io, {.urls = {broker.in_process()}});   // for a test: without any socket
//
// Thread: everything on the executor, which must be a strand or run by one thread.
#pragma once

#include <martlet/authenticator.hpp>
#include <martlet/broker_options.hpp>
#include <martlet/endpoint.hpp>
#include <martlet/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

namespace asio = boost::asio;

/// What a broker has and has done.
struct broker_statistics {
    std::size_t connections = 0;  ///< transports, with or without a session
    std::size_t sessions = 0;     ///< connected or not
    std::size_t sessions_connected = 0;
    std::size_t subscriptions = 0;
    std::size_t shared_subscriptions = 0;
    std::size_t retained = 0;
    std::size_t retained_bytes = 0;
    std::uint64_t connections_accepted = 0;  ///< CONNECTs answered with success
    std::uint64_t deliveries = 0;            ///< messages handed to connections and sessions
    std::uint64_t dropped_full = 0;          ///< QoS 0: the receiver's output was at output_bytes_max
    std::uint64_t dropped_queue = 0;         ///< QoS 1 and 2: the session's queue was at its bound
    std::uint64_t dropped_other = 0;         ///< too large for the receiver, or expired
    std::uint64_t retained_refused = 0;      ///< not retained, at a bound
    std::uint64_t dropped_memory = 0;        ///< PUBLISHes refused as a whole: memory_max
    std::size_t memory = 0;                  ///< bytes of messages and unsent output; see memory_max
    std::size_t queued = 0;                  ///< messages that wait in sessions
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t messages_received = 0;  ///< PUBLISH packets
    std::uint64_t messages_sent = 0;      ///< PUBLISH packets
};

/// An MQTT broker. State is in memory, and with broker_options::store also there: loading it begins at construction, and
/// who connects meanwhile waits. Destroying the broker closes everything at once; see stop().
class broker {
public:
    explicit broker(asio::any_io_executor executor, const broker_options& options = {});
    /// With the executor of an execution context, e.g. an io_context.
    template <class Context>
    requires(std::is_convertible_v<typename Context::executor_type, asio::any_io_executor> &&
             !std::is_same_v<Context, broker>) explicit broker(Context& context, const broker_options& options = {})
        : broker(asio::any_io_executor(context.get_executor()), options) {}
    broker(broker&&) noexcept;
    broker& operator=(broker&&) noexcept;
    ~broker();

    /// Begins to listen and to serve; may be called several times. \p url: "mqtt://127.0.0.1:1883", "mqtt://[::1]",
    /// "mqtt://*:1883" (all addresses), "mqtts://…", "ws://…/path", "wss://…", "unix:/path"; port 0 chooses a free one. Names are
    /// looked up at once. "memory:NAME" is for clients of this process; see in_process().
    /// Returns where it listens. \p detail, if given, gets one line for the log when it fails. Without options of its own
    /// a listener has those of broker_options.
    /// Errors: errc::url_invalid, what the system says (address in use), errc::tls_options_invalid, errc::not_running,
    /// protocol_not_supported for a transport that this build lacks.
    boost::system::result<endpoint> listen(std::string_view url, std::string* detail = nullptr);
    boost::system::result<endpoint> listen(std::string_view url, const listener_options& options,
                                           std::string* detail = nullptr);

    /// The URL by which clients of this process, on whichever thread, come to this broker without a socket: an element of
    /// client_options::urls. They count as clients of this machine. The same one each time; after stop() nobody listens.
    [[nodiscard]] std::string in_process();

    /// Reads the certificates, keys and revocation lists of all listeners again: new connections get the new ones, open
    /// ones stay. All or nothing: after an error everything is as it was, and \p detail, if given, says why in one line.
    /// Errors: errc::tls_options_invalid.
    error_code reload_tls(std::string* detail = nullptr);

    /// Calls \p done on the executor when the store is loaded, never if that fails (broker_options::on_store_failed is
    /// called instead). Without a store: soon.
    void when_loaded(std::function<void()> done);

    /// The port of the first TCP listener; 0 if there is none.
    [[nodiscard]] std::uint16_t port() const noexcept;

    /// Where it listens, in the order of listen(), with the ports that were chosen.
    [[nodiscard]] std::vector<endpoint> listeners() const;

    /// Stops gracefully: listens no more, tells MQTT 5 clients Server shutting down (0x8B), keeps their sessions, and
    /// completes when all connections are closed; that takes at most a few seconds. Handler: void().
    template <class CompletionToken = asio::deferred_t>
    auto async_stop(CompletionToken&& token = {}) {
        return asio::async_initiate<CompletionToken, void()>(
            [this](auto handler) {
                const auto executor = asio::get_associated_executor(handler, get_executor());
                auto kept = std::make_shared<decltype(handler)>(std::move(handler));
                stop([executor, kept] { asio::post(executor, std::move(*kept)); });
            },
            token);
    }
    /// The same; calls \p done, which may be empty, on the executor.
    void stop(std::function<void()> done = {});

    /// The authenticator's answers may have changed: applies them now instead of with the next packet.
    void apply_rights();

    [[nodiscard]] broker_statistics statistics() const noexcept;
    [[nodiscard]] asio::any_io_executor get_executor() const noexcept;

private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace martlet
