#include "connection_options.hpp"

#include "terminal.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/enhanced_authentication.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <unistd.h>

namespace martlet::cli {
namespace {

constexpr std::uint32_t for_ever = 0xFFFF'FFFF;
constexpr std::uint16_t inflight_default = 1'000;  // more adds nothing to the speed
constexpr std::uint16_t inflight_default_3 = 20;   // before MQTT 5 the broker cannot say; Mosquitto stalls beyond

bool is_version_5(const connection_settings& settings) {
    return settings.version.value_or(protocol_version::v5) == protocol_version::v5;
}

/// MQTT 3.1 wants an identifier of 1 to 23 characters from every client.
std::string random_id() {
    static constexpr std::string_view signs = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::random_device random;
    std::string id = "martlet-";
    while (id.size() < 23)
        id += signs[random() % signs.size()];
    return id;
}

bool has_scheme(std::string_view url, std::string_view scheme) {
    if (url.size() < scheme.size()) return false;
    for (std::size_t i = 0; i < scheme.size(); ++i) {
        if (std::tolower(static_cast<unsigned char>(url[i])) != scheme[i]) return false;
    }
    return true;
}

bool read_port(command_line& in, std::string_view text, connection_settings& out) {
    const bool lenient = in.profile() == profile::mosquitto;
    const std::optional<std::int64_t> port = lenient ? std::atoi(std::string(text).c_str()) : parse_integer(text);
    if (lenient && (*port < 1 || *port > 65'535)) {
        out.late_complaint = "Unable to connect (Invalid function arguments provided.).";
        return true;
    }
    if (!port || *port < 1 || *port > 65'535) return in.fail("Invalid port given: " + std::string(text));
    out.port = static_cast<std::uint16_t>(*port);
    return true;
}

/// mqtt://[user[:password]@]host[:port]/topic. The topic begins after the first '/' and is taken as it stands, and so
/// are user name and password. An IPv6 address stands in brackets.
bool read_url(command_line& in, std::string_view url, connection_settings& out) {
    std::optional<scheme> found;
    for (const scheme s : {scheme::mqtt, scheme::mqtts, scheme::ws, scheme::wss}) {
        const std::string prefix = std::string(to_string(s)) + "://";
        if (found || !has_scheme(url, prefix)) continue;
        found = s;
        url.remove_prefix(prefix.size());
    }
    if (!found) return in.fail("unsupported URL scheme.\n");
    const bool is_websocket = *found == scheme::ws || *found == scheme::wss;
    if (is_websocket && in.profile() == profile::mosquitto) return in.fail("unsupported URL scheme.\n");
    out.transport.websocket = is_websocket;
    out.transport.wants_tls = *found == scheme::mqtts || *found == scheme::wss;

    const std::size_t slash = url.find('/');
    // Without a topic it says where the broker is; the tool asks for a topic if it needs one.
    const bool needs_topic = in.profile() == profile::mosquitto;
    if (slash == std::string_view::npos && needs_topic) {
        return in.fail("Invalid URL for -L argument specified - topic missing.");
    }
    out.url_topic = slash == std::string_view::npos ? std::string_view() : url.substr(slash + 1);
    url = url.substr(0, slash);

    if (const std::size_t at = url.find('@'); at != std::string_view::npos) {
        const std::string_view user = url.substr(0, at);
        const std::size_t colon = user.find(':');
        if (colon != std::string_view::npos) out.password = user.substr(colon + 1);
        out.user_name = user.substr(0, colon);
        url.remove_prefix(at + 1);
    }

    std::size_t host_end = url.find(':');
    if (url.starts_with('[')) {
        const std::size_t bracket = url.find(']');
        if (bracket == std::string_view::npos) return in.fail("Invalid URL for -L argument specified - ']' missing.");
        out.host = url.substr(1, bracket - 1);
        host_end = bracket + 1 < url.size() ? bracket + 1 : std::string_view::npos;
        if (host_end != std::string_view::npos && url[host_end] != ':') {
            return in.fail("Invalid URL for -L argument specified - ':' expected after ']'.");
        }
    } else {
        out.host = url.substr(0, host_end);
    }
    out.port = default_port(*found);
    if (host_end == std::string_view::npos) return true;
    return read_port(in, url.substr(host_end + 1), out);
}

/// The password of a URL is overwritten in argv like that of -P.
void hide_url_password(std::string_view url) {
    const std::size_t at = url.find('@');
    const std::size_t colon = url.find(':', url.find("://") + 3);
    if (at == std::string_view::npos || colon == std::string_view::npos || colon > at) return;
    char* const argument = const_cast<char*>(url.data());
    for (std::size_t i = colon + 1; i < at; ++i)
        argument[i] = 'x';
}

bool read_version(command_line& in, connection_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    if (*text == "mqttv31" || *text == "31") {
        out.version = protocol_version::v3_1;
    } else if (*text == "mqttv311" || *text == "311") {
        out.version = protocol_version::v3_1_1;
    } else if (*text == "mqttv5" || *text == "5") {
        out.version = protocol_version::v5;
    } else {
        return in.fail("Invalid protocol version argument given.\n");
    }
    return true;
}

bool read_session_expiry(command_line& in, connection_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    out.version = protocol_version::v5;
    if (*text == "∞") {
        out.session_expiry = for_ever;
        return true;
    }
    char* end = nullptr;
    const long long seconds = std::strtoll(text->data(), &end, 0);  // 0x10 is fine
    if (text->empty() || end != text->data() + text->size()) return in.fail("session-expiry-interval not a number.\n");
    if (seconds < -1 || seconds > for_ever) return in.fail("session-expiry-interval out of range.\n");
    out.session_expiry = seconds == -1 ? for_ever : static_cast<std::uint32_t>(seconds);
    return true;
}

bool read_password_file(command_line& in, connection_settings& out) {
    const std::optional<std::string_view> name = in.value();
    if (!name) return false;
    const auto close = [](std::FILE* f) {
        if (f != stdin) std::fclose(f);
    };
    const std::unique_ptr<std::FILE, decltype(close)> file(*name == "-" ? stdin : std::fopen(name->data(), "rb"),
                                                           close);
    if (!file) return in.fail("Unable to read password file \"" + std::string(*name) + "\".");
    std::array<char, 65'537> line{};
    if (std::fgets(line.data(), static_cast<int>(line.size()), file.get()) == nullptr) {
        return in.fail("Password file \"" + std::string(*name) + "\" is empty.");
    }
    std::string password = line.data();
    while (password.ends_with('\n') || password.ends_with('\r'))
        password.pop_back();
    out.password = std::move(password);
    return true;
}

bool read_retries(command_line& in, connection_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    const std::optional<std::int64_t> n = parse_integer(*text);
    if (*text != "forever" && (!n || *n < 0)) {
        return in.fail("Invalid --retry '" + std::string(*text) + "': it takes a number of attempts or 'forever'.");
    }
    out.retries = *text == "forever" ? UINT64_MAX : static_cast<std::uint64_t>(*n);
    return true;
}

bool read_id(const option& row, command_line& in, connection_settings& out) {
    const bool prefix = row.id == option_id::id_prefix;
    if (prefix ? out.id.has_value() : out.id_prefix.has_value()) {
        return in.fail("-i and -I argument cannot be used together.\n");
    }
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    if (!is_valid_utf8_string(*text))
        return in.fail("Malformed UTF-8 in " + std::string(row.short_name) + " argument.\n");
    (prefix ? out.id_prefix : out.id) = *text;
    return true;
}

bool read_user_name(command_line& in, connection_settings& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    if (!is_valid_utf8_string(*text))
        return in.profile() == profile::mosquitto
                   ? in.fail_without_usage("Error: Problem setting username and/or password.")
                   : in.fail("Malformed UTF-8 in -u argument.");
    out.user_name = *text;
    return true;
}

/// Signs of a host or path that a URL may hold as they are.
bool plain_in_url(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("-._~/:").find(c) != std::string_view::npos;
}

std::string percent_encoded(std::string_view text) {
    static constexpr std::string_view hex = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        if (plain_in_url(c)) {
            encoded += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded.append("%") += hex[byte >> 4];
            encoded += hex[byte & 15];
        }
    }
    return encoded;
}

/// -D connect authentication-method and -data: what they say, and no answer to a challenge, which it cannot know.
class fixed_authentication : public enhanced_authentication {
public:
    fixed_authentication(std::string method, std::string data) : method_(std::move(method)), data_(std::move(data)) {}
    [[nodiscard]] std::string_view method() const noexcept override { return method_; }
    [[nodiscard]] std::string begin() override { return data_; }
    [[nodiscard]] std::optional<std::string> respond(std::string_view) override { return std::nullopt; }
    [[nodiscard]] bool finish(std::string_view) override { return true; }

private:
    std::string method_;
    std::string data_;
};

will_options to_will(const connection_settings& settings) {
    will_options will{.topic = *settings.will_topic,
                      .payload = settings.will_payload.value_or(""),
                      .qos = settings.will_qos,
                      .retain = settings.will_retain};
    const property_arguments& p = settings.properties;
    will.delay = std::chrono::seconds(p.will_delay_interval.value_or(0));
    will.payload_format_indicator = p.will.payload_format_indicator;
    will.message_expiry_interval = p.will.message_expiry_interval;
    if (p.will.content_type) will.content_type = *p.will.content_type;
    if (p.will.response_topic) will.response_topic = *p.will.response_topic;
    if (p.will.correlation_data) will.correlation_data = *p.will.correlation_data;
    for (const user_property& pair : p.will_user_properties)
        will.user_properties.emplace_back(pair.name, pair.value);
    return will;
}

}  // namespace

connection_settings default_settings(profile p) {
    connection_settings settings;
    if (p == profile::mosquitto) settings.version = protocol_version::v3_1_1;
    return settings;
}

bool read_connection_option(const option& row, command_line& in, connection_settings& out) {
    switch (row.id) {
        case option_id::host:
            if (const auto text = in.value()) {
                out.host = *text;
                out.unix_path.clear();
            }
            return true;
        case option_id::port:
            if (const auto port =
                    in.number(in.profile() == profile::mosquitto ? 0 : 1, 65'535, "Invalid port given: {}")) {
                out.port = static_cast<std::uint16_t>(*port);
                out.late_complaint = *port == 0 ? "Error: No such file or directory" : "";
            }
            return true;
        case option_id::url:
            if (const auto text = in.value()) {
                out.unix_path.clear();
                if (read_url(in, *text, out)) hide_url_password(*text);
            }
            return true;
        case option_id::unix_socket:
            if (const auto text = in.value()) out.unix_path = *text;
            return true;
        case option_id::bind_address:
            if (const auto text = in.value()) out.bind_address = *text;
            return true;
        case option_id::no_delay: return true;
        case option_id::dns_srv: out.uses_srv = true; return true;
        case option_id::id:
        case option_id::id_prefix: read_id(row, in, out); return true;
        case option_id::keep_alive:
            if (const auto seconds =
                    in.number(5, 65'535, "Invalid keepalive given, it must be between 5 and 65535 inclusive.\n")) {
                out.keep_alive = static_cast<std::uint16_t>(*seconds);
            }
            return true;
        case option_id::disable_clean_session: out.keep_session = true; return true;
        case option_id::session_expiry: read_session_expiry(in, out); return true;
        case option_id::protocol_version: read_version(in, out); return true;
        case option_id::inflight_max:
            if (const auto n = in.number(1, INT64_MAX, "Maximum inflight messages must be greater than 0.\n")) {
                out.inflight_max = static_cast<std::uint16_t>(std::min<std::int64_t>(*n, 65'535));
            }
            return true;
        case option_id::property:
            if (read_property(in, out.properties)) out.version = protocol_version::v5;
            return true;
        case option_id::connect_timeout: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid connect timeout \"{}\".", limit)) out.connect_timeout = limit;
            return true;
        }
        case option_id::user_name: read_user_name(in, out); return true;
        case option_id::password:
            if (auto text = in.secret()) out.password = std::move(*text);
            return true;
        case option_id::password_file: read_password_file(in, out); return true;
        case option_id::ask_password: out.asks_password = true; return true;
        case option_id::retry: read_retries(in, out); return true;
        case option_id::will_topic:
            if (const auto topic = in.value(); topic && check_topic_name(in, *topic, "will", "--will-topic")) {
                out.will_topic = *topic;
            }
            return true;
        case option_id::will_payload:
            if (const auto text = in.value()) out.will_payload = *text;
            return true;
        case option_id::will_qos: read_qos(in, "Invalid will QoS {}.\n", out.will_qos); return true;
        case option_id::will_retain: out.will_retain = true; return true;
        case option_id::debug: out.debug = true; return true;
        case option_id::quiet: out.quiet = true; return true;
        default: return read_transport_option(row, in, out.transport);
    }
}

bool finish_connection_options(command_line& in, connection_settings& settings) {
    if (in.failed()) return false;
    if (settings.will_payload && !settings.will_topic) return in.fail("Will payload given, but no will topic given.");
    if (settings.will_retain && !settings.will_topic) return in.fail("Will retain given, but no will topic given.");
    if (!settings.late_complaint.empty() && settings.unix_path.empty()) {
        return in.fail_without_usage(settings.late_complaint);
    }
    if (settings.host.empty()) return in.fail("Invalid host given: it must not be empty.");
    if (settings.unix_path.empty() && !finish_transport_options(in, settings.transport, settings.port)) return false;

    if (settings.asks_password && !settings.password) {
        std::string why;
        settings.password = ask_password("Password: ", why);
        if (!settings.password) return in.fail("Cannot ask for the password: " + why + ".");
    }

    const bool version_5 = is_version_5(settings);
    if (settings.properties.any && !version_5) return in.fail("--property needs MQTT 5, but -V asks for an older one.");
    if (settings.properties.session_expiry_interval)
        settings.session_expiry = settings.properties.session_expiry_interval;
    if (settings.keep_session && version_5 && !settings.session_expiry) settings.session_expiry = for_ever;
    if (!settings.id) {
        if (settings.keep_session && (!version_5 || in.profile() == profile::native)) {
            return in.fail("You must provide a client id if you are using the -c option.");
        }
        if (version_5 && settings.session_expiry == for_ever) {
            return in.fail("You must provide a client id if you are using an infinite session expiry interval.");
        }
    }
    if (!version_5 && settings.password && !settings.user_name) {
        return in.profile() == profile::mosquitto
                   ? in.fail_without_usage("Error: Problem setting username and/or password.")
                   : in.fail("A password (-P) needs a user name (-u) before MQTT 5.");
    }
    if (!version_5 && settings.session_expiry && in.profile() == profile::native) {
        return in.fail("-x needs MQTT 5, but -V asks for an older one.");
    }
    if (settings.uses_srv && settings.unix_path.empty()) {
        std::string why;
        settings.servers = lookup_srv(settings.host, settings.transport.wants_tls, why);
        if (settings.servers.empty()) return in.fail_without_usage("Error: " + why + ".");
    }
    return true;
}

namespace {

std::string url_of(const std::string& host, std::uint16_t port, const transport_settings& transport) {
    const bool literal_v6 = host.find(':') != std::string::npos;
    return std::string(to_string(scheme_of(transport))) + "://" +
           (literal_v6 ? "[" + host + "]" : percent_encoded(host)) + ":" + std::to_string(port) + transport.path;
}

}  // namespace

client_options to_client_options(const connection_settings& settings) {
    const property_arguments& p = settings.properties;
    client_options options;
    if (!settings.unix_path.empty()) {
        options.urls = {"unix:" + percent_encoded(settings.unix_path)};
    } else {
        for (const srv_record& server : settings.servers)
            options.urls.push_back(url_of(server.host, server.port, settings.transport));
        if (settings.servers.empty()) {
            const auto port = settings.port.value_or(default_port_of(settings.transport));
            options.urls = {url_of(settings.host, port, settings.transport)};
        }
        add_transport(settings.transport, options);
    }
    if (settings.id) options.client_id = *settings.id;
    if (options.client_id.empty() && settings.version == protocol_version::v3_1) options.client_id = random_id();
    if (settings.id_prefix) options.client_id = *settings.id_prefix + std::to_string(::getpid());
    options.version = settings.version;
    options.session = settings.keep_session ? session_mode::resume : session_mode::fresh;
    if (settings.session_expiry) options.session_expiry = std::chrono::seconds(*settings.session_expiry);
    options.user_name = settings.user_name;
    options.password = settings.password;
    if (settings.will_topic) options.will = to_will(settings);
    options.keep_alive = std::chrono::seconds(settings.keep_alive);
    if (settings.connect_timeout) options.connect_timeout = *settings.connect_timeout;

    options.inflight_max =
        settings.inflight_max.value_or(is_version_5(settings) ? inflight_default : inflight_default_3);
    if (p.receive_maximum) options.receive_maximum = *p.receive_maximum;
    if (p.maximum_packet_size) options.packet_size_max = *p.maximum_packet_size;
    if (p.topic_alias_maximum) options.topic_alias_maximum = *p.topic_alias_maximum;
    options.request_response_information = p.request_response_information;
    if (p.authentication_method) {
        options.authentication =
            std::make_shared<fixed_authentication>(*p.authentication_method, p.authentication_data);
    }
    options.request_problem_information = p.request_problem_information;
    options.user_properties = p.connect_user_properties;
    options.bind_address = settings.bind_address;
    return options;
}

std::string destination(const connection_settings& settings) {
    if (!settings.unix_path.empty()) return settings.unix_path;
    return settings.host + ':' + std::to_string(settings.port.value_or(default_port_of(settings.transport)));
}

bool check_topic_name(command_line& in, std::string_view topic, std::string_view kind, std::string_view option_name) {
    if (!is_valid_utf8_string(topic)) return in.fail("Malformed UTF-8 in " + std::string(option_name) + " argument.\n");
    if (is_valid_topic_name(topic)) return true;
    if (topic.empty() && in.profile() == profile::native) {
        return in.fail("Invalid " + std::string(kind) + " topic '': it must not be empty.");
    }
    return in.fail("Invalid " + std::string(kind) + " topic '" + std::string(topic) + "', does it contain '+' or '#'?");
}

bool check_topic_filter(command_line& in, std::string_view filter, std::string_view kind,
                        std::string_view option_name) {
    if (!is_valid_utf8_string(filter))
        return in.fail("Malformed UTF-8 in " + std::string(option_name) + " argument.\n");
    if (is_valid_topic_filter(filter)) return true;
    return in.fail("Invalid " + std::string(kind) + " topic '" + std::string(filter) +
                   "', are all '+' and '#' wildcards correct?");
}

bool read_qos(command_line& in, std::string_view complaint, qos& out) {
    const std::optional<std::int64_t> level = in.number(0, 2, complaint);
    if (level) out = static_cast<qos>(*level);
    return level.has_value();
}

bool read_seconds(command_line& in, std::string_view complaint, std::chrono::milliseconds& out) {
    constexpr std::int64_t seconds_max = 1'000'000'000;
    if (in.profile() == profile::mosquitto) {
        const std::optional<std::int64_t> whole = in.number(1, seconds_max, complaint);
        if (whole) out = std::chrono::seconds(*whole);
        return whole.has_value();
    }
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    const std::optional<double> seconds = parse_seconds(*text);
    if (!seconds || *seconds > static_cast<double>(seconds_max) || *seconds < 0.001) {
        std::string sentence(complaint);
        if (const std::size_t gap = sentence.find("{}"); gap != std::string::npos) sentence.replace(gap, 2, *text);
        return in.fail(std::move(sentence));
    }
    out = std::chrono::milliseconds(std::llround(*seconds * 1'000));
    return true;
}

}  // namespace martlet::cli
