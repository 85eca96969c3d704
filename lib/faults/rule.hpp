// One rule of faults, as its line says it; the grammar stands in <martlet/faults.hpp>. No state.
#pragma once

#include <martlet/error.hpp>
#include <martlet/packets.hpp>
#include <martlet/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::faults_impl {

/// Which way bytes travel.
enum class flow : std::uint8_t {
    in,   ///< towards the broker
    out,  ///< towards the client
};
[[nodiscard]] constexpr flow opposite(flow f) noexcept { return f == flow::in ? flow::out : flow::in; }

enum class action : std::uint8_t {
    // on packets
    drop,
    dup,
    delay,
    reorder,
    corrupt,
    truncate,
    split,
    coalesce,
    throttle,
    stall,
    refuse,  ///< connack, suback, puback: answered instead of passed on
    lose_session,
    // on the connection
    reset,
    half_close,
    half_open,
    disconnect,
};
[[nodiscard]] constexpr bool is_about_connection(action a) noexcept { return a >= action::reset; }

using duration = boot_clock::duration;

/// What each connection draws a number from.
template <class T>
struct range {
    T low{};
    T high{};
};

struct rule {
    std::string text;
    faults_impl::action action = action::drop;
    duration time{};                  ///< delay, coalesce, stall
    duration spread{};                ///< delay
    std::uint64_t amount = 0;         ///< reorder, truncate, split: N; throttle: bytes per second
    std::optional<std::size_t> byte;  ///< corrupt
    std::optional<reason_code> reason;

    // target
    std::uint16_t types = all_types;  ///< a bit for each packet_type
    bool in = true;
    bool out = true;

    // when
    double chance = 1;
    std::optional<std::uint64_t> nth;
    std::optional<std::uint64_t> every;
    std::optional<range<std::uint64_t>> after_packets;
    std::optional<range<std::uint64_t>> after_bytes;
    std::optional<range<duration>> after_time;
    bool is_sweep = false;  ///< after_bytes is drawn in order
    std::optional<std::string> topic;
    std::optional<qos> wanted_qos;
    std::optional<std::uint64_t> larger_than;
    std::optional<std::string> armed_by;

    // who
    std::optional<std::string> client;
    std::optional<std::string> user;
    std::optional<std::string> address;  ///< CIDR of IPv4, or a pattern
    std::optional<std::string> listener;
    double share = 1;  ///< of the connections

    // limit
    std::optional<std::uint64_t> times;
    std::optional<duration> lasts;

    static constexpr std::uint16_t all_types = 0xFFFE;

    [[nodiscard]] bool covers(flow f) const noexcept { return f == flow::in ? in : out; }
    [[nodiscard]] bool covers(packet_type type) const noexcept {
        return (types >> static_cast<unsigned>(type) & 1) != 0;
    }
    /// False if bytes without any meaning are enough for it.
    [[nodiscard]] bool needs_packets() const noexcept;
    /// True if it acts on the connection by itself: not at a packet, but at a time or a number of bytes.
    [[nodiscard]] bool is_timed() const noexcept {
        return is_about_connection(action) && (after_bytes.has_value() || after_time.has_value());
    }
};

/// False: `why` gets one line, without the rule.
[[nodiscard]] bool parse_rule(std::string_view text, rule& out, std::string& why);

/// '*' stands for any text, '?' for one sign.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

/// `address` as "192.0.2.1:4711"; `pattern` as "192.0.2.0/24" or, without '/', with '*' for the address without its port.
[[nodiscard]] bool matches_address(std::string_view pattern, std::string_view address) noexcept;

}  // namespace martlet::faults_impl
