#include "option_table.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <vector>

namespace martlet::cli {
namespace {

constexpr auto pub = static_cast<std::uint8_t>(command::pub);
constexpr auto sub = static_cast<std::uint8_t>(command::sub);
constexpr auto broker = static_cast<std::uint8_t>(command::broker);
constexpr std::uint8_t client = pub | sub;
constexpr std::uint8_t all = pub | sub | broker;

using enum option_group;
using enum availability;

// clang-format off
constexpr auto table = std::to_array<option>({
    // -- what
    {option_id::topic, pub, "-t", "--topic", "TOPIC", what, both,
     "-t argument given but no topic specified.",
     "Topic to publish to, without wildcards. Repeated: the message goes to each of them (mosquitto_pub: to the last)."},
    {option_id::topic, sub, "-t", "--topic", "FILTER", what, both,
     "-t argument given but no topic specified.",
     "Topic filter to subscribe to; + stands for one level, # for all that follow. May be repeated."},
    {option_id::message, pub, "-m", "--message", "TEXT", what, both,
     "-m argument given but no message specified.",
     "Publish this text."},
    {option_id::file, pub, "-f", "--file", "FILE", what, both,
     "-f argument given but no file specified.",
     "Publish the contents of a file as one message."},
    {option_id::stdin_line, pub, "-l", "--stdin-line", "", what, both, "",
     "Publish each line of standard input as a message. LF is taken off, CR is kept; a blank line is an empty message."},
    {option_id::stdin_file, pub, "-s", "--stdin-file", "", what, both, "",
     "Publish all of standard input as one message."},
    {option_id::null_message, pub, "-n", "--null-message", "", what, both, "",
     "Publish an empty message; with -r this deletes the retained one."},
    {option_id::qos, pub, "-q", "--qos", "0|1|2", what, both,
     "-q argument given but no QoS specified.",
     "Quality of service: 0 at most once (default), 1 at least once, 2 exactly once."},
    {option_id::qos, sub, "-q", "--qos", "0|1|2", what, both,
     "-q argument given but no QoS specified.",
     "The highest quality of service to receive with. Default 0."},
    {option_id::retain, pub, "-r", "--retain", "", what, both, "",
     "The broker keeps the message for later subscribers."},
    {option_id::unsubscribe, sub, "-U", "--unsubscribe", "FILTER", what, both,
     "-U argument given but no unsubscribe topic specified.",
     "Unsubscribe from a filter of a kept session, after subscribing. May be repeated."},
    {option_id::filter_out, sub, "-T", "--filter-out", "FILTER", what, both,
     "-T argument given but no topic filter specified.",
     "Do not print messages whose topic matches. May be repeated."},
    {option_id::no_local, sub, "", "--no-local", "", what, native_only, "",
     "MQTT 5: not the messages that this client itself publishes."},
    {option_id::skip_retained, sub, "-R", "", "", what, both, "",
     "Do not print retained (stale) messages."},
    {option_id::retain_as_published, sub, "", "--retain-as-published", "", what, both, "",
     "MQTT 5: keep the retain flag as the publisher set it."},
    {option_id::retain_handling, sub, "", "--retain-handling", "WHEN", what, both,
     "--retain-handling argument given but no option specified.",
     "MQTT 5: retained messages are sent always (default), new (only for a new subscription) or never."},
    {option_id::remove_retained, sub, "", "--remove-retained", "", what, both, "",
     "Delete each retained message that is received and not filtered out by -T."},
    {option_id::random_filter, sub, "", "--random-filter", "PERCENT", what, both,
     "--random-filter argument given but no chance specified.",
     "Print only this share of the messages, 0.1 to 100."},

    // -- how many, how long
    {option_id::repeat, pub, "", "--repeat", "N", how_long, both,
     "--repeat argument given but no count specified.",
     "With -m, -f, -s or -n: publish N times, the next one when the previous one is through."},
    {option_id::repeat_delay, pub, "", "--repeat-delay", "SECONDS", how_long, both,
     "--repeat-delay argument given but no time specified.",
     "Wait between repetitions; fractions are allowed. Default 0."},
    {option_id::count, sub, "-C", "", "N", how_long, both,
     "-C argument given but no count specified.",
     "Exit after N printed messages."},
    {option_id::timeout, sub, "-W", "", "SECONDS", how_long, both,
     "-W argument given but no timeout specified.",
     "Stop after this time and exit with 27; fractions are allowed."},
    {option_id::timeout, pub, "-W", "--timeout", "SECONDS", how_long, native_only,
     "-W argument given but no timeout specified.",
     "Give up after this time and exit with 27; fractions are allowed. Default: no limit."},
    {option_id::exit_after_subscribe, sub, "-E", "", "", how_long, both, "",
     "Exit when the broker has acknowledged the subscriptions."},
    {option_id::retained_only, sub, "", "--retained-only", "", how_long, both, "",
     "Print retained messages only; exit at the first other one."},

    // -- output
    {option_id::verbose, sub, "-v", "--verbose", "", output, both, "",
     "Print \"topic payload\" instead of the payload alone."},
    {option_id::format, sub, "-F", "", "FORMAT", output, both,
     "-F argument given but no format specified.",
     "Print each message in this format: %t topic, %p payload, %q QoS, %r retain, %l length, %m packet id,\n"
     "%x %X payload in hex, %f %d payload as float, double, %I ISO time, %U Unix time, %j %J JSON,\n"
     "MQTT 5: %A alias, %C content type, %D correlation data, %E expiry, %F payload format, %P user properties,\n"
     "%R response topic, %S subscription id. %-010.5t sets width and precision, @Y-@m-@d is strftime, \\n \\t \\0 \\e \\\\."},
    {option_id::json, sub, "-j", "--json", "", output, native_only, "",
     "Print each message as a line of JSON, like -F %j; a payload that is not UTF-8 is in payload_b64."},
    {option_id::pretty, sub, "", "--pretty", "", output, both, "",
     "Indent JSON."},
    {option_id::no_end_of_line, sub, "-N", "", "", output, both, "",
     "No end of line after a message."},
    {option_id::watch, sub, "-w", "--watch", "", output, not_yet, "",
     "Show the last message of each topic on a line of the terminal."},
    {option_id::message_rate, sub, "", "--message-rate", "", output, not_yet, "",
     "Print the number of messages of each second instead of the messages."},

    // -- listening
    {option_id::listen_port, broker, "-p", "--port", "PORT", listening, both,
     "-p argument given but no port specified.",
     "Listen on this port of 127.0.0.1; 0 takes a free one. May be repeated. Default 1883."},
    {option_id::listen_url, broker, "", "--listen", "URL", listening, both,
     "--listen argument given but no URL specified.",
     "Listen there: mqtt://address:port (* for all addresses) or unix:/path. May be repeated."},
    {option_id::allow_anonymous, broker, "", "--allow-anonymous", "", listening, both, "",
     "Also clients of other machines may do everything. Otherwise they are refused."},
    {option_id::port_file, broker, "", "--port-file", "FILE", listening, both,
     "--port-file argument given but no file specified.",
     "Write the number of the first TCP port to a file once the broker listens."},

    // -- connection
    {option_id::host, client, "-h", "--host", "HOST", connection, both,
     "-h argument given but no host specified.",
     "Host of the broker: name, IPv4 or IPv6 address. Default localhost."},
    {option_id::port, client, "-p", "--port", "PORT", connection, both,
     "-p argument given but no port specified.",
     "Port of the broker. Default 1883."},
    {option_id::url, client, "-L", "--url", "URL", connection, both,
     "-L argument given but no URL specified.",
     "All in one: mqtt://[user[:password]@]host[:port]/topic"},
    {option_id::unix_socket, client, "", "--unix", "PATH", connection, both,
     "--unix argument given but no socket path specified.",
     "Connect through a Unix socket."},
    {option_id::websocket, client, "", "--ws", "", connection, not_yet, "",
     "Connect through WebSocket."},
    {option_id::bind_address, client, "-A", "", "ADDRESS", connection, not_yet,
     "-A argument given but no address specified.",
     "Connect from this local address."},
    {option_id::dns_srv, client, "-S", "", "", connection, not_yet, "",
     "Find the broker by DNS SRV records."},
    {option_id::proxy, client, "", "--proxy", "URL", connection, not_yet,
     "--proxy argument given but no proxy url specified.",
     "Connect through a SOCKS5 proxy."},
    {option_id::no_delay, client, "", "--nodelay", "", connection, both, "",
     "Send small packets at once (TCP_NODELAY). Martlet always does."},
    {option_id::id, client, "-i", "--id", "ID", connection, both,
     "-i argument given but no id specified.",
     "Client identifier. Default: the broker chooses one."},
    {option_id::id_prefix, client, "-I", "--id-prefix", "PREFIX", connection, both,
     "-I argument given but no id prefix specified.",
     "Client identifier: PREFIX and the process id."},
    {option_id::keep_alive, client, "-k", "--keepalive", "SECONDS", connection, both,
     "-k argument given but no keepalive specified.",
     "Keep-alive interval, 5 to 65535. Default 60."},
    {option_id::disable_clean_session, client, "-c", "--disable-clean-session", "", connection, both, "",
     "Go on with the session that the broker has for this id (needs -i), and keep it afterwards."},
    {option_id::session_expiry, client, "-x", "", "SECONDS", connection, both,
     "-x argument given but no session expiry interval specified.",
     "MQTT 5: how long the broker keeps the session after the end; -1 for ever. Default 0, with -c for ever."},
    {option_id::protocol_version, client, "-V", "--protocol-version", "VERSION", connection, both,
     "--protocol-version argument given but no version specified.",
     "mqttv5 or 5, mqttv311 or 311, mqttv31 or 31. Default: 5, and 311 if the broker does not know 5."},
    {option_id::inflight_max, client, "-M", "", "N", connection, both,
     "-M argument given but max_inflight not specified.",
     "At most N unacknowledged own messages of QoS 1 and 2. Default 1000, before MQTT 5 20; a broker may want less."},
    {option_id::property, client, "-D", "--property", "PACKET NAME [KEY] VALUE", connection, both,
     "--property argument given but not enough arguments specified.",
     "An MQTT 5 property of the packet connect, publish, subscribe, unsubscribe, disconnect or will, "
     "for example -D publish content-type text/plain"},
    {option_id::connect_timeout, client, "", "--connect-timeout", "SECONDS", connection, native_only,
     "--connect-timeout argument given but no time specified.",
     "Give up an attempt to connect after this time. Default 10."},
    {option_id::options_file, client, "-o", "", "FILE", connection, not_yet,
     "-o argument given but no options file specified.",
     "Read options from a file, one a line."},

    // -- security
    {option_id::user_name, client, "-u", "--username", "NAME", security, both,
     "-u argument given but no username specified.",
     "User name."},
    {option_id::password, client, "-P", "--pw", "PASSWORD", security, both,
     "-P argument given but no password specified.",
     "Password. Other users can see it for a moment; better: --password-file."},
    {option_id::password_file, client, "", "--password-file", "FILE", security, native_only,
     "--password-file argument given but no file specified.",
     "Read the password from the first line of a file; - for standard input."},
    {option_id::ca_file, client, "", "--cafile", "FILE", security, not_yet,
     "--cafile argument given but no file specified.", "Trusted CA certificates; switches TLS on."},
    {option_id::ca_path, client, "", "--capath", "DIR", security, not_yet,
     "--capath argument given but no directory specified.", "Folder of trusted CA certificates; switches TLS on."},
    {option_id::certificate, client, "", "--cert", "FILE", security, not_yet,
     "--cert argument given but no file specified.", "Certificate of this client."},
    {option_id::key, client, "", "--key", "FILE", security, not_yet,
     "--key argument given but no file specified.", "Private key of this client."},
    {option_id::key_form, client, "", "--keyform", "pem|engine", security, not_yet,
     "--keyform argument given but no keyform specified.", "Kind of the private key."},
    {option_id::ciphers, client, "", "--ciphers", "LIST", security, not_yet,
     "--ciphers argument given but no ciphers specified.", "TLS ciphers to offer."},
    {option_id::tls_version, client, "", "--tls-version", "VERSION", security, not_yet,
     "--tls-version argument given but no version specified.", "tlsv1.2 or tlsv1.3."},
    {option_id::tls_alpn, client, "", "--tls-alpn", "PROTOCOL", security, not_yet,
     "--tls-alpn argument given but no protocol specified.", "Application protocol to offer in TLS."},
    {option_id::tls_engine, client, "", "--tls-engine", "ENGINE", security, not_yet,
     "--tls-engine argument given but no engine_id specified.", "OpenSSL engine."},
    {option_id::tls_engine_key_password, client, "", "--tls-engine-kpass-sha1", "SHA1", security, not_yet,
     "--tls-engine-kpass-sha1 argument given but no kpass sha1 specified.", "SHA-1 of the engine key's password."},
    {option_id::tls_use_os_certificates, client, "", "--tls-use-os-certs", "", security, not_yet, "",
     "Trust the CA certificates of the system; switches TLS on."},
    {option_id::tls_key_log, client, "", "--tls-keylog", "FILE", security, not_yet,
     "--tls-keylog argument given but no file specified.", "Append TLS keys to a file."},
    {option_id::insecure, client, "", "--insecure", "", security, not_yet, "",
     "Do not verify the broker's certificate."},
    {option_id::psk, client, "", "--psk", "HEX", security, not_yet,
     "--psk argument given but no key specified.", "Pre-shared key; switches TLS on."},
    {option_id::psk_identity, client, "", "--psk-identity", "NAME", security, not_yet,
     "--psk-identity argument given but no identity specified.", "Identity that belongs to --psk."},
    {option_id::no_tls, client, "", "--no-tls", "", security, both, "",
     "No TLS, also on port 8883."},

    // -- will
    {option_id::will_topic, client, "", "--will-topic", "TOPIC", will, both,
     "--will-topic argument given but no will topic specified.",
     "The broker publishes a message to this topic if the client goes away without a word."},
    {option_id::will_payload, client, "", "--will-payload", "TEXT", will, both,
     "--will-payload argument given but no will payload specified.",
     "The text of that message. Default: empty."},
    {option_id::will_qos, client, "", "--will-qos", "0|1|2", will, both,
     "--will-qos argument given but no will QoS specified.",
     "Its quality of service. Default 0."},
    {option_id::will_retain, client, "", "--will-retain", "", will, both, "",
     "It is retained."},

    // -- diagnostics
    {option_id::debug, client, "-d", "--debug", "", diagnostics, both, "",
     "Tell each packet on standard error (mosquitto's profile: on standard output)."},
    {option_id::verbose, broker, "-v", "--verbose", "", diagnostics, both, "",
     "Tell about each connection on standard error."},
    {option_id::quiet, client, "", "--quiet", "", diagnostics, both, "",
     "No messages about errors at run time; the exit code remains."},
    {option_id::help, all, "", "--help", "", diagnostics, both, "",
     "Print this text."},
    {option_id::version, all, "", "--version", "", diagnostics, both, "",
     "Print the version."},
});
// clang-format on

bool known(const option& row, command c, profile p) noexcept {
    return belongs_to(row, c) && (p == profile::native || row.available != native_only);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j + 1] + 1, row[j] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::span<const option> options() noexcept { return table; }

const option* find_option(std::string_view name, command c, profile p) noexcept {
    if (name.empty()) return nullptr;
    for (const option& row : table) {
        if ((row.short_name == name || row.long_name == name) && known(row, c, p)) return &row;
    }
    return nullptr;
}

std::string_view nearest_option(std::string_view name, command c, profile p) {
    if (!name.starts_with("--") || name.size() > 64) return {};
    std::string_view best;
    std::size_t best_distance = 3;  // more wrong letters than two: a guess
    for (const option& row : table) {
        if (row.long_name.empty() || !known(row, c, p)) continue;
        const std::size_t distance = edit_distance(name, row.long_name);
        const bool closer = distance < best_distance;
        const bool begins_so = name.size() > 4 && best.empty() && row.long_name.starts_with(name);
        if (!closer && !begins_so) continue;
        best = row.long_name;
        best_distance = std::min(best_distance, distance);
    }
    return best;
}

std::string_view to_string(command c) noexcept {
    switch (c) {
        case command::pub: return "pub";
        case command::sub: return "sub";
        case command::broker: return "broker";
    }
    return "?";
}

std::string_view heading(option_group group, command c) noexcept {
    switch (group) {
        case what: return c == command::pub ? "What to publish" : "What to receive";
        case how_long: return "How many, how long";
        case output: return "Output";
        case listening: return "Where to listen";
        case connection: return "Connection";
        case security: return "Security";
        case will: return "Will";
        case diagnostics: return "Diagnostics";
    }
    return "";
}

}  // namespace martlet::cli
