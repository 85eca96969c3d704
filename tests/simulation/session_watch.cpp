#include "simulation/session_watch.hpp"

namespace martlet::simulation {

void session_watch::on_connect(bool clean_start, std::uint32_t expiry, sim_time now) {
    constexpr sim_time rounding = 2'000;  // expiry is kept in milliseconds
    const bool ends = expiry_ != 0xFFFF'FFFF;
    const sim_time lifetime = sim_time{expiry_} * 1'000'000;
    if (clean_start || (!is_known_ && !is_unsure_)) {
        expected_ = expected::absent;
    } else if (is_unsure_) {
        expected_ = expected::unknown;
    } else if (!ends || now + rounding < ended_min_ + lifetime) {
        expected_ = expected::present;
    } else {
        expected_ = now > ended_max_ + lifetime + rounding ? expected::absent : expected::unknown;
    }
    is_known_ = is_connected_ = true;
    is_confirmed_ = is_unsure_ = false;
    expiry_ = expiry;
}

void session_watch::on_connack(bool session_present) {
    is_confirmed_ = true;
    if (expected_ == expected::absent && session_present) {
        verdict_->report("MQTT-3.2.2-3", name_ + ": Session Present for a session that has ended");
    }
    if (expected_ == expected::present && !session_present) {
        verdict_->report("MQTT-3.2.2-2", name_ + ": its session is gone before its time");
    }
}

void session_watch::on_end(sim_time now) {
    is_connected_ = false;
    ended_min_ = ended_max_ = now;
}

void session_watch::on_crash(sim_time now) {
    if (is_known_ && !is_confirmed_) is_unsure_ = true;
    // What a restart wrote about it may be undone by the next crash as well.
    shifted_ = is_connected_ || now - ended_max_ <= commit_time_max;
    if (is_connected_) on_end(now);
}

void session_watch::on_restart(sim_time now) {
    if (shifted_) ended_max_ = now;
    shifted_ = false;
}

}  // namespace martlet::simulation
