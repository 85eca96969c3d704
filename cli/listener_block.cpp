#include "listener_block.hpp"

#include "psk_file.hpp"

#include <algorithm>
#include <array>

namespace martlet::cli {
namespace {

constexpr auto own_keys = std::to_array<std::string_view>(
    {"protocol", "socket_domain", "cafile", "capath", "certfile", "keyfile", "crlfile", "require_certificate",
     "use_identity_as_username", "tls_version", "ciphers", "ciphers_tls1.3", "psk_hint", "websockets_origin"});
constexpr auto keys_of_users =
    std::to_array<std::string_view>({"password_file", "acl_file", "allow_anonymous", "psk_file"});

bool read_flag(std::string_view value, bool& out, std::string& why) {
    if (value != "true" && value != "false") {
        why = "'" + std::string(value) + "' is not true or false";
        return false;
    }
    out = value == "true";
    return true;
}

}  // namespace

bool listener_block::knows(std::string_view key, bool per_listener) noexcept {
    return std::ranges::find(own_keys, key) != own_keys.end() ||
           (per_listener && std::ranges::find(keys_of_users, key) != keys_of_users.end());
}

bool listener_block::read(std::string_view key, std::string_view value, std::string& why) {
    if (first_key_.empty()) first_key_ = key;
    tls_server_options& tls = options_.tls;
    const auto text = [&](std::string& field) {
        field = value;
        return true;
    };
    const auto fail = [&](std::string_view rule) {
        why.assign(key).append(": '").append(value).append("' is not ").append(rule);
        return false;
    };
    if (key == "protocol") {
        is_websocket_ = value == "websockets";
        return is_websocket_ || value == "mqtt" || fail("mqtt or websockets");
    }
    if (key == "socket_domain") {
        return (text(domain_) && (value == "ipv4" || value == "ipv6")) || fail("ipv4 or ipv6");
    }
    if (key == "cafile") return text(tls.ca_file);
    if (key == "capath") return text(tls.ca_path);
    if (key == "certfile") return text(tls.certificate_file);
    if (key == "keyfile") return text(tls.key_file);
    if (key == "crlfile") return text(tls.crl_file);
    if (key == "ciphers") return text(tls.ciphers);
    if (key == "ciphers_tls1.3") return text(tls.cipher_suites);
    if (key == "websockets_origin") {
        options_.websocket.origins.emplace_back(value);
        return true;
    }
    if (key == "tls_version") {
        if (value == "tlsv1.1") return fail("tlsv1.2 or tlsv1.3; older versions are broken");
        tls.version_min = value == "tlsv1.3" ? tls_version::v1_3 : tls_version::v1_2;
        return value == "tlsv1.3" || value == "tlsv1.2" || fail("tlsv1.2 or tlsv1.3");
    }
    if (key == "psk_hint") {
        has_psk_ = true;
        return text(tls.psk_hint);
    }
    if (key == "psk_file") return text(psk_file_);
    if (key == "password_file") return text(accounts_.password_file);
    if (key == "acl_file") return text(accounts_.acl_file);
    bool on = false;
    if (!read_flag(value, on, why)) {
        why.insert(0, std::string(key) + ": ");
        return false;
    }
    if (key == "require_certificate")
        tls.client_certificates = on ? client_certificates::require : client_certificates::none;
    if (key == "use_identity_as_username") options_.use_identity_as_user_name = on;
    if (key == "allow_anonymous") allow_anonymous_ = on;
    return true;
}

std::string listener_block::url() const {
    if (!unix_path_.empty()) return "unix:" + unix_path_;
    const bool has_tls = !options_.tls.certificate_file.empty() || has_psk_;
    std::string text = is_websocket_ ? (has_tls ? "wss://" : "ws://") : (has_tls ? "mqtts://" : "mqtt://");
    std::string address = address_;
    if (address.empty()) address = domain_ == "ipv4" ? "0.0.0.0" : domain_ == "ipv6" ? "::" : "*";
    text += address.find(':') != std::string::npos ? "[" + address + "]" : address;
    return text + ':' + std::to_string(port_.value_or(1883));
}

bool listener_block::finish(const std::string& psk_file, listener_settings& out, std::string& why) const {
    const auto fail = [&](std::string_view text) {
        why = where_ + ": this listener's " + std::string(text);
        return false;
    };
    const tls_server_options& tls = options_.tls;
    const bool has_certificate = !tls.certificate_file.empty();
    const bool wants_clients = tls.client_certificates != client_certificates::none;
    if (!unix_path_.empty() && (has_certificate || has_psk_ || is_websocket_)) {
        return fail("Unix socket has neither TLS nor WebSocket");
    }
    if (!tls.key_file.empty() && !has_certificate) return fail("keyfile needs a certfile");
    if (wants_clients && !has_certificate) return fail("require_certificate needs a certfile");
    if (wants_clients && tls.ca_file.empty() && tls.ca_path.empty()) {
        return fail("require_certificate needs a cafile or a capath, the authority of the clients");
    }
    if (options_.use_identity_as_user_name && !wants_clients && !has_psk_) {
        return fail("use_identity_as_username needs require_certificate or psk_hint");
    }
    out.url = url();
    out.where = where_;
    out.options = options_;
    out.accounts = accounts_;
    out.allow_anonymous = allow_anonymous_;
    if (!has_psk_) return true;
    const std::string& file = psk_file_.empty() ? psk_file : psk_file_;
    if (file.empty()) return fail("psk_hint needs a psk_file");
    out.psk = psk_table::open(file, why);
    if (out.psk == nullptr) return false;
    out.options->tls.psk = [keys = out.psk](std::string_view identity) { return keys->find(identity); };
    return true;
}

}  // namespace martlet::cli
