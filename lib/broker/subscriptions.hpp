// Who gets a message: all subscriptions of all sessions, by filter. MQTT 5 §4.7, §4.8, §3.3.4.
//
//   text of a filter ── hash ──► filter ──► list of its subscriptions, and its groups ($share) with lists of members
//   levels of a filter with wildcards ── topic_tree ──► filter
//
// A filter without wildcards is found by one hash look-up of the whole topic; only those with wildcards stand in the
// tree. A walk keeps the set of nodes it has reached, level by level: no recursion, and at each node one look-up for
// the level and one array access for '+'. Everything is a number into pages, about 100 to 200 bytes a subscription.
#pragma once

#include "broker/hash_index.hpp"
#include "broker/topic_tree.hpp"

#include <martlet/types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::broker_impl {

/// Number of a session in the table of sessions.
using session_index = std::uint32_t;

/// What one SUBSCRIBE asked for, per filter, as granted.
struct subscription_options {
    martlet::qos qos = martlet::qos::at_most_once;
    bool no_local = false;
    bool retain_as_published = false;
    martlet::retain_handling retain_handling = martlet::retain_handling::send;
    std::uint32_t identifier = 0;  ///< 0: none

    friend bool operator==(const subscription_options&, const subscription_options&) = default;
};

/// Whose messages a match is for. Subscriptions with No Local leave out what their own client publishes, so a session
/// that has both kinds on one topic gives two matches.
enum class match_scope : std::uint8_t { all, others, own };

/// One session that is to get a message, once, however many of its filters match.
struct match {
    session_index session = 0;
    martlet::qos qos = martlet::qos::at_most_once;  ///< the highest granted
    match_scope scope = match_scope::all;
    bool retain_as_published = false;        ///< one of the filters asks for it
    std::vector<std::uint32_t> identifiers;  ///< of all matching filters that have one
};

/// Number of a group of a shared subscription.
using group_index = std::uint32_t;

struct match_result {
    std::vector<match> sessions;
    std::vector<group_index> groups;
};

/// The member of a group that gets the next message.
struct chosen_member {
    session_index session = 0;
    subscription_options options;
};

class subscriptions {
public:
    explicit subscriptions(std::uint64_t seed);

    // -- commands. Filters are valid and may be shared ("$share/group/filter").

    /// Adds or replaces; true if it was not there before.
    bool put(session_index session, std::string_view filter, const subscription_options& options);
    /// False if there is none.
    bool erase(session_index session, std::string_view filter);
    void erase_all(session_index session);
    /// Groups prefer members that are connected.
    void set_connected(session_index session, bool connected);

    // -- queries

    /// All sessions and groups whose filters match a valid topic name, in an order that depends on nothing but the
    /// order of subscribing. `out` is overwritten.
    void find(std::string_view topic, match_result& out);
    /// The next member in turn: a connected one if there is one; among up to eight of them the first that is not
    /// `busy(session)`, else the one whose turn it is. Every group has a member.
    template <class Busy>
    [[nodiscard]] chosen_member choose(group_index group, Busy&& busy);
    /// What was remembered of find() counts no more.
    void invalidate() noexcept { ++generation_; }
    /// Changes with each change that may alter a find(), and with invalidate().
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

    [[nodiscard]] std::optional<subscription_options> get(session_index session, std::string_view filter) const;
    [[nodiscard]] std::size_t count() const noexcept { return entries_.size(); }
    [[nodiscard]] std::size_t shared_count() const noexcept { return shared_count_; }
    [[nodiscard]] std::size_t count(session_index session) const noexcept {
        return session < sessions_.size() ? sessions_[session].count : 0;
    }
    /// Calls `f(filter, options)` for each subscription of a session; the shared ones last.
    template <class F>
    void for_each(session_index session, F&& f) const;
    /// Bytes held, about.
    [[nodiscard]] std::size_t memory() const noexcept;

private:
    static constexpr std::uint32_t none = hash_index::none;

    struct ends {  // of a list of entries
        std::uint32_t head = none;
        std::uint32_t tail = none;
        std::uint32_t count = 0;
    };
    struct links {
        std::uint32_t previous = none;
        std::uint32_t next = none;
    };
    struct entry {  // one subscription
        session_index session = 0;
        std::uint32_t owner = 0;  // filter, or group with the top bit set
        std::uint32_t identifier = 0;
        links in_owner;
        links in_session;
        std::uint8_t options = 0;
    };
    struct filter_row {
        short_text text;                  // without "$share/group/"
        topic_tree::node_id node = none;  // none: no wildcard
        bool ends_in_hash = false;
        std::uint32_t first_group = none;
        ends entries;
    };
    struct group_row {
        short_text name;
        std::uint32_t filter = none;
        links in_filter;
        ends members[2];                       // offline, connected
        std::uint32_t turn[2] = {none, none};  // the member that was chosen last
    };
    struct node_data {
        topic_tree::node_id plus = none;
        std::uint32_t filter = none;       // ends at this node
        std::uint32_t hash_filter = none;  // ends in '#' below this node
        std::uint32_t literal_children = 0;
    };
    struct session_data {
        ends plain;
        ends shared;
        std::uint32_t count = 0;
        std::uint32_t mark = 0;  // the find() that saw it last, and where its match stands
        std::uint32_t match_at = 0;
        bool no_local_hit = false;
        bool connected = false;
    };
    static constexpr std::uint32_t group_bit = 0x8000'0000;

    [[nodiscard]] static subscription_options options_of(const entry& e) noexcept;
    [[nodiscard]] std::uint32_t find_filter(std::string_view text, std::uint32_t hash) const;
    [[nodiscard]] std::uint32_t add_filter(std::string_view text);
    [[nodiscard]] topic_tree::node_id add_path(std::string_view text, bool& ends_in_hash);
    void remove_filter_if_unused(std::uint32_t at) noexcept;
    void remove_path(topic_tree::node_id node) noexcept;
    [[nodiscard]] std::uint32_t group_hash(std::string_view name, std::uint32_t filter) const;
    [[nodiscard]] std::uint32_t find_group(std::string_view name, std::uint32_t filter) const;
    [[nodiscard]] std::uint32_t add_group(std::string_view name, std::string_view text);
    void remove_group(std::uint32_t at) noexcept;
    [[nodiscard]] std::uint32_t find_owner(std::string_view filter) const;
    [[nodiscard]] std::uint32_t find_entry(session_index session, std::uint32_t owner) const;
    void remove_entry(std::uint32_t at) noexcept;
    [[nodiscard]] ends& list_of(const entry& e) noexcept;
    void link(ends& list, links entry::*which, std::uint32_t at) noexcept;
    void unlink(ends& list, links entry::*which, std::uint32_t at) noexcept;
    session_data& data_of(session_index session);
    void walk(std::string_view topic, match_result& out);
    void hit(std::uint32_t filter, match_result& out);
    void merge_hits(match_result& out);
    void merge(const entry& e, match_scope scope, match_result& out);

    topic_tree tree_;
    std::vector<node_data> nodes_;
    slab<filter_row> filters_;
    hash_index filter_index_;
    slab<group_row> groups_;
    hash_index group_index_;
    slab<entry> entries_;
    hash_index entry_index_;
    std::vector<session_data> sessions_;
    std::uint64_t generation_ = 1;
    std::size_t shared_count_ = 0;

    // of find()
    std::vector<topic_tree::node_id> reached_;
    std::vector<topic_tree::node_id> next_reached_;
    std::vector<std::uint32_t> hits_;  // entries
    std::uint32_t mark_ = 0;
};

template <class Busy>
chosen_member subscriptions::choose(group_index at, Busy&& busy) {
    group_row& g = groups_[at];
    const bool connected = g.members[1].count != 0;
    const ends& members = g.members[connected];
    std::uint32_t& turn = g.turn[connected];
    const auto following = [&](std::uint32_t member) {
        const std::uint32_t next = member == none ? none : entries_[member].in_owner.next;
        return next == none ? members.head : next;
    };

    const std::uint32_t first = following(turn);
    std::uint32_t member = first;
    for (std::uint32_t tries = 1; connected && tries < 8 && busy(entries_[member].session); ++tries) {
        member = following(member);
        if (member == first) break;
    }
    if (connected && busy(entries_[member].session)) member = first;
    turn = member;
    return {entries_[member].session, options_of(entries_[member])};
}

template <class F>
void subscriptions::for_each(session_index session, F&& f) const {
    if (session >= sessions_.size()) return;
    for (std::uint32_t at = sessions_[session].plain.head; at != none; at = entries_[at].in_session.next) {
        f(filters_[entries_[at].owner].text.view(), options_of(entries_[at]));
    }
    for (std::uint32_t at = sessions_[session].shared.head; at != none; at = entries_[at].in_session.next) {
        const group_row& g = groups_[entries_[at].owner & ~group_bit];
        std::string text = "$share/";
        text.append(g.name.view()).append("/").append(filters_[g.filter].text.view());
        f(std::string_view(text), options_of(entries_[at]));
    }
}

}  // namespace martlet::broker_impl
