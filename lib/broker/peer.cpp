// The life of a connection: input, events, the end, and what happens when receivers are slow. What the packets mean
// stands beside it: peer_handshake.cpp (CONNECT, AUTH, DISCONNECT), peer_requests.cpp (SUBSCRIBE, UNSUBSCRIBE and the
// retained messages that follow), peer_runs.cpp (PUBLISH in its plainest form, many at once).
#include "broker/peer.hpp"

#include "broker/broker_state.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

namespace martlet::broker_impl {

namespace {

/// True if the client broke the protocol, and not only went too far or stayed away.
bool is_violation(const fault& why) noexcept {
    return !why.rule.empty() || why.reason == reason_code::malformed_packet ||
           why.reason == reason_code::protocol_error;
}

}  // namespace

peer::peer(broker_state& state, peer_id id, peer_info info, void* owner)
    : connection(role::broker, state.limits, state.buffers, state.now),
      state_(&state),
      id_(id),
      owner_(owner),
      info_(std::move(info)) {
    state.schedule(*this);
    state.addresses.on_opened(info_.address, info_.local);  // last: it is undone by the destructor
}

peer::~peer() {
    state_->addresses.on_closed(info_.address, info_.local, is_counted_handshake_);
    state_->traffic.add(connection.count());
    state_->unsent -= flushed_size;
}

// ---- input

void peer::receive(std::string_view bytes) {
    connection.receive(bytes);
    run();
    connection.keep_rest();
}

void peer::on_deadline() {
    if (!ended_) {
        if (breath_until_ <= state_->now.steady) end_breath();
        connection.on_deadline();
        if (held_up_ != nullptr && held_up_->stall_at <= state_->now.steady) {
            if (backlog() >= held_up_->stall_backlog) {
                connection.fail({reason_code::quota_exceeded, {}, "it does not take what it subscribed to"});
            } else {
                held_up_->stall_at = state_->now.steady + state_->options.stall_timeout;
                held_up_->stall_backlog = backlog();
            }
        }
        run();
    }
}

void peer::on_committed() {
    waits_for_store = false;
    if (ended_) return;
    connection.on_committed();
    run();  // CONNACK may have left: the client's next packets have waited for it
}

void peer::on_drained() {
    needs_drain = false;
    if (ended_) return;
    if (std::exchange(resumes_, false)) {
        run();
        return connection.keep_rest();
    }
    send_retained();
    let_publishers_go();
    settle();
}

void peer::shut_down() {
    if (ended_) return;
    connection.disconnect(reason_code::server_shutting_down);
    settle();
}

void peer::on_closed() {
    if (!ended_ && session != nullptr && state_->logs(log_level::notice)) {
        state_->log(log_level::notice, "Client " + escaped(session->client_id) + " [" + escaped(info_.address) +
                                           "] closed its connection.");
    }
    connection.on_closed();
    end();
}

// Everything that the peer has sent, unless a receiver of its messages cannot follow.
void peer::run() {
    core::event& event = state_->event;
    for (;;) {
        while (waiting_for_ == 0 && pass_on()) {}
        if (waiting_for_ != 0 || !connection.next_event(event)) break;
        if (connection.out().size() >= own_output_max()) [[unlikely]]
            wait_for(*this);
        if (event.kind != core::event_kind::message_received) {
            on_event(event);
            continue;
        }
        state_->traffic.payload_bytes_received += event.message.payload.size();
        if (event.message.payload.size() > state_->options.payload_size_max) [[unlikely]] {
            connection.fail({reason_code::packet_too_large, {}, "a message larger than this broker takes"});
            break;
        }
        const std::uint64_t stored_before = state_->journal.last();
        const reason_code reason = route_message(event);
        if (state_->journal.last() != stored_before && state_->is_store_behind()) [[unlikely]]
            wait_for_room();
        if (event.number == 0) continue;
        if (reason == reason_code::quota_exceeded && connection.version() != protocol_version::v5) [[unlikely]] {
            // It cannot be told otherwise that nothing was kept, and is to send it again.
            connection.forget(event.number);
            connection.fail({reason, {}, "the broker's memory is full"});
            break;
        }
        const bool told =
            connection.version() == protocol_version::v5 &&
            (reason != reason_code::no_matching_subscribers || state_->options.tell_no_matching_subscribers);
        connection.acknowledge(event.number, told ? reason : reason_code::success);
    }
    settle();
}

// Memory that ends here ends before anybody has got the message: as if it had never come, so that it may come again.
reason_code peer::route_message(const core::event& event) {
    try {
        return state_->router.publish(*this, event.message, event.packet);
    } catch (const std::bad_alloc&) {
        connection.forget(event.number);
        throw;
    }
}

// What follows from whatever has happened.
void peer::settle() {
    if (session != nullptr) {
        if (!session->walks.empty()) send_retained();
        if (held_up_ != nullptr) [[unlikely]] {
            let_publishers_go();
            if (!is_behind()) end_breaths();
        }
    }
    if (connection.is_closing()) {
        end();
        mark_dirty();
    } else if (connection.out().size() != flushed_size) {
        mark_dirty();
    }
    if (session != nullptr && forward_class == 0 && connection.is_open()) {
        const bool uses_aliases =
            state_->limits.topic_alias_maximum_out != 0 && connection.peer().topic_alias_maximum != 0;
        forward_class = uses_aliases ? std::uint8_t{0} : version_class;
    }
    note_waiting();
    state_->schedule(*this);
}

// Lets the session go; the transport may still have to write the last packet. Where memory is short it ends half done,
// with an exception, and is called again.
void peer::end() {
    if (ended_ && ending_ == nullptr) return;
    if (!std::exchange(ended_, true)) {
        connection.detach();
        forward_class = 0;
        last_route.reset();
        connecting_.reset();
        ending_ = std::exchange(session, nullptr);
        if (ending_ != nullptr) --state_->open_count;
    }
    if (ending_ != nullptr) {
        state_->table.release(*ending_, state_->now);
        ending_ = nullptr;
    }
    let_publishers_go();
    end_breaths();
    if (auto* const rights = state_->options.authenticator.get()) rights->forget(static_cast<std::uint64_t>(id_));
}

void peer::break_off() noexcept {
    gave_up_ = true;
    mark_dirty_surely();
}

void peer::give_up() noexcept {
    gave_up_ = false;
    try {
        connection.fail({reason_code::server_busy, {}, "out of memory"});
    } catch (const std::bad_alloc&) {  // then it closes without a word
    }
    if (!connection.is_closing()) connection.on_closed();
    connection.drop_input();
    end_surely();
    mark_dirty_surely();
}

void peer::end_surely() noexcept {
    for (int tries = 0; tries < 3; ++tries) {
        try {
            return end();
        } catch (const std::bad_alloc&) {
            state_->relieve();
        }
    }
    // The session stays as it is until its client comes back, or the broker is started anew.
    if (ending_ != nullptr) state_->table.abandon(*std::exchange(ending_, nullptr));
}

void peer::mark_dirty_surely() noexcept {
    for (int tries = 0; tries < 3; ++tries) {
        try {
            return mark_dirty();
        } catch (const std::bad_alloc&) {  // room for all peers is there, so this comes only from a flood of closings
            state_->relieve();
        }
    }
}

steady_time peer::next_deadline() const noexcept {
    if (ended_) return never;
    const steady_time own = std::min(connection.next_deadline(), breath_until_);
    return held_up_ != nullptr ? std::min(own, held_up_->stall_at) : own;
}

client_info peer::info() const noexcept {
    client_info who;
    who.client_id = session != nullptr ? std::string_view(session->client_id)
                    : connecting_      ? std::string_view(connecting_->client_id)
                                       : std::string_view();
    who.user_name = session != nullptr ? std::string_view(session->user_name)
                    : connecting_      ? std::string_view(connecting_->user_name)
                                       : std::string_view();
    who.address = info_.address;
    who.identity = info_.identity;
    who.local = info_.local;
    who.version = connection.version();
    who.listener = info_.listener;
    return who;
}

// ---- events

void peer::on_event(core::event& event) {
    using kind = core::event_kind;
    switch (event.kind) {
        case kind::connect_received: return on_connect(std::get<packets::connect>(event.other));
        case kind::auth_received: return on_auth(std::get<packets::auth>(event.other));
        case kind::subscribe_received: return on_subscribe(std::get<packets::subscribe>(event.other));
        case kind::unsubscribe_received: return on_unsubscribe(std::get<packets::unsubscribe>(event.other));
        case kind::disconnect_received: return on_disconnect(std::get<packets::disconnect>(event.other));
        case kind::failed:
            if (state_->options.on_violation && is_violation(event.why)) {
                state_->options.on_violation({info().client_id, info_.address, event.why.rule, event.why.text});
            }
            if (state_->logs(log_level::notice)) {
                std::string line =
                    "Client " + escaped(info().client_id) + " [" + escaped(info_.address) + "] disconnected: ";
                line.append(event.why.text);
                if (!event.why.rule.empty()) line.append(" [").append(event.why.rule).append("]");
                state_->log(log_level::notice, line);
            }
            return;
        default: return;  // ping_received is answered; publish_done is nobody's business
    }
}

// ---- slow receivers

bool peer::is_drained() const noexcept {
    return resumes_ || connection.out().size() < std::min(retained_output_max, state_->options.output_bytes_max / 2);
}

std::size_t peer::backlog() const noexcept {
    return connection.out().size() + (session != nullptr ? session->state.queue_bytes() : 0);
}

void peer::wait_for(peer& receiver) {
    held_up& by = receiver.holding_up();
    auto& waiters = by.waiters;
    if (std::find(waiters.begin(), waiters.end(), id_) != waiters.end()) return;
    waiters.push_back(id_);
    receiver.needs_drain = true;
    ++waiting_for_;
    connection.set_reading(false);
    if (waiters.size() == 1) {
        by.stall_at = state_->now.steady + state_->options.stall_timeout;
        by.stall_backlog = receiver.backlog();
        state_->schedule(receiver);
    }
}

void peer::let_publishers_go() {
    if (held_up_ == nullptr || held_up_->waiters.empty()) return;
    if (!ended_) {
        if (connection.out().size() >= state_->options.output_bytes_max / 2) {
            needs_drain = true;
            return;
        }
        if (session->state.queue_count() > state_->queue.count_max / 2 ||
            session->state.queue_bytes() > state_->queue.bytes_max / 2) {
            return;  // acknowledgements bring us back
        }
    }
    held_up_->stall_at = never;
    for (const peer_id id : std::exchange(held_up_->waiters, {})) {
        peer* const publisher = state_->find(id);
        if (publisher != nullptr) publisher->go_on();
    }
}

// One of those that held it up does so no more.
void peer::go_on() {
    if (--waiting_for_ != 0) return;
    connection.set_reading(true);
    needs_drain = true;
    resumes_ = true;
    mark_dirty_surely();  // its owner reads again, and what it had sent is taken: not from inside its receiver
}

bool peer::is_behind() const noexcept {
    constexpr std::size_t queue_count_much = 1'024;
    return session != nullptr &&
           (flushed_size >= retained_output_max || session->state.queue_count() >= queue_count_much);
}

void peer::take_breath(peer& receiver) {
    constexpr std::chrono::milliseconds breath{1};
    if (breath_until_ != never || &receiver == this) return;
    breath_until_ = state_->now.steady + breath;
    receiver.holding_up().breathers.push_back(id_);
    receiver.needs_drain = true;
    state_->schedule(*this);
}

void peer::end_breath() {
    if (std::exchange(breath_until_, never) != never) mark_dirty();  // its owner reads again
}

void peer::end_breaths() {
    if (held_up_ == nullptr) return;
    for (const peer_id id : std::exchange(held_up_->breathers, {})) {
        if (peer* const publisher = state_->find(id)) publisher->end_breath();
    }
}

// ---- the store

void peer::note_waiting() noexcept {
    if (waits_for_store || ended_ || !state_->journal.on()) return;
    if (!connection.is_waiting_for_store() && (session == nullptr || session->walks.empty())) return;
    try {
        state_->waiting_for_store.push_back(id_);
        waits_for_store = true;
    } catch (const std::bad_alloc&) {  // whatever waits stays in the session, and goes out on the next connection
        break_off();
    }
}

void peer::wait_for_room() {
    if (waits_for_room_) return;
    state_->waiting_for_room.push_back(id_);
    waits_for_room_ = true;
    ++waiting_for_;
    connection.set_reading(false);
}

void peer::on_store_room() {
    if (std::exchange(waits_for_room_, false)) go_on();
}

}  // namespace martlet::broker_impl
