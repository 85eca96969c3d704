// The one table of options. The parser, --help and, later, man pages and completion read it; the profiles differ by the
// bits of a row, not by code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace martlet::cli {

/// Whose manners: those of mosquitto's tools to the letter (by argv[0]), or our own.
enum class profile : std::uint8_t { native, mosquitto };

/// The subcommands, as bits.
enum class command : std::uint32_t {
    pub = 1u << 0,
    sub = 1u << 1,
    broker = 1u << 2,
    rr = 1u << 3,
    serve = 1u << 4,
    ping = 1u << 5,
    retained = 1u << 6,
    record = 1u << 7,
    replay = 1u << 8,
    check = 1u << 9,
    top = 1u << 10,
    decode = 1u << 11,
    doctor = 1u << 12,
    completion = 1u << 13,
    man = 1u << 14,
    install_compat = 1u << 15,
    passwd = 1u << 16,
    bench = 1u << 17,
    msgsps = 1u << 18,
    proxy = 1u << 19,
};

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
    response_topic,
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
    latency,
    stdin_format,
    rate,
    fill_template,
    hex_payload,
    base64_payload,
    share,
    save_dir,
    execute,
    until,
    quiet_for,
    retry,
    ask_password,
    interval,
    speed,
    topic_map,
    reply,
    assertion,
    only,
    all_packets,
    directory,
    // listening
    listen_port,
    listen_url,
    allow_anonymous,
    port_file,
    store_file,
    durability,
    // broker
    config_file,
    test_config,
    set_key,
    preset,
    json_ready,
    once,
    exit_after,
    log_format,
    strict,
    accounts_file,
    acl_file,
    fault,
    fault_file,
    cuts,
    seed,
    to,
    http_port,
    // passwd
    create_file,
    batch,
    delete_user,
    hash_scheme,
    upgrade_file,
    require_certificate,
    identity_as_user_name,
    tls_auto,
    allow_origin,
    // connection
    host,
    port,
    url,
    unix_socket,
    websocket,
    websocket_path,
    websocket_header,
    bind_address,
    dns_srv,
    proxy,
    failover,
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
    context,
    // security
    user_name,
    password,
    password_file,
    ca_file,
    ca_path,
    crl_file,
    certificate,
    key,
    key_form,
    key_password_file,
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
    load,  ///< any of bench and msgsps, which know their options by name
    // diagnostics
    debug,
    quiet,
    help,
    version,
    // broker
    bridge,
    bridge_topic,
};

/// Which profiles know a row.
enum class availability : std::uint8_t {
    both,
    native_only,
    refused,  ///< mosquitto's, known by name and value in both profiles, and not supported: `help` is the reason
};

struct option {
    option_id id;
    std::uint32_t commands;       ///< bits of `command`
    std::string_view short_name;  ///< "-p", or empty
    std::string_view long_name;   ///< "--port", or empty
    std::string_view value_name;  ///< "N"; empty: a switch
    option_group group;
    availability available;
    std::string_view missing;  ///< the complaint when the value is missing; empty: switches
    std::string_view help;     ///< a sentence or two; '\n' starts a new line
};

/// Every row; those of one group stand together in the order of --help.
[[nodiscard]] std::span<const option> options() noexcept;

/// The pieces that options() is made of, each in a file of its own.
[[nodiscard]] std::span<const option> client_options_table() noexcept;  ///< pub, sub, rr, and what all clients share
[[nodiscard]] std::span<const option> broker_options_table() noexcept;  ///< the broker and its password files
[[nodiscard]] std::span<const option> tool_options_table() noexcept;    ///< the smaller tools
[[nodiscard]] std::span<const option> bench_options_table() noexcept;   ///< bench and msgsps

[[nodiscard]] constexpr std::uint32_t bit(command c) noexcept { return static_cast<std::uint32_t>(c); }
[[nodiscard]] constexpr bool belongs_to(const option& row, command c) noexcept { return (row.commands & bit(c)) != 0; }

/// The row that `name` ("-p", "--port") stands for, or null.
[[nodiscard]] const option* find_option(std::string_view name, command c, profile p) noexcept;

/// The long name that was probably meant by the unknown option `name`, or nothing.
[[nodiscard]] std::string_view nearest_option(std::string_view name, command c, profile p);

/// How many letters have to be changed, put in or taken out to make `b` of `a`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// "What to publish" and the like.
[[nodiscard]] std::string_view heading(option_group group, command c) noexcept;

}  // namespace martlet::cli
