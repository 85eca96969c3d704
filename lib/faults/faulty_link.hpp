// One connection that follows the rules, without I/O: bytes of both ends and time in; bytes for both ends, the end of the
// connection and the next deadline out. The same calls with the same seed give the same bytes.
//
//   receive, finish, on_deadline ──► link ──► due, consume ; is_over, is_reset ; next_deadline
//
// An owner does in each turn: input, then for both directions writes what is due, then looks at is_reset() and is_over(),
// then sets a timer for next_deadline().
#pragma once

#include "faults/plan.hpp"
#include "faults/rule.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>
#include <martlet/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::faults_impl {

struct link_info {
    std::string address;   ///< of the client: "192.0.2.1:4711"
    std::string listener;  ///< "mqtt://127.0.0.1:1883"
};

class faulty_link {
public:
    /// Bytes that wait for one direction, beyond which nothing more is to be read from its sender.
    static constexpr std::size_t queue_bytes_max = 1024 * 1024;
    /// A larger packet, and all behind it, passes as bytes without meaning.
    static constexpr std::size_t packet_size_max = 16 * 1024 * 1024;

    /// Without `by_packets` bytes are not cut into packets, and rules that are about packets do not act.
    faulty_link(std::shared_ptr<plan> rules, link_info info, bool by_packets, steady_time now);

    // -- input

    /// Bytes on their way in the direction `f`.
    void receive(flow f, std::string_view bytes, steady_time now);
    /// Their sender has finished sending.
    void finish(flow f, steady_time now);
    /// next_deadline() has come, or the rules have changed.
    void on_deadline(steady_time now);

    // -- output

    /// What is to be written now, in one write of its own; nothing: nothing, for now.
    [[nodiscard]] std::string_view due(flow f) const noexcept;
    /// So many of the bytes of due() are written.
    void consume(flow f, std::size_t count);
    /// Everything is written, and the receiver is to be told that no more will come.
    [[nodiscard]] bool is_over(flow f) const noexcept;
    /// The connection is to be reset at both ends, whatever is unwritten.
    [[nodiscard]] bool is_reset() const noexcept { return is_reset_; }
    /// A rule has ended it: what the ends still send is thrown away.
    [[nodiscard]] bool is_ended() const noexcept { return is_ended_; }
    /// Nothing in this direction arrives any more, not even the end.
    [[nodiscard]] bool is_silent(flow f) const noexcept { return lane_of(f).silent; }
    [[nodiscard]] bool is_full(flow f) const noexcept { return lane_of(f).queued >= queue_bytes_max; }
    /// What is due is a piece: the next one is to be written in a turn of its own.
    [[nodiscard]] bool is_in_pieces(flow f) const noexcept {
        return !lane_of(f).queue.empty() && lane_of(f).queue.front().how.piece != 0;
    }
    [[nodiscard]] std::size_t queued(flow f) const noexcept { return lane_of(f).queued; }
    [[nodiscard]] steady_time next_deadline() const noexcept;

    // -- queries

    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] const std::string& client_id() const noexcept { return client_; }
    /// Bytes that were let pass in this direction.
    [[nodiscard]] std::uint64_t passed(flow f) const noexcept { return lane_of(f).passed; }

private:
    /// How bytes are to be written.
    struct shape {
        steady_time at{};       ///< not before
        std::size_t piece = 0;  ///< so many at a time; 0: all at once
        duration pace{};        ///< time between two pieces
    };
    struct chunk {
        std::string bytes;
        std::size_t written = 0;
        shape how;
    };
    struct held {
        std::string bytes;
        std::uint64_t others = 0;  ///< packets that are still to overtake it
        steady_time until{};
    };
    struct lane {
        std::string rest;  // an incomplete packet
        std::deque<chunk> queue;
        std::vector<held> waiting;  // reorder
        std::map<std::uint16_t, std::string> aliases;
        std::size_t queued = 0;
        std::uint64_t passed = 0;
        steady_time stalled_until{};
        steady_time window_end{};  // coalesce
        bool raw = false;
        bool silent = false;
        bool over = false;  // no more will come
    };
    /// A rule, as this connection counts it.
    struct state {
        bool is_drawn = false;
        bool applies = true;
        bool is_done = false;  // it has acted on the connection
        std::uint64_t seen = 0;
        std::uint64_t after_packets = 0;
        std::uint64_t after_bytes = 0;
        duration after_time{};
    };
    struct seen_packet {
        flow way;
        const core::frame* frame = nullptr;  // null: bytes without meaning
        std::string_view bytes;
        std::optional<std::string> topic;  // of PUBLISH
        std::optional<qos> level;
    };

    [[nodiscard]] lane& lane_of(flow f) noexcept { return lanes_[static_cast<std::size_t>(f)]; }
    [[nodiscard]] const lane& lane_of(flow f) const noexcept { return lanes_[static_cast<std::size_t>(f)]; }
    [[nodiscard]] role receiver(flow f) const noexcept { return f == flow::in ? role::broker : role::client; }

    void on_packet(flow f, const core::frame& frame);
    void on_bytes(flow f, std::string_view bytes);
    void note_connect(const core::frame& frame);
    void look_at_publish(seen_packet& packet);
    void arm(const seen_packet& packet);
    [[nodiscard]] state& state_of(std::size_t rule_number, live_rule& one);
    [[nodiscard]] bool concerns(const rule& r, bool knows_client) const;
    [[nodiscard]] bool fits(const live_rule& one, const seen_packet& packet) const;
    [[nodiscard]] bool is_the_time(const rule& r, const state& counted) const;
    void act(live_rule& one, const seen_packet& packet);
    void act_on_connection(live_rule& one, flow f, std::string_view what);
    void refuse(const rule& r, const seen_packet& packet);
    void answer(const packet& what);
    void pass(flow f, std::string_view bytes) { pass(f, bytes, shape()); }
    void pass(flow f, std::string_view bytes, const shape& how);
    void enqueue(lane& to, std::string_view bytes, const shape& how);
    void overtaken(flow f);
    void release(lane& from, std::size_t index, flow f);
    void end_in_order();
    void hit(live_rule& one, flow f, std::string_view what);
    [[nodiscard]] std::uint64_t passed_by(const rule& r) const noexcept {
        return (r.in ? lanes_[0].passed : 0) + (r.out ? lanes_[1].passed : 0);
    }

    std::shared_ptr<plan> plan_;
    link_info info_;
    std::uint64_t number_;
    dice dice_;
    steady_time opened_;
    steady_time now_;
    std::array<lane, 2> lanes_;
    std::vector<state> states_;
    std::string client_;
    std::string user_;
    protocol_version version_ = protocol_version::v3_1_1;
    bool knows_client_ = false;
    bool by_packets_;
    bool is_reset_ = false;
    bool is_ended_ = false;
};

}  // namespace martlet::faults_impl
