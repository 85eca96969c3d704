#include "settings.hpp"

#include "plan.hpp"
#include "stamp.hpp"

#include <algorithm>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr std::size_t default_crowd = 20;
constexpr std::size_t default_clients = 1'000;
constexpr std::uint64_t default_outstanding_qos_0 = 4'000;  // of a flow, shared by its publishers
constexpr std::uint64_t default_outstanding = 1'000;        // unacknowledged, each
constexpr std::uint64_t default_retained = 10'000;
constexpr std::uint64_t default_filters = 10;
constexpr std::uint64_t default_backlog = 10'000;
constexpr double soak_rate = 1'000;
constexpr std::size_t clients_max = 1'000'000;
constexpr std::size_t payload_max = 268'000'000;

std::size_t or_default(std::size_t value, std::size_t otherwise) { return value != 0 ? value : otherwise; }

}  // namespace

const std::vector<scenario_row>& scenarios() {
    static const std::vector<scenario_row> rows = {
        {scenario::one2one, "one2one", "pairs: publisher i to subscriber i (--pubs pairs, default 1)"},
        {scenario::fan_in, "fan-in", "--pubs publishers (20) to one subscriber"},
        {scenario::fan_out, "fan-out", "one publisher to --subs subscribers (20)"},
        {scenario::mesh, "mesh", "--pubs clients (20), each to each"},
        {scenario::shared, "shared", "--pubs publishers (4); --subs subscribers (4) share them by $share"},
        {scenario::publish, "publish", "--pubs publishers (1) and nobody who listens"},
        {scenario::rr, "rr", "--pubs requesters (1), --subs responders (1): the time there and back"},
        {scenario::conn, "conn", "--clients connections (1,000) at --connect-rate; --mode hold, storm or churn"},
        {scenario::subscribe, "subscribe", "--clients clients (20) subscribe and unsubscribe --topics filters (10)"},
        {scenario::retained, "retained", "--topics retained messages (10,000), then --subs subscribers (1) get them"},
        {scenario::session, "session", "--subs sessions (1) get the --count messages (10,000) queued for them"},
        {scenario::soak, "soak", "pairs at 1,000/s in all for long, with the broker's memory"},
    };
    return rows;
}

std::string_view to_string(scenario s) {
    for (const scenario_row& row : scenarios()) {
        if (row.id == s) return row.name;
    }
    return "?";
}

std::optional<scenario> parse_scenario(std::string_view name) {
    for (const scenario_row& row : scenarios()) {
        if (row.name == name) return row.id;
    }
    return std::nullopt;
}

flow_settings with_defaults(flow_settings flow) {
    std::size_t publishers = 1;
    std::size_t subscribers = 1;
    switch (flow.scenario) {
        case scenario::one2one:
        case scenario::rr: break;
        case scenario::fan_in: publishers = default_crowd; break;
        case scenario::fan_out: subscribers = default_crowd; break;
        case scenario::mesh:
            publishers = or_default(flow.subscribers, default_crowd);
            subscribers = or_default(flow.publishers, default_crowd);
            break;
        case scenario::shared: publishers = subscribers = 4; break;
        case scenario::publish: subscribers = 0; break;
        case scenario::conn: subscribers = default_clients; break;
        case scenario::subscribe: subscribers = default_crowd; break;
        case scenario::retained: flow.topics = or_default(flow.topics, default_retained); break;
        case scenario::session: flow.count = or_default(flow.count, default_backlog); break;
        case scenario::soak:
            if (!flow.rate) flow.rate = rate_profile(soak_rate);
            break;
    }
    flow.publishers = or_default(flow.publishers, publishers);
    flow.subscribers = or_default(flow.subscribers, subscribers);
    if (flow.scenario == scenario::one2one || flow.scenario == scenario::soak) flow.subscribers = flow.publishers;
    if (flow.scenario == scenario::publish) flow.subscribers = 0;
    if (flow.scenario == scenario::conn || flow.scenario == scenario::subscribe) flow.publishers = 0;
    if (flow.scenario == scenario::subscribe) flow.topics = or_default(flow.topics, default_filters);
    if (flow.outstanding_max == 0) {
        const bool is_qos_0 = flow.qos == martlet::qos::at_most_once;
        const std::size_t sharing = flow.scenario == scenario::one2one ? 1 : std::max<std::size_t>(flow.publishers, 1);
        flow.outstanding_max = flow.scenario == scenario::rr ? 1
                               : is_qos_0 ? std::max<std::uint64_t>(default_outstanding_qos_0 / sharing, 1)
                                          : default_outstanding;
    }
    return flow;
}

std::size_t greatest_size(const run_settings& settings) {
    std::size_t size = stamp_size_full;
    for (const flow_settings& flow : settings.flows)
        size = std::max(size, flow.size_max);
    return size;
}

std::string complaint_about(const run_settings& settings) {
    if (settings.flows.empty()) return "No scenario given; 'martlet bench list' has them.";
    if (settings.duration <= 0) return "--duration must be above 0.";
    if (settings.interval < 100 * millisecond) return "--interval must be at least 100ms.";
    if (settings.is_embedded && (!settings.urls.empty() || settings.connection.port)) {
        return "--embedded brings its own broker; a host, port or URL makes no sense with it.";
    }
    if (settings.is_embedded && settings.broker_pid != 0) return "--embedded and --broker-pid exclude each other.";
    if (settings.agents != 0 && settings.is_embedded) {
        return "--embedded listens on 127.0.0.1, where agents cannot come: start a broker, and give its address.";
    }
    if (settings.agents != 0 && !settings.source_addresses.empty()) {
        return "--source is of a machine: give it to 'martlet bench agent'.";
    }
    for (const flow_settings& one : settings.flows) {
        const flow_settings flow = with_defaults(one);
        if (settings.agents > 1 && crosses_agents(flow.scenario) && !flow.rate &&
            flow.qos == martlet::qos::at_most_once) {
            return std::string(to_string(flow.scenario)) +
                   " over several agents at QoS 0 needs a --rate: nobody would tell the publishers how far the "
                   "subscribers are. Or take -q 1.";
        }
        if (flow.size_min < stamp_size_compact) {
            return "--size must be at least 16 bytes: the stamp with time and number has to fit (32 for all of it).";
        }
        if (flow.size_max > payload_max) return "--size must be at most 268,000,000 bytes.";
        if (flow.size_max < stamp_size_full && flow.publishers > compact_publishers_max) {
            return "With payloads below 32 bytes there can be at most 65,536 publishers.";
        }
        if (flow.size_min < stamp_size_full && flow.size_max >= stamp_size_full) {
            return "--size: both ends of the range must be below 32 bytes, or none.";
        }
        if (flow.publishers > clients_max || flow.subscribers > clients_max) {
            return "At most 1,000,000 clients.";
        }
        if (flow.arrivals.kind != arrival_kind::constant && !flow.rate && flow.arrivals.kind != arrival_kind::burst) {
            return "--arrival needs a --rate.";
        }
        if (settings.find_max && !flow.rate) return "--find-max needs a --rate to begin with.";
    }
    return {};
}

}  // namespace martlet::cli::bench
