// A client's and a broker's core with a link that loses whatever is under way when it is cut, applications that
// acknowledge in any order, and a store each that commits when it is told to, so that either side can crash. Every
// packet on the link and every message handed over is checked on the way:
//
//   QoS 0 at most once, QoS 1 at least once, QoS 2 exactly once, each QoS in the order of sending;
//   a packet id stands for one message until it is acknowledged, never more of them than Receive Maximum;
//   acknowledgements when the application is done, in the order of arrival;
//   DUP on a PUBLISH that was on the link before, and only after a connection was lost;
//   what the store holds after a commit is the snapshot of the session.
#pragma once

#include <martlet/core/connection.hpp>

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace martlet::fuzz {

struct world_options {
    protocol_version version{};
    bool has_stores = false;
    std::uint16_t receive_maximum = 65'535;
    std::uint16_t topic_alias_maximum = 0;
};

class world {
public:
    explicit world(const world_options& options);

    // What may happen, in any order. What makes no sense at the moment does nothing.

    /// A new connection, after the loss of the old one.
    void connect();
    void cut();
    /// Up to `size_max` bytes of what `from` wants to write arrive. Without a connection one begins.
    void move(role from, std::size_t size_max);
    void publish(role from, qos q, std::size_t payload_size);
    /// The application at `at` is done with one of the messages it was given.
    void acknowledge(role at, std::size_t which);
    /// What is to be stored is on its way to the store, then stored.
    void begin_commit(role at);
    void end_commit(role at);
    /// A crash: the side goes on with what is stored. A commit under way may have made it or not.
    void restart(role at, bool commit_made_it);
    void advance(std::chrono::seconds by);
    /// All arrives, is acknowledged and stored, until nothing is left to do.
    void settle();
    /// settle() on a good connection; then nothing may be missing.
    void finish();

private:
    struct sent_message {  // by the sender's count, which is its payload
        martlet::qos qos{};
        int connection = 0;        // the one it was sent in
        bool is_promised = false;  // accepted, and stored if there are stores
        std::size_t handed_over = 0;
        std::size_t delivered = 0;  // acknowledged by the application; QoS 2: for good
    };
    struct given_message {
        core::receipt number = 0;
        packet_id id{};
        std::size_t message = 0;
    };
    struct open_id {
        std::size_t message = 0;
        bool is_released = false;
    };
    struct side {
        side(role r, const world_options& options, const instant& now);

        role own_role;
        core::connection_limits limits;
        core::buffer_pool pool;
        core::changes journal;
        std::optional<core::session> session;
        std::optional<core::connection> connection;

        // the store
        std::optional<core::change_batch> in_commit;
        std::map<std::uint64_t, core::outgoing_row> stored_outgoing;
        std::set<packet_id> stored_received;

        // the application
        std::vector<sent_message> sent;
        std::vector<given_message> given;
        std::map<packet_id, std::size_t> given_by_id;  // QoS 2
        std::array<std::size_t, 3> first_time{};       // by QoS: after the newest message given for the first time
        std::size_t delivered_qos_2 = 0;               // likewise, for good

        // on the link, from here
        std::string partial;
        std::map<packet_id, open_id> open;
        std::set<packet_id> open_here;
        std::array<std::vector<packet_id>, 3> arrived;  // by QoS: not acknowledged on this connection
    };

    side& at(role r) noexcept { return r == role::client ? client_ : broker_; }
    side& other(const side& s) noexcept { return s.own_role == role::client ? broker_ : client_; }
    void make_session(side& s);
    void store(side& s, const core::change_batch& batch);
    void compare_with_snapshot(side& s);
    void take_events(side& s);
    void on_event(side& s, const core::event& e);
    void on_message(side& s, const core::event& e);
    void deliver_for_good(side& receiver, packet_id id);
    void watch(side& from, std::string_view bytes);
    void watch_publish(side& from, const packets::publish& message);
    void watch_acknowledgement(side& from, packet_id id, qos q);
    [[nodiscard]] static bool is_attached(const side& s);
    [[nodiscard]] static bool is_idle(const side& s);

    world_options options_;
    instant now_;
    core::event event_;
    side client_;
    side broker_;
    int connections_ = 0;
    bool is_linked_ = false;
    bool broker_has_session_ = false;
};

}  // namespace martlet::fuzz
