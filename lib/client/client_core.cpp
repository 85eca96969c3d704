#include "client/client_core.hpp"

#include "client/teardown.hpp"
#include "client/turn.hpp"
#include "core/properties.hpp"

#include <martlet/enhanced_authentication.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>

#include <algorithm>
#include <utility>

namespace martlet::detail {

client_core::client_core(std::shared_ptr<net::network> network, client_options options, std::uint64_t random_seed)
    : options_(std::move(options)),
      network_(std::move(network)),
      teardown_(&asio::use_service<teardown>(asio::query(network_->executor(), asio::execution::context))),
      home_(network_->executor()),
      here_(home_),
      engine_(options_, random_seed),
      random_seed_(random_seed),
      last_correlation_(random_seed ^ 0x9E3779B97F4A7C15) {
    teardown_->add(*this);
}

client_core::~client_core() {
    if (teardown_ != nullptr) teardown_->remove(*this);
    if (driver_) driver_->detach();
    while (operations_ != nullptr) {
        auto* const op = operations_;
        unlink(*op);
        delete op;
    }
    for (auto* const op : ready_)
        delete op;
}

// -- what came of a call into the engine

void client_core::collect() {
    take_results();
    if (is_shut_down_) return;
    arm_timer();
    if (operations_ == nullptr && ready_.empty() && work_) work_ = {};
}

void client_core::take_results() {
    if (is_shut_down_) return;
    if (engine_.has_actions()) {
        link_action action;
        while (engine_.take_action(action))
            obey(action);
    }

    if (engine_.has_outcomes()) {
        engine_.take_outcomes(outcomes_);
        for (const auto& outcome : outcomes_)
            settle(outcome);
    }
    if (engine_.has_woken()) {
        engine_.take_woken(woken_);
        for (const auto& one : woken_) {
            if (one)
                serve(static_cast<stream&>(*one));
            else
                serve_unclaimed();
        }
        woken_.clear();
    }
    if (engine_.take_blocked()) {
        for (auto* op = operations_; op != nullptr;) {
            auto* const next = op->next;
            if (op->token != 0) withdraw(*op, errc::receive_blocked);
            op = next;
        }
    }
    if (!channels_.empty() || !homeless_requests_.empty()) serve_requests();
    if (!event_waiters_.empty()) serve_events();
    if (wants_enqueued_) read_enqueued();
    if (store_is_loaded_ && engine_.journal().has_rows()) commit();
}

void client_core::settle(const operation_outcome& outcome) {
    auto* const op = pending_.find(outcome.who);
    if (op == nullptr) return;
    if (op->kind == operation_kind::batch) return settle_item(static_cast<batch_operation&>(*op), outcome);
    (void)pending_.take(outcome.who);
    if (op->kind == operation_kind::request) return settle_request(*op, outcome);
    switch (op->kind) {
        case operation_kind::publish:
            static_cast<publish_operation*>(op)->succeed(outcome.error, publish_result{outcome.reason});
            break;
        case operation_kind::subscribe:
            static_cast<subscribe_operation*>(op)->succeed(outcome.error, subscription(shared_from_this(), op->stream));
            break;
        case operation_kind::ping:
            static_cast<ping_operation*>(op)->succeed(outcome.error, engine_.statistics().round_trip);
            break;
        case operation_kind::reauthenticate: static_cast<run_operation*>(op)->succeed(outcome.error); break;
        case operation_kind::unsubscribe:
            static_cast<unsubscribe_operation*>(op)->succeed(outcome.error, outcome.reasons);
            break;
        default: break;
    }
    ready(*op);
}

void client_core::settle_item(batch_operation& op, const operation_outcome& outcome) {
    auto& progress = *op.batch;
    ++(outcome.error ? progress.result.failed : progress.result.delivered);
    if (!progress.first_error) progress.first_error = outcome.error;
    if (--progress.left != 0) return;
    (void)pending_.take(op.token);
    op.succeed(progress.first_error, progress.result);
    ready(op);
}

// Hands messages to those who wait for them.
void client_core::serve(stream& from) {
    if (from.channel != nullptr) return;  // see serve_requests()
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

// Of a question to the application: it may be answered at once, later, on another thread, or never.
template <class Answer, class Function>
std::function<void(error_code, Answer)> client_core::answer_to(std::uint64_t number, Function function) {
    return [weak = weak_from_this(), network = network_, number, function](error_code error, Answer answer) {
        net::post(*network, [weak, number, function, error, answer = std::move(answer)]() mutable {
            const auto self = weak.lock();
            if (!self || self->is_shut_down_) return;
            turn t(*self, true);
            function(self->engine_, number, error, std::move(answer));
            t.finish();
        });
    };
}

void client_core::obey(const link_action& action) {
    switch (action.kind) {
        case link_action::kind_type::ask_credentials:
            options_.credentials_source(
                action.to, answer_to<credentials>(action.number, [](client_engine& engine, std::uint64_t number,
                                                                    error_code error, credentials&& answer) {
                    engine.on_credentials(number, error, std::move(answer));
                }));
            break;
        case link_action::kind_type::begin_authentication:
            engine_.on_authentication(action.number, {}, options_.authentication->begin());
            break;
        case link_action::kind_type::go_on_authenticating:
            if (auto data = options_.authentication->respond(action.data))
                engine_.on_authentication(action.number, {}, *std::move(data));
            else
                engine_.on_authentication(action.number, errc::authentication_failed, {});
            break;
        case link_action::kind_type::dial:
            dialing_ = network_->dial(
                action.to,
                {.timeout = action.timeout, .bind_address = action.bind_address, .layers = layers_for(action.to)},
                [this](net::dial_result result) {
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

// Whoever dials plain sockets keeps no second copy of the options.
std::shared_ptr<net::dial_layers> client_core::layers_for(const endpoint& to) {
    if (!net::needs_layers(to.scheme) && options_.proxy.empty()) return nullptr;
    if (!layers_) {
        layers_ = std::make_unique<net::client_layers>(
            net::client_layer_options{options_.tls, options_.tls_source, options_.websocket, options_.proxy});
    }
    return layers_->for_dial(to);
}

void client_core::dialed(net::dial_result result) {
    turn t(*this, true);
    dialing_.reset();
    if (result.error) {
        engine_.on_dial_failed(result.error, std::move(result.detail));
    } else {
        engine_.on_dialed(result.link->is_resumed());
        driver_ = net::driver::create(network_, std::move(result.link), engine_.out(), *this);
        driver_->start();
    }
    t.finish();
}

void client_core::finish_run(error_code error) {
    const auto end_run = [&] {
        if (auto* const op = std::exchange(running_, nullptr)) {
            op->fail(error);
            ready(*op);
        }
    };
    // Who waits for the connection only learns that there is none: the reason is to be heard before.
    if (error) end_run();
    fail_all(errc::not_running, false);
    for (auto* const op : disconnecting_)
        ready(*op);
    disconnecting_.clear();
    end_run();
}

void client_core::fail_all(error_code why, bool also_events) {
    for (auto* op = operations_; op != nullptr;) {
        auto* const next = op->next;
        const bool waits = op->kind == operation_kind::publish || op->kind == operation_kind::subscribe ||
                           op->kind == operation_kind::unsubscribe || op->kind == operation_kind::receive ||
                           op->kind == operation_kind::batch || op->kind == operation_kind::ping ||
                           op->kind == operation_kind::reauthenticate || op->kind == operation_kind::request ||
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

void client_core::on_closed(net::driver& which, error_code error) {
    turn t(*this, true);
    std::string detail = which.link().failure();
    driver_.reset();
    if (error == asio::error::eof) error = errc::connection_closed;
    engine_.on_link_closed(error, std::move(detail));
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
    static thread_local std::vector<operation*> memory;  // empty; no client keeps it while it is idle
    auto batch = std::exchange(ready_, std::exchange(memory, {}));
    struct put_back {  // a handler may throw: the others keep their turn
        client_core& core;
        std::vector<operation*>& batch;
        std::size_t done = 0;
        ~put_back() {
            core.ready_.insert(core.ready_.begin(), batch.begin() + static_cast<std::ptrdiff_t>(done), batch.end());
        }
    } calls{*this, batch};
    while (calls.done < batch.size())
        std::move(*batch[calls.done++]).invoke();
    batch.clear();
    calls.done = 0;
    memory = std::move(ready_.empty() ? ready_ : batch);
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

client_statistics client_core::statistics() const {
    auto s = engine_.statistics();
    s.replies_late = replies_late_;
    return s;
}

// -- commands

namespace {

constexpr std::size_t flush_size = 64 * 1024;  // larger writes save hardly a system call per message

}  // namespace

error_code client_core::publish_now(std::string_view topic, payload&& bytes, const publish_options& options) {
    if (options.qos == qos::at_most_once && engine_.is_open()) {
        const bool is_plain = core::has_no_properties(options.properties);
        if (!is_plain) {
            if (const auto error = check(options.properties)) return error;
        }
        if (!is_in_turn_ && !is_scheduled_) {
            engine_.set_time(network_->now());
            schedule();
        }
        // What has become much leaves while it is still in the processor's cache, and before the peer runs dry.
        if (engine_.output_size() >= flush_size && may_write() && !engine_.waits_for_output()) driver_->flush();
        // Made where it is returned to: copying it would wait for all bytes of the payload to leave the store buffer.
        return engine_.publish_qos_0(topic, bytes.bytes(), options.retain,
                                     is_plain ? core::no_properties : options.properties);
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
