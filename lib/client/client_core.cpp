#include "client/client_core.hpp"

#include "client/teardown.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>

#include <algorithm>
#include <utility>

namespace martlet::detail {

namespace {

// The core whose turn this thread is in: what is started from inside of its handlers need not be handed over.
thread_local const client_core* core_of_this_turn = nullptr;

// The operations of a client that is gone. They are handed to the loop in one piece: if the loop does not run any more,
// destroying it destroys them, and with them what their handlers keep alive.
class farewell {
public:
    farewell(std::vector<operation*> ended, asio::any_completion_executor here)
        : ended_(std::move(ended)), here_(std::move(here)) {}
    farewell(const farewell&) = delete;
    farewell& operator=(const farewell&) = delete;
    ~farewell() {
        for (auto* const op : ended_)
            delete op;
    }

    void call() {
        while (!ended_.empty()) {
            auto* const op = ended_.front();
            ended_.erase(ended_.begin());
            std::move(*op).invoke(here_);
        }
    }

private:
    std::vector<operation*> ended_;
    asio::any_completion_executor here_;
};

}  // namespace

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
        core_.collect();
        if (core_.is_in_turn_) return;  // the outer turn goes on
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
        core_.call_ready();
        core_.collect();
        core_.flush();
    }

private:
    client_core& core_;
    bool calls_handlers_;
};

client_core::client_core(std::shared_ptr<net::network> network, client_options options, std::uint64_t random_seed)
    : options_(std::move(options)),
      network_(std::move(network)),
      teardown_(asio::use_service<teardown>(asio::query(network_->executor(), asio::execution::context))),
      here_(network_->executor()),
      engine_(options_, random_seed) {
    teardown_.add(*this);
}

client_core::~client_core() {
    teardown_.remove(*this);
    if (driver_) driver_->detach();
    while (operations_ != nullptr) {
        auto* const op = operations_;
        unlink(*op);
        delete op;
    }
    for (auto* const op : ready_)
        delete op;
}

// -- operations

// Runs `function` on the executor: at once if this thread is in a turn of ours, or on the executor anyway.
template <class Function>
void client_core::on_executor(Function function) {
    if (core_of_this_turn == this) return function();
    asio::dispatch(network_->executor(), std::move(function));
}

// In the initiating function, on its thread: a cancellation slot may be used there only.
template <class Operation, class Handler>
std::unique_ptr<Operation> client_core::prepare(operation_kind kind, Handler&& handler) {
    auto op = std::make_unique<Operation>(kind, std::forward<Handler>(handler), here_);
    op->id = next_id_.fetch_add(1, std::memory_order_relaxed);
    op->connect_cancellation(weak_from_this());
    return op;
}

void client_core::run(completion<run_signature> handler) {
    auto op = prepare<run_operation>(operation_kind::run, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        if (!self->begin(std::move(op), no_timeout)) return t.finish();
        if (self->running_ != nullptr) {
            started.fail(errc::already_running);
            self->ready(started);
        } else {
            self->running_ = &started;
            self->start_engine();
        }
        t.finish();
    });
}

void client_core::start_engine() {
    if (options_.store && !store_is_loaded_) {
        if (std::exchange(store_is_loading_, true)) return;
        options_.store->load([weak = weak_from_this()](error_code error, stored_state state) {
            const auto self = weak.lock();
            if (!self) return;
            net::post(*self->network_, [self, error, state = std::move(state)] {
                turn t(*self, true);
                self->store_is_loading_ = false;
                auto failed = error;
                if (!failed) {
                    for (const auto& one : state.sessions) {
                        if (one.row.client_id != self->options_.client_id) continue;
                        if (!self->engine_.session().restore(one.messages)) failed = errc::store_damaged;
                    }
                }
                self->store_is_loaded_ = !failed;
                if (self->running_ == nullptr) return t.finish();
                if (!failed) failed = self->engine_.start();
                if (failed) self->finish_run(failed);
                t.finish();
            });
        });
        return;
    }
    if (const auto error = engine_.start()) finish_run(error);
}

void client_core::publish(request_ptr<publish_request> request, completion<publish_signature> handler) {
    auto op = prepare<publish_operation>(operation_kind::publish, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), request = std::move(request)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        if (!self->begin(std::move(op), request->timeout)) return t.finish();
        auto error = request->error;
        bool is_done = false;
        if (!error) {
            request->what.who = self->pending_.add(started);
            error = self->engine_.publish(std::move(request->what), is_done);
        }
        if (error || is_done) {
            (void)self->pending_.take(started.token);
            started.fail(error);
            self->ready(started);
        }
        t.finish();
    });
}

void client_core::subscribe(request_ptr<subscribe_request> request, completion<subscribe_signature> handler) {
    auto op = prepare<subscribe_operation>(operation_kind::subscribe, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), request = std::move(request)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        started.stream = request->stream;
        if (!self->begin(std::move(op), request->timeout)) return t.finish();
        if (const auto error = self->engine_.subscribe(request->stream, self->pending_.add(started))) {
            (void)self->pending_.take(started.token);
            started.fail(error);
            self->ready(started);
        }
        t.finish();
    });
}

void client_core::unsubscribe(request_ptr<unsubscribe_request> request, completion<unsubscribe_signature> handler) {
    auto op = prepare<unsubscribe_operation>(operation_kind::unsubscribe, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), request = std::move(request)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        if (!self->begin(std::move(op), request->timeout)) return t.finish();
        const auto error = self->engine_.unsubscribe(std::move(request->filters), std::move(request->properties),
                                                     self->pending_.add(started));
        if (error) {
            (void)self->pending_.take(started.token);
            started.fail(error);
            self->ready(started);
        }
        t.finish();
    });
}

void client_core::receive(stream_ptr from, std::chrono::milliseconds timeout, completion<receive_signature> handler) {
    auto op = prepare<receive_operation>(operation_kind::receive, std::move(handler));
    op->stream = std::move(from);
    on_executor([self = shared_from_this(), op = std::move(op), timeout]() mutable {
        turn t(*self, false);
        auto& started = *op;
        const auto waited_for = started.stream;
        if (!self->begin(std::move(op), timeout)) return t.finish();
        self->engine_.acknowledge_taken(waited_for.get());
        (waited_for ? waited_for->waiters : self->unclaimed_waiters_).push_back(&started);
        if (waited_for)
            self->serve(*waited_for);
        else
            self->serve_unclaimed();
        t.finish();
    });
}

void client_core::receive_some(stream_ptr from, std::span<message> into, std::chrono::milliseconds timeout,
                               completion<receive_some_signature> handler) {
    auto op = prepare<receive_some_operation>(operation_kind::receive, std::move(handler));
    op->stream = std::move(from);
    op->room = into;
    on_executor([self = shared_from_this(), op = std::move(op), timeout]() mutable {
        turn t(*self, false);
        auto& started = *op;
        const auto waited_for = started.stream;
        if (!self->begin(std::move(op), timeout)) return t.finish();
        self->engine_.acknowledge_taken(waited_for.get());
        waited_for->waiters.push_back(&started);
        self->serve(*waited_for);
        t.finish();
    });
}

void client_core::next_event(completion<event_signature> handler) {
    auto op = prepare<event_operation>(operation_kind::next_event, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        if (!self->begin(std::move(op), no_timeout)) return t.finish();
        self->event_waiters_.push_back(&started);
        t.finish();
    });
}

void client_core::disconnect(const disconnect_options& options, std::string reason_string,
                             completion<run_signature> handler) {
    auto op = prepare<run_operation>(operation_kind::disconnect, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), options, text = std::move(reason_string)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        if (!self->begin(std::move(op), options.timeout)) return t.finish();
        if (const auto error = self->engine_.disconnect(options, std::move(text))) {
            started.fail(error);
            self->ready(started);
        } else {
            self->disconnecting_.push_back(&started);
        }
        t.finish();
    });
}

void client_core::stop() {
    on_executor([self = shared_from_this()] {
        turn t(*self, false);
        self->engine_.stop();
        t.finish();
    });
}

void client_core::shut_down() noexcept {
    auto ended = end_everything();
    if (ended.empty()) return;
    auto last = std::make_shared<farewell>(std::move(ended), here_);
    net::post(*network_, [last = std::move(last)] { last->call(); });
}

void client_core::drop_operations() noexcept {
    for (auto* const op : end_everything())
        delete op;
}

// Operations that have not ended get operation_aborted; all are the caller's now.
std::vector<operation*> client_core::end_everything() noexcept {
    if (std::exchange(is_shut_down_, true)) return {};
    engine_.stop();
    link_action ignored;
    while (engine_.take_action(ignored)) {}
    dialing_.reset();
    if (driver_) driver_->detach();
    driver_.reset();
    engine_.release_link();
    timer_.reset();
    running_ = nullptr;
    event_waiters_.clear();
    unclaimed_waiters_.clear();
    disconnecting_.clear();
    deadlines_.clear();
    work_ = {};

    auto ended = std::exchange(ready_, {});
    while (operations_ != nullptr) {
        auto* const op = operations_;
        unlink(*op);
        (void)pending_.take(op->token);
        if (op->stream) op->stream->waiters.clear();
        op->fail(asio::error::operation_aborted);
        ended.push_back(op);
    }
    return ended;
}

// -- the list of operations

// False if the client is gone: the operation has ended then.
bool client_core::begin(std::unique_ptr<operation> owned, std::chrono::milliseconds timeout) {
    auto& op = *owned.release();
    if (is_shut_down_) {
        op.fail(asio::error::operation_aborted);
        op.is_ready = true;
        ready_.push_back(&op);
        return false;
    }
    op.next = operations_;
    if (operations_ != nullptr)
        operations_->previous = &op;
    else
        work_ = asio::prefer(network_->executor(), asio::execution::outstanding_work.tracked);
    operations_ = &op;
    if (timeout.count() > 0) {
        op.deadline = engine_.time().steady + timeout;
        deadlines_.emplace(op.deadline, op.id);
    }
    return true;
}

void client_core::unlink(operation& op) noexcept {
    if (op.previous != nullptr)
        op.previous->next = op.next;
    else
        operations_ = op.next;
    if (op.next != nullptr) op.next->previous = op.previous;
    op.previous = op.next = nullptr;
    if (op.deadline == never) return;
    const auto [from, to] = deadlines_.equal_range(op.deadline);
    const auto at = std::find_if(from, to, [&](const auto& entry) { return entry.second == op.id; });
    if (at != to) deadlines_.erase(at);
}

// It has ended: its handler is called at the end of the turn.
void client_core::ready(operation& op) {
    unlink(op);
    op.is_ready = true;
    ready_.push_back(&op);
}

void cancel_operation(const std::weak_ptr<client_core>& core, std::uint64_t id) {
    const auto self = core.lock();
    if (!self) return;
    asio::post(self->executor(), [self, id] { self->cancel(id, asio::error::operation_aborted); });
}

void client_core::cancel(std::uint64_t id, error_code why) {
    turn t(*this, true);
    for (auto* op = operations_; op != nullptr; op = op->next) {
        if (op->id != id) continue;
        withdraw(*op, why);
        break;
    }
    t.finish();
}

// Ends one operation before its time; nothing else notices.
void client_core::withdraw(operation& op, error_code why) {
    (void)pending_.take(op.token);
    op.fail(why);
    switch (op.kind) {
        case operation_kind::publish:
        case operation_kind::unsubscribe: break;
        case operation_kind::subscribe: engine_.close(op.stream); break;
        case operation_kind::receive:
        case operation_kind::next_event: remove_waiter(op); break;
        case operation_kind::run:
            running_ = nullptr;
            engine_.stop();
            break;
        case operation_kind::disconnect:
            std::erase(disconnecting_, &op);
            if (why == errc::operation_timeout) engine_.stop();
            break;
    }
    ready(op);
}

void client_core::remove_waiter(operation& op) noexcept {
    auto& waiters = op.kind == operation_kind::next_event ? event_waiters_
                    : op.stream                           ? op.stream->waiters
                                                          : unclaimed_waiters_;
    const auto at = std::find(waiters.begin(), waiters.end(), &op);
    if (at != waiters.end()) waiters.erase(at);
}

// -- what came of a call into the engine

void client_core::collect() {
    if (is_shut_down_) return;
    link_action action;
    while (engine_.take_action(action))
        obey(action);

    engine_.take_outcomes(outcomes_);
    for (const auto& outcome : outcomes_)
        settle(outcome);
    engine_.take_woken(woken_);
    for (const auto& one : woken_) {
        if (one)
            serve(static_cast<stream&>(*one));
        else
            serve_unclaimed();
    }
    woken_.clear();
    if (engine_.take_blocked()) {
        for (auto* op = operations_; op != nullptr;) {
            auto* const next = op->next;
            if (op->token != 0) withdraw(*op, errc::receive_blocked);
            op = next;
        }
    }
    if (!event_waiters_.empty()) serve_events();
    if (engine_.journal().has_rows()) commit();
    arm_timer();
    if (operations_ == nullptr && ready_.empty() && work_) work_ = {};
}

void client_core::settle(const operation_outcome& outcome) {
    auto* const op = pending_.take(outcome.who);
    if (op == nullptr) return;
    switch (op->kind) {
        case operation_kind::publish:
            static_cast<publish_operation*>(op)->succeed(outcome.error, publish_result{outcome.reason});
            break;
        case operation_kind::subscribe:
            static_cast<subscribe_operation*>(op)->succeed(outcome.error, subscription(shared_from_this(), op->stream));
            break;
        case operation_kind::unsubscribe:
            static_cast<unsubscribe_operation*>(op)->succeed(outcome.error, outcome.reasons);
            break;
        default: break;
    }
    ready(*op);
}

// Hands messages to those who wait for them.
void client_core::serve(stream& from) {
    bool has_taken = false;
    while (!from.waiters.empty()) {
        auto& op = *from.waiters.front();
        if (from.box.empty()) {
            const bool is_over = from.phase != stream_state::phase_type::open;
            if (!is_over && !engine_.has_ended()) break;
            op.fail(is_over ? from.end_reason : error_code(errc::not_running));
        } else if (op.room.data() != nullptr) {
            static_cast<receive_some_operation&>(op).succeed({}, from.box.take(op.room));
            has_taken = true;
        } else {
            static_cast<receive_operation&>(op).succeed({}, from.box.take());
            has_taken = true;
        }
        from.waiters.pop_front();
        ready(op);
    }
    if (has_taken) engine_.after_take(&from);
}

void client_core::serve_unclaimed() {
    bool has_taken = false;
    while (!unclaimed_waiters_.empty()) {
        auto& op = *unclaimed_waiters_.front();
        if (!engine_.unclaimed().empty()) {
            static_cast<receive_operation&>(op).succeed({}, engine_.unclaimed().take());
            has_taken = true;
        } else if (engine_.has_ended()) {
            op.fail(errc::not_running);
        } else {
            break;
        }
        unclaimed_waiters_.pop_front();
        ready(op);
    }
    if (has_taken) engine_.after_take(nullptr);
}

void client_core::serve_events() {
    client_event e;
    while (!event_waiters_.empty()) {
        auto& op = static_cast<event_operation&>(*event_waiters_.front());
        if (engine_.take_event(e))
            op.succeed({}, std::move(e));
        else if (engine_.has_ended())
            op.fail(errc::not_running);
        else
            return;
        event_waiters_.pop_front();
        ready(op);
    }
}

// -- the link

void client_core::obey(const link_action& action) {
    switch (action.kind) {
        case link_action::kind_type::dial:
            dialing_ = network_->dial(action.to, {.timeout = action.timeout}, [this](net::dial_result result) {
                const auto self = shared_from_this();
                dialed(std::move(result));
            });
            break;
        case link_action::kind_type::abandon:
            if (driver_) driver_->close_after_flush();
            [[fallthrough]];
        case link_action::kind_type::cut:
            dialing_.reset();
            if (driver_) driver_->detach();
            driver_.reset();
            engine_.release_link();
            break;
        case link_action::kind_type::close:
            if (driver_) driver_->close_after_flush();
            break;
        case link_action::kind_type::resume:
            if (driver_) driver_->resume_reading();
            break;
        case link_action::kind_type::finished: finish_run(action.error); break;
    }
}

void client_core::dialed(net::dial_result result) {
    turn t(*this, true);
    dialing_.reset();
    if (result.error) {
        engine_.on_dial_failed(result.error, std::move(result.detail));
    } else {
        engine_.on_dialed();
        driver_ = net::driver::create(network_, std::move(result.link), engine_.out(), *this);
        driver_->start();
    }
    t.finish();
}

void client_core::finish_run(error_code error) {
    // All that wait for the connection: they end before async_run does.
    fail_all(errc::not_running, false);
    for (auto* const op : disconnecting_)
        ready(*op);
    disconnecting_.clear();
    if (auto* const op = std::exchange(running_, nullptr)) {
        op->fail(error);
        ready(*op);
    }
}

void client_core::fail_all(error_code why, bool also_events) {
    for (auto* op = operations_; op != nullptr;) {
        auto* const next = op->next;
        const bool waits = op->kind == operation_kind::publish || op->kind == operation_kind::subscribe ||
                           op->kind == operation_kind::unsubscribe || op->kind == operation_kind::receive ||
                           (also_events && op->kind == operation_kind::next_event);
        if (waits) withdraw(*op, why);
        op = next;
    }
}

bool client_core::on_bytes(net::driver&, std::string_view bytes) {
    engine_.set_time(network_->now());
    return engine_.on_bytes(bytes);
}

void client_core::on_turn_end(net::driver&) {
    turn t(*this, true);
    t.finish();
}

void client_core::on_writable_again(net::driver&) {
    turn t(*this, true);
    engine_.on_output_drained();
    t.finish();
}

void client_core::on_closed(net::driver&, error_code error) {
    turn t(*this, true);
    driver_.reset();
    if (error == asio::error::eof) error = errc::connection_closed;
    engine_.on_link_closed(error);
    engine_.release_link();
    t.finish();
}

// The posted turn: what was asked for outside of turns is sent, and what has ended is told.
void client_core::run() {
    is_scheduled_ = false;
    turn t(*this, true);
    t.finish();
}

void client_core::schedule() {
    if (is_scheduled_) return;
    is_scheduled_ = true;
    network_->post(shared_from_this());
}

void client_core::flush() {
    if (may_write() && engine_.has_output()) {
        driver_->flush();
        if (driver_->is_write_blocked() || !engine_.waits_for_output()) return;
        engine_.on_output_drained();
        collect();
    }
}

// One batch: what ends meanwhile waits for the next turn, so that nobody starves.
void client_core::call_ready() {
    if (ready_.empty()) return;
    std::vector<operation*> batch;
    batch.swap(ready_);
    struct put_back {  // a handler may throw: the others keep their turn
        client_core& core;
        std::vector<operation*>& batch;
        std::size_t done = 0;
        ~put_back() {
            core.ready_.insert(core.ready_.begin(), batch.begin() + static_cast<std::ptrdiff_t>(done), batch.end());
        }
    } calls{*this, batch};
    while (calls.done < batch.size())
        std::move(*batch[calls.done++]).invoke(here_);
}

// -- time

void client_core::arm_timer() {
    auto at = engine_.next_deadline();
    if (!deadlines_.empty()) at = std::min(at, deadlines_.begin()->first);
    if (at == timer_at_) return;
    if (!timer_) {
        timer_ = network_->make_timer([this] {
            const auto self = shared_from_this();
            turn t(*this, true);
            timer_at_ = never;
            while (!deadlines_.empty() && deadlines_.begin()->first <= engine_.time().steady) {
                cancel(deadlines_.begin()->second, errc::operation_timeout);
            }
            engine_.on_deadline();
            t.finish();
        });
    }
    timer_at_ = at;
    timer_->set(at);
}

// -- the store

void client_core::commit() {
    options_.store->commit(engine_.journal().take(), [weak = weak_from_this()](error_code error, std::uint64_t number) {
        const auto self = weak.lock();
        if (!self) return;
        net::post(*self->network_, [self, error, number] {
            turn t(*self, true);
            if (error)
                self->engine_.on_store_failed(error);
            else
                self->engine_.on_committed(number);
            t.finish();
        });
    });
}

// -- commands

error_code client_core::publish_now(std::string_view topic, payload&& bytes, const publish_options& options) {
    const bool has_properties = !(options.properties == message_properties{});
    if (options.qos == qos::at_most_once && engine_.is_open()) {
        if (has_properties) {
            if (const auto error = check(options.properties)) return error;
        }
        if (!is_scheduled_ && !is_in_turn_) engine_.set_time(network_->now());
        const auto error = engine_.publish_qos_0(topic, bytes.bytes(), options.retain, options.properties);
        if (!is_in_turn_ && !is_scheduled_) schedule();
        return error;
    }
    if (is_shut_down_) return errc::not_running;
    auto request = make_request(*this, topic, std::move(bytes), options);
    if (request->error) return request->error;
    turn t(*this, false);
    bool is_done = false;
    const auto error = engine_.publish(std::move(request->what), is_done);
    t.finish();
    return error;
}

std::size_t client_core::try_receive(stream& from, std::span<message> into) {
    if (is_shut_down_) return from.waiters.empty() ? from.box.take(into) : 0;
    const bool acknowledges = from.box.has_taken() && !from.manual_acknowledgement;
    if (acknowledges) {
        engine_.set_time(network_->now());
        engine_.acknowledge_taken(&from);
    }
    const auto count = from.waiters.empty() ? from.box.take(into) : 0;
    if (count != 0 && from.is_full) {
        turn t(*this, false);
        engine_.after_take(&from);
        t.finish();
    } else if (acknowledges && !is_in_turn_) {
        schedule();  // the acknowledgements, or what they wait for in the store
    }
    return count;
}

void client_core::acknowledge(stream& from, const message& m, reason_code reason) {
    if (is_shut_down_) return;
    turn t(*this, false);
    engine_.acknowledge(from, m.receipt(), reason);
    t.finish();
}

void client_core::close(const stream_ptr& which) {
    if (is_shut_down_) return;
    turn t(*this, false);
    engine_.close(which);
    serve(*which);
    t.finish();
}

core_ptr make_client_core(std::shared_ptr<net::network> network, client_options options, std::uint64_t random_seed) {
    return std::make_shared<client_core>(std::move(network), std::move(options), random_seed);
}

}  // namespace martlet::detail
