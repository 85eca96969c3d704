// The options of `martlet broker` that no other tool has, and those of `martlet passwd`.
#include "option_table.hpp"

#include <array>

namespace martlet::cli {
namespace {

constexpr std::uint32_t broker = bit(command::broker);
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
    {option_id::once, broker, "", "--once", "", how_long, both, "",
     "Stop when all connections are gone, but not before the first one."},
    {option_id::exit_after, broker, "", "--exit-after", "SECONDS", how_long, both,
     "--exit-after argument given but no time specified.",
     "Stop after this time; fractions are allowed."},
    {option_id::json_ready, broker, "", "--json-ready", "", listening, both, "",
     "Print {\"port\":N,\"listeners\":[...]} on standard output once the broker listens."},
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
    {option_id::strict, broker, "", "--strict", "", diagnostics, both, "",
     "Name each statement of the specification that a client violates; then the exit code is 2."},
});
// clang-format on

}  // namespace

std::span<const option> broker_options_table() noexcept { return table; }

}  // namespace martlet::cli
