// -D PACKET NAME [KEY] VALUE: MQTT 5 properties from the command line. MQTT 5 §2.2.2.
#pragma once

#include "command_line.hpp"

#include <martlet/client_options.hpp>
#include <martlet/properties.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

/// What -D has set so far. Views of argv.
struct property_arguments {
    /// True if there was a -D: this means MQTT 5.
    bool any = false;
    std::deque<std::string> kept;  ///< values that were hex, base64 or files; the views below may be of them

    // connect
    std::optional<std::uint32_t> session_expiry_interval;
    std::optional<std::uint16_t> receive_maximum;
    std::optional<std::uint32_t> maximum_packet_size;
    std::optional<std::uint16_t> topic_alias_maximum;
    bool request_response_information = false;
    std::optional<std::string> authentication_method;
    std::string authentication_data;
    bool request_problem_information = true;
    std::vector<owned_user_property> connect_user_properties;

    // publish; the user properties are kept apart, since the list is a view
    message_properties publish;
    std::vector<user_property> publish_user_properties;

    // will
    message_properties will;
    std::vector<user_property> will_user_properties;
    std::optional<std::uint32_t> will_delay_interval;

    // subscribe, unsubscribe, disconnect
    std::vector<user_property> subscribe_user_properties;
    std::vector<user_property> unsubscribe_user_properties;
    std::optional<std::uint32_t> disconnect_session_expiry_interval;
    std::string_view disconnect_reason_string;
    std::vector<user_property> disconnect_user_properties;
    std::uint32_t subscription_identifier = 0;  ///< 0: none
};

/// Reads what follows a -D. False after a failure, which `in` remembers.
bool read_property(command_line& in, property_arguments& out);

}  // namespace martlet::cli
