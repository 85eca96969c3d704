// How the decoders say what is wrong: the two kinds of fault, the statement's id by version, and strings.
#pragma once

#include "core/wire.hpp"

#include <martlet/error.hpp>
#include <martlet/types.hpp>

#include <string_view>

namespace martlet::core {

/// The id of the broken statement. MQTT 5 and 3.1.1 number them differently; 3.1 has none and borrows 3.1.1's.
struct rule_id {
    std::string_view v5;
    std::string_view v3;

    constexpr rule_id() = default;
    constexpr rule_id(const char* both) noexcept : v5(both), v3(both) {}  // NOLINT(google-explicit-constructor)
    constexpr rule_id(const char* in_v5, const char* in_v3) noexcept : v5(in_v5), v3(in_v3) {}

    [[nodiscard]] constexpr std::string_view of(protocol_version version) const noexcept {
        return version == protocol_version::v5 ? v5 : v3;
    }
};

/// The packet cannot be parsed.
[[nodiscard]] constexpr fault malformed(std::string_view rule, std::string_view text) noexcept {
    return {reason_code::malformed_packet, rule, text};
}

/// The packet can be parsed but says what it must not.
[[nodiscard]] constexpr fault protocol_error(std::string_view rule, std::string_view text) noexcept {
    return {reason_code::protocol_error, rule, text};
}

/// A string field: what to say when it is faulty.
struct string_field {
    std::string_view cut_short;
    std::string_view ill_formed;
    std::string_view null_character;
    rule_id rule;  ///< that it is well-formed UTF-8
};

// The texts must be in static storage and name the field: literals joined by the compiler.
#define MARTLET_STRING_FIELD(name, ...)                                                                          \
    ::martlet::core::string_field {                                                                              \
        name " is cut short", name " is not well-formed UTF-8", name " contains U+0000", rule_id { __VA_ARGS__ } \
    }

/// What to say of a string that is not valid.
[[nodiscard]] constexpr fault string_fault(text_check found, const string_field& field,
                                           protocol_version version) noexcept {
    switch (found) {
        case text_check::valid: return {};
        case text_check::null_character:
            return malformed(rule_id("MQTT-1.5.4-2", "MQTT-1.5.3-2").of(version), field.null_character);
        case text_check::ill_formed:
        case text_check::wildcard: break;
    }
    return malformed(field.rule.of(version), field.ill_formed);
}

/// Reads a string and checks it.
[[nodiscard]] inline fault read_string(reader& in, const string_field& field, protocol_version version,
                                       std::string_view& out) noexcept {
    if (!in.read_binary(out)) return malformed({}, field.cut_short);
    return string_fault(check_text(out), field, version);
}

/// Reads a packet identifier, which is never 0.
[[nodiscard]] inline fault read_packet_id(reader& in, rule_id rule, protocol_version version, packet_id& out) noexcept {
    std::uint16_t number = 0;
    if (!in.read_u16(number)) return malformed({}, "Packet Identifier is cut short");
    if (number == 0) return protocol_error(rule.of(version), "Packet Identifier is 0");
    out = packet_id{number};
    return {};
}

/// The fault of a packet that goes on after its last field.
[[nodiscard]] inline fault check_end(const reader& in) noexcept {
    return in.empty() ? fault{} : malformed({}, "The packet goes on after its last field");
}

}  // namespace martlet::core
