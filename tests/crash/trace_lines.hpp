// Reads what packet_trace.hpp wrote.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace martlet::crash {

/// The lines of `file` about the message with this number as payload: its PUBLISH packets, and what was said about their
/// packet ids until another message took the id; and the connections that began in between.
[[nodiscard]] std::vector<std::string> lines_about(const std::string& file, std::int64_t number);

/// True if a subscriber's lines show that the broker sent PUBLISH with an id for which it had sent PUBREL, which it must
/// not [MQTT-4.3.3-6]: who has forgotten the id by then, as it may, cannot know that the message is not a new one.
[[nodiscard]] bool is_sent_again_after_pubrel(const std::vector<std::string>& lines_of_subscriber);

/// The messages of a publisher's file that the broker has taken over: PUBACK or PUBREC came for them.
[[nodiscard]] std::set<std::int64_t> acknowledged_messages(const std::string& file);

}  // namespace martlet::crash
