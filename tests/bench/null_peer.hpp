// A server that does nothing: a process of its own that answers CONNECT, SUBSCRIBE, PUBLISH and PINGREQ, and throws
// everything else away. After SUBSCRIBE it sends as many messages as it was told to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace martlet::bench {

class null_peer {
public:
    /// `flood`: messages of 64 bytes at QoS 0 that follow a SUBACK.
    explicit null_peer(std::size_t flood = 0);
    null_peer(const null_peer&) = delete;
    null_peer& operator=(const null_peer&) = delete;
    ~null_peer();

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::string url() const { return "mqtt://127.0.0.1:" + std::to_string(port_); }

private:
    pid_t pid_ = 0;
    std::uint16_t port_ = 0;
};

}  // namespace martlet::bench
