// Hooks of the broker: who may connect, publish and subscribe. Without one, clients of this machine may do everything
// and others are refused unless broker_options::allow_anonymous_remote says otherwise.
#pragma once

#include <martlet/error.hpp>
#include <martlet/types.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace martlet {

/// A client as the hooks see it. Views live during the call.
struct client_info {
    std::string_view client_id;  ///< empty in authenticate() if the broker is still to choose one
    std::string_view user_name;  ///< as authentication_answer::user_name made it; empty: none
    std::string_view address;    ///< "192.0.2.1:4711", "unix:/path"
    std::string_view identity;   ///< proved in the TLS handshake: Common Name of a verified certificate, or of a PSK
    bool local = false;          ///< loopback or a Unix socket
    protocol_version version = protocol_version::v5;
    /// By which listener it came: 1 for the first successful broker::listen(), and so on. 0: not known, as of a session
    /// that was loaded from a store and that nobody has resumed.
    std::uint16_t listener = 0;
};

enum class authentication_step : std::uint8_t {
    connect,   ///< CONNECT came
    more,      ///< AUTH with what was asked for
    reconnect  ///< AUTH 0x19: the client, connected and accepted, authenticates anew. MQTT 5 §4.12.1
};

struct authentication_request {
    std::uint64_t connection = 0;  ///< names the connection in all steps and in forget()
    authentication_step step = authentication_step::connect;
    client_info client;
    std::optional<std::string_view> password;  ///< binary
    std::optional<std::string_view> method;    ///< Authentication Method: enhanced authentication
    std::string_view data;                     ///< Authentication Data
};

struct authentication_answer {
    /// success; continue_authentication (enhanced only): `data` goes out in an AUTH, and the client's answer comes as
    /// the next step; ≥ 0x80: refused with this reason, for example bad_user_name_or_password, not_authorized,
    /// bad_authentication_method, banned, server_unavailable.
    reason_code reason = reason_code::success;
    std::string data;           ///< Authentication Data for AUTH or CONNACK
    std::string user_name;      ///< who it is from now on, if not empty
    std::string reason_string;  ///< told to the client, if not empty
};

/// Called once, on the broker's executor or from inside authenticate(). After the connection is gone it does nothing.
using authentication_handler = std::function<void(authentication_answer)>;

/// All calls happen on the broker's executor.
class authenticator {
public:
    authenticator() = default;
    authenticator(const authenticator&) = delete;
    authenticator& operator=(const authenticator&) = delete;
    virtual ~authenticator() = default;

    /// Decides about a connection, now or later. Views in \p request are gone when this returns. Nothing of the client
    /// is processed before the answer.
    virtual void authenticate(const authentication_request& request, authentication_handler done) = 0;
    /// The connection of a request is gone; state of an unfinished exchange may go.
    virtual void forget(std::uint64_t connection) { static_cast<void>(connection); }

    /// The answer for the same client and topic is remembered until rights_generation() changes. Also asked for a will,
    /// when it is announced and again when it is to be published.
    [[nodiscard]] virtual bool may_publish(const client_info& client, std::string_view topic) {
        static_cast<void>(client), static_cast<void>(topic);
        return true;
    }
    /// \p filter is without "$share/group/". Also asked for each kept subscription when a session is resumed.
    [[nodiscard]] virtual bool may_subscribe(const client_info& client, std::string_view filter) {
        static_cast<void>(client), static_cast<void>(filter);
        return true;
    }
    /// Asked for each receiver of a topic; remembered like may_publish(). Also asked for retained messages, one by one,
    /// and for what has waited in a session that is resumed.
    [[nodiscard]] virtual bool may_receive(const client_info& client, std::string_view topic) {
        static_cast<void>(client), static_cast<void>(topic);
        return true;
    }
    /// Asked for each connected client when rights_generation() has changed; false closes it with Not authorized (0x87).
    [[nodiscard]] virtual bool may_stay(const client_info& client) {
        static_cast<void>(client);
        return true;
    }
    /// Rises when an earlier answer may have become another; asked once in each turn of the broker's loop.
    [[nodiscard]] virtual std::uint64_t rights_generation() const noexcept { return 0; }
};

}  // namespace martlet
