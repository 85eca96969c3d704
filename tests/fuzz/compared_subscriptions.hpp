// The broker's tree of subscriptions, and beside it a plain list that is searched from one end to the other with
// topic_matches(). Whatever is done is done to both and compared.
#pragma once

#include "broker/subscriptions.hpp"

#include <martlet/topic.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace martlet::fuzz {

class compared_subscriptions {
public:
    using wanted_options = broker_impl::subscription_options;
    using session_index = broker_impl::session_index;

    explicit compared_subscriptions(std::uint64_t seed) : tree_(seed) {}

    void put(session_index session, const std::string& filter, const wanted_options& wanted);
    void erase(session_index session, const std::string& filter);
    void erase_all(session_index session);
    void set_connected(session_index session, bool connected);
    void find(std::string_view topic);

private:
    void compare() const;
    void compare_sessions(std::string_view topic) const;
    void compare_groups(std::string_view topic);

    broker_impl::subscriptions tree_;
    broker_impl::match_result found_;
    std::map<std::pair<session_index, std::string>, wanted_options> all_;
    std::set<session_index> connected_;
};

}  // namespace martlet::fuzz
