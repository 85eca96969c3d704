#include "schedule.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr double nanoseconds_per_second = 1e9;
constexpr double time_max_seconds = 9e9;  // beyond it nanoseconds do not fit

double seconds(nanoseconds time) noexcept { return static_cast<double>(time) / nanoseconds_per_second; }

double messages_of(const rate_segment& s) noexcept {
    return (s.from_per_second + s.to_per_second) / 2 * seconds(s.length);
}

std::optional<rate_profile> parse_ramp(std::string_view text, std::string_view& why) {
    const std::size_t dots = text.find("..");
    const std::size_t slash = text.find('/', dots);
    if (slash == std::string_view::npos) {
        why = "a ramp is FROM..TO/TIME, e.g. 1k..200k/60s";
        return std::nullopt;
    }
    const auto from = parse_amount(text.substr(0, dots));
    const auto to = parse_amount(text.substr(dots + 2, slash - dots - 2));
    const auto length = parse_duration(text.substr(slash + 1));
    if (!from || !to || !length || *length == 0 || *from + *to <= 0) {
        why = "a ramp is FROM..TO/TIME, e.g. 1k..200k/60s";
        return std::nullopt;
    }
    return rate_profile({{*from, *to, *length}, {*to, *to, 0}});
}

std::optional<rate_profile> parse_steps(std::string_view text, std::string_view& why) {
    const std::size_t at = text.find('@');
    const auto length = at == std::string_view::npos ? std::nullopt : parse_duration(text.substr(at + 1));
    std::vector<rate_segment> segments;
    std::string_view rest = text.substr(0, at);
    bool is_good = length && *length > 0;
    while (is_good && !rest.empty()) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        const auto rate = parse_amount(rest.substr(0, comma));
        is_good = rate && *rate > 0;
        if (is_good) segments.push_back({*rate, *rate, *length});
        rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    if (!is_good || segments.empty()) {
        why = "steps are RATE,RATE,…@TIME, e.g. 10k,20k,40k@20s";
        return std::nullopt;
    }
    return rate_profile(std::move(segments));
}

}  // namespace

std::optional<rate_profile> rate_profile::parse(std::string_view text, std::string_view& why) {
    if (text.find("..") != std::string_view::npos) return parse_ramp(text, why);
    if (text.find_first_of(",@") != std::string_view::npos) return parse_steps(text, why);
    const auto rate = parse_amount(text);
    if (!rate || *rate <= 0) {
        why = "a rate is messages per second above 0, e.g. 50k";
        return std::nullopt;
    }
    return rate_profile(*rate);
}

double rate_profile::seconds_until(double messages) const noexcept {
    double start = 0;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        const rate_segment& s = segments_[i];
        const bool is_last = i + 1 == segments_.size();
        const double here = messages_of(s);
        if (messages > here && !is_last) {
            messages -= here;
            start += seconds(s.length);
            continue;
        }
        if (is_last && (s.length == 0 || messages > here)) {
            const double over = s.length == 0 ? messages : messages - here;
            return s.to_per_second > 0 ? start + seconds(s.length) + over / s.to_per_second
                                       : std::numeric_limits<double>::infinity();
        }
        // messages = from·t + slope·t²/2, in the form that keeps its digits for a slope near 0
        const double slope = (s.to_per_second - s.from_per_second) / seconds(s.length);
        const double root = std::sqrt(std::max(0.0, s.from_per_second * s.from_per_second + 2 * slope * messages));
        const double below = s.from_per_second + root;
        return start + (below > 0 ? 2 * messages / below : 0);
    }
    return std::numeric_limits<double>::infinity();
}

double rate_profile::messages_within(nanoseconds length) const noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < segments_.size(); ++i) {
        const rate_segment& s = segments_[i];
        const bool is_last = i + 1 == segments_.size();
        if (length <= s.length) {
            const double slope = (s.to_per_second - s.from_per_second) / seconds(s.length);
            return sum + s.from_per_second * seconds(length) + slope * seconds(length) * seconds(length) / 2;
        }
        sum += messages_of(s);
        length -= s.length;
        if (is_last) sum += s.to_per_second * seconds(length);
    }
    return sum;
}

double rate_profile::rate_at(nanoseconds time) const noexcept {
    for (const rate_segment& s : segments_) {
        if (time < s.length) {
            return s.from_per_second + (s.to_per_second - s.from_per_second) * seconds(time) / seconds(s.length);
        }
        time -= s.length;
    }
    return segments_.empty() ? 0 : segments_.back().to_per_second;
}

rate_profile rate_profile::scaled(double factor) const {
    rate_profile out = *this;
    for (rate_segment& s : out.segments_) {
        s.from_per_second *= factor;
        s.to_per_second *= factor;
    }
    return out;
}

nanoseconds rate_profile::length() const noexcept {
    nanoseconds sum = 0;
    for (const rate_segment& s : segments_)
        sum += s.length;
    return sum;
}

std::optional<arrivals> arrivals::parse(std::string_view text) {
    if (text == "constant" || text == "const") return arrivals{};
    if (text == "poisson") return arrivals{arrival_kind::poisson};
    if (!text.starts_with("burst:")) return std::nullopt;
    text.remove_prefix(6);
    const std::size_t at = text.find('@');
    if (at == std::string_view::npos) return std::nullopt;
    const auto size = parse_amount(text.substr(0, at));
    const auto interval = parse_duration(text.substr(at + 1));
    if (!size || !interval || *size < 1 || *size > 1e9 || std::floor(*size) != *size || *interval == 0) {
        return std::nullopt;
    }
    return arrivals{arrival_kind::burst, static_cast<std::uint64_t>(*size), *interval};
}

random_source::random_source(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {
        std::uint64_t z = seed += 0x9E37'79B9'7F4A'7C15u;
        z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9u;
        z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBu;
        word = z ^ (z >> 31);
    }
}

std::uint64_t random_source::next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

double random_source::uniform() noexcept { return static_cast<double>((next() >> 11) + 1) * 0x1.0p-53; }

std::uint64_t random_source::below(std::uint64_t bound) noexcept {
    // The bias of % is below 2^-32 for the small bounds here.
    return bound <= 1 ? 0 : next() % bound;
}

schedule::schedule(rate_profile profile, arrivals how, std::size_t index, std::size_t count, std::uint64_t seed)
    : profile_(std::move(profile)),
      how_(how),
      index_(index),
      count_(count),
      random_(seed + index * 0x5851'F42D'4C95'7F2Du) {
    next_ = compute();
}

void schedule::pop() noexcept {
    ++number_;
    next_ = std::max(next_, compute());
}

nanoseconds schedule::compute() noexcept {
    const auto place = static_cast<double>(number_) * static_cast<double>(count_) + static_cast<double>(index_);
    double due = 0;
    switch (how_.kind) {
        case arrival_kind::constant: due = profile_.seconds_until(place); break;
        case arrival_kind::poisson:
            due_ -= std::log(random_.uniform()) * static_cast<double>(count_);
            due = profile_.seconds_until(due_);
            break;
        case arrival_kind::burst:
            due = std::floor(place / static_cast<double>(how_.burst_size)) * seconds(how_.burst_interval);
            break;
    }
    if (!(due < time_max_seconds)) return std::numeric_limits<nanoseconds>::max();
    return static_cast<nanoseconds>(std::llround(due * nanoseconds_per_second));
}

}  // namespace martlet::cli::bench
