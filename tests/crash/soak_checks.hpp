// What a soak knows about its broker's process and about the numbers that it sends.
#pragma once

#include "process.hpp"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace martlet::crash {

/// Resident bytes of a process.
[[nodiscard]] inline std::uint64_t memory_of(pid_t id) {
    std::ifstream file("/proc/" + std::to_string(id) + "/statm");
    std::uint64_t size = 0, resident = 0;
    if (!(file >> size >> resident)) fail("the broker is gone");
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// Open descriptors of a process.
[[nodiscard]] inline std::size_t descriptors_of(pid_t id) {
    std::error_code error;
    std::size_t count = 0;
    for (std::filesystem::directory_iterator i("/proc/" + std::to_string(id) + "/fd", error), end; !error && i != end;
         i.increment(error))
        ++count;
    if (error || count == 0) fail("the broker is gone");
    return count;
}

/// Samples over time.
class series {
public:
    using time = std::chrono::duration<double>;

    void add(time at, double value) { samples_.emplace_back(at.count(), value); }
    /// Of what was sampled from `first` to `last`; 0 if nothing was.
    [[nodiscard]] double mean(time first, time last) const {
        double sum = 0;
        int count = 0;
        for (const auto& [at, value] : samples_) {
            if (at < first.count() || at > last.count()) continue;
            sum += value;
            ++count;
        }
        return count == 0 ? 0 : sum / count;
    }

private:
    std::vector<std::pair<double, double>> samples_;
};

/// The number with which a payload begins.
[[nodiscard]] inline std::uint64_t number_in(std::string_view text) {
    std::uint64_t n = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), n).ec != std::errc()) fail("not a number");
    return n;
}

/// The numbers 1, 2, 3, … of one publisher, as one subscriber gets them: none is left out, and the order stands. Memory
/// does not grow with their count.
class arrivals {
public:
    void take(std::uint64_t n) {
        if (n <= last_) {
            ++repeated_;
            return;
        }
        lost_ += n - last_ - 1;
        last_ = n;
        ++received_;
    }
    [[nodiscard]] std::uint64_t last() const noexcept { return last_; }
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    /// Also what came behind a later one, where it counts as repeated, too.
    [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
    [[nodiscard]] std::uint64_t repeated() const noexcept { return repeated_; }

private:
    std::uint64_t last_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t repeated_ = 0;
};

}  // namespace martlet::crash
