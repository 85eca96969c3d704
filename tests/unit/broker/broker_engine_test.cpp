// The engine as a whole: journal, restart, bounds of what is left behind, and the same bytes for the same seed.
#include "broker/broker_engine.hpp"

#include "unit/broker/wire.hpp"

#include <map>
#include <random>

using namespace martlet;
using namespace martlet::broker_test;

namespace {

using list = std::vector<std::string>;

packets::connect resuming(std::uint32_t expiry = 3'600) {
    packets::connect c;
    c.clean_start = false;
    c.keep_alive = 0;
    c.properties.session_expiry_interval = expiry;
    return c;
}

/// What a store that has applied the rows gives back.
stored_state stored(const std::vector<core::change>& rows) {
    std::map<core::session_key, stored_state::stored_session> by_key;
    std::map<std::string, core::message_ref> by_topic;
    const auto erase = [](auto& rows_of, auto&& test) { std::erase_if(rows_of, test); };
    for (const core::change& row : rows) {
        std::visit(
            [&](const auto& r) {
                using type = std::remove_cvref_t<decltype(r)>;
                if constexpr (std::is_same_v<type, core::retained_row>) {
                    by_topic[r.topic] = r.message;
                } else if constexpr (std::is_same_v<type, core::session_row>) {
                    by_key[r.session].row = r;
                } else if constexpr (std::is_same_v<type, core::erase_session>) {
                    by_key.erase(r.session);
                } else if constexpr (!std::is_same_v<type, core::erase_enqueued>) {
                    auto& s = by_key[r.session];
                    if constexpr (std::is_same_v<type, core::subscription_row>) {
                        erase(s.subscriptions, [&](const auto& x) { return x.filter == r.filter; });
                        s.subscriptions.push_back(r);
                    } else if constexpr (std::is_same_v<type, core::erase_subscription>) {
                        erase(s.subscriptions, [&](const auto& x) { return x.filter == r.filter; });
                    } else if constexpr (std::is_same_v<type, core::outgoing_row>) {
                        erase(s.messages.outgoing, [&](const auto& x) { return x.order == r.order; });
                        s.messages.outgoing.push_back(r);
                    } else if constexpr (std::is_same_v<type, core::erase_outgoing>) {
                        erase(s.messages.outgoing, [&](const auto& x) { return x.order == r.order; });
                    } else if constexpr (std::is_same_v<type, core::received_row>) {
                        s.messages.received.push_back(r);
                    } else if constexpr (std::is_same_v<type, core::erase_received>) {
                        erase(s.messages.received, [&](const auto& x) { return x.id == r.id; });
                    } else if constexpr (std::is_same_v<type, core::will_row>) {
                        s.wills = {r};
                    } else if constexpr (std::is_same_v<type, core::erase_will>) {
                        s.wills.clear();
                    }
                }
            },
            row);
    }
    stored_state state;
    for (auto& [key, session] : by_key)
        state.sessions.push_back(std::move(session));
    for (auto& [topic, message] : by_topic) {
        if (message != nullptr) state.retained.push_back({topic, message});
    }
    return state;
}

}  // namespace

TEST_CASE("broker_engine: with a journal, answers wait for the commit and leave in order") {
    world w({}, true);
    wire_client client(w, protocol_version::v5);
    packets::connect c = resuming();
    c.client_id = "c";
    packets::publish p;
    p.topic = "t";
    p.payload = "x";
    p.qos = qos::exactly_once;
    p.id = packet_id{5};
    client.send(c, packets::subscribe{packet_id{1}, {{.filter = "t", .qos = qos::at_least_once}}, {}}, p,
                packets::pingreq{});
    CHECK(!client.has_packet());
    w.commit();
    client.get<packets::connack>();
    CHECK(client.get<packets::pingresp>() == packets::pingresp{});  // waits for nothing but CONNACK
    CHECK(!client.has_packet());
    w.commit();
    client.get<packets::suback>();
    CHECK(client.get<packets::publish>().payload == "x");
    client.get<packets::pubrec>();
    CHECK(!client.has_packet());
}

TEST_CASE("broker_engine: what is committed is there after a restart") {
    std::vector<core::change> rows;
    unix_time wall{};
    {
        world w({}, true);
        wire_client gone(w, protocol_version::v3_1_1);
        wire_client here(w, protocol_version::v5);
        wire_client passing(w, protocol_version::v5);
        wire_client publisher(w, protocol_version::v5);
        const auto connect = [&](wire_client& client, std::string_view id, packets::connect c) {
            c.client_id = id;
            client.send(c);
            w.commit();
        };
        auto with_will = resuming();
        with_will.will = will{.topic = "w", .payload = "lost", .qos = qos::at_least_once, .will_delay_interval = 5};
        packets::connect clean;
        clean.will = will{.topic = "w", .payload = "at once", .qos = qos::at_least_once};
        connect(gone, "gone", resuming());
        connect(here, "here", with_will);
        connect(passing, "passing", clean);
        connect(publisher, "p", {});
        gone.send(packets::subscribe{packet_id{1}, {{.filter = "t", .qos = qos::exactly_once}, {.filter = "x"}}, {}});
        gone.send(packets::subscribe{packet_id{2}, {{.filter = "w", .qos = qos::exactly_once}}, {}});
        gone.send(packets::unsubscribe{packet_id{3}, {"x"}, {}});
        w.commit();
        gone.drop();
        publisher.publish("t", "1", qos::exactly_once);
        publisher.publish("r", "kept", qos::at_least_once, true);
        publisher.publish("r2", "not kept", qos::at_least_once, true);
        publisher.publish("r2", "", qos::at_least_once, true);
        publisher.publish("t", "2", qos::at_least_once);
        w.commit();
        publisher.publish("t", "never committed", qos::at_least_once);
        rows = w.rows;
        wall = w.now.wall;
    }
    world w;
    w.now.wall = wall + 10s;
    REQUIRE(w.engine.restore(stored(rows), w.now));
    CHECK(w.engine.count().retained == 1);
    CHECK(w.engine.count().sessions == 2);
    w.pass(6s);
    wire_client gone(w, protocol_version::v3_1_1);
    CHECK(gone.connect("gone", resuming()).session_present);
    for (const char* payload : {"1", "2", "at once", "lost"})
        CHECK(gone.get<packets::publish>().payload == payload);
    CHECK(!gone.has_packet());
    wire_client here(w, protocol_version::v5);
    CHECK(here.connect("here", resuming()).session_present);
    here.publish("x", "x");
    CHECK(!gone.has_packet());
}

TEST_CASE("broker_engine: 30,000 connections that come and go leave nothing behind") {
    world w;
    for (int i = 0; i < 30'000; ++i) {
        wire_client client(w, protocol_version::v5);
        client.connect("c" + std::to_string(i));
        client.send(packets::disconnect{});
        CHECK(client.closed);
    }
    const auto c = w.engine.count();
    CHECK(c.connections == 0);
    CHECK(c.sessions == 0);
    CHECK(c.connections_accepted == 30'000);
    CHECK(!w.engine.has_work());
    w.pass(1h);
    CHECK(w.engine.next_deadline() == never);
}

TEST_CASE("broker_engine: shutting down tells MQTT 5 clients, closes all and keeps the sessions") {
    world w;
    wire_client five(w, protocol_version::v5);
    wire_client three(w, protocol_version::v3_1_1);
    wire_client early(w, protocol_version::v5);
    five.connect("five", resuming());
    three.connect("three", resuming());
    w.engine.shut_down(w.now);
    w.flush();
    CHECK(five.get<packets::disconnect>().reason == reason_code::server_shutting_down);
    CHECK(!three.has_packet());
    CHECK(five.closed);
    CHECK(three.closed);
    CHECK(early.closed);
    CHECK(w.engine.count().sessions == 2);
    CHECK(w.engine.count().connections == 0);
}

TEST_CASE("broker_engine: a message of the broker itself reaches subscribers and is retained") {
    world w;
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    client.subscribe("$SYS/#");
    w.engine.publish(core::outgoing_message::create("$SYS/x", "1", qos::at_most_once, true), w.now);
    w.flush();
    CHECK(client.payloads() == list{"1"});
    client.subscribe("$SYS/+");
    CHECK(client.payloads() == list{"1"});
}

TEST_CASE("broker_engine: the same operations with the same seed give the same bytes") {
    const auto run = [](std::uint32_t seed) {
        std::mt19937 random(seed);
        const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        world w;
        std::string trace;
        std::vector<std::unique_ptr<wire_client>> clients(8);
        for (int step = 0; step < 2'000; ++step) {
            const unsigned i = below(8);
            auto& client = clients[i];
            if (client != nullptr && (client->closed || below(50) == 0)) client.reset();
            if (client == nullptr) {
                client = std::make_unique<wire_client>(w, protocol_version::v5);
                auto c = resuming(below(3) * 10);
                c.clean_start = below(2) == 0;
                if (below(2) == 0) c.will = will{.topic = "w", .payload = "w", .will_delay_interval = below(20)};
                trace += client->connect(below(4) == 0 ? "" : "c" + std::to_string(below(10)), c)
                             .properties.assigned_client_identifier.value_or("-");
            }
            const std::string topic = "t/" + std::to_string(below(5));
            switch (below(5)) {
                case 0: client->subscribe(below(2) == 0 ? "t/+" : topic, static_cast<qos>(below(3))); break;
                case 1: client->subscribe("$share/g/" + topic, static_cast<qos>(below(3))); break;
                case 2: w.pass(std::chrono::milliseconds(below(3'000))); break;
                default: client->publish(topic, std::to_string(step), qos::at_most_once, below(4) == 0);
            }
            for (auto& other : clients) {
                while (other != nullptr && !other->closed && other->has_packet()) {
                    const auto p = other->get<packets::publish>();
                    trace.append(p.topic).append(p.payload).append(std::to_string(to_number(p.id)));
                }
            }
        }
        return trace;
    };
    const std::string first = run(7);
    CHECK(first.size() > 10'000);
    CHECK(run(7) == first);
    CHECK(run(8) != first);
}
