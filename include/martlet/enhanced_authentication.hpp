// Enhanced authentication of a client: whoever proves something in several steps. MQTT 5 §4.12. Ready ones are
// scram_sha_256() and scram_sha_512() in <martlet/scram.hpp>.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace martlet {

/// One object serves one client, connection after connection. Called on the client's executor; must not block for long.
class enhanced_authentication {
public:
    enhanced_authentication() = default;
    enhanced_authentication(const enhanced_authentication&) = delete;
    enhanced_authentication& operator=(const enhanced_authentication&) = delete;
    virtual ~enhanced_authentication() = default;

    /// The Authentication Method, the same for the object's life.
    [[nodiscard]] virtual std::string_view method() const noexcept = 0;
    /// A new exchange begins, whatever became of the last one: the data of CONNECT, or of AUTH 0x19.
    [[nodiscard]] virtual std::string begin() = 0;
    /// The server wants more: the data of the answer, or nothing if the server cannot be trusted; the connection is
    /// then ended with errc::authentication_failed.
    [[nodiscard]] virtual std::optional<std::string> respond(std::string_view data) = 0;
    /// The server accepts. \p data: of CONNACK or AUTH 0x00. False: it has not proved itself; as above.
    [[nodiscard]] virtual bool finish(std::string_view data) = 0;
};

}  // namespace martlet
