// The options of `martlet broker` that clients do not have, and those of `martlet proxy` and `martlet passwd`.
#include "option_table.hpp"

#include <array>

namespace martlet::cli {
namespace {

constexpr std::uint32_t broker = bit(command::broker);
constexpr std::uint32_t proxy = bit(command::proxy);
constexpr std::uint32_t passwd = bit(command::passwd);

using enum option_group;
using enum availability;

// clang-format off
constexpr auto table = std::to_array<option>({
    {option_id::create_file, passwd, "-c", "--create", "", what, both, "",
     "Make a new file, also if there is one already."},
    {option_id::batch, passwd, "-b", "--batch", "", what, both, "",
     "The password is the last argument, where other users can see it. Otherwise it is asked for, or is the first line of "
     "standard input."},
    {option_id::delete_user, passwd, "-D", "--delete", "", what, both, "",
     "Delete the user."},
    {option_id::hash_scheme, passwd, "-H", "--hash", "SCHEME", what, both,
     "-H argument given but no scheme specified.",
     "argon2id (default), sha512-pbkdf2, sha512, or scram-sha-256 or scram-sha-512, which serve enhanced authentication, "
     "too."},
    {option_id::upgrade_file, passwd, "-U", "--upgrade", "", what, both, "",
     "Replace the plain passwords of a file \"user:password\" by hashes."},
    {option_id::config_file, broker, "-c", "--config-file", "FILE", what, both,
     "-c argument given but no configuration file specified.",
     "Read a mosquitto.conf first; the flags go before it. SIGHUP reads users and rights, and the file, again."},
    {option_id::test_config, broker, "", "--test-config", "", what, both, "",
     "Only say whether the configuration is right."},
    {option_id::set_key, broker, "", "--set", "KEY=VALUE", what, both,
     "--set argument given but no key and value specified.",
     "A key of the configuration file, for example --set max_queued_messages=1000. May be repeated."},
    {option_id::preset, broker, "", "--preset", "NAME", what, both,
     "--preset argument given but no name specified.",
     "Limits as a test wants them: paho (its conformance suite)."},
    {option_id::to, proxy, "", "--to", "HOST:PORT", what, native_only,
     "--to argument given but no broker specified.",
     "The broker that everything is passed on to; also mqtt://host:port or unix:/path."},
    {option_id::bridge, broker, "", "--bridge", "HOST:PORT", what, both,
     "--bridge argument given but no broker specified.",
     "Bridge to another broker, also mqtt:// or mqtts://user:password@host; --bridge-topic says what. May be repeated. More "
     "in the configuration file: connection, address, topic, ..."},
    {option_id::bridge_topic, broker, "", "--bridge-topic", "TEXT", what, both,
     "--bridge-topic argument given but no topic specified.",
     "'FILTER [out|in|both [QOS [LOCAL-PREFIX [REMOTE-PREFIX]]]]', as mosquitto's topic key has it, for the --bridge before "
     "it. May be repeated."},
    {option_id::fault, broker | proxy, "", "--fault", "RULE", what, both,
     "--fault argument given but no rule specified.",
     "A fault on purpose, for example 'drop puback 10%', 'reset after=100..4000B times=50', 'delay 50ms out>publish'. May "
     "be repeated; the first that fits acts."},
    {option_id::fault_file, broker | proxy, "", "--fault-file", "FILE", what, both,
     "--fault-file argument given but no file specified.",
     "Such rules, one a line; '#' begins a comment."},
    {option_id::cuts, proxy, "", "--cuts", "N", what, native_only,
     "--cuts argument given but no number specified.",
     "So many connections are reset, each after 100 to 4000 bytes: --fault 'reset after=100..4000B times=N'."},
    {option_id::seed, broker | proxy, "", "--seed", "N", what, both,
     "--seed argument given but no seed specified.",
     "Of the dice that faults throw. Default 1."},
    {option_id::once, broker | proxy, "", "--once", "", how_long, both, "",
     "Stop when all connections are gone, but not before the first one."},
    {option_id::exit_after, broker | proxy, "", "--exit-after", "SECONDS", how_long, both,
     "--exit-after argument given but no time specified.",
     "Stop after this time; fractions are allowed."},
    {option_id::json_ready, broker | proxy, "", "--json-ready", "", listening, both, "",
     "Print {\"port\":N,\"listeners\":[...]} on standard output once it listens."},
    {option_id::http_port, broker, "", "--http", "PORT", listening, both, "--http argument given but no port specified.",
     "Serve a status page, /status.json and /metrics for Prometheus on this port of 127.0.0.1; 0 takes a free one."},
    {option_id::accounts_file, broker, "", "--password-file", "FILE", security, both,
     "--password-file argument given but no file specified.",
     "Users and their passwords, as martlet passwd writes them; clients without a user name are refused."},
    {option_id::acl_file, broker, "", "--acl-file", "FILE", security, both,
     "--acl-file argument given but no file specified.",
     "Who may publish and subscribe to what, in mosquitto's syntax."},
    {option_id::log_format, broker, "", "--log", "text|json", diagnostics, both,
     "--log argument given but no format specified.",
     "The form of the log's lines."},
    {option_id::verbose, proxy, "-v", "--verbose", "", diagnostics, native_only, "",
     "Tell each fault on standard error."},
    {option_id::strict, broker, "", "--strict", "", diagnostics, both, "",
     "Name each statement of the specification that a client violates; then the exit code is 2."},
});
// clang-format on

}  // namespace

std::span<const option> broker_options_table() noexcept { return table; }

}  // namespace martlet::cli
