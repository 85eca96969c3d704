#include "transport_options.hpp"

#include <cstdio>
#include <memory>
#include <utility>

namespace martlet::cli {
namespace {

constexpr std::uint16_t tls_port = 8883;
constexpr std::size_t line_max = 4'096;

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// A key in hexadecimal digits.
bool read_psk(command_line& in, std::string& out) {
    const auto text = in.secret();
    if (!text) return false;
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text->size(); i += 2) {
        const int high = digit((*text)[i]);
        const int low = digit((*text)[i + 1]);
        if (high < 0 || low < 0) break;
        bytes += static_cast<char>(high * 16 + low);
    }
    if (bytes.empty() || bytes.size() * 2 != text->size()) {
        return in.fail("--psk wants an even number of hexadecimal digits.");
    }
    out = std::move(bytes);
    return true;
}

bool read_tls_version(command_line& in, tls_options& out) {
    const auto text = in.value();
    if (!text) return false;
    if (*text != "tlsv1.2" && *text != "tlsv1.3") {
        return in.fail("Invalid --tls-version '" + std::string(*text) + "': it is tlsv1.2 or tlsv1.3.");
    }
    out.version_min = *text == "tlsv1.2" ? tls_version::v1_2 : tls_version::v1_3;
    out.version_max = out.version_min;
    return true;
}

bool read_first_line(command_line& in, std::string& out) {
    const auto name = in.value();
    if (!name) return false;
    const std::string path(*name);
    const auto close = [](std::FILE* f) { std::fclose(f); };
    const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
    std::string line(line_max, '\0');
    if (!file || std::fgets(line.data(), static_cast<int>(line.size()), file.get()) == nullptr) {
        return in.fail("Unable to read the key's password from \"" + path + "\".");
    }
    out = line.c_str();
    while (out.ends_with('\n') || out.ends_with('\r'))
        out.pop_back();
    return true;
}

bool read_header(command_line& in, transport_settings& out) {
    const auto text = in.value();
    if (!text) return false;
    const auto colon = text->find(':');
    if (colon == text->npos || colon == 0) return in.fail("--header wants 'Name: value'.");
    auto value = text->substr(colon + 1);
    while (value.starts_with(' '))
        value.remove_prefix(1);
    out.headers.emplace_back(text->substr(0, colon), value);
    return true;
}

bool read_failover(command_line& in, transport_settings& out) {
    const auto text = in.value();
    if (!text) return false;
    std::string_view why;
    if (!parse_endpoint(*text, &why)) {
        return in.fail("Invalid --failover '" + std::string(*text) + "': " + std::string(why) + ".");
    }
    out.failover.emplace_back(*text);
    return true;
}

void take(command_line& in, std::string& out) {
    if (const auto text = in.value()) out = *text;
}

// Flags that name what to trust switch TLS on.
void take_trust(command_line& in, transport_settings& settings, std::string& out) {
    take(in, out);
    settings.wants_tls = true;
}

}  // namespace

bool read_transport_option(const option& row, command_line& in, transport_settings& out) {
    switch (row.id) {
        case option_id::ca_file: take_trust(in, out, out.tls.ca_file); return true;
        case option_id::ca_path: take_trust(in, out, out.tls.ca_path); return true;
        case option_id::crl_file: take(in, out.tls.crl_file); return true;
        case option_id::tls_use_os_certificates: out.wants_tls = true; return true;
        case option_id::certificate: take(in, out.tls.certificate_file); return true;
        case option_id::key: take(in, out.tls.key_file); return true;
        case option_id::key_password_file: read_first_line(in, out.tls.key_passphrase); return true;
        case option_id::key_form:
            if (const auto form = in.value(); form && *form != "pem") {
                in.fail("--keyform " + std::string(*form) + " is not supported: only pem is.");
            }
            return true;
        case option_id::ciphers: take(in, out.tls.ciphers); return true;
        case option_id::tls_version: read_tls_version(in, out.tls); return true;
        case option_id::tls_alpn:
            if (const auto name = in.value()) out.tls.alpn = {std::string(*name)};
            return true;
        case option_id::tls_key_log: take(in, out.tls.key_log_file); return true;
        case option_id::insecure:
            // mosquitto 2.0 leaves out the host name only
            out.tls.verify = in.profile() == profile::mosquitto ? tls_verification::insecure_any_host_name
                                                                : tls_verification::insecure_none;
            return true;
        case option_id::psk:
            read_psk(in, out.tls.psk);
            out.wants_tls = true;
            return true;
        case option_id::psk_identity: take(in, out.tls.psk_identity); return true;
        case option_id::no_tls: out.no_tls = true; return true;
        case option_id::websocket: out.websocket = true; return true;
        case option_id::websocket_path: take(in, out.path); return true;
        case option_id::websocket_header: read_header(in, out); return true;
        case option_id::proxy: take(in, out.proxy); return true;
        case option_id::failover: read_failover(in, out); return true;
        default: return false;
    }
}

bool finish_transport_options(command_line& in, transport_settings& settings, std::optional<std::uint16_t> port) {
    const tls_options& tls = settings.tls;
    // One file may hold both; mosquitto wants two names.
    const bool is_short = in.profile() == profile::mosquitto && tls.key_file.empty();
    if (tls.certificate_file.empty() ? !tls.key_file.empty() : is_short) {
        return in.fail("Both certfile and keyfile must be provided if one of them is set.");
    }
    if (!tls.psk.empty() && (!tls.ca_file.empty() || !tls.ca_path.empty())) {
        return in.fail("Only one of --psk or --cafile/--capath may be used at once.");
    }
    if (!tls.psk.empty() && tls.psk_identity.empty()) return in.fail("--psk-identity required if --psk used.");
    if (tls.psk.empty() && !tls.psk_identity.empty()) return in.fail("--psk-identity is of use with --psk only.");
    if (settings.no_tls && settings.wants_tls) return in.fail("--no-tls contradicts an option that switches TLS on.");
    if (port == tls_port && !settings.no_tls) settings.wants_tls = true;
    const bool says_tls = !tls.certificate_file.empty() || !tls.crl_file.empty() || !tls.alpn.empty() ||
                          !tls.key_log_file.empty() || tls.verify != tls_verification::full;
    if (says_tls && !settings.wants_tls && in.profile() == profile::native) {
        return in.fail(
            "--cert, --insecure and the like are about TLS, which is not switched on: "
            "--cafile FILE, --tls-use-os-certs or --url mqtts://HOST does it.");
    }
    if (!settings.websocket && (!settings.path.empty() || !settings.headers.empty())) {
        return in.fail("--path and --header are of use with --ws only.");
    }
    if (!settings.path.empty() && !settings.path.starts_with('/')) return in.fail("--path begins with '/'.");
    return true;
}

scheme scheme_of(const transport_settings& settings) noexcept {
    if (settings.websocket) return settings.wants_tls ? scheme::wss : scheme::ws;
    return settings.wants_tls ? scheme::mqtts : scheme::mqtt;
}

std::uint16_t default_port_of(const transport_settings& settings) noexcept { return default_port(scheme_of(settings)); }

void add_transport(const transport_settings& settings, client_options& to) {
    to.tls = settings.tls;
    to.websocket.headers = settings.headers;
    to.proxy = settings.proxy;
    to.urls.insert(to.urls.end(), settings.failover.begin(), settings.failover.end());
}

}  // namespace martlet::cli
