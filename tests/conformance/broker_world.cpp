#include "conformance/broker_world.hpp"

#include <algorithm>

namespace martlet::test {

namespace {

instant start_of_time() {
    return {steady_time(std::chrono::seconds(1000)), unix_time(std::chrono::seconds(1'700'000'000))};
}

}  // namespace

// ---- broker_peer

broker_peer::broker_peer(broker_world& world, protocol_version version)
    : script(role::client, version), world_(&world) {
    id_ = world.engine.peer_opened({"127.0.0.1:1234", true}, this, world.now);
}

void broker_peer::deliver(std::string_view bytes) {
    if (!id_) return;
    (void)world_->engine.receive(*id_, bytes, world_->now);
    world_->run();
}

void broker_peer::cut() {
    if (!id_) return;
    world_->engine.on_closed(*std::exchange(id_, std::nullopt), world_->now);
    world_->run();
}

void broker_peer::leave() {
    send(packets::disconnect{});
    CHECK(is_closed());
}

packet_id broker_peer::next_id() noexcept { return packet_id{++last_id_}; }

reason_code broker_peer::subscribe(const subscription_request& wanted, std::optional<std::uint32_t> identifier) {
    packets::subscribe packet{next_id(), {wanted}, {}};
    packet.properties.subscription_identifier = identifier;
    send(packet);
    const auto suback = take<packets::suback>();
    CHECK(suback.id == packet.id);
    REQUIRE(suback.reasons.size() == 1);
    return suback.reasons[0];
}

reason_code broker_peer::unsubscribe(std::string_view filter) {
    const packets::unsubscribe packet{next_id(), {filter}, {}};
    send(packet);
    const auto unsuback = take<packets::unsuback>();
    CHECK(unsuback.id == packet.id);
    if (!is_v5()) return reason_code::success;
    REQUIRE(unsuback.reasons.size() == 1);
    return unsuback.reasons[0];
}

reason_code broker_peer::publish(packets::publish message) {
    if (message.qos != qos::at_most_once && message.id == packet_id::none) message.id = next_id();
    send(message);
    if (message.qos == qos::at_most_once) return reason_code::success;
    if (message.qos == qos::at_least_once) {
        const auto puback = take<packets::puback>();
        CHECK(puback.id == message.id);
        return puback.reason;
    }
    const auto pubrec = take<packets::pubrec>();
    CHECK(pubrec.id == message.id);
    if (is_failure(pubrec.reason)) return pubrec.reason;
    send(packets::pubrel{message.id});
    expect(packets::pubcomp{message.id});
    return pubrec.reason;
}

void broker_peer::acknowledge(const packets::publish& message) {
    if (message.qos == qos::at_least_once) send(packets::puback{message.id});
    if (message.qos == qos::exactly_once) send(packets::pubrec{message.id});
}

std::string broker_peer::messages() {
    std::string all;
    while (!is_silent()) {
        if (peek() == packet_type::pubrel) {
            send(packets::pubcomp{take<packets::pubrel>().id});
            continue;
        }
        const auto got = message();
        all += (all.empty() ? "" : ", ") + to_text(got);
        if (!is_closed()) acknowledge(got);
    }
    return all;
}

void scripted_rights::authenticate(const authentication_request& request, authentication_handler done) {
    const auto text = [](const auto& optional) { return std::string(optional.value_or("-")); };
    switch (request.step) {
        case authentication_step::connect:
            asked.push_back("connect " + std::string(request.client.client_id) + " " +
                            std::string(request.client.user_name) + ":" + text(request.password));
            if (request.method) asked.back() += " " + text(request.method) + ":" + std::string(request.data);
            break;
        case authentication_step::more:
            asked.push_back("more " + text(request.method) + ":" + std::string(request.data));
            break;
        case authentication_step::reconnect:
            asked.push_back("again " + text(request.method) + ":" + std::string(request.data));
            break;
    }
    if (answer) return done(answer(request));
    waiting.push_back(std::move(done));
}

std::string to_text(const packets::publish& message) {
    std::string text(message.topic);
    text.append("=").append(message.payload).append(" q").append(name(message.qos));
    if (message.retain) text += " retain";
    if (message.dup) text += " dup";
    return text;
}

// ---- broker_world

broker_world::broker_world(const broker_options& options, bool durable)
    : now(start_of_time()), engine(options, 1, now, durable) {}

broker_peer& broker_world::dial(protocol_version version) { return peers_.emplace_back(*this, version); }

broker_peer& broker_world::connect(const packets::connect& packet) {
    broker_peer& made = dial(packet.version);
    made.send(packet);
    connack = made.take<packets::connack>();
    REQUIRE(connack.reason == reason_code::success);
    return made;
}

packets::connect broker_world::hello(protocol_version version, std::string_view client_id) {
    packets::connect packet;
    packet.version = version;
    packet.client_id = client_id;
    packet.keep_alive = 0;
    return packet;
}

packets::connect broker_world::resuming(protocol_version version, std::string_view client_id) {
    packets::connect packet = hello(version, client_id);
    packet.clean_start = false;
    if (version == protocol_version::v5) packet.properties.session_expiry_interval = 3600;
    return packet;
}

void broker_world::advance(std::chrono::microseconds by) {
    const instant start = now;
    const steady_time end = now.steady + by;
    const auto set = [&](steady_time at) {
        now.steady = at;
        now.wall = start.wall + std::chrono::floor<std::chrono::milliseconds>(at - start.steady);
    };
    while (engine.next_deadline() <= end) {
        set(std::max(now.steady, engine.next_deadline()));
        engine.on_deadline(now);
        run();
    }
    set(end);
}

void broker_world::publish(std::string_view topic, std::string_view payload, qos q, bool retain) {
    engine.publish(core::outgoing_message::create(topic, payload, q, retain), now);
    run();
}

void broker_world::shut_down() {
    engine.shut_down(now);
    run();
}

void broker_world::run() {
    std::vector<broker_peer*> to_close;
    while (engine.has_work() || engine.has_changes() || !to_close.empty()) {
        for (broker_peer* const p : std::exchange(to_close, {})) {
            engine.on_closed(*std::exchange(p->id_, std::nullopt), now);
        }
        if (engine.has_changes()) engine.on_committed(engine.take_changes().number, now);
        engine.flush(
            [&](const broker_impl::flush_item& item) {
                auto& p = *static_cast<broker_peer*>(item.owner);
                while (!item.out.empty()) {
                    std::string_view views[8];
                    const std::size_t count = item.out.gather(views);
                    std::string bytes;
                    for (std::size_t i = 0; i != count; ++i)
                        bytes += views[i];
                    item.out.consume(bytes.size());
                    p.hear(bytes);
                }
                if (item.closing && !p.is_closed()) {
                    p.closed();
                    to_close.push_back(&p);
                }
            },
            now);
    }
}

}  // namespace martlet::test
