// Both ends of one MQTT connection in a test: a client's core and a broker's core, joined by a simulated link, with a
// virtual clock and, if wanted, a journal each whose commits the test decides about. The broker's end is as simple as
// can be: it accepts every CONNECT, grants every subscription, acknowledges what it receives.
#pragma once

#include <martlet/core/connection.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace martlet::test {

/// A received application message, owned.
struct received_message {
    std::string topic;
    std::string payload;
    martlet::qos qos{};
    bool dup = false;
    bool retain = false;
    packet_id id{};
    core::receipt number = 0;

    friend bool operator==(const received_message&, const received_message&) = default;
};

/// An operation that ended.
struct done {
    core::token who = 0;
    reason_code reason{};
    error_code error;

    friend bool operator==(const done&, const done&) = default;
};

/// One end: what survives a connection (session, journal) and the present connection.
class end {
public:
    end(role own_role, const instant& present);

    role own_role;
    core::connection_limits limits;
    core::changes journal;
    std::optional<core::session> session;
    std::optional<core::connection> connection;

    bool acknowledge_at_once = true;
    bool session_known = false;              ///< broker: what Session Present says after CONNECT without Clean Start
    std::vector<received_message> messages;  ///< handed over, in order
    std::vector<done> publishes_done;
    std::vector<core::event_kind> events;
    std::vector<fault> faults;
    std::optional<error_code> last_error;
    std::optional<packets::connack> connack;
    std::vector<reason_code> subscribe_reasons;
    std::optional<reason_code> disconnect_reason;

    /// A new connection; the session stays.
    void begin();
    /// The transport is gone.
    void end_connection();
    void take_events();

private:
    friend class pair;
    void on_event(core::event& e);

    const instant* present_;
    core::buffer_pool pool_;
    core::event event_;
};

class pair {
public:
    /// `durable`: both ends have a journal; commits happen at once unless `commit_by_hand`.
    explicit pair(protocol_version version, bool durable = false);

    instant now;
    end client;
    end broker;

    bool clean_start = true;
    std::uint16_t keep_alive = 60;
    std::size_t chunk = 0;                    ///< bytes moved at a time; 0: all
    std::size_t cut_after = ~std::size_t{0};  ///< the link breaks after so many bytes (both directions together)
    bool commit_by_hand = false;
    std::uint32_t session_expiry_interval = 3600;

    /// Begins a connection and runs. False if it did not open.
    bool connect();
    /// Moves bytes until nothing moves any more or the link is cut.
    void run();
    /// The link breaks now; what is under way is lost.
    void cut();
    void commit();
    void advance(std::chrono::microseconds by);
    [[nodiscard]] bool linked() const noexcept { return linked_; }
    [[nodiscard]] std::size_t bytes_moved() const noexcept { return moved_; }

    /// Client's or broker's message.
    core::send_result publish(end& from, std::string_view topic, std::string_view payload, qos q, core::token who = 0,
                              bool retain = false);

private:
    bool move(end& from, end& to);

    protocol_version version_;
    bool linked_ = false;
    std::size_t moved_ = 0;
};

}  // namespace martlet::test
