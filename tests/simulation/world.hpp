// The simulated world of one seed: clients (real client engines), a broker (the real broker engine), links, disks and a
// virtual clock. Everything that happens is decided by the seed; nothing reads a clock, a thread or an address.
#pragma once

#include "broker/broker_engine.hpp"
#include "client/client_engine.hpp"
#include "simulation/checkers.hpp"
#include "simulation/network.hpp"
#include "simulation/random.hpp"
#include "simulation/retained.hpp"
#include "simulation/scenario.hpp"
#include "simulation/session_watch.hpp"
#include "simulation/storage.hpp"
#include "simulation/wills.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace martlet::simulation {

/// How a seed ended.
struct outcome {
    bool ok = true;
    std::vector<violation> violations;
    std::uint64_t received = 0;  ///< messages, all kinds
    std::uint64_t wills = 0;     ///< among them
    std::uint64_t retained = 0;  ///< among them
    std::uint64_t faults = 0;
    std::uint64_t take_overs = 0;     ///< connections
    std::uint64_t sessions_lost = 0;  ///< of subscribers
    sim_time duration = 0;
    std::string chart;  ///< the packets, if a trace was asked for
};

class world {
public:
    world(const scenario& what, bool trace);
    ~world();
    [[nodiscard]] outcome run();

private:
    // -- time
    enum class event_kind : std::uint8_t {
        arrival,       // link, direction
        dial_done,     // client, attempt
        client_timer,  // client
        broker_timer,
        client_disk,
        broker_disk,
        publish,  // publisher
        take,     // subscriber
        fault,
        client_up,
        broker_up,
        heal,
        link_closed_at_client,
        link_closed_at_broker,
        link_gone_at_broker,
    };
    struct event {
        sim_time at;
        std::uint64_t sequence;
        event_kind kind;
        std::uint32_t actor;
        std::uint32_t argument;
        bool operator>(const event& other) const noexcept {
            return at != other.at ? at > other.at : sequence > other.sequence;
        }
    };
    void schedule(sim_time at, event_kind kind, std::uint32_t actor = 0, std::uint32_t argument = 0);
    void handle(const event& e);
    [[nodiscard]] instant present() const noexcept;

    // -- links
    struct link {
        std::uint32_t client = 0;
        pipe up;    // client to broker
        pipe down;  // broker to client
        bool client_end_open = true;
        bool broker_end_open = true;
        bool broken = false;
        bool up_finished = false;  // the client closed after what is under way
        bool down_finished = false;
        bool broker_reads = true;
        std::string unread_down;  // arrived, the client does not read
        std::uint16_t client_receive_maximum = 65'535;
        std::uint16_t broker_receive_maximum = 65'535;
        bool clean_start = true;
        bool may_be_new = false;  // its CONNECT may have begun a new session
        protocol_version version = protocol_version::v5;
        std::optional<broker_impl::peer_id> peer;
        bool closing = false;     // the broker wants it closed when all is written
        bool is_over = false;     // the broker has no connection there any more, whatever still arrives
        bool accepted = false;    // CONNACK left
        bool taken_over = false;  // its client came by another link
        bool said_taken_over = false;
        std::unique_ptr<packet_tap> sent_up, sent_down, arrived_up, arrived_down;
    };
    void break_link(std::uint32_t number);
    void connection_over(std::uint32_t number);
    void note_unanswered(const link& l);
    void on_arrived_up(std::uint32_t number, const packet& p);
    void on_connect(std::uint32_t number, const packets::connect& packet);
    void on_connack_sent(link& l, std::uint32_t number, const packets::connack& packet);
    void on_arrived_down(std::uint32_t number, const packet& p);
    void check_links();
    void deliver_up(std::uint32_t number);
    void deliver_down(std::uint32_t number);
    void tap(link& l, std::uint32_t number);
    void trace_packet(const link& l, const char* arrow, const packet& p, bool arrived);
    void trace(const std::string& what);

    // -- clients
    struct pending_publish {
        std::uint64_t sequence;
        std::string payload;
        qos quality;
    };
    enum class message_kind : std::uint8_t { ordinary, retained, will };
    struct taken_message {
        message_kind kind;
        std::size_t publisher;
        std::uint64_t sequence;
        packet_id id;
    };
    struct client_host {
        std::string name;
        client_options options;
        std::unique_ptr<detail::client_engine> engine;
        disk storage;
        bool up = false;
        bool durable = false;
        std::uint32_t life = 0;  // of the process
        std::uint32_t attempt = 0;
        std::uint32_t link = ~0u;
        bool reading = true;
        sim_time timer_at = -1;
        sim_time away_until = 0;  // cannot connect before
        // as the broker sees it
        std::uint32_t at_broker = ~0u;  // link of its last CONNECT that came
        std::uint32_t accepted = ~0u;   // link of the last CONNACK that left
        bool was_connected = false;
        bool lost_unseen = false;  // a session may have been lost, and the CONNACK that says so did not arrive
        // publisher
        std::uint64_t published = 0;
        std::uint64_t to_publish = 0;
        std::map<core::token, pending_publish> open;
        core::token next_token = 1;
        // subscriber
        detail::stream_state_ptr stream;
        bool subscribed = false;
        bool take_scheduled = false;
        qos granted = qos::exactly_once;
        std::deque<taken_message> taken;  // at QoS 2, not yet stored as acknowledged
    };
    void start_client(std::uint32_t i);
    void crash_client(std::uint32_t i);
    void settle_client(std::uint32_t i);
    void flush_client(std::uint32_t i, bool all);
    void publish(std::uint32_t i);
    void publish_last();
    void submit(std::uint32_t i, qos quality, bool retain);
    void take(std::uint32_t i);
    void on_message(std::uint32_t i, const message& m);
    void forget_unacknowledged(std::uint32_t i);
    [[nodiscard]] bool is_subscriber(std::uint32_t i) const noexcept { return i >= what_.publishers; }

    // -- broker
    void start_broker();
    void crash_broker();
    void settle_broker();
    void write_down(std::uint32_t link, core::output& out);
    void flush_peer(std::uint32_t link);
    void open_peer(std::uint32_t link);
    void on_broker_timer();
    void on_broker_disk(std::uint32_t life);

    // -- faults
    void inject();
    void move_client(std::uint32_t i);
    [[nodiscard]] bool all_here() const;
    void heal();
    [[nodiscard]] bool quiet() const;

    scenario what_;
    random random_;
    verdict verdict_;
    delivery_ledger ledger_;
    sim_time now_ = 0;
    std::uint64_t sequence_ = 0;
    std::priority_queue<event, std::vector<event>, std::greater<>> queue_;
    std::deque<link> links_;
    std::deque<client_host> clients_;
    std::map<std::string, sender_watch> watches_up_;    // by client id: what the client sends
    std::map<std::string, sender_watch> watches_down_;  // what the broker sends to it
    std::map<std::string, session_watch> sessions_;
    will_ledger wills_;
    retained_ledger retained_;
    broker_options broker_options_;
    std::unique_ptr<broker_impl::broker_engine> broker_;
    std::uint32_t broker_life_ = 0;
    disk broker_disk_;
    bool broker_is_up_ = false;
    sim_time broker_timer_at_ = -1;
    bool healed_ = false;
    bool closing_ = false;  // the last messages are published
    std::uint64_t faults_ = 0;
    std::uint64_t take_overs_ = 0;
    std::uint64_t sessions_lost_ = 0;
    bool tracing_;
    std::string chart_;
};

}  // namespace martlet::simulation
