#include "stamp.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace martlet::cli::bench {
namespace {

constexpr std::uint16_t magic = 0x4D42;
constexpr nanoseconds lag_unit = 64;

struct full_form {
    std::uint16_t magic;
    std::uint16_t run;
    std::uint32_t publisher;
    std::uint32_t checksum;
    std::uint32_t lag;
    std::uint64_t sequence;
    std::uint64_t intended;
};
static_assert(sizeof(full_form) == stamp_size_full);

struct compact_form {
    std::uint16_t publisher;
    std::uint16_t checksum;
    std::uint32_t sequence;
    std::uint64_t intended;
};
static_assert(sizeof(compact_form) == stamp_size_compact);

// Every bit of the input reaches the upper half of the product.
constexpr std::uint64_t mix(std::uint64_t state, std::uint64_t word) noexcept {
    state = (state ^ word) * 0x9E37'79B9'7F4A'7C15u;
    return state ^ (state >> 29);
}

std::uint32_t checksum_of(const full_form& f) noexcept {
    std::uint64_t state =
        mix(0x6D61'7274'6C65'7431u, std::uint64_t{f.magic} << 48 | std::uint64_t{f.run} << 32 | f.publisher);
    state = mix(mix(mix(state, f.lag), f.sequence), f.intended);
    return static_cast<std::uint32_t>(state >> 32);
}

std::uint16_t checksum_of(const compact_form& f, std::uint16_t run) noexcept {
    std::uint64_t state =
        mix(0x6D61'7274'6C65'7432u, std::uint64_t{run} << 48 | std::uint64_t{f.publisher} << 32 | f.sequence);
    state = mix(state, f.intended);
    return static_cast<std::uint16_t>(state >> 48);
}

}  // namespace

void fill_payload(std::span<char> payload, std::uint16_t run) noexcept {
    std::uint32_t state = 0x2545'F491u ^ run;
    for (char& c : payload) {
        state = state * 1'664'525u + 1'013'904'223u;
        c = static_cast<char>(' ' + (state >> 24) % 95);  // printable, for those who watch
    }
}

void write_stamp(std::span<char> payload, const stamp& of) noexcept {
    if (payload.size() >= stamp_size_full) {
        const auto lag = std::clamp<nanoseconds>(of.lag / lag_unit, 0, std::numeric_limits<std::uint32_t>::max());
        full_form f{magic,
                    of.run,
                    of.publisher,
                    0,
                    static_cast<std::uint32_t>(lag),
                    of.sequence,
                    static_cast<std::uint64_t>(of.intended)};
        f.checksum = checksum_of(f);
        // Field by field: a copy of the whole would load what has just been stored in smaller pieces, and wait for it.
        char* to = payload.data();
        const auto put = [&to](const auto& field) {
            std::memcpy(to, &field, sizeof field);
            to += sizeof field;
        };
        put(f.magic);
        put(f.run);
        put(f.publisher);
        put(f.checksum);
        put(f.lag);
        put(f.sequence);
        put(f.intended);
        return;
    }
    compact_form f{static_cast<std::uint16_t>(of.publisher), 0, static_cast<std::uint32_t>(of.sequence),
                   static_cast<std::uint64_t>(of.intended)};
    f.checksum = checksum_of(f, of.run);
    std::memcpy(payload.data(), &f, sizeof f);
}

std::optional<stamp> read_stamp(std::span<const char> payload, std::uint16_t run) noexcept {
    if (payload.size() >= stamp_size_full) {
        full_form f{};
        std::memcpy(&f, payload.data(), sizeof f);
        if (f.magic != magic || f.run != run || f.checksum != checksum_of(f)) return std::nullopt;
        return stamp{f.run, f.publisher, f.sequence, static_cast<nanoseconds>(f.intended), f.lag * lag_unit};
    }
    if (payload.size() < stamp_size_compact) return std::nullopt;
    compact_form f{};
    std::memcpy(&f, payload.data(), sizeof f);
    if (f.checksum != checksum_of(f, run)) return std::nullopt;
    return stamp{run, f.publisher, f.sequence, static_cast<nanoseconds>(f.intended), 0};
}

bool is_fill_intact(std::span<const char> payload, std::span<const char> expected) noexcept {
    const std::size_t from = payload.size() >= stamp_size_full ? stamp_size_full : stamp_size_compact;
    if (payload.size() <= from) return true;
    return payload.size() <= expected.size() &&
           std::memcmp(payload.data() + from, expected.data() + from, payload.size() - from) == 0;
}

}  // namespace martlet::cli::bench
