// What the tests of the codec share: packets in hex, and tables of what is said of them.
#pragma once

#include "support/bytes.hpp"
#include "support/decoded.hpp"

#include <martlet/core/codec.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace martlet::test {

inline constexpr auto v3_1 = protocol_version::v3_1;
inline constexpr auto v3_1_1 = protocol_version::v3_1_1;
inline constexpr auto v5 = protocol_version::v5;
inline constexpr std::array versions{v3_1, v3_1_1, v5};
inline constexpr std::array roles{role::client, role::broker};
inline constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

inline role peer_of(role r) { return r == role::client ? role::broker : role::client; }

// A whole packet around a body.
inline std::string packet_of(const char* first_byte, const std::string& body) {
    std::array<char, 4> length{};
    char* const end = core::encode_variable_byte_integer(body.size(), length.data());
    return bytes(first_byte).append(length.data(), end).append(body);
}

// What cut_frame says, and of what size.
struct cut {
    core::frame_status status{};
    core::frame out;
    fault why;
    std::size_t size_hint = 7;
};

inline cut cut_first(std::string_view in, protocol_version version, std::size_t packet_size_max = no_limit) {
    cut c;
    c.status = core::cut_frame(in, version, packet_size_max, c.out, c.why, c.size_hint);
    return c;
}

// For rows of a table.
struct verdict_row {
    const char* subject;
    protocol_version version;
    role receiver;
    const char* first_byte;
    const char* body;
    const char* verdict;
};

template <std::size_t Size>
void check(const std::array<verdict_row, Size>& rows) {
    for (const verdict_row& row : rows) {
        CAPTURE(row.subject);
        CAPTURE(to_string(row.version));
        CAPTURE(row.body);
        CHECK(verdict(decode(packet_of(row.first_byte, bytes(row.body)), row.version, row.receiver)) == row.verdict);
    }
}

inline constexpr auto to_broker = role::broker;
inline constexpr auto to_client = role::client;

}  // namespace martlet::test
