// sub --watch: the topics that came by, each with its rate, its age and its last message.
#pragma once

#include "terminal.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace martlet::cli {

class watch_table {
public:
    using clock = std::chrono::steady_clock;

    /// More topics than `topics_max` are counted, but not shown.
    explicit watch_table(std::size_t topics_max = 10'000) : topics_max_(topics_max) {}

    void update(std::string_view topic, std::string_view payload, bool retain, clock::time_point now);

    /// Lines that fit into `size`: a heading, then the topics in their order; when there are more of them than rows,
    /// those that changed last.
    [[nodiscard]] std::string render(terminal_size size, clock::time_point now) const;

private:
    struct entry {
        std::uint64_t count = 0;
        double rate = 0;  // messages a second after the first, the older the less they count
        clock::time_point first{};
        clock::time_point last{};
        std::string payload;  // its beginning
        std::size_t size = 0;
        bool retain = false;
    };
    [[nodiscard]] static double decayed_rate(const entry& e, clock::time_point now);
    [[nodiscard]] static double rate_of(const entry& e, clock::time_point now);

    std::size_t topics_max_;
    std::map<std::string, entry, std::less<>> topics_;
    std::uint64_t messages_ = 0;
    std::uint64_t not_shown_ = 0;
};

}  // namespace martlet::cli
