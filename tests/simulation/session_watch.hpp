// Whether the broker has to have a session of a client, as CONNECT packets, ends of connections and time say. MQTT 5
// §3.1.2.4, §3.1.2.11.2, §3.2.2.1.1.
#pragma once

#include "simulation/checkers.hpp"

#include <cstdint>
#include <string>

namespace martlet::simulation {

/// What a crash of the broker may undo: nothing takes longer to be committed.
inline constexpr sim_time commit_time_max = 20'000;

class session_watch {
public:
    session_watch(std::string name, verdict& to) : name_(std::move(name)), verdict_(&to) {}

    /// CONNECT reached the broker; the end of an earlier connection was told before. `expiry`: seconds, all bits set:
    /// never.
    void on_connect(bool clean_start, std::uint32_t expiry, sim_time now);
    /// True if the last CONNECT may have begun a new session.
    [[nodiscard]] bool may_be_new() const noexcept { return expected_ != expected::present; }
    /// CONNACK left. Only of versions that have the flag.
    void on_connack(bool session_present);
    /// The broker knows that the connection is gone.
    void on_end(sim_time now);
    void on_crash(sim_time now);
    void on_restart(sim_time now);

private:
    enum class expected { absent, present, unknown };

    std::string name_;
    verdict* verdict_;
    expected expected_ = expected::unknown;
    bool is_known_ = false;  // there was a CONNECT
    bool is_connected_ = false;
    bool is_confirmed_ = false;  // its CONNACK left, so it is stored
    bool is_unsure_ = false;     // a crash came before that
    bool shifted_ = false;       // its time runs from the restart, if the end was not stored
    std::uint32_t expiry_ = 0;
    sim_time ended_min_ = 0;
    sim_time ended_max_ = 0;
};

}  // namespace martlet::simulation
