// A message as a line of JSON, and back: what record, retained dump and pub --stdin-format jsonl share.
//
//   {"t":1.5,"topic":"a/b","qos":1,"retain":true,"payload":"text","properties":{"content-type":"text/plain"}}
//
// A payload that is not UTF-8 is in payload_b64; user-properties is an array of objects with one member each.
#pragma once

#include <martlet/message.hpp>
#include <martlet/properties.hpp>
#include <martlet/types.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

/// A message that owns everything.
struct message_record {
    std::optional<double> time;  ///< seconds since the beginning of a recording
    std::optional<std::string> topic;
    std::string payload;
    std::optional<martlet::qos> qos;
    std::optional<bool> retain;
    std::optional<payload_format> format_indicator;
    std::optional<std::uint32_t> expiry;
    std::optional<std::string> content_type;
    std::optional<std::string> response_topic;
    std::optional<std::string> correlation_data;
    std::vector<std::pair<std::string, std::string>> user_properties;

    /// Views of this record; `pairs` is room for the user properties.
    [[nodiscard]] message_properties properties(std::vector<user_property>& pairs) const;
};

/// Appends the line without its end.
void append_record(const message& m, std::optional<double> time, std::string& out);

/// Understands a line. The complaint, a sentence, is empty if all is well. What `sub -j` prints is understood, too.
[[nodiscard]] std::string parse_record(std::string_view line, message_record& out);

}  // namespace martlet::cli
