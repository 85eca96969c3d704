// What has to be in the store before something may leave: numbered rows to put or erase, and what waits for their
// commit. One journal serves all sessions of an owner. Without a store the journal is off and nothing waits.
#pragma once

#include <martlet/core/outgoing_message.hpp>
#include <martlet/packets.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace martlet::core {

/// What the store calls a session; given by the owner, stable across restarts.
enum class session_key : std::uint64_t {};

/// Row of a session: that it exists, and until when.
struct session_row {
    session_key session{};
    std::string client_id;
    std::uint32_t expiry_interval = 0;    ///< seconds; 0xFFFFFFFF: never
    std::optional<unix_time> expires_at;  ///< absent while connected or without end
    protocol_version version = protocol_version::v5;
    /// Client: how often the server has lost the session. A row with another epoch than the one that is stored erases
    /// the received_rows of the session.
    std::uint32_t epoch = 0;
};

/// Row of one subscription of a session.
struct subscription_row {
    session_key session{};
    std::string filter;
    martlet::qos qos = martlet::qos::at_most_once;
    bool no_local = false;
    bool retain_as_published = false;
    martlet::retain_handling retain_handling = martlet::retain_handling::send;
    std::uint32_t identifier = 0;  ///< 0: none
};

/// Where a QoS 1 or 2 message towards the peer stands.
enum class outgoing_state : std::uint8_t {
    queued,     ///< has no packet id yet
    in_flight,  ///< PUBLISH may have been sent
    released,   ///< PUBREC came: only PUBREL may be sent
};

/// Row of a message towards the peer. `order` is its place: rising in the order of queueing, unique in the session.
struct outgoing_row {
    session_key session{};
    std::uint64_t order = 0;
    outgoing_state state = outgoing_state::queued;
    packet_id id = packet_id::none;
    outgoing what;
    std::uint64_t released_order = 0;  ///< state released: rising in the order of the PUBRECs
};

/// Row of a QoS 2 packet id that was acknowledged with PUBREC and awaits PUBREL.
struct received_row {
    session_key session{};
    packet_id id = packet_id::none;
};

/// Row of a retained message, by its topic; null: none any more.
struct retained_row {
    std::string topic;
    message_ref message;
};

/// Row of the will of a session, to be published after a restart.
struct will_row {
    session_key session{};
    message_ref message;
    std::uint32_t delay_interval = 0;  ///< seconds
};

/// With all of its rows.
struct erase_session {
    session_key session{};
};
struct erase_subscription {
    session_key session{};
    std::string filter;
};
struct erase_outgoing {
    session_key session{};
    std::uint64_t order = 0;
};
struct erase_received {
    session_key session{};
    packet_id id = packet_id::none;
};
struct erase_will {
    session_key session{};
};
/// See store::read_enqueued().
struct erase_enqueued {
    std::uint64_t id = 0;
};

/// One row to put (insert or replace) or to erase.
using change =
    std::variant<session_row, subscription_row, outgoing_row, received_row, retained_row, will_row, erase_session,
                 erase_subscription, erase_outgoing, erase_received, erase_will, erase_enqueued>;

/// Rows in the order in which they must be applied; `number` is what on_committed() is called with when all are stored.
struct change_batch {
    std::uint64_t number = 0;
    std::vector<change> rows;
};

/// Numbers changes and remembers what is committed.
class changes {
public:
    /// A journal that is off accepts nothing and every number it gives is committed already.
    explicit changes(bool on = false) noexcept : on_(on) {}

    [[nodiscard]] bool on() const noexcept { return on_; }
    /// Records a row; returns the number to wait for. Requires on().
    std::uint64_t record(change row) {
        rows_.push_back(std::move(row));
        return ++last_;
    }
    /// Makes room, so that record() of one row that owns no string cannot fail.
    void reserve() {
        if (on_ && rows_.size() == rows_.capacity()) rows_.reserve(2 * rows_.size() + 16);
    }
    /// The number of the newest change: waiting for it is waiting for all.
    [[nodiscard]] std::uint64_t last() const noexcept { return last_; }
    [[nodiscard]] bool is_committed(std::uint64_t number) const noexcept { return number <= committed_; }
    /// Changes that are not committed.
    [[nodiscard]] std::uint64_t pending() const noexcept { return last_ - committed_; }
    [[nodiscard]] bool has_rows() const noexcept { return !rows_.empty(); }

    /// All rows since the last call.
    [[nodiscard]] change_batch take();
    /// Everything up to `number` is stored. Lower numbers than before are ignored.
    void on_committed(std::uint64_t number) noexcept;

private:
    std::vector<change> rows_;
    std::uint64_t last_ = 0;
    std::uint64_t committed_ = 0;
    bool on_;
};

}  // namespace martlet::core
