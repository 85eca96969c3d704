// A broker engine with a virtual clock, and clients that say packets and read packets. No session, no automatism: what
// is not in the test does not happen.
#pragma once

#include "broker/broker_engine.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::broker_test {

using namespace broker_impl;
using namespace std::chrono_literals;

class wire_client;

class world {
public:
    explicit world(const broker_options& options = {}, bool journal_on = false)
        : engine(options, 42, now, journal_on) {}

    /// Lets time pass, with every deadline at its time.
    void pass(std::chrono::milliseconds duration) {
        const steady_time end = now.steady + duration;
        while (engine.next_deadline() <= end) {
            move_to(std::max(engine.next_deadline(), now.steady));
            engine.on_deadline(now);
            flush();
        }
        move_to(end);
    }
    /// Hands output over until nothing more is to be done.
    void flush();
    void commit() {
        const auto batch = engine.take_changes();
        for (const auto& row : batch.rows)
            rows.push_back(row);
        engine.on_committed(batch.number, now);
        flush();
    }

    instant now{steady_time(1h), unix_time(1'000'000s)};
    std::vector<core::change> rows;
    broker_engine engine;

private:
    void move_to(steady_time at) {
        now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(at - now.steady);
        now.steady = at;
    }
};

class wire_client {
public:
    wire_client(world& in, protocol_version version, bool local = true)
        : wire_client(in, version, peer_info{"test:1", local}) {}
    wire_client(world& in, protocol_version version, peer_info who)
        : version_(version), world_(in), id_(in.engine.peer_opened(std::move(who), this, in.now)) {}
    wire_client(const wire_client&) = delete;
    wire_client& operator=(const wire_client&) = delete;
    ~wire_client() { drop(); }

    /// Sends packets in one read.
    template <class... Packets>
    void send(const Packets&... packets) {
        std::string bytes;
        (append(bytes, packets), ...);
        send_bytes(bytes);
    }
    void send_bytes(std::string_view bytes) {
        reading = world_.engine.receive(id_, bytes, world_.now);
        world_.flush();
    }
    /// The same as a broker on a network does it: flushed at once, and then the bytes are gone.
    void send_and_flush(std::string bytes) {
        reading = world_.engine.receive_and_flush(id_, bytes, world_.now, [](const flush_item& item) {
            static_cast<wire_client*>(item.owner)->take(item.out, item.closing, item.reading);
        });
        bytes.assign(bytes.size(), '!');
        world_.flush();
    }
    /// Encoded in this client's version.
    template <class Packet>
    [[nodiscard]] std::string bytes_of(const Packet& p) {
        std::string bytes;
        append(bytes, p);
        return bytes;
    }
    /// CONNECT, and the CONNACK that came. Requires that one comes.
    packets::connack connect(std::string_view client_id, packets::connect c = {}) {
        c.client_id = client_id;
        send(c);
        return get<packets::connack>();
    }
    /// A SUBSCRIBE with one filter, and its reason.
    reason_code subscribe(std::string_view filter, qos q = qos::at_most_once, std::uint32_t identifier = 0,
                          subscription_request options = {}) {
        options.filter = filter;
        options.qos = q;
        packets::subscribe s{packet_id{++last_id_}, {options}, {}};
        if (identifier != 0) s.properties.subscription_identifier = identifier;
        send(s);
        const auto ack = get<packets::suback>();
        CHECK(ack.id == s.id);
        REQUIRE(ack.reasons.size() == 1);
        return ack.reasons[0];
    }
    void publish(std::string_view topic, std::string_view payload, qos q = qos::at_most_once, bool retain = false,
                 message_properties properties = {}) {
        packets::publish p;
        p.topic = topic;
        p.payload = payload;
        p.qos = q;
        p.retain = retain;
        p.properties = properties;
        if (q != qos::at_most_once) p.id = packet_id{++last_id_};
        send(p);
    }

    /// Whether a packet has come that was not taken yet.
    [[nodiscard]] bool has_packet() { return cut(false); }
    /// The next packet, which is to be a Packet. Views are good until the client dies.
    template <class Packet>
    Packet get() {
        REQUIRE(cut(true));
        core::frame frame = frame_;
        packet p;
        const fault why = core::decode(frame, version_, role::client, p);
        REQUIRE_MESSAGE(!why, std::string(why.text));
        INFO("came: ", std::string(to_string(frame.type)));
        REQUIRE(std::holds_alternative<Packet>(p));
        return std::get<Packet>(p);
    }
    /// What get() would take. Requires has_packet().
    [[nodiscard]] packet_type peek() {
        REQUIRE(cut(false));
        return frame_.type;
    }
    /// The payloads of all PUBLISHes that have come.
    std::vector<std::string> payloads() {
        std::vector<std::string> all;
        while (has_packet())
            all.emplace_back(get<packets::publish>().payload);
        return all;
    }
    void acknowledge(const packets::publish& p) {
        if (p.qos == qos::at_least_once) send(packets::puback{p.id, {}, {}});
        if (p.qos == qos::exactly_once) send(packets::pubrec{p.id, {}, {}});
    }

    /// The transport breaks.
    void drop() {
        if (!std::exchange(gone_, true)) {
            world_.engine.on_closed(id_, world_.now);
            world_.flush();
        }
    }
    /// Takes what the engine has written; as much as the socket has room for.
    void take(core::output& out, bool close, bool may_read) {
        reading = may_read;
        while (!out.empty() && room > 0) {
            std::string_view views[8];
            const std::size_t count = out.gather(views);
            std::size_t taken = 0;
            for (std::size_t i = 0; i < count && room > 0; ++i) {
                const auto part = views[i].substr(0, room);
                input_.append(part);
                taken += part.size();
                room -= part.size();
            }
            out.consume(taken);
        }
        if (close && out.empty()) closed = true;
    }
    /// The socket has room again.
    void unblock(std::size_t bytes) {
        room = bytes;
        if (core::output* const out = world_.engine.out(id_)) {
            take(*out, false, reading);
            if (out->empty()) world_.engine.on_written(id_, world_.now);
        }
        world_.flush();
    }

    [[nodiscard]] peer_id id() const noexcept { return id_; }

    bool closed = false;  ///< by the broker
    bool reading = true;
    std::size_t room = std::size_t(-1);

private:
    template <class Packet>
    void append(std::string& bytes, const Packet& p) {
        packet any(p);
        if (auto* const connect = std::get_if<packets::connect>(&any)) connect->version = version_;
        const std::size_t size = core::encoded_size(any, version_);
        REQUIRE(size != 0);
        const std::size_t at = bytes.size();
        bytes.resize(at + size);
        core::encode(any, version_, bytes.data() + at);
    }
    bool cut(bool take) {
        fault why;
        std::size_t hint = 0;
        const auto status = core::cut_frame(input_, version_, 268'435'460, frame_, why, hint);
        REQUIRE(status != core::frame_status::faulty);
        if (status != core::frame_status::complete) return false;
        if (take) {
            kept_.emplace_back(frame_.packet);  // so that views stay
            input_.erase(0, frame_.packet.size());
            const auto again = core::cut_frame(kept_.back(), version_, 268'435'460, frame_, why, hint);
            REQUIRE(again == core::frame_status::complete);
        }
        return true;
    }

    protocol_version version_;
    world& world_;
    peer_id id_;
    std::string input_;
    std::list<std::string> kept_;
    core::frame frame_;
    std::uint16_t last_id_ = 0;
    bool gone_ = false;
};

inline void world::flush() {
    for (int rounds = 0; engine.has_work(); ++rounds) {
        REQUIRE(rounds < 100'000);
        std::vector<wire_client*> closing;
        engine.flush(
            [&](const flush_item& item) {
                auto* const client = static_cast<wire_client*>(item.owner);
                client->take(item.out, item.closing, item.reading);
                if (client->closed) closing.push_back(client);
            },
            now);
        for (wire_client* client : closing)
            client->drop();
    }
}

constexpr protocol_version all_versions[] = {protocol_version::v3_1, protocol_version::v3_1_1, protocol_version::v5};

}  // namespace martlet::broker_test
