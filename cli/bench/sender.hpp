// One publisher's half of the measurement, without a network and without a clock: which message is due, with which
// stamp, and what its acknowledgement says.
//
//   open loop    a message is due when its intended time has come, however late the ones before it were
//   closed loop  a message is due while fewer than `window` are outstanding; it is intended when it is sent
#pragma once

#include "quantities.hpp"
#include "schedule.hpp"
#include "stamp.hpp"
#include "tally.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace martlet::cli::bench {

inline constexpr nanoseconds no_time = std::numeric_limits<nanoseconds>::max();

struct sender_options {
    std::uint32_t publisher = 0;
    std::uint16_t run = 0;
    std::optional<schedule> open = {};  ///< absent: closed loop
    nanoseconds start = 0;              ///< the schedule's zero on the run's clock
    nanoseconds stop = no_time;         ///< nothing is intended from then on
    measurement_window window = {};
    std::uint64_t count_max = std::numeric_limits<std::uint64_t>::max();  ///< messages in all
    std::uint64_t outstanding_max = 1;  ///< closed loop: unacknowledged (QoS 1, 2); see sender::room()
    std::uint32_t copies = 1;           ///< that subscribers should get of each message
};

class sender {
public:
    explicit sender(const sender_options& options) : options_(options) {}

    /// True if a message is due at `now`. Closed loop: what the window allows is room().
    [[nodiscard]] bool is_due(nanoseconds now) const noexcept;
    /// When the next one is due; no_time in a closed loop and after the last.
    [[nodiscard]] nanoseconds next_due() const noexcept;
    /// Closed loop: how many more may be outstanding.
    [[nodiscard]] std::uint64_t room() const noexcept;
    /// True when no message will ever be due again.
    [[nodiscard]] bool is_finished(nanoseconds now) const noexcept;

    /// Stamps the message that is due. If it cannot be handed over after all, do not call commit(): it stays due.
    [[nodiscard]] stamp next(nanoseconds now) const noexcept;
    /// The message of next() was handed to the client at `now`.
    void commit(const stamp& s, nanoseconds now, tally& out) noexcept;
    /// A QoS 1 or 2 message was acknowledged, or failed with `ok` false.
    void acknowledged(nanoseconds intended, nanoseconds now, bool ok, tally& out) noexcept;

    /// The client took no more (a congested connection, a full queue) from `since` on, and does again `now`: what was
    /// intended in between waited for the broker, which is no lag of the generator.
    void was_blocked(nanoseconds since, nanoseconds now) noexcept;
    /// Nothing is intended from `now` on.
    void stop(nanoseconds now) noexcept;

    [[nodiscard]] std::uint64_t sent() const noexcept { return sequence_; }
    [[nodiscard]] std::uint64_t outstanding() const noexcept { return sequence_ - finished_; }
    [[nodiscard]] bool is_open_loop() const noexcept { return options_.open.has_value(); }

private:
    sender_options options_;
    std::uint64_t sequence_ = 0;
    std::uint64_t finished_ = 0;
    nanoseconds blocked_since_ = 0;
    nanoseconds blocked_until_ = 0;
};

}  // namespace martlet::cli::bench
