// What a broker reads of a stream of bytes.
#pragma once

#include <martlet/types.hpp>

#include <string>
#include <string_view>

namespace martlet::differential {

/// Follows a connection's bytes as a broker that knows the protocol cuts and decodes them.
class reader {
public:
    /// Takes `bytes`; says what they completed, the last packet or the first bad one: "PUBLISH legal", "PUBLISH
    /// MQTT-3.3.1-4: …" with what is wrong, "incomplete". "legal, special characters": it or one before it has some that a receiver may refuse.
    [[nodiscard]] std::string take(std::string_view bytes);
    /// Of the connection, as its CONNECT said.
    [[nodiscard]] protocol_version version() const noexcept { return version_; }

private:
    protocol_version version_ = protocol_version::v3_1_1;  // until CONNECT says
    std::string input_;
};

}  // namespace martlet::differential
