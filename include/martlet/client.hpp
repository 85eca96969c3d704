// The asynchronous MQTT client for Boost.Asio: one type for every version of MQTT and every transport. Only what a
// completion token needs is a template; the rest is compiled once, in lib/client.
//
//   client        connects and reconnects (async_run), publishes, subscribes
//   subscription  a stream of received messages
//
// Operations take any completion token; the default is asio::deferred, so that `co_await` just works. A handler runs on
// its associated executor (else the client's), is never called from inside the initiating function, and is called once.
// Associated allocator and cancellation slot are honoured: cancelling an operation (any cancellation type) ends this
// operation with operation_aborted and does no harm to the client or to another operation. Pending operations keep what
// they need alive: the client and its streams may be destroyed at any time; what is pending then completes with
// operation_aborted.
// Threads: async_* may be called from any thread: they hand over to the client's executor, which must be a strand or run
// by one thread; everything else only on that executor.
#pragma once

#include <martlet/client_options.hpp>
#include <martlet/message.hpp>
#include <martlet/payload.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

namespace asio = boost::asio;
class subscription;

namespace detail {

class client_core;
class stream;
struct publish_request;
struct batch_request;
struct request_arguments;
struct subscribe_request;
struct unsubscribe_request;

template <class T>
struct request_deleter {
    void operator()(T* request) const noexcept;
};
/// Arguments of an operation, checked and copied by the call that starts it.
template <class T>
using request_ptr = std::unique_ptr<T, request_deleter<T>>;
using core_ptr = std::shared_ptr<client_core>;
using stream_ptr = std::shared_ptr<stream>;

template <class Signature>
using completion = asio::any_completion_handler<Signature>;

/// The client's executor.
[[nodiscard]] const asio::any_io_executor& home_of(const client_core& core) noexcept;

/// A handler, and whether it is known to belong on the client's executor: asked while the handler has its type, because
/// afterwards each answer takes an allocation.
template <class Signature>
struct bound_completion {
    template <class Handler>
    bound_completion(Handler&& h, const core_ptr& core)
        : is_at_home(belongs_home(h, core)), handler(std::forward<Handler>(h)) {}

    template <class Handler>
    [[nodiscard]] static bool belongs_home(const Handler& h, const core_ptr& core) noexcept {
        using executor = asio::associated_executor_t<Handler, asio::any_io_executor>;
        if constexpr (std::is_same_v<executor, asio::any_io_executor>) {
            return core && asio::get_associated_executor(h, home_of(*core)) == home_of(*core);
        } else {
            return false;
        }
    }

    bool is_at_home;
    completion<Signature> handler;
};

using run_signature = void(error_code);
using publish_signature = void(error_code, publish_result);
using batch_signature = void(error_code, batch_result);
using ping_signature = void(error_code, std::chrono::microseconds);
using subscribe_signature = void(error_code, subscription);
using unsubscribe_signature = void(error_code, std::vector<reason_code>);
using receive_signature = void(error_code, message);
using receive_some_signature = void(error_code, std::size_t);
using event_signature = void(error_code, client_event);

request_ptr<publish_request> make_request(client_core& core, std::string_view topic, payload&& bytes,
                                          const publish_options& options);
request_ptr<batch_request> make_request(client_core& core, std::span<const publication> messages,
                                        std::chrono::milliseconds timeout);
request_ptr<request_arguments> make_request(client_core& core, std::string_view topic, payload&& bytes,
                                            const request_options& options);
request_ptr<subscribe_request> make_request(std::span<const subscription_request> filters,
                                            const subscribe_options& options);
request_ptr<unsubscribe_request> make_request(std::span<const std::string_view> filters,
                                              const unsubscribe_options& options);

void start_run(core_ptr core, completion<run_signature> handler);
void start_publish(core_ptr core, request_ptr<publish_request> request, bound_completion<publish_signature> handler);
void start_publish_batch(core_ptr core, request_ptr<batch_request> request, completion<batch_signature> handler);
void start_request(core_ptr core, request_ptr<request_arguments> arguments, completion<receive_signature> handler);
void start_ping(core_ptr core, std::chrono::milliseconds timeout, completion<ping_signature> handler);
void start_reauthenticate(core_ptr core, std::chrono::milliseconds timeout, completion<run_signature> handler);
void start_subscribe(core_ptr core, request_ptr<subscribe_request> request, completion<subscribe_signature> handler);
void start_unsubscribe(core_ptr core, request_ptr<unsubscribe_request> request,
                       completion<unsubscribe_signature> handler);
void start_receive(core_ptr core, stream_ptr from, std::chrono::milliseconds timeout,
                   bound_completion<receive_signature> handler);
void start_receive_some(core_ptr core, stream_ptr from, std::span<message> into, std::chrono::milliseconds timeout,
                        bound_completion<receive_some_signature> handler);
void start_next_event(core_ptr core, completion<event_signature> handler);
void start_disconnect(core_ptr core, const disconnect_options& options, std::string reason_string,
                      std::vector<owned_user_property> properties, completion<run_signature> handler);
[[nodiscard]] std::vector<owned_user_property> own(const user_property_list& views);

template <class T, class... Others>
inline constexpr bool is_none_of = (!std::is_same_v<T, Others> && ...);

/// A completion token, and not by mistake an option: that is all that overload resolution has to know; whether it fits
/// the signature is checked by initiate().
template <class Token>
concept completion_token =
    is_none_of<std::remove_cvref_t<Token>, publish_options, request_options, subscribe_options, unsubscribe_options,
               disconnect_options, qos> && !std::is_convertible_v<Token, std::chrono::milliseconds>;

/// True if a handler fits. The compiler then says in one line what the operation's handler takes, instead of all that
/// asio has to say.
template <class Token, class Signature>
consteval bool check_handler() {
    constexpr bool fits = asio::completion_token_for<Token, Signature>;
    if constexpr (std::is_same_v<Signature, run_signature>)
        static_assert(fits, "the handler takes (martlet::error_code)");
    else if constexpr (std::is_same_v<Signature, publish_signature>)
        static_assert(fits, "the handler takes (martlet::error_code, martlet::publish_result)");
    else if constexpr (std::is_same_v<Signature, batch_signature>)
        static_assert(fits, "the handler takes (martlet::error_code, martlet::batch_result)");
    else if constexpr (std::is_same_v<Signature, ping_signature>)
        static_assert(fits, "the handler takes (martlet::error_code, std::chrono::microseconds)");
    else if constexpr (std::is_same_v<Signature, subscribe_signature>)
        static_assert(fits, "the handler takes (martlet::error_code, martlet::subscription)");
    else if constexpr (std::is_same_v<Signature, unsubscribe_signature>)
        static_assert(fits, "the handler takes (martlet::error_code, std::vector<martlet::reason_code>)");
    else if constexpr (std::is_same_v<Signature, receive_signature>)
        static_assert(fits, "the handler takes (martlet::error_code, martlet::message)");
    else if constexpr (std::is_same_v<Signature, receive_some_signature>)
        static_assert(fits, "the handler takes (martlet::error_code, std::size_t)");
    else
        static_assert(fits, "the handler takes (martlet::error_code, martlet::client_event)");
    return fits;
}

/// asio::async_initiate for a handler that fits.
template <class Token, class Signature, class Initiation, class... Arguments>
auto initiate(Initiation&& initiation, Token& token, Arguments&&... arguments) {
    if constexpr (check_handler<Token, Signature>()) {
        return asio::async_initiate<Token, Signature>(std::forward<Initiation>(initiation), token,
                                                      std::forward<Arguments>(arguments)...);
    }
}

}  // namespace detail

/// A stream of received messages: those that match the filters of one async_subscribe. Movable; one user at a time.
///
/// A QoS 1 or 2 message counts as acknowledged when the next one is asked for (a batch: all of it), or by acknowledge();
/// only then does the server hear of it, so that messages not worked off come again after a crash. A slow consumer holds
/// up the sender, first by our Receive Maximum, then by no longer reading.
///
/// Destroying it ends the stream: what was not taken counts as not received. With session_mode::fresh its filters are
/// also unsubscribed; with session_mode::resume the server goes on collecting for them.
class [[nodiscard]] subscription {
public:
    /// No stream; operations complete with errc::subscription_ended.
    subscription() noexcept;
    subscription(detail::core_ptr core, detail::stream_ptr stream) noexcept;
    subscription(subscription&& other) noexcept;
    subscription& operator=(subscription&& other) noexcept;
    ~subscription();

    /// True until the stream has ended: unsubscribed, refused, closed.
    [[nodiscard]] bool is_open() const noexcept;
    /// What the server said for each filter, in their order: the granted QoS, or a reason ≥ 0x80. MQTT 5 §3.9.3.
    [[nodiscard]] const std::vector<reason_code>& granted() const noexcept;
    /// The filters, in order.
    [[nodiscard]] const std::vector<std::string>& filters() const noexcept;
    /// Messages that can be taken without waiting.
    [[nodiscard]] std::size_t available() const noexcept;

    /// Receives the next message. Acknowledges those handed over before (unless acknowledgement is manual).
    /// Handler: void(error_code, message). Waits across reconnects.
    /// Errors: errc::subscription_ended after the last message of an ended stream, operation_timeout, operation_aborted.
    /// Cancellation: no message is lost. Several may wait; they are served in order.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_receive(Token&& token = Token()) {
        return async_receive(no_timeout, std::forward<Token>(token));
    }
    /// The same with a time limit; no_timeout: none.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_receive(std::chrono::milliseconds timeout, Token&& token = Token()) {
        return detail::initiate<Token, detail::receive_signature>(
            [](auto handler, detail::core_ptr core, detail::stream_ptr stream, std::chrono::milliseconds limit) {
                detail::bound_completion<detail::receive_signature> bound(std::move(handler), core);
                detail::start_receive(std::move(core), std::move(stream), limit, std::move(bound));
            },
            token, core_, stream_, timeout);
    }

    /// Receives at least one and at most `into.size()` messages: the fast way for many small ones.
    /// Handler: void(error_code, std::size_t count). `into` must live until completion and must not be empty
    /// (errc::option_invalid). Else like async_receive.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_receive_some(std::span<message> into, Token&& token = Token()) {
        return detail::initiate<Token, detail::receive_some_signature>(
            [](auto handler, detail::core_ptr core, detail::stream_ptr stream, std::span<message> room) {
                detail::bound_completion<detail::receive_some_signature> bound(std::move(handler), core);
                detail::start_receive_some(std::move(core), std::move(stream), room, no_timeout, std::move(bound));
            },
            token, core_, stream_, into);
    }

    /// Takes the next message if there is one. Acknowledges those handed over before, also if it returns false.
    [[nodiscard]] bool try_receive(message& into);
    /// Takes as many as there are and fit; returns how many.
    [[nodiscard]] std::size_t try_receive_some(std::span<message> into);

    /// The application is done with a message of this stream, in any order; PUBACK or PUBREC leaves in the order of
    /// arrival [MQTT-4.6.0-2]. `reason` reaches the sender in MQTT 5; ≥ 0x80 refuses the message. Does nothing for QoS 0,
    /// twice, or when the session was lost meanwhile.
    void acknowledge(const message& m, reason_code reason = reason_code::success);

private:
    friend class client;
    detail::core_ptr core_;
    detail::stream_ptr stream_;
};

/// An MQTT client. Movable, not copyable.
class client {
public:
    using executor_type = asio::any_io_executor;

    /// Does nothing but remember. Throws std::bad_alloc only; unusable options are reported by async_run.
    client(executor_type executor, client_options options);
    /// With the executor of an execution context, e.g. an io_context.
    template <class Context>
    requires(std::is_convertible_v<typename Context::executor_type, executor_type> && !std::is_same_v<Context, client>)
        client(Context& context, client_options options)
        : client(executor_type(context.get_executor()), std::move(options)) {}
    /// For those who bring a network of their own: the library's tests and simulation.
    explicit client(detail::core_ptr core) noexcept;
    client(client&&) noexcept = default;
    client& operator=(client&& other) noexcept;
    /// Cuts the connection without DISCONNECT (the will is published) and ends what is pending with operation_aborted.
    ~client();

    [[nodiscard]] executor_type get_executor() const noexcept;

    /// Connects, keeps connected and reconnects. Operations may be started before.
    /// Handler: void(error_code). Completes without an error after async_disconnect or stop(), else with why it gave up:
    /// a fatal refusal (a reason_code), a failure of TLS that trying again cannot change, errc::url_invalid,
    /// option_invalid, client_id_invalid, store_failed, store_in_use, store_of_another_client, store_damaged; with reconnecting off also the cause of the loss; errc::already_running.
    /// Operations that are pending then end with errc::not_running: behind async_run's own end if that has an error (so
    /// that the reason is told first), before it if not. Afterwards it may be called again: queue, session and streams
    /// are kept.
    /// Cancellation: like stop(), completes with operation_aborted.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_run(Token&& token = Token()) {
        return detail::initiate<Token, detail::run_signature>(
            [](auto handler, detail::core_ptr core) { detail::start_run(std::move(core), std::move(handler)); }, token,
            core_);
    }

    /// Publishes; completes when delivery is certain for its QoS (0: handed to the connection, 1: PUBACK, 2: PUBCOMP).
    /// QoS 1 and 2 survive reconnects. QoS 0 waits for a connection. MQTT 5 §4.3.
    /// Handler: void(error_code, publish_result).
    /// Errors: errc::topic_invalid, string_invalid, property_invalid, packet_too_large, qos_not_supported,
    /// retain_not_supported, queue_full, discarded, message_expired, operation_timeout, receive_blocked, not_running
    /// (after stop()); a reason_code ≥ 0x80 if the server refused, which `publish_result` also has.
    /// Cancellation and time limit: only the waiting ends; a message that was taken stays under way.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_publish(std::string_view topic, payload bytes, const publish_options& options,
                                     Token&& token = Token()) {
        return detail::initiate<Token, detail::publish_signature>(
            [](auto handler, detail::core_ptr core, detail::request_ptr<detail::publish_request> request) {
                detail::bound_completion<detail::publish_signature> bound(std::move(handler), core);
                detail::start_publish(std::move(core), std::move(request), std::move(bound));
            },
            token, core_, detail::make_request(*core_, topic, std::move(bytes), options));
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_publish(std::string_view topic, payload bytes, Token&& token = Token()) {
        return async_publish(topic, std::move(bytes), publish_options{}, std::forward<Token>(token));
    }

    /// Publishes several messages in one go: they are taken and written together. Completes when the delivery of all is
    /// certain or has failed.
    /// Handler: void(error_code, batch_result); the error is the first one, as async_publish would have it.
    /// Cancellation and time limit: only the waiting ends; messages that were taken stay under way.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_publish_batch(std::span<const publication> messages, std::chrono::milliseconds timeout,
                                           Token&& token = Token()) {
        return detail::initiate<Token, detail::batch_signature>(
            [](auto handler, detail::core_ptr core, detail::request_ptr<detail::batch_request> request) {
                detail::start_publish_batch(std::move(core), std::move(request), std::move(handler));
            },
            token, core_, detail::make_request(*core_, messages, timeout));
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_publish_batch(std::span<const publication> messages, Token&& token = Token()) {
        return async_publish_batch(messages, no_timeout, std::forward<Token>(token));
    }

    /// Publishes a request and receives its reply. Many may be in flight. MQTT 5 §4.10.
    /// Handler: void(error_code, message). Replies come on a topic of the client's own (client_options::reply_topic),
    /// subscribed to by the first request, and are told apart by Correlation Data; one that comes too late is dropped
    /// and counted. Waits across reconnects. Before MQTT 5 request_options::reply_topic is necessary, and replies belong
    /// to requests in their order.
    /// Errors: as of async_publish and async_subscribe; operation_timeout; version_not_supported;
    /// reason_code::no_matching_subscribers if the server says that nobody got the request; property_invalid for
    /// Correlation Data that another request uses.
    /// Cancellation: only the waiting ends.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_request(std::string_view topic, payload bytes, const request_options& options,
                                     Token&& token = Token()) {
        return detail::initiate<Token, detail::receive_signature>(
            [](auto handler, detail::core_ptr core, detail::request_ptr<detail::request_arguments> arguments) {
                detail::start_request(std::move(core), std::move(arguments), std::move(handler));
            },
            token, core_, detail::make_request(*core_, topic, std::move(bytes), options));
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_request(std::string_view topic, payload bytes, Token&& token = Token()) {
        return async_request(topic, std::move(bytes), request_options{}, std::forward<Token>(token));
    }

    /// Publishes and forgets: no error means that the message was taken: at QoS 0 it is in the connection's output, at
    /// QoS 1 and 2 it is under way or in the queue. Output leaves once per turn of the executor, much of it sooner.
    /// Errors: as async_publish finds them before anything is sent; errc::not_connected for QoS 0 without a connection
    /// (unless the queue keeps QoS 0), queue_full also when the transport is congested. Only on the client's executor.
    [[nodiscard]] error_code publish(std::string_view topic, payload bytes, const publish_options& options);
    [[nodiscard]] error_code publish(std::string_view topic, payload bytes);

    /// Subscribes. Messages arriving from then on (retained ones included) are in the stream.
    /// Handler: void(error_code, subscription). Waits for a connection. Several filters go in one SUBSCRIBE and have one
    /// stream; it completes without an error if one of them was granted; granted() says which.
    /// The subscription is made again when the server lost the session.
    /// Errors: errc::topic_filter_invalid, wildcard_not_supported, shared_subscription_not_supported, packet_too_large,
    /// operation_timeout, not_running, receive_blocked; the first reason_code ≥ 0x80 if every filter was refused (the
    /// subscription that comes with it has ended, but knows granted()).
    /// Cancellation: the subscription is given up.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_subscribe(std::string_view filter, const subscribe_options& options,
                                       Token&& token = Token()) {
        const subscription_request one{filter, options.qos, options.no_local, options.retain_as_published,
                                       options.retain_handling};
        return async_subscribe(std::span<const subscription_request>(&one, 1), options, std::forward<Token>(token));
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_subscribe(std::string_view filter, qos maximum, Token&& token = Token()) {
        return async_subscribe(filter, subscribe_options{.qos = maximum}, std::forward<Token>(token));
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_subscribe(std::string_view filter, Token&& token = Token()) {
        return async_subscribe(filter, subscribe_options{}, std::forward<Token>(token));
    }
    /// Several filters, each with its own options; of `options` only inbox, acknowledgement, properties and timeout count.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_subscribe(std::span<const subscription_request> filters, const subscribe_options& options,
                                       Token&& token = Token()) {
        return detail::initiate<Token, detail::subscribe_signature>(
            [](auto handler, detail::core_ptr core, detail::request_ptr<detail::subscribe_request> request) {
                detail::start_subscribe(std::move(core), std::move(request), std::move(handler));
            },
            token, core_, detail::make_request(filters, options));
    }

    /// Ends subscriptions to these filters, of whatever stream; a stream without a filter ends after its last message.
    /// Handler: void(error_code, std::vector<reason_code>): one for each filter (all success before MQTT 5); no error
    /// although some may be refused. Waits for a connection. MQTT 5 §3.10.
    /// Errors: errc::topic_filter_invalid, packet_too_large, operation_timeout, not_running, receive_blocked.
    /// Cancellation: only the waiting ends.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_unsubscribe(std::span<const std::string_view> filters, const unsubscribe_options& options,
                                         Token&& token = Token()) {
        return detail::initiate<Token, detail::unsubscribe_signature>(
            [](auto handler, detail::core_ptr core, detail::request_ptr<detail::unsubscribe_request> request) {
                detail::start_unsubscribe(std::move(core), std::move(request), std::move(handler));
            },
            token, core_, detail::make_request(filters, options));
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_unsubscribe(std::string_view filter, Token&& token = Token()) {
        return async_unsubscribe(std::span<const std::string_view>(&filter, 1), unsubscribe_options{},
                                 std::forward<Token>(token));
    }
    /// All filters of a subscription.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_unsubscribe(const subscription& which, Token&& token = Token()) {
        const std::vector<std::string_view> filters(which.filters().begin(), which.filters().end());
        return async_unsubscribe(std::span<const std::string_view>(filters), unsubscribe_options{},
                                 std::forward<Token>(token));
    }

    /// Receives the next message that no subscription claims: of a resumed session before its subscription was made
    /// again. Held up to client_options::unclaimed; when a subscription that matches is made, they move there.
    /// Handler: void(error_code, message). Errors: errc::not_running, operation_aborted.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_receive(Token&& token = Token()) {
        return detail::initiate<Token, detail::receive_signature>(
            [](auto handler, detail::core_ptr core) {
                detail::bound_completion<detail::receive_signature> bound(std::move(handler), core);
                detail::start_receive(std::move(core), nullptr, no_timeout, std::move(bound));
            },
            token, core_);
    }

    /// Sends PINGREQ, or joins one that is under way, and measures the round trip.
    /// Handler: void(error_code, std::chrono::microseconds). Errors: errc::not_connected, operation_timeout,
    /// operation_aborted.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_ping(std::chrono::milliseconds timeout, Token&& token = Token()) {
        return detail::initiate<Token, detail::ping_signature>(
            [](auto handler, detail::core_ptr core, std::chrono::milliseconds limit) {
                detail::start_ping(std::move(core), limit, std::move(handler));
            },
            token, core_, timeout);
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_ping(Token&& token = Token()) {
        return async_ping(no_timeout, std::forward<Token>(token));
    }

    /// Runs client_options::authentication anew on the open connection. MQTT 5 §4.12.1.
    /// Handler: void(error_code). Errors: errc::not_connected, version_not_supported, option_invalid (no authenticator),
    /// already_running, operation_timeout; what the authenticator says; the cause of the loss if the server refuses or
    /// the connection is lost. Cancellation: only the waiting ends.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_reauthenticate(std::chrono::milliseconds timeout, Token&& token = Token()) {
        return detail::initiate<Token, detail::run_signature>(
            [](auto handler, detail::core_ptr core, std::chrono::milliseconds limit) {
                detail::start_reauthenticate(std::move(core), limit, std::move(handler));
            },
            token, core_, timeout);
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_reauthenticate(Token&& token = Token()) {
        return async_reauthenticate(no_timeout, std::forward<Token>(token));
    }

    /// The next event of the connection. The latest 64 are kept while nobody asks.
    /// Handler: void(error_code, client_event). Errors: operation_aborted.
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_next_event(Token&& token = Token()) {
        return detail::initiate<Token, detail::event_signature>(
            [](auto handler, detail::core_ptr core) { detail::start_next_event(std::move(core), std::move(handler)); },
            token, core_);
    }

    /// Says good-bye: DISCONNECT, then the transport is closed, then async_run completes without an error. With
    /// disconnect_options::drain everything is delivered before. Pending operations end with errc::not_running.
    /// Handler: void(error_code). Errors: errc::not_running, operation_timeout (the connection was cut).
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_disconnect(const disconnect_options& options, Token&& token = Token()) {
        return detail::initiate<Token, detail::run_signature>(
            [](auto handler, detail::core_ptr core, const disconnect_options& o, std::string text,
               std::vector<owned_user_property> properties) {
                detail::start_disconnect(std::move(core), o, std::move(text), std::move(properties),
                                         std::move(handler));
            },
            token, core_, options, std::string(options.reason_string), detail::own(options.user_properties));
    }
    template <detail::completion_token Token = asio::deferred_t>
    [[nodiscard]] auto async_disconnect(Token&& token = Token()) {
        return async_disconnect(disconnect_options{}, std::forward<Token>(token));
    }

    /// Cuts the connection without DISCONNECT; async_run completes without an error, pending operations with
    /// errc::not_running. Any thread.
    void stop();

    /// Publishes what the application has put into the store with sqlite::enqueue(); after its commit. A client that
    /// starts does so by itself. Without a store it does nothing. Any thread.
    void publish_enqueued();

    /// A snapshot. Only on the client's executor.
    [[nodiscard]] client_statistics statistics() const;
    /// What the server said last; nothing before the first CONNACK. Only on the client's executor.
    [[nodiscard]] std::optional<connection_info> connection() const;

private:
    detail::core_ptr core_;
};

}  // namespace martlet
