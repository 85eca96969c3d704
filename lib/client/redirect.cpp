#include "client/redirect.hpp"

#include <algorithm>
#include <string>

namespace martlet::detail {

namespace {

// A reference names a host and a port, nothing else: no scheme that would weaken the transport, no other path or user.
bool is_host_and_port(std::string_view text) noexcept {
    return !text.empty() && text.find_first_of("/@?#\\") == std::string_view::npos;
}

}  // namespace

std::vector<endpoint> parse_server_reference(std::string_view reference, const endpoint& like) {
    std::vector<endpoint> targets;
    if (!has_host(like.scheme)) return targets;  // there is no port to go to
    while (!reference.empty() && targets.size() < redirect_targets_max) {
        const auto end = std::min(reference.find(' '), reference.size());
        const auto one = reference.substr(0, end);
        reference.remove_prefix(std::min(end + 1, reference.size()));
        if (!is_host_and_port(one)) continue;
        auto parsed = parse_endpoint(std::string(to_string(like.scheme)) + "://" + std::string(one));
        if (!parsed) continue;
        auto target = like;
        target.host = parsed->host;
        target.port = parsed->port;
        if (std::find(targets.begin(), targets.end(), target) == targets.end()) targets.push_back(std::move(target));
    }
    return targets;
}

}  // namespace martlet::detail
