#include "broker/sessions.hpp"

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

namespace martlet::broker_impl {

sessions::sessions(core::changes& journal, subscriptions& filters, deadlines& timers, std::uint64_t seed,
                   std::function<void(client_session&, const stored_will&)> publish_will)
    : journal_(&journal), filters_(&filters), timers_(&timers), hash_(seed), publish_will_(std::move(publish_will)) {}

sessions::~sessions() = default;

// ---- commands

sessions::begun sessions::begin(std::string_view client_id, bool clean_start, std::uint32_t expiry_interval,
                                protocol_version version, const core::queue_limits& limits, const instant& now) {
    client_session* session = find(client_id);
    // The timer may be late: what is over is over.
    if (session != nullptr && (clean_start || (session->expires_at && *session->expires_at <= now.wall))) {
        end(*session, now);  // [MQTT-3.1.2-4]
        session = nullptr;
    }
    const bool present = session != nullptr;
    if (present) {
        discard_will(*session);  // [MQTT-3.1.3-9]
    } else {
        session = &create(client_id, core::session_key{++last_key_}, limits);
    }
    assert(session->peer == nullptr);
    try {
        record(*session, expiry_interval, std::nullopt, version);
    } catch (const std::bad_alloc&) {
        if (!present) remove(*session);
        throw;
    }
    session->state.set_limits(limits);
    session->version = version;
    session->expiry_interval = expiry_interval;
    session->expires_at.reset();
    return {session, present};
}

void sessions::set_will(client_session& session, std::optional<stored_will> will) {
    if (will && journal_->on()) {
        journal_->record(core::will_row{session.state.key(), will->message, will->delay_interval});
    }
    session.will = std::move(will);
}

void sessions::discard_will(client_session& session) {
    if (!session.will) return;
    if (journal_->on()) journal_->record(core::erase_will{session.state.key()});
    session.will.reset();
    session.will_due = never;
}

void sessions::set_expiry(client_session& session, std::uint32_t interval) {
    record(session, interval, session.expires_at, session.version);
    session.expiry_interval = interval;
}

void sessions::release(client_session& session, const instant& now) {
    session.peer = nullptr;
    filters_->set_connected(session.index, false);
    if (session.expiry_interval == 0) return end(session, now);  // [MQTT-4.1.0-2]
    if (session.expiry_interval != expiry_never && !session.expires_at) {
        session.expires_at = now.wall + std::chrono::seconds(session.expiry_interval);
    }
    record(session, session.expiry_interval, session.expires_at, session.version);
    if (session.will && session.will->delay_interval == 0) {
        publish(session);
    } else if (session.will) {
        session.will_due = now.steady + std::chrono::seconds(session.will->delay_interval);
    }
    schedule(session, now);
}

void sessions::publish_due_will(client_session& session) {
    if (session.will && (session.will->delay_interval == 0 || session.expiry_interval == 0)) publish(session);
}

// Where memory is short it ends half done, with an exception; then it is called again, here or when its id is used.
void sessions::end(client_session& session, const instant& now) {
    assert(session.peer == nullptr);
    session.expires_at = now.wall;
    filters_->erase_all(session.index);
    session.walks.clear();
    publish(session);  // [MQTT-3.1.2-8]: the session's end is the latest moment
    session.state.clear();
    if (journal_->on()) journal_->record(core::erase_session{session.state.key()});
    remove(session);
}

void sessions::remove(client_session& session) noexcept {
    by_id_.erase(hash_(session.client_id), session.index);
    table_.remove(session.index);
}

void sessions::publish(client_session& session) {
    if (!session.will) return;
    if (journal_->on()) journal_->record(core::erase_will{session.state.key()});
    const stored_will will = *std::exchange(session.will, std::nullopt);  // never twice [MQTT-3.1.2-10]
    session.will_due = never;
    try {
        publish_will_(session, will);
    } catch (const std::bad_alloc&) {  // nobody has got it: what a receiver lacks memory for is that receiver's loss
        session.will = will;
        throw;
    }
}

// ---- deadlines

void sessions::schedule(client_session& session, const instant& now) {
    if (session.peer != nullptr) return;
    steady_time at = session.will_due;
    if (session.expires_at) {
        // The wall clock may be set while we wait; then the entry comes up too early, or is found late at begin().
        at = std::min(at, now.steady + std::max(*session.expires_at - now.wall, std::chrono::milliseconds(0)));
    }
    if (at == never || at >= session.looked_at) return;
    timers_->push(at, deadlines::kind::session, name_of(session));
    session.looked_at = at;
}

void sessions::on_deadline(std::uint64_t whom, const instant& now) {
    if (is_stale(whom)) return;
    client_session& session = *table_[static_cast<std::uint32_t>(whom)];
    session.looked_at = never;
    if (session.peer != nullptr) return;
    if (session.expires_at && *session.expires_at <= now.wall) {
        ++expired_count_;
        return end(session, now);
    }
    if (session.will_due <= now.steady) publish(session);
    schedule(session, now);
}

bool sessions::is_stale(std::uint64_t whom) const noexcept {
    const auto index = static_cast<std::uint32_t>(whom);
    return index >= table_.bound() || !table_[index] || name_of(*table_[index]) != whom;
}

// ---- a restart

bool sessions::restore(std::vector<stored_state::stored_session> rows, const core::queue_limits& limits,
                       const instant& now) {
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.row.session < b.row.session; });
    for (auto& stored : rows) {
        if (find(stored.row.client_id) != nullptr) return false;
        client_session& session = create(stored.row.client_id, stored.row.session, limits);
        last_key_ = std::max(last_key_, static_cast<std::uint64_t>(stored.row.session));
        if (!session.state.restore(std::move(stored.messages))) return false;
        session.version = stored.row.version;
        session.expiry_interval = stored.row.expiry_interval;
        session.expires_at = stored.row.expires_at;
        for (const auto& s : stored.subscriptions) {
            filters_->put(session.index, s.filter,
                          {s.qos, s.no_local, s.retain_as_published, s.retain_handling, s.identifier});
        }
        for (auto& w : stored.wills)
            session.will = stored_will{std::move(w.message), w.delay_interval};
    }
    // Only now, as wills go to other sessions. Who was connected lost its connection by the crash.
    for (std::uint32_t i = 0; i < table_.bound(); ++i) {
        if (!table_[i]) continue;
        client_session& session = *table_[i];
        const bool was_connected = !session.expires_at && session.expiry_interval != expiry_never;
        if (was_connected) {
            release(session, now);
            continue;
        }
        if (session.will) session.will_due = now.steady + std::chrono::seconds(session.will->delay_interval);
        schedule(session, now);
    }
    return true;
}

// ---- table

client_session* sessions::find(std::string_view client_id) {
    const std::uint32_t at =
        by_id_.find(hash_(client_id), [&](std::uint32_t i) { return table_[i]->client_id == client_id; });
    return at == hash_index::none ? nullptr : table_[at].get();
}

client_session& sessions::create(std::string_view client_id, core::session_key key, const core::queue_limits& limits) {
    auto made = std::make_unique<client_session>(*journal_, key, limits);
    made->client_id = client_id;
    made->generation = ++last_generation_;
    client_session& session = *made;
    by_id_.reserve(1);
    session.index = table_.add(std::move(made));
    by_id_.insert(hash_(client_id), session.index);
    return session;
}

void sessions::record(const client_session& session, std::uint32_t expiry_interval, std::optional<unix_time> expires_at,
                      protocol_version version) {
    if (!journal_->on()) return;
    journal_->record(core::session_row{session.state.key(), session.client_id, expiry_interval, expires_at, version});
}

}  // namespace martlet::broker_impl
