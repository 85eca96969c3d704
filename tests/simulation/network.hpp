// Links between the simulated hosts: two byte pipes each, with latency, a bound on what is under way (so that a slow
// reader is felt), cuts at any byte, and directions that fall silent while both ends think that they are connected.
#pragma once

#include "simulation/random.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace martlet::simulation {

using sim_time = std::int64_t;  // microseconds of the virtual clock

/// One direction of a link.
class pipe {
public:
    struct piece {
        sim_time at;
        std::string bytes;
    };

    /// Room for bytes under way: a sender may write no more than that.
    [[nodiscard]] std::size_t room() const noexcept { return under_way_ < capacity ? capacity - under_way_ : 0; }
    /// Takes bytes at `now`, to arrive after `latency`, never before what was sent earlier. Returns when.
    sim_time send(std::string_view bytes, sim_time now, sim_time latency);
    /// The next piece that has arrived by `now`; empty if none.
    [[nodiscard]] std::string receive(sim_time now);
    [[nodiscard]] bool has_arrived(sim_time now) const noexcept {
        return !pieces_.empty() && pieces_.front().at <= now;
    }
    [[nodiscard]] sim_time next_arrival() const noexcept { return pieces_.empty() ? -1 : pieces_.front().at; }

    std::size_t capacity = 64 * 1024;
    std::size_t cut_at = ~std::size_t{0};  ///< the link breaks when so many bytes were delivered
    bool silent = false;                   ///< swallows what is sent

    [[nodiscard]] std::size_t delivered() const noexcept { return delivered_; }

private:
    std::deque<piece> pieces_;
    std::size_t under_way_ = 0;
    std::size_t delivered_ = 0;
    sim_time last_ = 0;
};

}  // namespace martlet::simulation
