// Operations from their start to their end: beginning, waiting, being cancelled, being called.
#include "client/completion.hpp"
#include "client/turn.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <utility>

namespace martlet::detail {

operation::operation(operation_kind k) noexcept : kind(k) {}

operation::~operation() = default;

namespace {

// The operations of a client that is gone. They are handed to the loop in one piece: if the loop does not run any more,
// destroying it destroys them, and with them what their handlers keep alive.
class farewell {
public:
    explicit farewell(std::vector<operation*> ended) : ended_(std::move(ended)) {}
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
            std::move(*op).invoke();
        }
    }

private:
    std::vector<operation*> ended_;
};

}  // namespace

// -- operations

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
    if (options_.store && !store_is_loaded_) return load_store();
    if (const auto error = engine_.start()) finish_run(error);
}

void client_core::publish(request_ptr<publish_request> request, bound_completion<publish_signature> handler) {
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

void client_core::publish_batch(request_ptr<batch_request> request, completion<batch_signature> handler) {
    auto op = prepare<batch_operation>(operation_kind::batch, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), request = std::move(request)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        started.batch = std::make_unique<batch_progress>();
        started.batch->left = request->items.size() + 1;  // one for this function: it may not end in the middle
        if (!self->begin(std::move(op), request->timeout)) return t.finish();
        const auto who = self->pending_.add(started);
        for (auto& item : request->items) {
            bool is_done = item.error.failed();
            auto error = item.error;
            if (!error) {
                item.what.who = who;
                error = self->engine_.publish(std::move(item.what), is_done);
            }
            if (error || is_done) self->settle_item(started, {who, error, {}, {}});
        }
        --started.batch->result.delivered;  // this function's
        self->settle_item(started, {who, {}, {}, {}});
        t.finish();
    });
}

void client_core::ping(std::chrono::milliseconds timeout, completion<ping_signature> handler) {
    auto op = prepare<ping_operation>(operation_kind::ping, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), timeout]() mutable {
        turn t(*self, false);
        auto& started = *op;
        if (!self->begin(std::move(op), timeout)) return t.finish();
        if (const auto error = self->engine_.ping(self->pending_.add(started))) {
            (void)self->pending_.take(started.token);
            started.fail(error);
            self->ready(started);
        }
        t.finish();
    });
}

void client_core::reauthenticate(std::chrono::milliseconds timeout, completion<run_signature> handler) {
    auto op = prepare<run_operation>(operation_kind::reauthenticate, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), timeout]() mutable {
        turn t(*self, false);
        auto& started = *op;
        if (!self->begin(std::move(op), timeout)) return t.finish();
        if (const auto error = self->engine_.reauthenticate(self->pending_.add(started))) {
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

void client_core::receive(stream_ptr from, std::chrono::milliseconds timeout,
                          bound_completion<receive_signature> handler) {
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
                               bound_completion<receive_some_signature> handler) {
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
                             std::vector<owned_user_property> properties, completion<run_signature> handler) {
    auto op = prepare<run_operation>(operation_kind::disconnect, std::move(handler));
    on_executor([self = shared_from_this(), op = std::move(op), options, text = std::move(reason_string),
                 said = std::move(properties)]() mutable {
        turn t(*self, false);
        auto& started = *op;
        if (!self->begin(std::move(op), options.timeout)) return t.finish();
        if (options.drain && self->options_.store) self->want_enqueued();  // what is committed by now is delivered, too
        if (const auto error = self->engine_.disconnect(options, std::move(text), std::move(said))) {
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

void client_core::publish_enqueued() {
    on_executor([self = shared_from_this()] {
        if (!self->options_.store || self->is_shut_down_) return;
        turn t(*self, false);
        self->want_enqueued();
        t.finish();
    });
}

void client_core::shut_down() noexcept {
    auto ended = end_everything();
    if (ended.empty()) return;
    auto last = std::make_shared<farewell>(std::move(ended));
    net::post(*network_, [last = std::move(last)] { last->call(); });
}

void client_core::drop_operations() noexcept {
    for (auto* const op : end_everything())
        delete op;
    teardown_ = nullptr;
}

// Operations that have not ended get operation_aborted; all are the caller's now.
std::vector<operation*> client_core::end_everything() noexcept {
    if (std::exchange(is_shut_down_, true)) return {};
    engine_.stop();
    if (const auto last = std::move(options_.store); last && store_is_loaded_ && engine_.journal().has_rows()) {
        last->commit(engine_.journal().take(), {});  // accepted is accepted
    }
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
    homeless_requests_.clear();
    channels_.clear();
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
        case operation_kind::batch:
        case operation_kind::ping:
        case operation_kind::reauthenticate:
        case operation_kind::unsubscribe: break;
        case operation_kind::request: withdraw_request(op); break;
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

}  // namespace martlet::detail
