// Events as lines of text, for a client_log.
#include "client/client_event.hpp"

#include <string>

namespace martlet {

namespace {

// A server that does not know MQTT 5 may hang up or answer in a form of its own, and so may one that wants TLS.
std::string because_of_version(const client_event& e) {
    if (e.cause == reason_code::unsupported_protocol_version) return "the server does not know this version";
    std::string line = e.cause == errc::connection_closed
                           ? "the server closed the connection without an answer"
                           : "the server's answer is not one of MQTT 5, as that of an older one is not";
    if (e.url.starts_with("mqtt:")) line += " (does the port want TLS? mqtts://)";
    if (e.url.starts_with("ws:")) line += " (does the port want TLS? wss://)";
    return line;
}

}  // namespace

std::string to_string(const client_event& e) {
    using kind = client_event::kind_type;
    std::string line;
    const auto add_cause = [&] {
        if (e.cause) line += ": " + e.cause.message();
        if (!e.text.empty()) line += " (" + e.text + ")";
    };
    switch (e.kind) {
        case kind::connecting: return "connecting to " + e.url;
        case kind::connected:
            line = "connected to " + e.url + ", MQTT " + std::string(to_string(e.info.version));
            line += e.info.session_present ? ", the session goes on" : ", a new session";
            return line;
        case kind::connect_failed: line = "could not connect to " + e.url; break;
        case kind::lost: line = "lost the connection to " + e.url; break;
        case kind::retry_in: return "trying again in " + std::to_string(e.delay.count()) + " ms";
        case kind::session_lost: return "the server has no session any more";
        case kind::resubscribed: return std::to_string(e.count) + " filters are subscribed again";
        case kind::resubscribe_refused:
            return "the server refuses to subscribe " + e.text + " again: " + e.cause.message();
        case kind::messages_dropped: return std::to_string(e.count) + " received messages are dropped: " + e.text;
        case kind::queue_dropped: return std::to_string(e.count) + " outgoing messages are dropped or have expired";
        case kind::version_changed:
            line = because_of_version(e);
            return line.append("; trying MQTT ").append(to_string(e.info.version));
        case kind::redirected: line = "the server sends us to " + e.url; break;
        case kind::stopped: line = "stopped"; break;
        case kind::store_delayed:
            line = e.cause ? "the store does not follow, and is tried again" : "the store goes on";
            break;
    }
    add_cause();
    return line;
}

namespace detail {

log_level level_of(const client_event& e) noexcept {
    using kind = client_event::kind_type;
    switch (e.kind) {
        case kind::stopped: return e.cause ? log_level::error : log_level::information;
        case kind::connect_failed:
        case kind::lost:
        case kind::store_delayed:
        case kind::session_lost:
        case kind::resubscribe_refused:
        case kind::messages_dropped:
        case kind::queue_dropped: return log_level::warning;
        default: return log_level::information;
    }
}

}  // namespace detail

}  // namespace martlet
