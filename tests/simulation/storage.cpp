#include "simulation/storage.hpp"

#include <algorithm>

namespace martlet::simulation {

namespace {

template <class Map>
void erase_of(Map& map, core::session_key session) {
    std::erase_if(map, [&](const auto& entry) { return entry.first.first == session; });
}

}  // namespace

void disk::write(core::change_batch batch, sim_time done) {
    if (!pending_.empty()) done = std::max(done, pending_.back().done);
    pending_.push_back({done, std::move(batch)});
}

std::uint64_t disk::complete(sim_time now) {
    std::uint64_t number = 0;
    while (!pending_.empty() && pending_.front().done <= now) {
        for (const core::change& row : pending_.front().batch.rows)
            apply(row);
        number = pending_.front().batch.number;
        pending_.pop_front();
    }
    return number;
}

void disk::crash(std::size_t kept) {
    for (std::size_t i = 0; i != std::min(kept, pending_.size()); ++i) {
        for (const core::change& row : pending_[i].batch.rows)
            apply(row);
    }
    pending_.clear();
}

void disk::apply(const core::change& row) {
    struct visitor {
        disk& d;
        void operator()(const core::session_row& r) const {
            core::session_row& stored = d.sessions_[r.session];
            if (stored.epoch != r.epoch) erase_of(d.received_, r.session);
            stored = r;
        }
        void operator()(const core::subscription_row& r) const { d.subscriptions_[{r.session, r.filter}] = r; }
        void operator()(const core::outgoing_row& r) const { d.outgoing_[{r.session, r.order}] = r; }
        void operator()(const core::received_row& r) const { d.received_[{r.session, to_number(r.id)}] = r; }
        void operator()(const core::retained_row& r) const {
            if (r.message) {
                d.retained_[r.topic] = r;
            } else {
                d.retained_.erase(r.topic);
            }
        }
        void operator()(const core::will_row& r) const { d.wills_[r.session] = r; }
        void operator()(const core::erase_session& r) const {
            d.sessions_.erase(r.session);
            d.wills_.erase(r.session);
            erase_of(d.subscriptions_, r.session);
            erase_of(d.outgoing_, r.session);
            erase_of(d.received_, r.session);
        }
        void operator()(const core::erase_subscription& r) const { d.subscriptions_.erase({r.session, r.filter}); }
        void operator()(const core::erase_outgoing& r) const { d.outgoing_.erase({r.session, r.order}); }
        void operator()(const core::erase_received& r) const { d.received_.erase({r.session, to_number(r.id)}); }
        void operator()(const core::erase_will& r) const { d.wills_.erase(r.session); }
        void operator()(const core::erase_enqueued&) const {}
    };
    std::visit(visitor{*this}, row);
}

stored_state disk::load() const {
    stored_state state;
    std::map<core::session_key, stored_state::stored_session> sessions;
    for (const auto& [key, row] : sessions_)
        sessions[key].row = row;
    for (const auto& [key, row] : outgoing_)
        sessions[key.first].messages.outgoing.push_back(row);
    for (const auto& [key, row] : received_)
        sessions[key.first].messages.received.push_back(row);
    for (const auto& [key, row] : subscriptions_)
        sessions[key.first].subscriptions.push_back(row);
    for (const auto& [key, row] : wills_)
        sessions[key].wills.push_back(row);
    for (auto& [key, session] : sessions)
        state.sessions.push_back(std::move(session));
    for (const auto& [topic, row] : retained_)
        state.retained.push_back(row);
    return state;
}

bool disk::has_outgoing(core::session_key session, std::string_view payload) const {
    for (auto it = outgoing_.lower_bound({session, 0}); it != outgoing_.end() && it->first.first == session; ++it) {
        const auto& message = it->second.what.message;
        if (message && message->payload() == payload) return true;
    }
    return false;
}

}  // namespace martlet::simulation
