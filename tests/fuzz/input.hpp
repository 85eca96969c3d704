// What the fuzz targets share: the entry point, taking decisions out of the input, and a check that always checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// The target: libFuzzer calls it with inputs that it makes up, main.cpp with files.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace martlet::fuzz {

/// Stops the process with `what`, so that the input is kept, unless it holds.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

/// The input, read from the front. At its end all numbers are 0.
class input {
public:
    input(const std::uint8_t* data, std::size_t size) noexcept : rest_(reinterpret_cast<const char*>(data), size) {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::uint8_t byte() noexcept {
        if (rest_.empty()) return 0;
        const auto first = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return first;
    }
    /// 0 <= result < bound <= 256.
    [[nodiscard]] std::size_t below(std::size_t bound) noexcept { return byte() % bound; }
    [[nodiscard]] bool coin() noexcept { return (byte() & 1U) != 0; }
    /// Small ones mostly, of both signs, and some far away.
    [[nodiscard]] std::int64_t number() noexcept {
        const auto small = static_cast<std::int64_t>(byte());
        switch (small >> 6) {
            case 0: return small;
            case 1: return -small;
            case 2: return small << 8 | byte();
            default: return small << 26;
        }
    }
    /// Fewer than `bound` bytes.
    [[nodiscard]] std::string_view text(std::size_t bound) noexcept {
        const std::size_t wanted = below(bound);
        const std::string_view bytes = rest_.substr(0, wanted);
        rest_.remove_prefix(bytes.size());
        return bytes;
    }
    /// All that has not been read.
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

private:
    std::string_view rest_;
};

}  // namespace martlet::fuzz
