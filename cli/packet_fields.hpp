// A control packet as names and values, for people and for JSON.
#pragma once

#include <martlet/packets.hpp>
#include <martlet/types.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

struct packet_field {
    std::string name;
    std::string value;
    bool is_number = false;  ///< or true, false: without quotes in JSON
};

/// All that the packet carries, in the order of the specification; properties have their names there. Values are text
/// (control characters escaped by whoever prints them); bytes that are not UTF-8 are in hex, with "_hex" in the name.
[[nodiscard]] std::vector<packet_field> fields_of(const packet& p, protocol_version version);

/// "PUBLISH topic=a/b qos=1 …"
[[nodiscard]] std::string packet_line(const packet& p, protocol_version version);
/// {"type":"PUBLISH","topic":"a/b","qos":1,…}
[[nodiscard]] std::string packet_json(const packet& p, protocol_version version);

}  // namespace martlet::cli
