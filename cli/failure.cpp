#include "failure.hpp"

#include "exit_code.hpp"

#include <boost/asio/error.hpp>

#include <cstdio>

namespace martlet::cli {
namespace {

/// Mosquitto's words for the return codes 1 to 5.
std::string_view return_code_text(int code) {
    switch (code) {
        case 1: return "Connection Refused: unacceptable protocol version.";
        case 2: return "Connection Refused: identifier rejected.";
        case 3: return "Connection Refused: broker unavailable.";
        case 4: return "Connection Refused: bad user name or password.";
        case 5: return "Connection Refused: not authorised.";
        default: return "Connection Refused: unknown reason.";
    }
}

bool is_reason(const error_code& cause) { return cause.category() == reason_category(); }
bool is_errc(const error_code& cause) { return cause.category() == errc_category(); }

failure refusal(reason_code reason, std::optional<protocol_version> version) {
    const int code = connack_code(reason, version.value_or(protocol_version::v5));
    if (version.value_or(protocol_version::v5) != protocol_version::v5) {
        return {"Connection error: " + std::string(return_code_text(code)), code};
    }
    std::string text = "Connection error: " + std::string(to_string(reason));
    if (reason == reason_code::unsupported_protocol_version) {
        text += ". Try connecting to an MQTT v5 broker, or use MQTT v3.x mode.";
    }
    return {std::move(text), code};
}

int exit_code_of(errc e) {
    switch (e) {
        case errc::packet_too_large: return exit_packet_too_large;
        case errc::qos_not_supported: return exit_qos_not_supported;
        case errc::retain_not_supported: return static_cast<int>(reason_code::retain_not_supported);
        case errc::connect_timeout:
        case errc::operation_timeout: return exit_timed_out;
        case errc::keep_alive_timeout: return exit_keep_alive;
        case errc::malformed_packet: return exit_malformed_packet;
        case errc::protocol_error: return exit_protocol_error;
        case errc::connection_closed: return exit_connection_lost;
        default: return exit_failure;
    }
}

/// What else there is to say of it, with the flags that help.
std::string words_behind(const error_code& cause, std::string_view detail) {
    if (cause == errc::tls_certificate_required) return " (--cert and --key name it)";
    if (!is_errc(cause) || detail.empty()) return {};
    std::string text = " (" + std::string(detail);
    if (cause == errc::certificate_untrusted) text += "; --cafile names its authority";
    return text + ")";
}

}  // namespace

failure connect_failure(const error_code& cause, std::optional<protocol_version> version, std::string_view destination,
                        std::string_view detail, profile p, bool has_user_name) {
    const bool native = p == profile::native;
    if (is_reason(cause)) {
        failure f = refusal(static_cast<reason_code>(cause.value()), version);
        if (native && !detail.empty()) f.text.append(" (").append(detail).append(")");
        const bool is_about_user =
            cause == reason_code::not_authorized || cause == reason_code::bad_user_name_or_password;
        if (native && is_about_user && !has_user_name) f.text += " (no user name was given)";
        return f;
    }
    const bool lookup = cause.category() == boost::asio::error::get_netdb_category() ||
                        cause.category() == boost::asio::error::get_addrinfo_category();
    if (lookup) {
        if (!native) return {"Unable to connect (Lookup error.).", exit_failure};
        return {"Unable to connect (Lookup error): " + std::string(destination) + ": " + cause.message(), exit_failure};
    }
    std::string text = "Error: " + describe(cause);
    if (native) text.append(": ").append(destination);
    if (native) text += words_behind(cause, detail);
    return {std::move(text), is_errc(cause) ? exit_code_of(static_cast<errc>(cause.value())) : exit_failure};
}

failure connection_loss(const error_code& cause, std::string_view detail, profile p) {
    if (p == profile::mosquitto) return {"Error: The connection was lost.", exit_connection_lost};
    failure f{"Error: The connection was lost: " + describe(cause), exit_connection_lost};
    if (!detail.empty()) f.text.append(" (").append(detail).append(")");
    if (is_reason(cause)) f.exit_code = cause.value();
    if (is_errc(cause)) f.exit_code = exit_code_of(static_cast<errc>(cause.value()));
    return f;
}

failure publish_failure(const error_code& cause) {
    if (is_reason(cause)) return {describe(cause), cause.value()};
    if (!is_errc(cause)) return {describe(cause), exit_failure};
    const auto e = static_cast<errc>(cause.value());
    switch (e) {
        case errc::packet_too_large: return {"Message payload is too large", exit_code_of(e)};
        case errc::qos_not_supported: return {"Message QoS not supported on broker, try a lower QoS", exit_code_of(e)};
        default: return {describe(cause), exit_code_of(e)};
    }
}

// The client maps return codes onto reason codes. MQTT 3.1.1 §3.2.2.3.
int connack_code(reason_code reason, protocol_version version) noexcept {
    if (version != protocol_version::v5) {
        switch (reason) {
            case reason_code::unsupported_protocol_version: return 1;
            case reason_code::client_identifier_not_valid: return 2;
            case reason_code::server_unavailable: return 3;
            case reason_code::bad_user_name_or_password: return 4;
            case reason_code::not_authorized: return 5;
            default: break;
        }
    }
    return static_cast<int>(reason);
}

std::string describe(const error_code& cause) {
    if (is_reason(cause)) return std::string(to_string(static_cast<reason_code>(cause.value())));
    std::string text = cause.message();
    while (text.ends_with('.'))
        text.pop_back();
    return text;
}

void complain(std::string_view line) {
    std::string whole(line);
    whole += '\n';
    std::fwrite(whole.data(), 1, whole.size(), stderr);  // unbuffered: one write
}

}  // namespace martlet::cli
