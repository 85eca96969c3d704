#include "simulation/network.hpp"

#include <algorithm>
#include <utility>

namespace martlet::simulation {

sim_time pipe::send(std::string_view bytes, sim_time now, sim_time latency) {
    last_ = std::max(last_, now + latency);
    if (silent) return last_;
    under_way_ += bytes.size();
    pieces_.push_back({last_, std::string(bytes)});
    return last_;
}

std::string pipe::receive(sim_time now) {
    if (!has_arrived(now)) return {};
    std::string bytes = std::move(pieces_.front().bytes);
    pieces_.pop_front();
    under_way_ -= bytes.size();
    delivered_ += bytes.size();
    return bytes;
}

}  // namespace martlet::simulation
