// When the messages of an open-loop run are to be sent. Every time is fixed before the run by the options and the seed;
// nothing that happens in the run moves it, so that a stalled broker shows as late messages and not as fewer ones.
#pragma once

#include "quantities.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli::bench {

/// A stretch of a run whose rate goes evenly from one value to another.
struct rate_segment {
    double from_per_second = 0;
    double to_per_second = 0;
    nanoseconds length = 0;  ///< the last segment's rate lasts on beyond it
};

/// Messages per second over the time of a run, and its integral.
class rate_profile {
public:
    rate_profile() = default;
    explicit rate_profile(double per_second) : segments_{{per_second, per_second, 0}} {}
    explicit rate_profile(std::vector<rate_segment> segments) : segments_(std::move(segments)) {}

    /// "50k"; ramps "1k..200k/60s"; steps "10k,20k,40k@20s". Nothing, and `why`, if it is anything else.
    [[nodiscard]] static std::optional<rate_profile> parse(std::string_view text, std::string_view& why);

    [[nodiscard]] bool empty() const noexcept { return segments_.empty(); }
    /// When so many messages are due, from the start on; not finite when they never are.
    [[nodiscard]] double seconds_until(double messages) const noexcept;
    /// How many messages are due within `length`.
    [[nodiscard]] double messages_within(nanoseconds length) const noexcept;
    [[nodiscard]] double rate_at(nanoseconds time) const noexcept;
    /// The same shape with each rate times `factor`.
    [[nodiscard]] rate_profile scaled(double factor) const;
    /// The time of all segments but the endless last one.
    [[nodiscard]] nanoseconds length() const noexcept;
    [[nodiscard]] const std::vector<rate_segment>& segments() const noexcept { return segments_; }

private:
    std::vector<rate_segment> segments_;
};

enum class arrival_kind : std::uint8_t { constant, poisson, burst };

struct arrivals {
    arrival_kind kind = arrival_kind::constant;
    std::uint64_t burst_size = 1;    ///< burst: messages that are due at once
    nanoseconds burst_interval = 0;  ///< burst: from one to the next; the rate follows from both

    /// "constant", "poisson", "burst:100@10ms".
    [[nodiscard]] static std::optional<arrivals> parse(std::string_view text);
};

/// xoshiro256**, seeded by splitmix64: the same numbers on every machine, unlike std's distributions.
class random_source {
public:
    explicit random_source(std::uint64_t seed) noexcept;
    [[nodiscard]] std::uint64_t next() noexcept;
    /// In (0, 1].
    [[nodiscard]] double uniform() noexcept;
    /// 0..bound-1; bound ≥ 1.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept;

private:
    std::uint64_t state_[4];
};

/// The send times of publisher `index` of `count`, who share `profile`. Constant arrivals and bursts are dealt out in
/// turn, so that all publishers together are evenly spaced; Poisson publishers are independent.
class schedule {
public:
    schedule(rate_profile profile, arrivals how, std::size_t index, std::size_t count, std::uint64_t seed);

    /// The next send time, from the run's start on. Ever rising (or equal); nanoseconds' maximum when there is none.
    [[nodiscard]] nanoseconds peek() const noexcept { return next_; }
    void pop() noexcept;

private:
    [[nodiscard]] nanoseconds compute() noexcept;

    rate_profile profile_;
    arrivals how_;
    std::size_t index_;
    std::size_t count_;
    random_source random_;
    std::uint64_t number_ = 0;
    double due_ = 0;  // Poisson: messages, as an integral of the rate
    nanoseconds next_ = 0;
};

}  // namespace martlet::cli::bench
