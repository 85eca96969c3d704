// One turn of a client, for the files of client_core.
#pragma once

#include "client/client_core.hpp"

#include <boost/asio/dispatch.hpp>

#include <atomic>
#include <memory>
#include <utility>

namespace martlet::detail {

// The core whose turn this thread is in: what is started from inside of its handlers need not be handed over.
inline thread_local const client_core* core_of_this_turn = nullptr;

// One turn: the engine knows the time, and what comes of its calls is collected at the end. Turns nest when a handler
// calls into the client; only the outermost one flushes and calls handlers.
class client_core::turn {
public:
    /// `calls_handlers`: false where a user's function is waiting to return.
    turn(client_core& core, bool calls_handlers) : core_(core), calls_handlers_(calls_handlers) {
        if (!core.is_in_turn_) core_.engine_.set_time(core_.network_->now());
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    void finish() {
        if (core_.is_in_turn_) return core_.take_results();  // the outer turn does the rest
        core_.collect();
        if (!calls_handlers_) {
            if (!core_.ready_.empty() || core_.engine_.has_output()) core_.schedule();
            return;
        }

        const auto self = core_.shared_from_this();  // a handler may destroy the client
        core_.is_in_turn_ = true;
        const auto* const outer = std::exchange(core_of_this_turn, &core_);
        struct restore {
            client_core& core;
            const client_core* outer;
            ~restore() {
                core.is_in_turn_ = false;
                core_of_this_turn = outer;
                if (!core.ready_.empty() || (core.engine_.has_output() && core.may_write())) core.schedule();
            }
        } const at_end{core_, outer};
        core_.flush();
        // What handlers have started and is done already is told at once, a few times over: going round the loop for each
        // step of a coroutine would cost as much as the step's write.
        for (int round = 0;;) {
            core_.call_ready();
            core_.collect();
            core_.flush();
            if (core_.ready_.empty() || ++round == rounds_max) break;
            core_.engine_.set_time(core_.network_->now());
        }
    }

private:
    static constexpr int rounds_max = 16;  // then others on the loop get their turn

    client_core& core_;
    bool calls_handlers_;
};

// Runs `function` on the executor: at once if this thread is in a turn of ours, or on the executor anyway.
template <class Function>
void client_core::on_executor(Function function) {
    if (core_of_this_turn == this) return function();
    asio::dispatch(network_->executor(), std::move(function));
}

// In the initiating function, on its thread: a cancellation slot may be used there only.
template <class Operation, class Handler>
std::unique_ptr<Operation> client_core::prepare(operation_kind kind, Handler&& handler) {
    return named(std::make_unique<Operation>(kind, std::forward<Handler>(handler), here_));
}

template <class Operation, class Signature>
std::unique_ptr<Operation> client_core::prepare(operation_kind kind, bound_completion<Signature>&& handler) {
    if (!handler.is_at_home) return prepare<Operation>(kind, std::move(handler.handler));
    return named(std::make_unique<Operation>(kind, std::move(handler.handler)));
}

template <class Operation>
std::unique_ptr<Operation> client_core::named(std::unique_ptr<Operation> op) {
    op->id = next_id_.fetch_add(1, std::memory_order_relaxed);
    op->connect_cancellation(weak_from_this());
    return op;
}

}  // namespace martlet::detail
