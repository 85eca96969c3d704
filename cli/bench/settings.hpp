// What a run is told to do.
#pragma once

#include "connection_options.hpp"
#include "quantities.hpp"
#include "schedule.hpp"

#include <martlet/types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli::bench {

enum class scenario : std::uint8_t {
    one2one,    ///< pairs: publisher i to subscriber i
    fan_in,     ///< many publishers, one subscriber
    fan_out,    ///< one publisher, many subscribers
    mesh,       ///< every publisher to every subscriber
    shared,     ///< subscribers share one $share group
    publish,    ///< publishers only: what a broker, or a null sink, takes
    rr,         ///< request and response
    conn,       ///< connections: rate, hold, storm, churn
    subscribe,  ///< SUBSCRIBE and UNSUBSCRIBE
    retained,   ///< subscribers that get many retained messages
    session,    ///< subscribers that get what was queued while they were away
    soak,       ///< pairs at a moderate rate, for long, with an eye on the broker's memory
};

struct scenario_row {
    scenario id;
    std::string_view name;
    std::string_view help;
};
[[nodiscard]] const std::vector<scenario_row>& scenarios();
[[nodiscard]] std::string_view to_string(scenario s);
[[nodiscard]] std::optional<scenario> parse_scenario(std::string_view name);

/// How `conn` treats its connections.
enum class connection_mode : std::uint8_t { hold, storm, churn };

/// One stream of messages, or of operations; a scenario file may have several that run together.
struct flow_settings {
    bench::scenario scenario = scenario::one2one;
    std::size_t publishers = 0;   ///< 0: the scenario's default
    std::size_t subscribers = 0;  ///< 0: the scenario's default
    martlet::qos qos = martlet::qos::at_most_once;
    std::optional<martlet::qos> subscriber_qos = {};  ///< absent: as qos
    std::size_t size_min = 64;                        ///< payload bytes
    std::size_t size_max = 64;                        ///< above size_min: evenly between both, by the seed
    std::optional<rate_profile> rate = {};            ///< absent: closed loop
    bench::arrivals arrivals = {};
    std::uint64_t outstanding_max = 0;  ///< closed loop, per publisher; 0: a default by QoS
    std::uint64_t topics = 0;           ///< retained: how many; subscribe: filters per client; 0: a default
    std::uint64_t count = 0;            ///< messages in all; 0: the duration decides
    connection_mode mode = connection_mode::hold;
};

struct run_settings {
    cli::connection_settings connection;
    std::vector<std::string> urls;              ///< of -L; empty: from `connection`
    std::vector<std::string> source_addresses;  ///< clients are dealt out over them; empty: the system chooses
    std::vector<flow_settings> flows;
    std::string preset;
    std::string topic_prefix;  ///< empty: "bench/" and the run's number
    nanoseconds duration = 10 * second;
    nanoseconds warm_up = second;
    nanoseconds drain = 5 * second;
    nanoseconds interval = second;
    double connect_rate = 0;  ///< per second; 0: the default, see run.cpp
    std::size_t threads = 1;
    std::uint64_t seed = 1;
    bool is_embedded = false;
    int broker_pid = 0;
    bool is_strict = false;

    // other machines
    std::size_t agents = 0;                     ///< that generate the load; 0: this process does
    std::string control_url;                    ///< where agents and coordinator meet; empty: the broker under test
    std::string group = "default";              ///< of agents
    std::vector<std::string> connection_words;  ///< the options that `connection` is of, for the agents

    // output
    std::string json_file;
    std::string csv_file;
    std::string hlog_file;
    std::string html_file;
    std::vector<std::string> assertions;
    std::string slo;  ///< --find-max
    bool find_max = false;
    bool is_quiet = false;
    bool no_live = false;

    // comparing brokers
    std::vector<std::string> ab_urls;
    std::size_t runs = 1;
    std::vector<std::string> arguments;  ///< as given
};

/// Publishers and subscribers that a flow has, defaults filled in.
[[nodiscard]] flow_settings with_defaults(flow_settings flow);

/// The greatest payload of all flows.
[[nodiscard]] std::size_t greatest_size(const run_settings& settings);

/// One line that says what is wrong with them; empty if nothing.
[[nodiscard]] std::string complaint_about(const run_settings& settings);

}  // namespace martlet::cli::bench
