// What pub publishes: the settings that its two ways, one message and many lines, share.
#pragma once

#include "connection_options.hpp"
#include "payload_source.hpp"
#include "payload_text.hpp"

#include <martlet/client_options.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace martlet::cli {

/// What a line of -l is.
enum class line_format : std::uint8_t { line, tsv, jsonl };

struct pub_settings {
    connection_settings connection;
    std::vector<std::string> topics;  ///< one in mosquitto's profile
    payload_settings payload;
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain = false;
    std::int64_t repeat = 1;
    std::chrono::milliseconds repeat_delay{0};
    std::optional<std::chrono::milliseconds> timeout;
    line_format format = line_format::line;
    std::optional<double> rate;  ///< messages a second
    bool fills_template = false;
    std::shared_ptr<payload_template> filled;  ///< if so

    /// Views the settings.
    [[nodiscard]] publish_options options() const {
        publish_options o{.qos = qos, .retain = retain};
        o.properties = connection.properties.publish;
        o.properties.user_properties = connection.properties.publish_user_properties;
        return o;
    }
};

}  // namespace martlet::cli
