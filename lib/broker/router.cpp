#include "broker/router.hpp"

#include "broker/broker_state.hpp"
#include "core/wire.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <new>
#include <utility>

namespace martlet::broker_impl {

namespace {

/// A route with more receivers is not kept by its publisher: finding it again costs little beside so many copies.
constexpr std::size_t kept_receivers_max = 256;

}  // namespace

// ---- cache

namespace {

/// Its strings and vectors keep their memory.
void reuse(route& r, std::string_view topic) {
    r.topic.assign(topic);
    r.receivers.clear();
    r.groups.clear();
    r.generation = 0;
    r.same = 0;
    r.of_clients = false;
}

}  // namespace

route_ref route_cache::get(std::string_view topic) {
    if (slots_.empty()) slots_.resize(64 * ways);
    const std::uint32_t hash = hash_(topic);
    slot* const bucket = &slots_[(hash & (slots_.size() / ways - 1)) * ways];
    slot* victim = nullptr;
    for (slot* s = bucket; s != bucket + ways; ++s) {
        if (s->held == nullptr) {
            victim = s;
            break;
        }
        if (s->hash == hash && s->held->topic == topic) return s->held;
    }
    if (victim == nullptr) {
        if (++evictions_ > slots_.size() && slots_.size() < slots_max) {
            grow();
            return get(topic);
        }
        if (++turn_ % 8 != 0) {
            if (passing_ == nullptr || passing_->use_count() != 1) passing_ = new route;
            reuse(*passing_, topic);
            return passing_;
        }
        victim = bucket + turn_ / 8 % ways;
        receivers_ -= victim->held->receivers.size();
        if (victim->held->use_count() == 1) {
            victim->hash = hash;
            reuse(*victim->held, topic);
            return victim->held;
        }
    }
    victim->held = new route;
    victim->held->topic.assign(topic);
    victim->hash = hash;
    return victim->held;
}

route* route_cache::find(std::string_view topic) noexcept {
    if (slots_.empty()) return nullptr;
    const std::uint32_t hash = hash_(topic);
    slot* const bucket = &slots_[(hash & (slots_.size() / ways - 1)) * ways];
    for (slot* s = bucket; s != bucket + ways && s->held != nullptr; ++s)
        if (s->hash == hash && core::is_equal(s->held->topic, topic)) return s->held.get();
    return nullptr;
}

void route_cache::on_filled(std::size_t before, std::size_t after) {
    receivers_ += after - before;
    if (receivers_ <= receivers_max) return;
    slots_.assign(slots_.size(), {});
    receivers_ = 0;
}

void route_cache::grow() {
    std::vector<slot> old(slots_.size() * 2);
    old.swap(slots_);
    evictions_ = 0;
    receivers_ = 0;
    for (slot& s : old) {
        if (s.held == nullptr) continue;
        slot* const bucket = &slots_[(s.hash & (slots_.size() / ways - 1)) * ways];
        for (slot* to = bucket; to != bucket + ways; ++to) {
            if (to->held != nullptr) continue;
            receivers_ += s.held->receivers.size();
            *to = std::move(s);
            break;
        }
    }
}

// ---- router

/// A message on its way through, in whichever form it came; as an object only when somebody needs one.
struct router::publication {
    broker_state& state;
    const packets::publish* packet;  // null: a message of our own
    core::message_ref message;
    std::string_view topic;
    std::string_view payload;
    const client_session* from;
    peer* publisher;
    martlet::qos qos;
    bool retain;
    bool lost = false;            ///< a receiver could not have its copy for want of memory
    std::string_view plain = {};  ///< a plain packet at QoS 1 or 2, all of it, and `message` made of it
    std::size_t id_at = 0;        ///< where its packet id stands

    const core::message_ref& object() {
        if (!message) message = state.make_message(*packet, state.now.wall);
        return message;
    }
};

reason_code router::publish(peer& from, const packets::publish& message, std::string_view packet) {
    route* r = from.last_route.get();
    if (r == nullptr || r->generation != state_->filters.generation() || r->topic != message.topic ||
        (state_->options.authenticator != nullptr &&
         from.rights_generation != state_->options.authenticator->rights_generation())) [[unlikely]] {
        r = find_route(from, message.topic);
    }
    if (!from.may_publish) [[unlikely]]
        return reason_code::not_authorized;
    if (state_->is_memory_full()) [[unlikely]] {
        ++counters_.dropped_memory;
        return reason_code::quota_exceeded;
    }

    publication what{*state_,      &message, {},          message.topic, message.payload,
                     from.session, &from,    message.qos, message.retain};
    if (message.retain) [[unlikely]]
        retain(what);
    const bool as_it_came = message.qos == qos::at_most_once && !message.retain &&
                            packet.size() < core::output::share_size_min && !message.topic_alias &&
                            !message.properties.message_expiry_interval;
    let_catch_up(*r, from);
    if (!as_it_came || !r->groups.empty()) {
        const bool any = route_to(what, *r);
        if (what.lost) [[unlikely]]
            return reason_code::quota_exceeded;
        return any ? reason_code::success : reason_code::no_matching_subscribers;
    }

    for (const receiver& to : r->receivers)
        pass_on(what, to, packet);
    return reason_code::success;
}

const route* router::known_route(peer& from, std::string_view topic) noexcept {
    const auto* const rights = state_->options.authenticator.get();
    route* r = from.last_route.get();
    if (r != nullptr && r->generation == state_->filters.generation() && core::is_equal(r->topic, topic)) {
        return rights == nullptr || from.rights_generation == rights->rights_generation() ? r : nullptr;
    }
    if (rights != nullptr) return nullptr;
    r = cache_.find(topic);
    if (r == nullptr || !r->of_clients || r->generation != state_->filters.generation() ||
        r->receivers.size() > kept_receivers_max) {
        return nullptr;
    }
    from.may_publish = !topic.starts_with("$SYS/");
    from.last_route.reset(r);
    return r;
}

std::size_t router::count_same_way(const peer& from, const route& r,
                                   std::span<const core::plain_packet> messages) noexcept {
    assert(messages.size() <= same_way_max);
    if (r.same == 0 || !from.may_publish || state_->options.authenticator != nullptr) return 0;
    std::array<std::uint32_t, same_way_max> hashes;
    for (std::size_t i = 0; i != messages.size(); ++i)
        hashes[i] = cache_.prefetch(messages[i].topic);
    std::array<const route*, same_way_max> found;
    for (std::size_t i = 0; i != messages.size(); ++i)
        found[i] = cache_.peek(hashes[i]);
    for (std::size_t i = 0; i != messages.size(); ++i) {
        const std::string_view topic = messages[i].topic;
        const route* other = found[i];
        if (other == nullptr || !core::is_equal(other->topic, topic)) other = cache_.find(topic);
        if (other == nullptr || other->same != r.same || !other->of_clients) {
            return i;
        }
    }
    return messages.size();
}

// Who can get the packets as they are gets all of them at once; for the others each message is looked at. Our peer has seen
// that nobody's output comes to its bound by them.
void router::publish(peer& from, const core::plain_run& run, const core::plain_cutter& cutter, const route& r) {
    if (!from.may_publish) [[unlikely]]
        return;
    if (state_->is_memory_full()) [[unlikely]] {
        counters_.dropped_memory += run.count;
        return;
    }
    others_.clear();
    for (const receiver& to : r.receivers) {
        peer* const p = to.session->peer;
        if (p == nullptr || !to.plain || p->forward_class != from.version_class ||
            !p->connection.fits(run.packet_size_max)) [[unlikely]] {
            others_.push_back(&to);
            continue;
        }
        p->connection.forward(run.packets, run.count, state_->lends_input);
        counters_.count_delivery(run.payload_size, run.count);
        p->mark_dirty();
    }
    let_catch_up(r, from);
    if (others_.empty() && r.groups.empty()) return;

    packets::publish message;
    for (std::string_view rest = run.packets; !rest.empty();) {
        const core::plain_packet one = cutter.cut(rest);
        const std::string_view packet = rest.substr(0, one.size);
        rest.remove_prefix(one.size);
        message.topic = one.topic;
        message.payload = packet.substr(one.size - one.payload_size);
        publication what{*state_,      &message, {},          message.topic, message.payload,
                         from.session, &from,    message.qos, message.retain};
        for (const receiver* const to : others_)
            pass_on(what, *to, packet);
        route_to_groups(what, r);
    }
}

bool router::publish(peer& from, const core::plain_packet& message, std::string_view packet, martlet::qos qos,
                     const route& r) {
    if (r.receivers.empty() && r.groups.empty()) return true;
    const std::string_view payload = packet.substr(message.size - message.payload_size);
    publication what{*state_, nullptr, {}, message.topic, payload, from.session, &from, qos, false};
    // Before anybody has got it: what fails here fails for the publisher, who sends it again.
    what.message = state_->make_message(message.topic, payload, qos);
    what.plain = packet;
    what.id_at = static_cast<std::size_t>(message.topic.data() - packet.data()) + message.topic.size();
    for (const receiver& to : r.receivers)
        deliver(what, to);
    if (!r.groups.empty()) route_to_groups(what, r);
    return !what.lost;
}

// Copied as it came, if that can be.
void router::pass_on(publication& what, const receiver& to, std::string_view packet) {
    peer* const p = to.session->peer;
    if (p == nullptr || !to.plain || p->forward_class != what.publisher->version_class ||
        !p->connection.fits(packet.size())) {
        deliver(what, to);
        return;
    }
    if (p->connection.out().size() >= state_->options.output_bytes_max && is_full(*p, what.publisher)) [[unlikely]]
        return;
    p->connection.forward(packet);
    counters_.count_delivery(what.payload.size());
    p->mark_dirty();
}

void router::publish(const core::message_ref& message, const client_session* from) {
    publication what{*state_, nullptr, message,        message->topic(), message->payload(),
                     from,    nullptr, message->qos(), message->retain()};
    if (message->retain()) retain(what);
    const route_ref r = cache_.get(message->topic());
    if (r->generation != state_->filters.generation()) fill(*r);
    route_to(what, *r);
}

route* router::find_route(peer& from, std::string_view topic) {
    route_ref found = cache_.get(topic);
    if (found->generation != state_->filters.generation()) fill(*found);
    from.may_publish = !topic.starts_with("$SYS/");
    if (auto* const rights = state_->options.authenticator.get()) {
        from.rights_generation = rights->rights_generation();
        from.may_publish = from.may_publish && rights->may_publish(from.info(), topic);
    }
    found->of_clients = true;
    // The publisher keeps it, so that the next message of the topic finds it without a hash.
    route* const r = found.get();
    if (found->receivers.size() <= kept_receivers_max && found.get() != cache_.passing()) {
        from.last_route = std::move(found);
    } else {
        from.last_route.reset();
        if (found.get() != cache_.passing()) own_route_ = std::move(found);  // the cache may let it go while it is used
    }
    return r;
}

void router::fill(route& r) {
    state_->filters.find(r.topic, found_);
    const std::size_t before = r.receivers.size();
    r.receivers.clear();
    r.receivers.reserve(found_.sessions.size());
    for (match& m : found_.sessions) {
        if (!state_->may_receive(state_->table.at(m.session), r.topic)) continue;
        receiver& to = r.receivers.emplace_back();
        to.session = &state_->table.at(m.session);
        to.qos = m.qos;
        to.scope = m.scope;
        to.retain_as_published = m.retain_as_published;
        to.plain = m.scope == match_scope::all && m.identifiers.empty();
        if (!m.identifiers.empty()) to.identifiers = new core::identifier_list(std::move(m.identifiers));
    }
    r.groups = found_.groups;
    r.generation = state_->filters.generation();
    r.same = 0;
    if (&r == cache_.passing()) return;
    number(r);
    cache_.on_filled(before, r.receivers.size());
}

namespace {

bool is_same(const receiver& a, const receiver& b) noexcept {
    return a.session == b.session && a.qos == b.qos && a.scope == b.scope && a.identifiers == b.identifiers &&
           a.retain_as_published == b.retain_as_published;
}

}  // namespace

// Most topics go to the same receivers as some other topic: those of one wildcard. One that is not recognized has a number
// of its own, which only costs time.
void router::number(route& r) {
    if (!r.groups.empty() || r.topic.starts_with('$')) return;
    std::uint64_t hash = r.receivers.size();
    for (const receiver& to : r.receivers)
        hash = (hash ^ to.session->index) * 0x9E37'79B9'7F4A'7C15;
    route_ref& known = numbered_[hash >> 58];
    if (known != nullptr && known->generation == r.generation && known->same != 0 &&
        std::equal(r.receivers.begin(), r.receivers.end(), known->receivers.begin(), known->receivers.end(),
                   [](auto& a, auto& b) { return is_same(a, b); })) {
        r.same = known->same;
        return;
    }
    r.same = ++last_number_;
    known.reset(&r);
}

// [MQTT-3.3.1-5] to [MQTT-3.3.1-8].
void router::retain(publication& what) {
    core::changes& journal = state_->journal;
    const bool stores = journal.on() && !what.topic.starts_with("$SYS/");  // those are told anew after a restart
    if (what.payload.empty()) {
        if (state_->kept.erase(what.topic) && stores) {
            journal.record(core::retained_row{std::string(what.topic), {}});
        }
        return;
    }
    const bool stored = state_->kept.put(what.object());
    counters_.retained_refused += !stored;
    if (stores) {
        journal.record(core::retained_row{std::string(what.topic), stored ? what.object() : core::message_ref()});
    }
}

bool router::route_to(publication& what, const route& r) {
    bool any = false;
    // Before anybody has got it: what fails here fails for the publisher, who sends it again.
    if (what.qos != qos::at_most_once && !(r.receivers.empty() && r.groups.empty())) static_cast<void>(what.object());
    for (const receiver& to : r.receivers)
        any |= deliver(what, to);
    return route_to_groups(what, r) || any;
}

bool router::route_to_groups(publication& what, const route& r) {
    bool any = false;
    for (const group_index group : r.groups) {
        const auto forbidden = [&](session_index index) {
            return !state_->may_receive(state_->table.at(index), what.topic);
        };
        const auto busy = [&](session_index index) {
            const client_session& s = state_->table.at(index);
            if (forbidden(index)) return true;
            return s.peer != nullptr && (s.state.queue_count() != 0 ||
                                         s.peer->connection.out().size() >= state_->options.output_bytes_max / 2);
        };
        chosen_member member = state_->filters.choose(group, busy);
        if (forbidden(member.session)) {  // all are busy, or not allowed to: rather a busy one
            member = state_->filters.choose(group, forbidden);
            if (forbidden(member.session)) continue;
        }
        receiver to;
        to.session = &state_->table.at(member.session);
        to.qos = member.options.qos;
        to.retain_as_published = member.options.retain_as_published;
        if (member.options.identifier != 0) {
            to.identifiers = new core::identifier_list(std::vector<std::uint32_t>{member.options.identifier});
        }
        any |= deliver(what, to);
    }
    return any;
}

// True if the session is one of the message's receivers, whatever becomes of its copy.
bool router::deliver(publication& what, const receiver& to) {
    try {
        return hand_over(what, to);
    } catch (const std::bad_alloc&) {
        state_->relieve();
        return deliver_without_memory(what, to);
    }
}

// Either the session has its copy, and only the connection does not know how to go on; or nothing has happened yet, and
// what cannot be given a second time either is lost for this receiver: counted, and told to the publisher.
bool router::deliver_without_memory(publication& what, const receiver& to) {
    const bool is_promise = min(what.qos, to.qos) != qos::at_most_once;
    peer* const p = to.session->peer;
    if (is_promise && p != nullptr && p->connection.has_unsent_entry()) {
        p->break_off();
        return true;
    }
    try {
        return hand_over(what, to);
    } catch (const std::bad_alloc&) {
        if (is_promise && p != nullptr && p->connection.has_unsent_entry()) {
            p->break_off();
            return true;
        }
        ++counters_.dropped_memory;
        what.lost = what.lost || is_promise;
        return true;
    }
}

bool router::hand_over(publication& what, const receiver& to) {
    client_session& session = *to.session;
    if (to.scope != match_scope::all && (to.scope == match_scope::own) != (what.from == &session)) return false;
    peer* const p = session.peer;
    const auto q = min(what.qos, to.qos);  // [MQTT-3.8.4-8]
    const bool retain = what.retain && to.retain_as_published;

    if (q == qos::at_most_once) {
        if (p == nullptr || !p->connection.is_open()) {
            if (session.state.limits().keep_qos_0 &&
                session.state.enqueue({what.object(), to.identifiers, 0, q, retain})) {
                counters_.count_delivery(what.payload.size());
            }
            return true;
        }
        if (p->connection.out().size() >= state_->options.output_bytes_max && is_full(*p, what.publisher)) return true;
        const bool as_object =
            to.identifiers != nullptr || what.message != nullptr || what.payload.size() >= core::output::share_size_min;
        const auto result = as_object
                                ? p->connection.send({what.object(), to.identifiers, 0, q, retain})
                                : p->connection.send_qos_0(what.topic, what.payload, retain, what.packet->properties);
        if (result == core::send_result::dropped) {
            ++counters_.dropped_other;
        } else {
            counters_.count_delivery(what.payload.size());
        }
        p->mark_dirty();
        return true;
    }

    if (p == nullptr) {
        if (session.state.enqueue({what.object(), to.identifiers, 0, q, retain})) {
            counters_.count_delivery(what.payload.size());
        } else {
            ++counters_.dropped_queue;
        }
        return true;
    }
    if (!what.plain.empty() && to.plain && q == what.qos && p->forward_class == what.publisher->version_class &&
        p->connection.send_as_it_came(what.message, what.plain, what.id_at, q)) {
        counters_.count_delivery(what.payload.size());
        p->mark_dirty();
        return true;
    }
    const auto full_at = state_->queue.count_max - state_->queue.count_max / 8;
    if (state_->options.on_full == full_policy::stop_reading && what.publisher != nullptr &&
        (session.state.queue_count() >= full_at ||
         session.state.queue_bytes() >= state_->queue.bytes_max - state_->queue.bytes_max / 8)) {
        what.publisher->wait_for(*p);
    }
    const std::uint64_t dropped = session.state.dropped_count();
    if (p->connection.send({what.object(), to.identifiers, 0, q, retain}) != core::send_result::dropped) {
        counters_.count_delivery(what.payload.size());
    } else if (session.state.dropped_count() != dropped) {
        ++counters_.dropped_queue;
    } else {
        ++counters_.dropped_other;
    }
    p->mark_dirty();
    p->note_waiting();
    return true;
}

// If nobody who gets these messages can take more just now, there is no hurry to read more of them.
void router::let_catch_up(const route& r, peer& from) {
    peer* last = nullptr;
    for (const receiver& to : r.receivers) {
        last = to.session->peer;
        if (last == nullptr || !last->is_behind()) return;
    }
    if (last != nullptr) from.take_breath(*last);
}

// The output of `to` is at its bound. True if the message is to be dropped; otherwise its publisher waits, and what it
// has sent goes out all the same.
bool router::is_full(peer& to, peer* from) {
    if (state_->options.on_full == full_policy::stop_reading && from != nullptr) {
        from->wait_for(to);
        return false;
    }
    ++counters_.dropped_full;
    return true;
}

}  // namespace martlet::broker_impl
