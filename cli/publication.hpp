// What pub publishes: the settings that its two ways, one message and many lines, share.
#pragma once

#include "connection_options.hpp"
#include "payload_source.hpp"

#include <martlet/client_options.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace martlet::cli {

struct pub_settings {
    connection_settings connection;
    std::vector<std::string> topics;  ///< one in mosquitto's profile
    payload_settings payload;
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain = false;
    std::int64_t repeat = 1;
    std::chrono::milliseconds repeat_delay{0};
    std::optional<std::chrono::milliseconds> timeout;

    /// Views the settings.
    [[nodiscard]] publish_options options() const {
        publish_options o{.qos = qos, .retain = retain};
        o.properties = connection.properties.publish;
        o.properties.user_properties = connection.properties.publish_user_properties;
        return o;
    }
};

}  // namespace martlet::cli
