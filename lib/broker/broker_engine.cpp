#include "broker/broker_engine.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace martlet::broker_impl {

namespace {

core::connection_limits limits_of(const broker_options& options) {
    core::connection_limits limits;
    limits.packet_size_max = options.packet_size_max;
    limits.first_packet_size_max = options.first_packet_size_max;
    limits.receive_maximum = options.receive_maximum;
    limits.topic_alias_maximum = options.topic_alias_maximum;
    limits.topic_alias_maximum_out = options.topic_alias_maximum_out;
    limits.inflight_max = options.inflight_max;
    limits.topic_levels_max = options.topic_levels_max;
    limits.handshake_timeout = options.connect_timeout;
    limits.maximum_qos = options.maximum_qos;
    limits.retain_available = options.retain_available;
    limits.wildcard_subscription_available = options.wildcard_subscription_available;
    limits.subscription_identifier_available = options.subscription_identifier_available;
    limits.shared_subscription_available = options.shared_subscription_available;
    limits.keep_alive_max = options.keep_alive_max;
    return limits;
}

std::uint64_t next_random(std::uint64_t& state) noexcept {  // splitmix64
    std::uint64_t z = (state += 0x9E37'79B9'7F4A'7C15);
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    return z ^ (z >> 31);
}

}  // namespace

// ---- state

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 256)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7F) {
            out += c;
        } else {
            constexpr std::string_view digits = "0123456789abcdef";
            out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
        }
    }
    return out;
}

broker_state::broker_state(const broker_options& given, std::uint64_t seed, bool journal_on, const instant& start)
    : options(given),
      limits(limits_of(given)),
      queue{.count_max = given.queue_count_max,
            .bytes_max = given.queue_bytes_max,
            .policy = core::queue_policy::refuse,
            .keep_qos_0 = given.queue_qos_0},
      now(start),
      journal(journal_on),
      filters(seed),
      kept(seed, {.count_max = given.retained_count_max, .bytes_max = given.retained_bytes_max}),
      table(journal, filters, timers, seed,
            [this](client_session& session, const stored_will& will) { publish_will(session, will); }),
      router(*this, seed),
      sys(given.sys_interval, start.steady),
      addresses(given.connections_per_address_max, given.handshakes_per_address_max),
      random(seed),
      rights_generation(given.authenticator != nullptr ? given.authenticator->rights_generation() : 0) {}

broker_state::~broker_state() = default;

std::string broker_state::choose_client_id() {
    std::string id;
    do {
        id = options.client_id_prefix;
        for (int i = 0; i < 2; ++i) {
            std::uint64_t bits = next_random(random);
            for (int digit = 0; digit < 16; ++digit, bits >>= 4)
                id += "0123456789abcdef"[bits & 15];
        }
    } while (table.find(id) != nullptr);
    return id;
}

// The lists that only hold who is connected are not to fail later.
void broker_state::reserve_peer() {
    const auto make_room = [](auto& list, std::size_t count) {
        if (list.capacity() < count) list.reserve(std::max(count, 2 * list.capacity()));
    };
    const std::size_t count = peers.size() + 1;
    make_room(peers, count);
    make_room(free_peers, count);
    make_room(dirty, 2 * count);
    make_room(waiting_for_store, count);
    make_room(noted, count);
    make_room(waiting_for_room, count);
}

void broker_state::schedule(peer& p) {
    const steady_time at = p.next_deadline();
    if (at >= p.looked_at) return;
    timers.push(at, deadlines::kind::peer, static_cast<std::uint64_t>(p.id()));
    p.looked_at = at;
}

void broker_state::publish_will(client_session& session, const stored_will& will) {
    core::message_ref message = will.message;
    if (options.authenticator != nullptr && !options.authenticator->may_publish(info_of(session), message->topic())) {
        return;
    }
    if (message->retain() && !options.retain_available) return;
    if (message->expires()) {  // its lifetime begins now
        const auto lifetime = message->expires_at()->time_since_epoch();
        message = core::outgoing_message::restore(message->topic(), message->payload(), message->property_section(),
                                                  message->qos(), message->retain(), now.wall + lifetime);
    }
    router.publish(message, &session);
}

client_info info_of(const client_session& session) noexcept {
    client_info who;
    who.client_id = session.client_id;
    who.user_name = session.user_name;
    who.address = session.address;
    who.local = session.local;
    who.version = session.version;
    who.listener = session.listener;
    return who;
}

bool broker_state::may_receive(const client_session& session, std::string_view topic) const {
    return options.authenticator == nullptr || options.authenticator->may_receive(info_of(session), topic);
}

traffic_counters broker_state::present_traffic() const noexcept {
    traffic_counters sum = traffic;
    for (const auto& p : peers) {
        if (p != nullptr) sum.add(p->connection.count());
    }
    return sum;
}

// Sessions without a connection are looked at when they are resumed; until then may_receive() guards their queues.
void broker_state::apply_rights() {
    filters.invalidate();
    for (const auto& p : peers) {
        if (p != nullptr) with_memory(*p, [&] { p->apply_rights(); });
    }
}

// ---- engine

broker_engine::broker_engine(const broker_options& options, std::uint64_t seed, const instant& start, bool journal_on)
    : state_(options, seed, journal_on, start) {}

broker_engine::~broker_engine() = default;

bool broker_engine::restore(stored_state stored, const instant& now) {
    const turn here(*this, now);
    for (const core::retained_row& row : stored.retained) {
        if (row.message != nullptr && !row.message->expired(now.wall)) static_cast<void>(state_.kept.put(row.message));
    }
    return state_.table.restore(std::move(stored.sessions), state_.queue, now);
}

// ---- input

peer_id broker_engine::peer_opened(peer_info info, void* owner, const instant& now) {
    const turn here(*this, now);
    state_.reserve_peer();
    const auto at =
        state_.free_peers.empty() ? static_cast<std::uint32_t>(state_.peers.size()) : state_.free_peers.back();
    const peer_id id{static_cast<std::uint64_t>(++state_.last_peer_generation) << 32 | at};
    auto made = std::make_unique<peer>(state_, id, std::move(info), owner);
    if (state_.free_peers.empty()) {
        state_.peers.push_back(std::move(made));
    } else {
        state_.free_peers.pop_back();
        state_.peers[at] = std::move(made);
    }
    return id;
}

void broker_engine::set_identity(peer_id id, std::string identity) {
    if (peer* const p = state_.find(id)) p->set_identity(std::move(identity));
}

bool broker_engine::receive(peer_id id, std::string_view bytes, const instant& now) {
    peer* const p = state_.find(id);
    if (p == nullptr) return false;
    const turn here(*this, now);
    state_.traffic.bytes_received += bytes.size();
    state_.with_memory(*p, [&] { p->receive(bytes); });
    return p->wants_reading();
}

void broker_engine::keep_lent(peer& p) noexcept {
    try {
        p.connection.out().keep_lent();
    } catch (const std::bad_alloc&) {
        p.connection.out().clear();
        p.connection.fail({reason_code::quota_exceeded, {}, "no memory for its output"});
    }
}

void broker_engine::on_written(peer_id id, const instant& now) {
    peer* const p = state_.find(id);
    if (p == nullptr) return;
    const turn here(*this, now);
    count_written(*p, p->flushed_size);
    state_.with_memory(*p, [&] { drained(*p); });
}

void broker_engine::on_closed(peer_id id, const instant& now) {
    peer* const p = state_.find(id);
    if (p == nullptr) return;
    const turn here(*this, now);
    try {
        p->on_closed();
    } catch (const std::bad_alloc&) {
        p->end_surely();
    }
    if (p->dirty) state_.dirty[p->dirty_at] = nullptr;
    const auto at = static_cast<std::uint32_t>(id);
    state_.peers[at].reset();
    state_.free_peers.push_back(at);
    compact_timers();
}

void broker_engine::on_deadline(const instant& now) {
    const turn here(*this, now);
    for (deadlines::entry e; state_.timers.pop(now.steady, e);) {
        if (e.what == deadlines::kind::session) {
            on_session_deadline(e, now);
            continue;
        }
        peer* const p = state_.find(peer_id{e.whom});
        if (p == nullptr) continue;
        state_.with_memory(*p, [&] {
            p->looked_at = never;
            if (p->next_deadline() <= now.steady) p->on_deadline();
            state_.schedule(*p);
        });
    }
    try {
        if (state_.sys.is_due(now.steady)) state_.sys.publish(state_);
        state_.kept.expire(now.wall, [this](std::string_view topic) {
            if (state_.journal.on()) state_.journal.record(core::retained_row{std::string(topic), {}});
        });
    } catch (const std::bad_alloc&) {  // the rest follows the next time; an expired row is left out when it is loaded
        state_.relieve();
    }
}

// What memory does not suffice for is tried again in the next turn.
void broker_engine::on_session_deadline(const deadlines::entry& e, const instant& now) {
    for (int tries = 0;; ++tries) {
        try {
            return state_.table.on_deadline(e.whom, now);
        } catch (const std::bad_alloc&) {
            state_.relieve();
            if (tries == 2) return state_.timers.put_back(now.steady + std::chrono::seconds(1), e);
        }
    }
}

void broker_engine::on_committed(std::uint64_t number, const instant& now) {
    const turn here(*this, now);
    state_.journal.on_committed(number);
    state_.noted.swap(state_.waiting_for_store);
    for (const peer_id id : state_.noted) {
        if (peer* const p = state_.find(id)) state_.with_memory(*p, [&] { p->on_committed(); });
    }
    state_.noted.clear();
    if (state_.waiting_for_room.empty() || state_.journal.pending() > state_.options.store_backlog_max / 2) return;
    for (const peer_id id : std::exchange(state_.waiting_for_room, {})) {
        if (peer* const p = state_.find(id)) state_.with_memory(*p, [&] { p->on_store_room(); });
    }
}

void broker_engine::process_answers() {
    while (!state_.answers->answers.empty()) {
        auto answers = std::exchange(state_.answers->answers, {});
        for (auto& each : answers) {  // no structured binding: clang 14 does not let a lambda capture one
            peer* const p = state_.find(each.first);
            if (p != nullptr) state_.with_memory(*p, [&] { p->on_answer(std::move(each.second)); });
        }
    }
}

// ---- commands

void broker_engine::publish(const core::message_ref& message, const instant& now) {
    const turn here(*this, now);
    state_.router.publish(message, nullptr);
}

void broker_engine::shut_down(const instant& now) {
    const turn here(*this, now);
    // The wills first, while everybody can still get them.
    for (const auto& p : state_.peers) {
        if (p == nullptr || p->session == nullptr) continue;
        state_.with_memory(*p, [&] { state_.table.publish_due_will(*p->session); });
    }
    for (const auto& p : state_.peers) {
        if (p != nullptr) state_.with_memory(*p, [&] { p->shut_down(); });
    }
}

// ---- output

steady_time broker_engine::next_deadline() const noexcept {
    if (has_work()) return state_.now.steady;
    steady_time at = std::min(state_.timers.next(), state_.sys.next());
    if (const unix_time expiry = state_.kept.next_expiry(); expiry != unix_time::max()) {
        at = std::min(at, state_.now.steady + std::max(expiry - state_.now.wall, std::chrono::milliseconds(0)));
    }
    return at;
}

broker_counters broker_engine::count() const noexcept {
    std::size_t queued = 0;
    state_.table.for_each([&](const client_session& session) { queued += session.state.queue_count(); });
    return {.connections = state_.peers.size() - state_.free_peers.size(),
            .sessions = state_.table.count(),
            .sessions_connected = state_.open_count,
            .subscriptions = state_.filters.count(),
            .shared_subscriptions = state_.filters.shared_count(),
            .retained = state_.kept.count(),
            .retained_bytes = state_.kept.bytes(),
            .connections_accepted = state_.connections_accepted,
            .memory = state_.memory->bytes + state_.unsent,
            .queued = queued,
            .routed = state_.router.count(),
            .traffic = state_.present_traffic()};
}

// Connections that come and go faster than their deadlines leave entries behind.
void broker_engine::compact_timers() {
    const std::size_t alive = state_.peers.size() - state_.free_peers.size() + state_.table.count();
    if (state_.timers.size() <= 4 * alive + 1'024) return;
    state_.timers.compact([this](deadlines::kind what, std::uint64_t whom) {
        return what == deadlines::kind::peer ? state_.find(peer_id{whom}) == nullptr : state_.table.is_stale(whom);
    });
}

}  // namespace martlet::broker_impl
