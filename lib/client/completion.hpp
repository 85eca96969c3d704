// Operations that wait for their end, and the one place that moves completion handlers about. In Boost 1.81 the move
// assignment of any_completion_handler recurses until the stack overflows (asio issue 1180), and so does everything that
// assigns one (std::swap, vector::erase, an engaged optional): here handlers are move-constructed only, and operations
// travel as pointers.
#pragma once

#include <martlet/client.hpp>
#include <martlet/error.hpp>
#include <martlet/time.hpp>

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet::detail {

class client_core;

/// Cancels an operation, if it has not ended, a little later on the client's executor. Any thread.
void cancel_operation(const std::weak_ptr<client_core>& core, std::uint64_t id);

enum class operation_kind : std::uint8_t {
    run,
    publish,
    subscribe,
    unsubscribe,
    receive,
    next_event,
    disconnect,
    batch,
    ping,
    reauthenticate,
    request
};

struct request_state;

/// Of a batch: what has ended so far.
struct batch_progress {
    std::size_t left = 0;
    batch_result result;
    error_code first_error;
};

/// One operation of the user, from its start to the call of its handler. Owned by the core's list, then by the list of
/// what is ready.
class operation {
public:
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;
    virtual ~operation();

    /// Ends it without a result, unless it has one already.
    virtual void fail(error_code error) = 0;
    /// Calls the handler, on its executor; called on the client's. Only for an operation that has ended; the object is gone
    /// before the handler is called.
    virtual void invoke() && = 0;
    /// Lets the handler's cancellation slot, if it has one, cancel this operation of `core`. To be called on the thread
    /// of the initiating function, like every use of a slot.
    virtual void connect_cancellation(const std::weak_ptr<client_core>& core) = 0;

    const operation_kind kind;
    std::uint64_t id = 0;     ///< unique among the operations of a client
    std::uint64_t token = 0;  ///< in the table of what the engine knows; 0: not there
    steady_time deadline = never;
    stream_ptr stream;        ///< receive, subscribe
    std::span<message> room;  ///< receive_some
    std::unique_ptr<batch_progress> batch;
    std::unique_ptr<request_state> request;
    bool is_ready = false;
    operation* previous = nullptr;  // list of the core
    operation* next = nullptr;

protected:
    explicit operation(operation_kind k) noexcept;
};

/// Stays in the slot when the operation has ended: clearing it there would be another thread's business, and the number
/// then finds nothing.
struct canceller {
    canceller(std::weak_ptr<client_core> c, std::uint64_t number) noexcept : core(std::move(c)), id(number) {}
    void operator()(asio::cancellation_type type) const {
        if (type != asio::cancellation_type::none) cancel_operation(core, id);
    }
    std::weak_ptr<client_core> core;
    std::uint64_t id;
};

/// An operation whose handler takes an error and `Results...`.
template <class... Results>
class operation_of final : public operation {
public:
    using handler_type = completion<void(error_code, Results...)>;

    /// Of a handler that is to run on the client's executor.
    operation_of(operation_kind kind_of_it, handler_type&& handler)
        : operation(kind_of_it), handler_(std::move(handler)) {}
    /// `here`: the client's executor, which the handler gets if it has none of its own.
    operation_of(operation_kind kind_of_it, handler_type&& handler, const asio::any_completion_executor& here)
        : operation_of(kind_of_it, std::move(handler)) {
        const auto there = asio::get_associated_executor(handler_, here);
        // The client keeps its own loop alive while operations are pending; another one has to be kept alive here.
        if (there != here) there_ = asio::prefer(there, asio::execution::outstanding_work.tracked);
    }

    void succeed(error_code error, Results... results) {
        error_ = error;
        results_ = std::tuple<Results...>(std::move(results)...);
    }

    void fail(error_code error) override { error_ = error; }

    void invoke() && override {
        call what{std::move(handler_), error_, std::move(results_)};
        const auto there = std::move(there_);
        delete this;
        if (!there) return what();
        asio::dispatch(there, std::move(what));
    }

    void connect_cancellation(const std::weak_ptr<client_core>& core) override {
        auto slot = asio::get_associated_cancellation_slot(handler_);
        if (slot.is_connected()) slot.template emplace<canceller>(core, id);
    }

private:
    struct call {
        handler_type handler;
        error_code error;
        std::tuple<Results...> results;

        using allocator_type = asio::associated_allocator_t<handler_type>;
        [[nodiscard]] allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler); }

        void operator()() {
            std::apply([&](auto&... r) { std::move(handler)(error, std::move(r)...); }, results);
        }
    };

    handler_type handler_;
    asio::any_completion_executor there_;  // none: the client's
    error_code error_;
    std::tuple<Results...> results_;
};

using run_operation = operation_of<>;
using publish_operation = operation_of<publish_result>;
using subscribe_operation = operation_of<subscription>;
using unsubscribe_operation = operation_of<std::vector<reason_code>>;
using receive_operation = operation_of<message>;
using receive_some_operation = operation_of<std::size_t>;
using batch_operation = operation_of<batch_result>;
using ping_operation = operation_of<std::chrono::microseconds>;
using request_operation = operation_of<message>;
using event_operation = operation_of<client_event>;

}  // namespace martlet::detail
