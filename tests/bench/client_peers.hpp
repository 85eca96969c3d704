// Other libraries' clients, as far as they are installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace martlet::bench {

struct other_client {
    const char* name;
    /// Publishes 64 bytes each to 127.0.0.1, with at most `window` unconfirmed; returns when all are confirmed.
    void (*publish)(std::uint16_t port, std::size_t messages, int qos, std::size_t window);
    /// Subscribes, and returns when so many have come.
    void (*receive)(std::uint16_t port, std::size_t messages);
};

[[nodiscard]] std::vector<other_client> other_clients();
[[nodiscard]] other_client boost_mqtt5();

}  // namespace martlet::bench
