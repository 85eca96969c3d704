// What a run counts and times. Each thread fills one of its own and hands it over every interval; the sum of all is the
// result. The definitions are in docs/benchmarks.md and, as text beside the numbers, in definitions.hpp.
#pragma once

#include "histogram.hpp"
#include "quantities.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace martlet::cli::bench {

/// The times that are recorded, each in a histogram.
enum class timing : std::uint8_t {
    e2e,      ///< received - intended
    service,  ///< received - handed to the client
    lag,      ///< handed to the client - intended
    ack,      ///< acknowledged - intended
    connect,  ///< CONNACK - start of the attempt
    suback,   ///< SUBACK - asked for
    drain,    ///< session and retained: last message - CONNACK or SUBACK
};
inline constexpr std::size_t timing_count = 7;
inline constexpr std::array<std::string_view, timing_count> timing_names = {"e2e",     "service", "lag",  "ack",
                                                                            "connect", "suback",  "drain"};

/// The half-open time in which messages count, on the run's clock.
struct measurement_window {
    nanoseconds begin = 0;
    nanoseconds end = 0;
    [[nodiscard]] bool contains(nanoseconds time) const noexcept { return begin <= time && time < end; }
    [[nodiscard]] nanoseconds length() const noexcept { return end - begin; }
};

struct tally {
    // messages whose intended time is in the window, whenever they were sent or arrived
    std::uint64_t sent = 0;
    std::uint64_t expected = 0;  ///< copies that subscribers should get of them
    std::uint64_t unique = 0;    ///< copies that came, the first time
    std::uint64_t duplicates = 0;
    std::uint64_t reordered = 0;
    std::uint64_t acked = 0;
    std::uint64_t refused = 0;  ///< publications that failed

    // what happened inside the window, whenever it was intended
    std::uint64_t sent_in_time = 0;
    std::uint64_t acked_in_time = 0;
    std::uint64_t received_in_time = 0;
    std::uint64_t received_bytes_in_time = 0;  ///< payload

    // from the first to the last second
    std::uint64_t sent_ever = 0;
    std::uint64_t acked_ever = 0;
    std::uint64_t received_ever = 0;
    std::uint64_t corrupt = 0;  ///< stamp or pattern damaged, or a publisher that does not exist
    std::uint64_t connects = 0;
    std::uint64_t connect_failures = 0;
    std::uint64_t disconnects = 0;  ///< connections that were lost
    std::uint64_t operations = 0;   ///< subscribe: completed SUBSCRIBE and UNSUBSCRIBE

    nanoseconds last_event = 0;  ///< when a message or an acknowledgement came last, on the run's clock

    std::array<histogram, timing_count> times;
    std::map<std::string, std::uint64_t> errors;  ///< by cause; at most errors_max, then "other"

    static constexpr std::size_t errors_max = 64;

    struct counter {
        std::string_view name;
        std::uint64_t tally::*value;
    };
    /// All counters above by their names.
    [[nodiscard]] static std::span<const counter> counters() noexcept;

    [[nodiscard]] histogram& of(timing t) noexcept { return times[static_cast<std::size_t>(t)]; }
    [[nodiscard]] const histogram& of(timing t) const noexcept { return times[static_cast<std::size_t>(t)]; }
    void count_error(const std::string& cause, std::uint64_t times = 1);
    void add(const tally& other);
    void clear();
    /// Copies that were expected and never came.
    [[nodiscard]] std::uint64_t lost() const noexcept { return expected > unique ? expected - unique : 0; }
};

}  // namespace martlet::cli::bench
