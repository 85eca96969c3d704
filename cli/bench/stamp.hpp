// What every measured message carries at the beginning of its payload: who sent it, its number, when it was meant to be
// sent and how late it was. The rest of the payload is a pattern that the receiver knows.
//
//   full (32 bytes)     magic u16 · run u16 · publisher u32 · checksum u32 · lag u32 (64 ns) · sequence u64 · intended u64
//   compact (16 bytes)  publisher u16 · checksum u16 · sequence u32 · intended u64
//
// Numbers are in the machine's byte order: sender and receiver are this program on one kind of machine.
#pragma once

#include "quantities.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace martlet::cli::bench {

struct stamp {
    std::uint16_t run =
        0;  ///< tells apart runs whose messages linger; not in the compact form, where its checksum does
    std::uint32_t publisher = 0;
    std::uint64_t sequence = 0;
    nanoseconds intended = 0;  ///< on the clock of the run
    nanoseconds lag = 0;  ///< from intended to handed to the client; full form only, up to 274 s, in steps of 64 ns
};

inline constexpr std::size_t stamp_size_full = 32;
inline constexpr std::size_t stamp_size_compact = 16;
/// Publishers that the compact form can number.
inline constexpr std::uint32_t compact_publishers_max = 65'536;

/// Fills a payload with the pattern of a run. Once; write_stamp() then renews its beginning.
void fill_payload(std::span<char> payload, std::uint16_t run) noexcept;

/// Writes the form that fits. Requires: at least stamp_size_compact bytes.
void write_stamp(std::span<char> payload, const stamp& of) noexcept;

/// Reads the stamp of a payload of this run. Nothing if it is damaged, or none.
[[nodiscard]] std::optional<stamp> read_stamp(std::span<const char> payload, std::uint16_t run) noexcept;

/// What follows the stamp, compared with the pattern that `expected`, a payload filled for this run, has there.
[[nodiscard]] bool is_fill_intact(std::span<const char> payload, std::span<const char> expected) noexcept;

}  // namespace martlet::cli::bench
