// The options that every tool with a client shares: where to connect, as whom, with which will. From argv to
// client_options.
#pragma once

#include "command_line.hpp"
#include "property_argument.hpp"
#include "srv_lookup.hpp"
#include "transport_options.hpp"

#include <martlet/client_options.hpp>
#include <martlet/types.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

struct connection_settings {
    std::string host = "localhost";
    std::optional<std::uint16_t> port;
    bool uses_srv = false;            ///< -S: host is a domain
    std::vector<srv_record> servers;  ///< its brokers; empty: host and port
    std::string bind_address;         ///< -A; empty: any
    std::string unix_path;            ///< empty: TCP
    std::string url_topic;            ///< what -L brought, until the tool takes it
    transport_settings transport;
    std::string late_complaint;  ///< mosquitto's profile: about a port that libmosquitto only refuses when connecting

    std::optional<std::string> id;
    std::optional<std::string> id_prefix;
    bool keep_session = false;                    ///< -c
    std::optional<std::uint32_t> session_expiry;  ///< seconds; 0xFFFFFFFF: for ever
    std::optional<protocol_version> version;      ///< absent: 5, or 3.1.1 if the broker does not know 5
    std::uint16_t keep_alive = 60;
    std::optional<std::uint16_t> inflight_max;
    std::optional<std::chrono::milliseconds> connect_timeout;
    std::optional<std::uint64_t> retries;  ///< --retry; UINT64_MAX: for ever

    std::optional<std::string> user_name;
    std::optional<std::string> password;
    bool asks_password = false;

    std::optional<std::string> will_topic;
    std::optional<std::string> will_payload;
    qos will_qos = qos::at_most_once;
    bool will_retain = false;

    property_arguments properties;
    bool debug = false;
    bool quiet = false;
};

/// The settings of a profile before any option.
[[nodiscard]] connection_settings default_settings(profile p);

/// Takes `row`, which `in` just returned, if it is one of these options. True if so, also after a failure.
bool read_connection_option(const option& row, command_line& in, connection_settings& out);

/// What only shows when all options are known: contradictions, and what they imply. False after a failure.
bool finish_connection_options(command_line& in, connection_settings& settings);

/// The client that these settings mean. The session and how to reconnect are the tool's business.
[[nodiscard]] client_options to_client_options(const connection_settings& settings);

/// "localhost:1883", "/run/mqtt.sock": for messages.
[[nodiscard]] std::string destination(const connection_settings& settings);

/// Checks and returns a topic or filter from the command line; `option_name` is for the complaint. False after a failure.
bool check_topic_name(command_line& in, std::string_view topic, std::string_view kind, std::string_view option_name);
bool check_topic_filter(command_line& in, std::string_view filter, std::string_view kind, std::string_view option_name);

/// Reads -q and --will-qos.
bool read_qos(command_line& in, std::string_view complaint, qos& out);
/// Reads a time in seconds; mosquitto's profile takes whole ones only. False after a failure.
bool read_seconds(command_line& in, std::string_view complaint, std::chrono::milliseconds& out);

}  // namespace martlet::cli
