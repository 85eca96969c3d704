// A client and its store: loading, committing after each turn, and what other programs have put into it to be published.
#include "client/client_core.hpp"
#include "client/turn.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace martlet::detail {

// Its handlers run on a thread of its own: they hold the network, never the last reference to the client.

void client_core::load_store() {
    if (std::exchange(store_is_loading_, true)) return;
    if (options_.log && options_.session != session_mode::resume) {
        options_.log->write(
            log_level::warning,
            "a store without session_mode::resume: each run begins a new session at the server, and what "
            "came for the old one is lost");
    }
    options_.store->watch([weak = weak_from_this(), network = network_](error_code error, std::string text) {
        net::post(*network, [weak, error, text = std::move(text)] {
            const auto self = weak.lock();
            if (!self || self->is_shut_down_) return;
            turn t(*self, true);
            self->engine_.on_store_condition(error, text);
            t.finish();
        });
    });
    options_.store->load([weak = weak_from_this(), network = network_](error_code error, stored_state state) {
        net::post(*network, [weak, error, state = std::make_shared<stored_state>(std::move(state))] {
            if (const auto self = weak.lock()) self->on_store_loaded(error, std::move(*state));
        });
    });
}

void client_core::on_store_loaded(error_code error, stored_state state) {
    if (is_shut_down_) return;
    turn t(*this, true);
    store_is_loading_ = false;
    std::string why;
    if (!error) error = engine_.restore(std::move(state), why);
    if (error) {
        engine_.on_store_unusable(error, why.empty() ? options_.store->last_error() : std::move(why));
        if (running_ != nullptr) finish_run(error);
    } else {
        store_is_loaded_ = true;
        start_when_committed_ = engine_.journal().last();  // receipts are good from then on
    }
    t.finish();
}

void client_core::commit() {
    options_.store->commit(engine_.journal().take(),
                           [weak = weak_from_this(), network = network_](error_code error, std::uint64_t number) {
                               net::post(*network, [weak, error, number] {
                                   if (const auto self = weak.lock()) self->on_committed(error, number);
                               });
                           });
}

void client_core::on_committed(error_code error, std::uint64_t number) {
    if (is_shut_down_) return;
    turn t(*this, true);
    options_.store->collect();
    const bool is_start = start_when_committed_ != 0 && number >= start_when_committed_;
    if (error) {
        engine_.on_store_failed(error, options_.store->last_error());
    } else {
        engine_.on_committed(number);
    }
    if (is_start || error) {
        start_when_committed_ = 0;
        if (running_ != nullptr && !engine_.is_running()) {
            if (!error) error = engine_.start();
            if (error) finish_run(error);
        }
        want_enqueued();
    }
    t.finish();
}

void client_core::want_enqueued() {
    wants_enqueued_ = true;
    engine_.expect_enqueued(true);
}

// As many as there is room for; the rest when there is room again.
void client_core::read_enqueued() {
    const auto room = engine_.room_for_enqueued();
    if (room == 0 || is_reading_enqueued_ || !store_is_loaded_) return;
    is_reading_enqueued_ = true;
    wants_enqueued_ = false;
    options_.store->read_enqueued(
        engine_.last_enqueued(), room,
        [weak = weak_from_this(), network = network_](error_code error, std::vector<enqueued_row> rows) {
            net::post(*network, [weak, error, rows = std::make_shared<std::vector<enqueued_row>>(std::move(rows))] {
                const auto self = weak.lock();
                if (!self || self->is_shut_down_) return;
                turn t(*self, true);
                self->is_reading_enqueued_ = false;
                if (error) {
                    self->engine_.on_store_failed(error, self->options_.store->last_error());
                } else if (!rows->empty()) {
                    self->engine_.take_enqueued(std::move(*rows));
                    self->wants_enqueued_ = true;  // there may be more
                } else if (!self->wants_enqueued_) {
                    self->engine_.expect_enqueued(false);
                }
                t.finish();
            });
        });
}

}  // namespace martlet::detail
