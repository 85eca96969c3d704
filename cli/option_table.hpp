// The one table of options. The parser, --help and, later, man pages and completion read it; the profiles differ by the
// bits of a row, not by code.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace martlet::cli {

/// Whose manners: those of mosquitto's tools to the letter (by argv[0]), or our own.
enum class profile : std::uint8_t { native, mosquitto };

/// The subcommands that have options, as bits.
enum class command : std::uint8_t { pub = 1, sub = 2, broker = 4 };

/// What an option is about: the headings of --help, in their order.
enum class option_group : std::uint8_t {
    what,      ///< topics, payloads, QoS
    how_long,  ///< counts and times
    output,
    listening,  ///< broker
    connection,
    security,
    will,
    diagnostics,
};

/// One per meaning: the names of an option may differ between subcommands, its id does not.
enum class option_id : std::uint8_t {
    // what
    topic,
    message,
    file,
    stdin_line,
    stdin_file,
    null_message,
    qos,
    retain,
    unsubscribe,
    filter_out,
    no_local,
    retain_as_published,
    retain_handling,
    skip_retained,
    remove_retained,
    random_filter,
    // how many, how long
    repeat,
    repeat_delay,
    count,
    timeout,
    exit_after_subscribe,
    retained_only,
    // output
    verbose,
    format,
    json,
    pretty,
    no_end_of_line,
    watch,
    message_rate,
    // listening
    listen_port,
    listen_url,
    allow_anonymous,
    port_file,
    // connection
    host,
    port,
    url,
    unix_socket,
    websocket,
    bind_address,
    dns_srv,
    proxy,
    no_delay,
    id,
    id_prefix,
    keep_alive,
    disable_clean_session,
    session_expiry,
    protocol_version,
    inflight_max,
    property,
    connect_timeout,
    options_file,
    // security
    user_name,
    password,
    password_file,
    ca_file,
    ca_path,
    certificate,
    key,
    key_form,
    ciphers,
    tls_version,
    tls_alpn,
    tls_engine,
    tls_engine_key_password,
    tls_use_os_certificates,
    tls_key_log,
    insecure,
    psk,
    psk_identity,
    no_tls,
    // will
    will_topic,
    will_payload,
    will_qos,
    will_retain,
    // diagnostics
    debug,
    quiet,
    help,
    version,
};

/// Which profiles know a row, and whether it is built.
enum class availability : std::uint8_t {
    both,
    native_only,
    not_yet,  ///< recognised in both profiles, refused with "not supported yet"
};

struct option {
    option_id id;
    std::uint8_t commands;        ///< bits of `command`
    std::string_view short_name;  ///< "-p", or empty
    std::string_view long_name;   ///< "--port", or empty
    std::string_view value_name;  ///< "N"; empty: a switch
    option_group group;
    availability available;
    std::string_view missing;  ///< the complaint when the value is missing; empty: switches
    std::string_view help;     ///< a sentence or two; '\n' starts a new line
};

/// Every row, in the order of --help.
[[nodiscard]] std::span<const option> options() noexcept;

[[nodiscard]] constexpr bool belongs_to(const option& row, command c) noexcept {
    return (row.commands & static_cast<std::uint8_t>(c)) != 0;
}

/// The row that `name` ("-p", "--port") stands for, or null.
[[nodiscard]] const option* find_option(std::string_view name, command c, profile p) noexcept;

/// The long name that was probably meant by the unknown option `name`, or nothing.
[[nodiscard]] std::string_view nearest_option(std::string_view name, command c, profile p);

/// "pub", "sub", "broker".
[[nodiscard]] std::string_view to_string(command c) noexcept;

/// "What to publish" and the like.
[[nodiscard]] std::string_view heading(option_group group, command c) noexcept;

}  // namespace martlet::cli
