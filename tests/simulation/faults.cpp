// What goes wrong in the simulated world, and the end of that.
#include "simulation/world.hpp"

#include <utility>

namespace martlet::simulation {

void world::inject() {
    if (healed_) return;
    schedule(now_ + static_cast<sim_time>(random_.between(20'000, 1'500'000)), event_kind::fault);
    enum class kind { cut, silence, client, broker, move, away, farewell };
    std::vector<kind> kinds;
    if (what_.cuts) kinds.push_back(kind::cut);
    if (what_.silence) kinds.push_back(kind::silence);
    if (what_.client_restarts) kinds.push_back(kind::client);
    if (what_.broker_restarts) kinds.push_back(kind::broker);
    if (what_.take_overs) kinds.push_back(kind::move);
    if (what_.session_expiry) kinds.push_back(kind::away);
    if (what_.farewells) kinds.push_back(kind::farewell);
    const auto i = static_cast<std::uint32_t>(random_.below(clients_.size()));
    client_host& c = clients_[i];
    switch (kinds[random_.below(kinds.size())]) {
        case kind::cut:
            if (c.link == ~0u) return;
            ++faults_;
            break_link(c.link);
            return;
        case kind::silence:
            if (c.link == ~0u) return;
            ++faults_;
            if (random_.chance(60)) links_[c.link].up.silent = true;
            if (random_.chance(60)) links_[c.link].down.silent = true;
            if (tracing_) trace(c.name + " ──…── broker falls silent");
            return;
        case kind::client: return crash_client(i);
        case kind::broker: return crash_broker();
        case kind::move: return move_client(i);
        case kind::away:
            if (!is_subscriber(i)) return;
            ++faults_;
            c.away_until = now_ + static_cast<sim_time>(random_.between(100'000, 4'000'000));
            if (tracing_) trace(c.name + " stays away");
            if (c.link != ~0u) break_link(c.link);
            return;
        case kind::farewell:
            if (is_subscriber(i) || !c.up) return;
            ++faults_;
            c.engine->set_time(present());
            (void)c.engine->disconnect({}, {});
            return settle_client(i);
    }
}

// The client is in another network: it notices and comes back by a new link, while the broker still has the old one, on
// which things may be under way.
void world::move_client(std::uint32_t i) {
    client_host& c = clients_[i];
    if (!c.up || c.link == ~0u) return;
    ++faults_;
    if (tracing_) trace(c.name + " moves");
    const std::uint32_t number = std::exchange(c.link, ~0u);
    link& l = links_[number];
    l.client_end_open = false;
    l.down.silent = true;
    schedule(now_ + static_cast<sim_time>(random_.between(20'000, 4'000'000)), event_kind::link_closed_at_broker,
             number);
    c.engine->set_time(present());
    c.engine->on_link_closed(make_error_code(errc::connection_closed));
    settle_client(i);
}

void world::heal() {
    healed_ = true;
    if (tracing_) trace("no more faults");
    for (link& l : links_) {
        // What fell silent stays so until an end notices: that, too, has to come to a good end.
        l.up.capacity = l.down.capacity = 64 * 1024;
    }
    for (std::uint32_t number = 0; number != links_.size(); ++number) {
        flush_peer(number);
        const std::uint32_t i = links_[number].client;
        if (clients_[i].up && clients_[i].link == number) {
            clients_[i].engine->set_time(present());
            settle_client(i);
        }
    }
}

}  // namespace martlet::simulation
