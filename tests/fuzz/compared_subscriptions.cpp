#include "fuzz/compared_subscriptions.hpp"

#include "fuzz/input.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

namespace martlet::fuzz {
namespace {

using broker_impl::match;
using broker_impl::match_scope;

// A match in a form that can be sorted and compared.
using row = std::tuple<broker_impl::session_index, match_scope, qos, bool, std::vector<std::uint32_t>>;

row row_of(match m) {
    std::sort(m.identifiers.begin(), m.identifiers.end());
    return {m.session, m.scope, m.qos, m.retain_as_published, std::move(m.identifiers)};
}

void merge(match& into, const broker_impl::subscription_options& options) {
    into.qos = std::max(into.qos, options.qos);
    into.retain_as_published |= options.retain_as_published;
    if (options.identifier != 0) into.identifiers.push_back(options.identifier);
}

// What one session gets by the subscriptions that match.
void add_matches(broker_impl::session_index session, const std::vector<broker_impl::subscription_options>& matching,
                 std::vector<row>& out) {
    if (matching.empty()) return;
    match all{.session = session, .identifiers = {}};
    match own{.session = session, .scope = match_scope::own, .identifiers = {}};
    bool has_own = false;
    for (const auto& options : matching) {
        merge(all, options);
        if (options.no_local) {
            all.scope = match_scope::others;
        } else {
            has_own = true;
            merge(own, options);
        }
    }
    out.push_back(row_of(all));
    if (has_own && all.scope == match_scope::others) out.push_back(row_of(own));
}

}  // namespace

void compared_subscriptions::put(session_index session, const std::string& filter, const wanted_options& wanted) {
    const std::uint64_t generation = tree_.generation();
    const bool is_new = all_.insert_or_assign({session, filter}, wanted).second;
    require(tree_.put(session, filter, wanted) == is_new, "put() says what there was");
    require(tree_.generation() != generation, "a change is told");
    compare();
}

void compared_subscriptions::erase(session_index session, const std::string& filter) {
    const bool was_there = all_.erase({session, filter}) == 1;
    require(tree_.erase(session, filter) == was_there, "erase() says what there was");
    compare();
}

void compared_subscriptions::erase_all(session_index session) {
    std::erase_if(all_, [&](const auto& one) { return one.first.first == session; });
    tree_.erase_all(session);
    compare();
}

void compared_subscriptions::set_connected(session_index session, bool connected) {
    if (connected) {
        connected_.insert(session);
    } else {
        connected_.erase(session);
    }
    tree_.set_connected(session, connected);
    compare();
}

void compared_subscriptions::find(std::string_view topic) {
    tree_.find(topic, found_);
    compare_sessions(topic);
    compare_groups(topic);
}

void compared_subscriptions::compare_sessions(std::string_view topic) const {
    std::map<session_index, std::vector<wanted_options>> matching;
    for (const auto& [key, options] : all_) {
        if (split_shared_filter(key.second) || !topic_matches(key.second, topic)) continue;
        matching[key.first].push_back(options);
    }
    std::vector<row> expected;
    for (const auto& [session, options] : matching)
        add_matches(session, options, expected);
    std::vector<row> rows;
    for (const match& m : found_.sessions)
        rows.push_back(row_of(m));
    std::sort(expected.begin(), expected.end());
    std::sort(rows.begin(), rows.end());
    require(rows == expected, "every session that matches is found, and once");
}

// By their members: in as many turns as there are members at most, each of those in question has its turn.
void compared_subscriptions::compare_groups(std::string_view topic) {
    std::map<std::string, std::set<session_index>> members;
    for (const auto& [key, options] : all_) {
        const auto shared = split_shared_filter(key.second);
        if (shared && topic_matches(shared->filter, topic)) members[key.second].insert(key.first);
    }
    std::vector<std::set<session_index>> expected;
    for (auto& [group, sessions] : members) {
        const auto is_offline = [&](session_index session) { return !connected_.contains(session); };
        if (!std::all_of(sessions.begin(), sessions.end(), is_offline)) std::erase_if(sessions, is_offline);
        expected.push_back(sessions);
    }
    std::vector<std::set<session_index>> chosen;
    for (const broker_impl::group_index group : found_.groups) {
        auto& sessions = chosen.emplace_back();
        const auto never = [](session_index) { return false; };
        for (std::size_t turn = 0; turn != 6; ++turn)
            sessions.insert(tree_.choose(group, never).session);
    }
    std::sort(expected.begin(), expected.end());
    std::sort(chosen.begin(), chosen.end());
    require(chosen == expected, "every group that matches is found, and its members take turns");
}

void compared_subscriptions::compare() const {
    std::map<session_index, std::size_t> counts;
    for (const auto& [key, options] : all_) {
        ++counts[key.first];
        require(tree_.get(key.first, key.second) == options, "what was put is there");
    }
    require(tree_.count() == all_.size(), "nothing else is there");
    for (const auto& [session, count] : counts) {
        std::size_t listed = 0;
        tree_.for_each(session, [&, of = session](std::string_view filter, const wanted_options& found) {
            const auto one = all_.find({of, std::string(filter)});
            require(one != all_.end() && one->second == found, "a session's list is right");
            ++listed;
        });
        require(listed == count && tree_.count(session) == count, "and complete");
    }
}

}  // namespace martlet::fuzz
