// The language of sub -F: how a received message is printed. A format is compiled once, at the start, where every
// mistake in it is found; printing stumbles only over payloads that are not what %J, %f and %d want.
//
//   %[-][0][width][.precision[separator]]X   a field, see format_field
//   @c                                       strftime's %c; @@ is '@', @N nanoseconds
//   \\ \0 \a \e \n \r \t \v                  characters
#pragma once

#include <martlet/properties.hpp>
#include <martlet/types.hpp>

#include <boost/system/result.hpp>

#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace martlet::cli {

/// What can be printed of a message.
struct printable_message {
    std::string_view topic;
    std::string_view payload;
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain = false;
    packet_id id = packet_id::none;
    std::optional<std::uint16_t> topic_alias = {};
    std::span<const std::uint32_t> subscription_identifiers = {};
    message_properties properties = {};
};

/// The letter of a field.
enum class format_field : char {
    percent = '%',
    topic_alias = 'A',
    content_type = 'C',
    correlation_data = 'D',
    message_expiry = 'E',
    payload_format = 'F',
    iso_time = 'I',
    json = 'j',
    json_payload = 'J',  ///< the payload is JSON, too
    length = 'l',
    packet_identifier = 'm',
    user_properties = 'P',
    payload = 'p',
    qos = 'q',
    response_topic = 'R',
    retain = 'r',
    subscription_identifier = 'S',
    topic = 't',
    unix_time = 'U',
    hex = 'x',
    upper_hex = 'X',
    payload_float = 'f',
    payload_double = 'd',
};

/// Mosquitto changed its JSON in 2.1: retain became a boolean, user properties an array of one-pair objects.
enum class json_style : std::uint8_t { mosquitto_2_0, mosquitto_2_1 };

struct format_options {
    bool pretty = false;
    json_style style = json_style::mosquitto_2_1;
};

/// What a field did not like about a payload; the field is left out then.
enum class print_problem : std::uint8_t { none, not_json, not_a_float, not_a_double };

class message_format {
public:
    /// Understands a format; the error is a sentence about what is wrong with it.
    [[nodiscard]] static std::variant<message_format, std::string> compile(std::string_view format,
                                                                           format_options options = {});

    /// Appends the message as the format wants it. `now` is the time of arrival.
    print_problem print(const printable_message& m, const std::timespec& now, std::string& out) const;

    /// True if print() looks at `now`.
    [[nodiscard]] bool needs_time() const noexcept { return needs_time_; }

private:
    struct literal {
        std::string text;
    };
    struct field {
        format_field what{};
        bool left = false;
        char pad = ' ';
        int width = 0;
        int precision = -1;
        char separator = ' ';
    };
    struct clock {
        char conversion;  ///< of strftime
    };
    struct nanoseconds {};
    using item = std::variant<literal, field, clock, nanoseconds>;
    struct parser;

    print_problem print_field(const field& f, const printable_message& m, const std::timespec& now,
                              std::string& out) const;
    print_problem print_json(bool parse_payload, const printable_message& m, const std::timespec& now,
                             std::string& out) const;

    std::vector<item> items_;
    format_options options_;
    bool needs_time_ = false;
};

}  // namespace martlet::cli
