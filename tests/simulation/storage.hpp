// A disk: what is committed survives a crash, what is not is gone. Commits take time and complete in order.
#pragma once

#include "simulation/network.hpp"

#include <martlet/core/changes.hpp>
#include <martlet/core/session.hpp>
#include <martlet/store.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

namespace martlet::simulation {

class disk {
public:
    /// A batch is on its way to the disk, there at `done`.
    void write(core::change_batch batch, sim_time done);
    /// The number up to which everything is stored at `now`; 0: nothing new.
    [[nodiscard]] std::uint64_t complete(sim_time now);
    [[nodiscard]] sim_time next_completion() const noexcept { return pending_.empty() ? -1 : pending_.front().done; }
    /// The host crashes: of what is pending the first `kept` batches are stored, the rest is lost.
    void crash(std::size_t kept);
    [[nodiscard]] std::size_t pending() const noexcept { return pending_.size(); }

    /// All that is stored.
    [[nodiscard]] stored_state load() const;
    /// True if this message of a session is stored and not erased.
    [[nodiscard]] bool has_outgoing(core::session_key session, std::string_view payload) const;
    /// True if the QoS 2 id is stored.
    [[nodiscard]] bool has_received(core::session_key session, packet_id id) const {
        return received_.contains({session, to_number(id)});
    }

private:
    void apply(const core::change& row);

    struct pending_batch {
        sim_time done;
        core::change_batch batch;
    };
    std::deque<pending_batch> pending_;
    std::map<core::session_key, core::session_row> sessions_;
    std::map<std::pair<core::session_key, std::string>, core::subscription_row> subscriptions_;
    std::map<std::pair<core::session_key, std::uint64_t>, core::outgoing_row> outgoing_;
    std::map<std::pair<core::session_key, std::uint16_t>, core::received_row> received_;
    std::map<core::session_key, core::will_row> wills_;
    std::map<std::string, core::retained_row> retained_;
};

}  // namespace martlet::simulation
