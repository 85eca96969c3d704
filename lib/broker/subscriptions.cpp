#include "broker/subscriptions.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

namespace martlet::broker_impl {

namespace {

constexpr std::uint8_t no_local_bit = 0x04;
constexpr std::uint8_t retain_as_published_bit = 0x08;

std::uint8_t pack(const subscription_options& options) noexcept {
    return static_cast<std::uint8_t>(to_number(options.qos) | (options.no_local ? no_local_bit : 0) |
                                     (options.retain_as_published ? retain_as_published_bit : 0) |
                                     static_cast<int>(options.retain_handling) << 4);
}

}  // namespace

subscriptions::subscriptions(std::uint64_t seed) : tree_(string_hash(seed)) { nodes_.resize(1); }

// -- commands

bool subscriptions::put(session_index session, std::string_view filter, const subscription_options& options) {
    ++generation_;
    entries_.reserve(1);
    entry_index_.reserve(1);
    static_cast<void>(data_of(session));
    std::uint32_t owner = none;  // with an owner nothing can fail any more
    if (const auto shared = split_shared_filter(filter)) {
        owner = add_group(shared->group, shared->filter) | group_bit;
    } else {
        owner = add_filter(filter);
    }

    std::uint32_t at = find_entry(session, owner);
    const bool is_new = at == none;
    if (is_new) {
        at = entries_.add();
        entry& e = entries_[at];
        e.session = session;
        e.owner = owner;
        session_data& data = data_of(session);
        ++data.count;
        const bool shared = (owner & group_bit) != 0;
        shared_count_ += shared;
        link(list_of(e), &entry::in_owner, at);
        link(shared ? data.shared : data.plain, &entry::in_session, at);
        entry_index_.insert(tree_.hash()(session, owner), at);
    }
    entries_[at].options = pack(options);
    entries_[at].identifier = options.identifier;
    return is_new;
}

bool subscriptions::erase(session_index session, std::string_view filter) {
    const std::uint32_t owner = find_owner(filter);
    const std::uint32_t at = owner == none ? none : find_entry(session, owner);
    if (at == none) return false;
    remove_entry(at);
    return true;
}

void subscriptions::erase_all(session_index session) {
    if (session >= sessions_.size()) return;
    while (sessions_[session].plain.head != none)
        remove_entry(sessions_[session].plain.head);
    while (sessions_[session].shared.head != none)
        remove_entry(sessions_[session].shared.head);
}

void subscriptions::set_connected(session_index session, bool connected) {
    session_data& data = data_of(session);
    if (data.connected == connected) return;
    for (std::uint32_t at = data.shared.head; at != none; at = entries_[at].in_session.next) {
        unlink(list_of(entries_[at]), &entry::in_owner, at);
    }
    data.connected = connected;
    for (std::uint32_t at = data.shared.head; at != none; at = entries_[at].in_session.next) {
        link(list_of(entries_[at]), &entry::in_owner, at);
    }
}

// -- queries

void subscriptions::find(std::string_view topic, match_result& out) {
    out.sessions.clear();
    out.groups.clear();
    hits_.clear();

    const std::uint32_t exact = find_filter(topic, tree_.hash()(topic));
    if (exact != none && filters_[exact].node == none) hit(exact, out);
    walk(topic, out);

    try {
        merge_hits(out);
    } catch (const std::bad_alloc&) {
        for (const std::uint32_t at : hits_)
            sessions_[entries_[at].session].no_local_hit = false;
        throw;
    }
}

void subscriptions::merge_hits(match_result& out) {
    ++mark_;
    bool no_local = false;
    for (const std::uint32_t at : hits_) {
        const entry& e = entries_[at];
        merge(e, match_scope::all, out);
        if ((e.options & no_local_bit) != 0) {
            no_local = true;
            sessions_[e.session].no_local_hit = true;
            out.sessions[sessions_[e.session].match_at].scope = match_scope::others;
        }
    }
    if (!no_local) return;

    // What such a session publishes itself it gets by its subscriptions without No Local, if it has any.
    ++mark_;
    const std::size_t count = out.sessions.size();
    for (const std::uint32_t at : hits_) {
        const entry& e = entries_[at];
        if (sessions_[e.session].no_local_hit && (e.options & no_local_bit) == 0) merge(e, match_scope::own, out);
    }
    for (std::size_t i = 0; i < count; ++i)
        sessions_[out.sessions[i].session].no_local_hit = false;
}

// Level by level from the root; `reached_` holds the nodes that the levels so far lead to.
void subscriptions::walk(std::string_view topic, match_result& out) {
    if (tree_.size() == 1 && nodes_[0].hash_filter == none) return;
    bool may_be_wildcard = topic.front() != '$';  // [MQTT-4.7.2-1]; from the second level on always
    reached_.assign(1, topic_tree::root);
    level_reader levels(topic);
    std::string_view level;
    while (levels.next(level)) {
        const std::uint32_t level_hash = tree_.hash()(level);
        next_reached_.clear();
        for (const auto node : reached_) {
            const node_data& data = nodes_[node];
            if (may_be_wildcard) {
                if (data.hash_filter != none) hit(data.hash_filter, out);
                if (data.plus != none) next_reached_.push_back(data.plus);
            }
            if (data.literal_children == 0) continue;
            if (const auto child = tree_.child(node, level, level_hash); child != none) next_reached_.push_back(child);
        }
        if (next_reached_.empty()) return;
        reached_.swap(next_reached_);
        may_be_wildcard = true;
    }
    for (const auto node : reached_) {
        if (nodes_[node].filter != none) hit(nodes_[node].filter, out);
        if (nodes_[node].hash_filter != none) hit(nodes_[node].hash_filter, out);  // "a/#" matches "a"
    }
}

void subscriptions::hit(std::uint32_t at, match_result& out) {
    const filter_row& f = filters_[at];
    for (std::uint32_t e = f.entries.head; e != none; e = entries_[e].in_owner.next)
        hits_.push_back(e);
    for (std::uint32_t g = f.first_group; g != none; g = groups_[g].in_filter.next)
        out.groups.push_back(g);
}

void subscriptions::merge(const entry& e, match_scope scope, match_result& out) {
    session_data& data = sessions_[e.session];
    if (data.mark != mark_) {
        data.mark = mark_;
        data.match_at = static_cast<std::uint32_t>(out.sessions.size());
        out.sessions.emplace_back();
        out.sessions.back().session = e.session;
        out.sessions.back().scope = scope;
    }
    match& m = out.sessions[data.match_at];
    const auto options = options_of(e);
    m.qos = std::max(m.qos, options.qos);
    m.retain_as_published |= options.retain_as_published;
    if (options.identifier != 0) m.identifiers.push_back(options.identifier);
}

std::optional<subscription_options> subscriptions::get(session_index session, std::string_view filter) const {
    const std::uint32_t owner = find_owner(filter);
    const std::uint32_t at = owner == none ? none : find_entry(session, owner);
    if (at == none) return std::nullopt;
    return options_of(entries_[at]);
}

std::size_t subscriptions::memory() const noexcept {
    return tree_.memory() + nodes_.capacity() * sizeof(node_data) + filters_.memory() + filter_index_.memory() +
           groups_.memory() + group_index_.memory() + entries_.memory() + entry_index_.memory() +
           sessions_.capacity() * sizeof(session_data);
}

// -- filters, groups, entries

subscription_options subscriptions::options_of(const entry& e) noexcept {
    return {.qos = static_cast<martlet::qos>(e.options & 0x03),
            .no_local = (e.options & no_local_bit) != 0,
            .retain_as_published = (e.options & retain_as_published_bit) != 0,
            .retain_handling = static_cast<martlet::retain_handling>(e.options >> 4),
            .identifier = e.identifier};
}

std::uint32_t subscriptions::find_filter(std::string_view text, std::uint32_t hash) const {
    return filter_index_.find(hash, [&](std::uint32_t at) { return filters_[at].text.view() == text; });
}

std::uint32_t subscriptions::add_filter(std::string_view text) {
    const std::uint32_t hash = tree_.hash()(text);
    if (const std::uint32_t found = find_filter(text, hash); found != none) return found;

    short_text kept(text);
    filter_index_.reserve(1);
    filters_.reserve(1);
    auto node = topic_tree::none;
    bool ends_in_hash = false;
    if (has_wildcard(text)) node = add_path(text, ends_in_hash);

    const std::uint32_t at = filters_.add();  // from here on nothing can fail
    filter_row& f = filters_[at];
    f.text = std::move(kept);
    f.node = node;
    f.ends_in_hash = ends_in_hash;
    filter_index_.insert(hash, at);
    if (node != topic_tree::none) (ends_in_hash ? nodes_[node].hash_filter : nodes_[node].filter) = at;
    return at;
}

// The node of a filter's last level; a last '#' has none of its own.
topic_tree::node_id subscriptions::add_path(std::string_view text, bool& ends_in_hash) {
    auto node = topic_tree::root;
    level_reader levels(text);
    try {
        for (std::string_view level; levels.next(level);) {
            ends_in_hash = level == "#";
            if (ends_in_hash) break;
            if (nodes_.size() <= tree_.bound()) nodes_.resize(tree_.bound() + 1);
            const auto child = tree_.add(node, level);
            const bool is_new =
                nodes_[child].filter == none && nodes_[child].hash_filter == none && tree_.is_leaf(child);
            if (level == "+") {
                nodes_[node].plus = child;
            } else if (is_new) {
                ++nodes_[node].literal_children;
            }
            node = child;
        }
    } catch (const std::bad_alloc&) {
        remove_path(node);
        throw;
    }
    return node;
}

void subscriptions::remove_filter_if_unused(std::uint32_t at) noexcept {
    filter_row& f = filters_[at];
    if (f.entries.count != 0 || f.first_group != none) return;
    filter_index_.erase(tree_.hash()(f.text.view()), at);
    const auto node = f.node;
    if (node != topic_tree::none) (f.ends_in_hash ? nodes_[node].hash_filter : nodes_[node].filter) = none;
    filters_.remove(at);
    remove_path(node);
}

// The nodes from here upwards that lead to nothing any more.
void subscriptions::remove_path(topic_tree::node_id node) noexcept {
    while (node != topic_tree::none && node != topic_tree::root && tree_.is_leaf(node) && nodes_[node].filter == none &&
           nodes_[node].hash_filter == none) {
        const auto parent = tree_.parent(node);
        if (nodes_[parent].plus == node) {
            nodes_[parent].plus = none;
        } else {
            --nodes_[parent].literal_children;
        }
        tree_.remove(node);
        node = parent;
    }
}

std::uint32_t subscriptions::group_hash(std::string_view name, std::uint32_t filter) const {
    return tree_.hash()(tree_.hash()(name), filter);
}

std::uint32_t subscriptions::find_group(std::string_view name, std::uint32_t filter) const {
    return group_index_.find(group_hash(name, filter), [&](std::uint32_t at) {
        return groups_[at].filter == filter && groups_[at].name.view() == name;
    });
}

std::uint32_t subscriptions::add_group(std::string_view name, std::string_view text) {
    short_text kept(name);
    groups_.reserve(1);
    group_index_.reserve(1);
    const std::uint32_t filter = add_filter(text);
    if (const std::uint32_t found = find_group(name, filter); found != none) return found;
    const std::uint32_t at = groups_.add();
    groups_[at].name = std::move(kept);
    groups_[at].filter = filter;
    group_index_.insert(group_hash(name, filter), at);
    std::uint32_t& first = filters_[filter].first_group;
    groups_[at].in_filter.next = first;
    if (first != none) groups_[first].in_filter.previous = at;
    first = at;
    return at;
}

void subscriptions::remove_group(std::uint32_t at) noexcept {
    const group_row& g = groups_[at];
    const std::uint32_t of = g.filter;
    group_index_.erase(group_hash(g.name.view(), of), at);
    if (g.in_filter.next != none) groups_[g.in_filter.next].in_filter.previous = g.in_filter.previous;
    if (g.in_filter.previous != none) {
        groups_[g.in_filter.previous].in_filter.next = g.in_filter.next;
    } else {
        filters_[of].first_group = g.in_filter.next;
    }
    groups_.remove(at);
    remove_filter_if_unused(of);
}

std::uint32_t subscriptions::find_owner(std::string_view filter) const {
    const auto shared = split_shared_filter(filter);
    const std::string_view text = shared ? shared->filter : filter;
    const std::uint32_t at = find_filter(text, tree_.hash()(text));
    if (at == none || !shared) return at;
    const std::uint32_t group = find_group(shared->group, at);
    return group == none ? none : group | group_bit;
}

std::uint32_t subscriptions::find_entry(session_index session, std::uint32_t owner) const {
    return entry_index_.find(tree_.hash()(session, owner), [&](std::uint32_t at) {
        return entries_[at].session == session && entries_[at].owner == owner;
    });
}

void subscriptions::remove_entry(std::uint32_t at) noexcept {
    ++generation_;
    entry& e = entries_[at];
    const std::uint32_t owner = e.owner;
    const bool shared = (owner & group_bit) != 0;
    entry_index_.erase(tree_.hash()(e.session, owner), at);
    unlink(list_of(e), &entry::in_owner, at);
    session_data& data = sessions_[e.session];
    unlink(shared ? data.shared : data.plain, &entry::in_session, at);
    --data.count;
    shared_count_ -= shared;
    entries_.remove(at);

    if (!shared) return remove_filter_if_unused(owner);
    const group_row& g = groups_[owner & ~group_bit];
    if (g.members[0].count + g.members[1].count == 0) remove_group(owner & ~group_bit);
}

subscriptions::ends& subscriptions::list_of(const entry& e) noexcept {
    if ((e.owner & group_bit) == 0) return filters_[e.owner].entries;
    return groups_[e.owner & ~group_bit].members[sessions_[e.session].connected];
}

void subscriptions::link(ends& list, links entry::*which, std::uint32_t at) noexcept {
    (entries_[at].*which) = {list.tail, none};
    if (list.tail != none) {
        (entries_[list.tail].*which).next = at;
    } else {
        list.head = at;
    }
    list.tail = at;
    ++list.count;
}

void subscriptions::unlink(ends& list, links entry::*which, std::uint32_t at) noexcept {
    const links l = entries_[at].*which;
    if (which == &entry::in_owner && (entries_[at].owner & group_bit) != 0) {
        for (std::uint32_t& turn : groups_[entries_[at].owner & ~group_bit].turn) {
            if (turn == at) turn = l.previous;  // none: the next turn is the head's
        }
    }
    (l.previous != none ? (entries_[l.previous].*which).next : list.head) = l.next;
    (l.next != none ? (entries_[l.next].*which).previous : list.tail) = l.previous;
    --list.count;
}

subscriptions::session_data& subscriptions::data_of(session_index session) {
    if (session >= sessions_.size()) sessions_.resize(session + 1);
    return sessions_[session];
}

}  // namespace martlet::broker_impl
