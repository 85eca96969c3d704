// What a client is behind its handle: the engine joined to a network, a driver, a timer, a store and the operations that
// wait. Everything happens on the network's executor, in turns: input or commands for the engine, then what came of them
// (link, outcomes, messages, events, rows for the store), one flush, and last the handlers of what has ended.
#pragma once

#include "client/client_engine.hpp"
#include "client/completion.hpp"
#include "client/pending.hpp"
#include "client/request_channel.hpp"
#include "net/client_layers.hpp"
#include "net/driver.hpp"
#include "net/network.hpp"

#include <martlet/client.hpp>
#include <martlet/store.hpp>

#include <boost/container/deque.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace martlet::detail {

/// Operations in the order of asking. Unlike std::deque's, an empty one has no memory until it is used.
using waiting_list = boost::container::deque<operation*>;

/// A subscription behind its handle: what the engine knows of it, and who waits for its messages.
class stream : public stream_state {
public:
    using stream_state::stream_state;
    waiting_list waiters;                // in the order of asking
    request_channel* channel = nullptr;  // replies to requests: nobody else has this stream
};

struct publish_request {
    core::outgoing what;
    std::chrono::milliseconds timeout{0};
    error_code error;
};

struct batch_request {
    std::vector<publish_request> items;
    std::chrono::milliseconds timeout{0};
};

struct request_arguments {
    request_state state;
    std::chrono::milliseconds timeout{0};
    error_code error;
};

struct subscribe_request {
    stream_ptr stream;
    std::chrono::milliseconds timeout{0};
};

struct unsubscribe_request {
    std::vector<std::string> filters;
    std::vector<owned_user_property> properties;
    std::chrono::milliseconds timeout{0};
};

class teardown;

class client_core final : public net::driver_owner, public net::task, public std::enable_shared_from_this<client_core> {
public:
    client_core(std::shared_ptr<net::network> network, client_options options, std::uint64_t random_seed);
    ~client_core();

    // -- operations; on any thread

    void run(completion<run_signature> handler);
    void publish(request_ptr<publish_request> request, bound_completion<publish_signature> handler);
    void publish_batch(request_ptr<batch_request> request, completion<batch_signature> handler);
    void request(request_ptr<request_arguments> arguments, completion<receive_signature> handler);
    void ping(std::chrono::milliseconds timeout, completion<ping_signature> handler);
    void reauthenticate(std::chrono::milliseconds timeout, completion<run_signature> handler);
    void subscribe(request_ptr<subscribe_request> request, completion<subscribe_signature> handler);
    void unsubscribe(request_ptr<unsubscribe_request> request, completion<unsubscribe_signature> handler);
    void receive(stream_ptr from, std::chrono::milliseconds timeout, bound_completion<receive_signature> handler);
    void receive_some(stream_ptr from, std::span<message> into, std::chrono::milliseconds timeout,
                      bound_completion<receive_some_signature> handler);
    void next_event(completion<event_signature> handler);
    void disconnect(const disconnect_options& options, std::string reason_string,
                    std::vector<owned_user_property> properties, completion<run_signature> handler);
    void stop();
    void publish_enqueued();
    /// The handle is gone: what is pending ends with operation_aborted. On the executor, or when nothing runs it.
    void shut_down() noexcept;
    /// Destroys all operations without calling their handlers: the executor's context is being destroyed.
    void drop_operations() noexcept;

    /// Ends one operation, if it has not ended.
    void cancel(std::uint64_t id, error_code why);

    // -- commands and queries; on the executor

    [[nodiscard]] error_code publish_now(std::string_view topic, payload&& bytes, const publish_options& options);
    [[nodiscard]] std::size_t try_receive(stream& from, std::span<message> into);
    void acknowledge(stream& from, const message& m, reason_code reason);
    void close(const stream_ptr& which);
    [[nodiscard]] client_statistics statistics() const;
    [[nodiscard]] const std::optional<connection_info>& info() const noexcept { return engine_.info(); }
    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return home_; }
    [[nodiscard]] const client_options& options() const noexcept { return options_; }
    [[nodiscard]] unix_time wall_time() const noexcept { return network_->now().wall; }

    // -- from the driver and the network

    bool on_bytes(net::driver& from, std::string_view bytes) override;
    void on_turn_end(net::driver& from) override;
    void on_writable_again(net::driver& which) override;
    void on_closed(net::driver& which, error_code error) override;
    void run() override;

private:
    class turn;

    template <class Function>
    void on_executor(Function function);

    template <class Operation, class Handler>
    [[nodiscard]] std::unique_ptr<Operation> prepare(operation_kind kind, Handler&& handler);
    template <class Operation, class Signature>
    [[nodiscard]] std::unique_ptr<Operation> prepare(operation_kind kind, bound_completion<Signature>&& handler);
    template <class Operation>
    [[nodiscard]] std::unique_ptr<Operation> named(std::unique_ptr<Operation> op);
    [[nodiscard]] bool begin(std::unique_ptr<operation> op, std::chrono::milliseconds timeout);
    void unlink(operation& op) noexcept;
    [[nodiscard]] std::vector<operation*> end_everything() noexcept;
    void ready(operation& op);
    void withdraw(operation& op, error_code why);
    void fail_all(error_code why, bool also_events);
    void remove_waiter(operation& op) noexcept;

    void collect();
    void take_results();
    void obey(const link_action& action);
    template <class Answer, class Function>
    [[nodiscard]] std::function<void(error_code, Answer)> answer_to(std::uint64_t number, Function function);
    [[nodiscard]] std::shared_ptr<net::dial_layers> layers_for(const endpoint& to);
    void dialed(net::dial_result result);
    void finish_run(error_code error);
    void settle(const operation_outcome& outcome);
    void settle_item(batch_operation& op, const operation_outcome& outcome);
    void serve(stream& from);
    void serve_unclaimed();
    void serve_events();

    // client_request.cpp
    [[nodiscard]] const std::string& own_reply_topic();
    void start_request(operation& op);
    [[nodiscard]] request_channel* open_channel(const std::string& topic, bool is_own);
    void serve_channel(request_channel& channel);
    void send_request(request_channel& channel, operation& op, bool in_order);
    void settle_request(operation& op, const operation_outcome& outcome);
    void withdraw_request(operation& op) noexcept;
    void serve_requests();

    void commit();
    void load_store();
    void on_store_loaded(error_code error, stored_state state);
    void on_committed(error_code error, std::uint64_t number);
    void want_enqueued();
    void read_enqueued();
    void start_engine();
    void arm_timer();
    void flush();
    /// A flush would do something: not while the transport is full, which then goes on by itself.
    [[nodiscard]] bool may_write() const noexcept { return driver_ && !driver_->is_write_blocked(); }
    void call_ready();
    void schedule();

    client_options options_;  // constant, but for the store, which is let go when the client ends
    std::shared_ptr<net::network> network_;
    teardown* teardown_;  // of our context; null when that is gone
    asio::any_io_executor home_;
    asio::any_completion_executor here_;          // the same
    std::unique_ptr<net::client_layers> layers_;  // null until a dial needs them
    client_engine engine_;
    std::shared_ptr<net::driver> driver_;
    std::unique_ptr<net::dialing> dialing_;
    std::unique_ptr<net::timer> timer_;
    steady_time timer_at_ = never;

    operation* operations_ = nullptr;                      // list of those that have not ended
    std::vector<operation*> ready_;                        // those that have, in order
    pending pending_;                                      // those that the engine knows
    std::multimap<steady_time, std::uint64_t> deadlines_;  // of operations, by id
    std::atomic<std::uint64_t> next_id_{1};
    operation* running_ = nullptr;  // async_run
    std::vector<operation*> disconnecting_;
    waiting_list event_waiters_;
    waiting_list unclaimed_waiters_;
    std::vector<std::unique_ptr<request_channel>> channels_;
    std::vector<operation*> homeless_requests_;  // wait for the server's Response Information
    std::string own_reply_topic_;
    std::uint64_t random_seed_;
    std::uint64_t last_correlation_;
    std::uint64_t replies_late_ = 0;
    asio::any_io_executor work_;  // keeps the loop alive while operations are pending

    std::vector<operation_outcome> outcomes_;  // reused
    std::vector<stream_state_ptr> woken_;      // reused
    bool is_in_turn_ = false;
    bool is_scheduled_ = false;
    bool is_shut_down_ = false;
    bool store_is_loaded_ = false;
    bool store_is_loading_ = false;
    std::uint64_t start_when_committed_ = 0;  // a number of the journal; 0: no
    bool wants_enqueued_ = false;
    bool is_reading_enqueued_ = false;
};

/// The messages of user properties and the like, checked before anything is made of them.
[[nodiscard]] error_code check(const message_properties& properties) noexcept;

[[nodiscard]] core_ptr make_client_core(std::shared_ptr<net::network> network, client_options options,
                                        std::uint64_t random_seed);

}  // namespace martlet::detail
