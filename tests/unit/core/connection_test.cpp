#include "support/pair.hpp"

#include <martlet/core/connection.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::core;
using martlet::test::done;
using martlet::test::pair;
using namespace std::literals;

namespace {

constexpr protocol_version versions[] = {protocol_version::v3_1, protocol_version::v3_1_1, protocol_version::v5};

std::string bytes_of(output& out) {
    std::string bytes;
    std::string_view views[16];
    const std::size_t count = out.gather(views);
    for (std::size_t i = 0; i != count; ++i)
        bytes += views[i];
    out.consume(bytes.size());
    return bytes;
}

std::vector<std::string> payloads(const martlet::test::end& e) {
    std::vector<std::string> found;
    for (const auto& m : e.messages)
        found.push_back(m.payload);
    return found;
}

}  // namespace

TEST_CASE("connection: messages of each QoS arrive once, both ways, in every version") {
    for (const protocol_version version : versions) {
        for (const qos q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
            CAPTURE(to_string(version));
            CAPTURE(int{to_number(q)});
            pair both(version);
            REQUIRE(both.connect());

            CHECK(both.publish(both.client, "a/b", "up", q, 41) == send_result::sent);
            CHECK(both.publish(both.broker, "c/d", "down", q, 42, true) == send_result::sent);
            both.run();

            REQUIRE(both.broker.messages.size() == 1);
            CHECK(both.broker.messages[0].topic == "a/b");
            CHECK(both.broker.messages[0].payload == "up");
            CHECK(both.broker.messages[0].qos == q);
            CHECK_FALSE(both.broker.messages[0].dup);
            REQUIRE(both.client.messages.size() == 1);
            CHECK(both.client.messages[0].retain);
            if (q == qos::at_most_once) continue;
            CHECK(both.client.publishes_done == std::vector<done>{{41, reason_code::success, {}}});
            CHECK(both.broker.publishes_done == std::vector<done>{{42, reason_code::success, {}}});
            CHECK(both.client.session->sent.count() == 0);
            CHECK(both.broker.session->received.count() == 0);
            CHECK(both.broker.connection->out().empty());
        }
    }
}

TEST_CASE("connection: 200,000 QoS 1 and 2 messages wrap the packet ids and all arrive in order") {
    for (const qos q : {qos::at_least_once, qos::exactly_once}) {
        pair both(protocol_version::v5);
        REQUIRE(both.connect());
        for (int i = 0; i != 200'000; ++i) {
            REQUIRE(both.publish(both.client, "t", std::to_string(i), q, static_cast<token>(i + 1)) !=
                    send_result::dropped);
            if (i % 1000 == 999) both.run();
        }
        both.run();
        REQUIRE(both.broker.messages.size() == 200'000);
        for (int i = 0; i != 200'000; ++i) {
            REQUIRE(both.broker.messages[static_cast<std::size_t>(i)].payload == std::to_string(i));
        }
        CHECK(both.client.publishes_done.size() == 200'000);
    }
}

TEST_CASE("connection: 200,000 messages with all 65,535 ids in use: none stands for two messages") {
    constexpr std::size_t all = 65'535;
    for (const qos q : {qos::at_least_once, qos::exactly_once}) {
        pair both(protocol_version::v5);
        both.client.session->set_limits({.count_max = 200'000});
        both.broker.acknowledge_at_once = false;
        REQUIRE(both.connect());
        for (int i = 0; i != 200'000; ++i) {
            REQUIRE(both.publish(both.client, "t", std::to_string(i), q, static_cast<token>(i + 1)) !=
                    send_result::dropped);
            if (i % 1000 == 999) both.run();
        }

        const auto& got = both.broker.messages;
        std::vector<bool> is_open(all + 1);
        std::size_t first_open = 0;
        std::size_t seen = 0;
        bool is_right = true;
        while (first_open != 200'000) {
            REQUIRE(got.size() == std::min<std::size_t>(first_open + all, 200'000));
            CHECK(both.client.session->sent.publish_count() == got.size() - first_open);
            for (; seen != got.size(); ++seen) {
                const auto id = to_number(got[seen].id);
                is_right = is_right && !is_open[id] && !got[seen].dup && got[seen].payload == std::to_string(seen);
                is_open[id] = true;
            }
            // Pieces that leave another number of ids each time.
            const std::size_t until = std::min(first_open + 9'973, got.size());
            for (; first_open != until; ++first_open) {
                is_open[to_number(got[first_open].id)] = false;
                both.broker.connection->acknowledge(got[first_open].number);
            }
            both.run();
        }
        CHECK(is_right);
        CHECK(both.client.publishes_done.size() == 200'000);
        CHECK(both.client.session->sent.count() == 0);
    }
}

TEST_CASE("connection: a message for which requests have left no packet id waits for one") {
    pair both(protocol_version::v5);
    both.client.session->set_limits({.count_max = 10});
    both.broker.acknowledge_at_once = false;
    REQUIRE(both.connect());
    packets::subscribe wish;
    wish.subscriptions = {{"a", qos::at_least_once}};
    REQUIRE_FALSE(both.client.connection->subscribe(wish, 1));  // not yet at the broker
    for (int i = 0; i != 65'534; ++i)
        REQUIRE(both.publish(both.client, "t", "x", qos::at_least_once) == send_result::sent);

    CHECK(both.publish(both.client, "t", "last", qos::at_least_once, 7) == send_result::queued);

    both.run();  // SUBACK frees an id
    REQUIRE(both.broker.messages.size() == 65'535);
    CHECK(both.broker.messages.back().payload == "last");
}

TEST_CASE("MQTT-3.3.4-9: the quota holds PUBLISH back and nothing else") {
    pair both(protocol_version::v5);
    both.client.limits.receive_maximum = 3;
    both.client.acknowledge_at_once = false;
    REQUIRE(both.connect());

    for (int i = 0; i != 10; ++i) {
        CHECK(both.publish(both.broker, "t", std::to_string(i), qos::at_least_once) ==
              (i < 3 ? send_result::sent : send_result::queued));
    }
    CHECK(both.publish(both.broker, "t", "zero", qos::at_most_once) == send_result::sent);
    both.run();

    CHECK(payloads(both.client) == std::vector<std::string>{"0", "1", "2", "zero"});
    both.client.connection->acknowledge(both.client.messages[0].number);
    both.run();
    CHECK(payloads(both.client).back() == "3");
    CHECK(both.client.messages.size() == 5);
}

TEST_CASE("connection: more open messages than our Receive Maximum fail the connection with 0x93") {
    pair both(protocol_version::v5);
    both.broker.limits.receive_maximum = 2;
    both.broker.acknowledge_at_once = false;
    REQUIRE(both.connect());
    // A client that does not care: raw packets.
    std::string bytes;
    for (char id = 1; id <= 3; ++id)
        bytes += "\x34\x06\x00\x01t\x00"s + id + "\x00"s;
    both.broker.connection->receive(bytes);
    both.broker.take_events();
    both.broker.connection->keep_rest();

    REQUIRE(both.broker.faults.size() == 1);
    CHECK(both.broker.faults[0].reason == reason_code::receive_maximum_exceeded);
    CHECK(both.broker.faults[0].rule == "MQTT-3.3.4-7");
    CHECK(both.broker.messages.size() == 2);
    const std::string answer = bytes_of(both.broker.connection->out());
    REQUIRE(answer.size() > 3);
    CHECK(answer[0] == '\xE0');
    CHECK(answer[2] == '\x93');
}

TEST_CASE("MQTT-3.3.4-9: messages of a session that was lost unseen take no places of our Receive Maximum") {
    pair both(protocol_version::v5);
    both.client.limits.receive_maximum = 2;
    both.client.acknowledge_at_once = false;
    both.broker.session_known = true;
    REQUIRE(both.connect());
    for (const char* const text : {"1", "2"})
        CHECK(both.publish(both.broker, "t", text, qos::exactly_once) == send_result::sent);
    both.run();
    REQUIRE(both.client.messages.size() == 2);
    both.cut();
    both.broker.session->clear();  // and Session Present, since a CONNACK that said so got lost
    REQUIRE(both.connect());

    const auto publish_of = [](char id) { return "\x34\x06\x00\x01t\x00"s + id + "\x00"s; };
    const std::string two = publish_of(11) + publish_of(12);  // which are read in place
    both.client.connection->receive(two);
    both.client.take_events();
    CHECK(both.client.faults.empty());
    CHECK(both.client.messages.size() == 4);
    both.client.connection->keep_rest();
    const std::string third = publish_of(13);
    both.client.connection->receive(third);
    both.client.take_events();
    both.client.connection->keep_rest();
    REQUIRE(both.client.faults.size() == 1);
    CHECK(both.client.faults[0].rule == "MQTT-3.3.4-9");
}

TEST_CASE(
    "connection: cut at every byte of an exchange, nothing is lost at QoS 1 and 2 or comes twice at QoS 0 and 2") {
    std::size_t cuts = 0;
    for (const protocol_version version : versions) {
        for (const qos q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
            for (const bool durable : {false, true}) {
                for (const bool up : {true, false}) {
                    bool cut_something = true;
                    for (std::size_t at = 0; cut_something; ++at) {
                        CAPTURE(to_string(version));
                        CAPTURE(int{to_number(q)});
                        CAPTURE(durable);
                        CAPTURE(up);
                        CAPTURE(at);
                        pair both(version, durable);
                        both.clean_start = false;
                        auto& from = up ? both.client : both.broker;
                        auto& to = up ? both.broker : both.client;
                        both.broker.session_known = true;
                        (void)both.publish(from, "t", "one", q, 1);
                        both.cut_after = at;
                        cut_something = !both.connect();
                        if (both.linked()) {
                            (void)both.publish(from, "t", "two", q, 2);
                            both.run();
                            cut_something = !both.linked();
                        } else {
                            (void)both.publish(from, "t", "two", q, 2);
                        }
                        both.cut_after = ~std::size_t{0};
                        if (!both.linked()) REQUIRE(both.connect());
                        both.run();
                        cuts += cut_something ? 1 : 0;

                        std::map<std::string, int> count;
                        std::string order;
                        for (const auto& m : to.messages) {
                            if (++count[m.payload] == 1) order += m.payload;
                            if (count[m.payload] > 1) CHECK(m.dup);
                        }
                        CHECK(from.session->sent.count() == 0);
                        CHECK(from.session->queue_count() == 0);
                        CHECK(to.session->received.count() == 0);
                        if (q == qos::at_most_once) {  // what the cut took is lost
                            CHECK(to.messages.size() == count.size());
                            CHECK(std::string("onetwo").find(order) != std::string::npos);
                            if (!cut_something) CHECK(count.contains("two"));
                            continue;
                        }
                        CHECK(order == "onetwo");
                        if (q == qos::exactly_once) CHECK(to.messages.size() == 2);
                        CHECK(from.publishes_done.size() == 2);
                    }
                }
            }
        }
    }
    MESSAGE("cuts: " << cuts);
}

TEST_CASE("connection: one byte at a time changes nothing") {
    pair both(protocol_version::v5);
    both.chunk = 1;
    REQUIRE(both.connect());
    for (int i = 0; i != 20; ++i)
        (void)both.publish(both.client, "t", std::to_string(i), qos::exactly_once);
    both.run();
    CHECK(both.broker.messages.size() == 20);
}

TEST_CASE("connection: with a journal nothing that promises something leaves before the commit") {
    pair both(protocol_version::v5, true);
    both.commit_by_hand = true;
    REQUIRE(both.connect());

    (void)both.publish(both.client, "t", "x", qos::exactly_once, 1);
    both.run();
    CHECK(both.broker.messages.empty());  // PUBLISH after its row

    both.commit();
    both.run();
    CHECK(both.broker.messages.size() == 1);
    CHECK(both.client.session->sent.first(inflight::list::releases) == nullptr);  // PUBREC after the id's row

    both.commit();
    both.run();
    CHECK(both.client.session->sent.first(inflight::list::releases) != nullptr);
    CHECK(both.broker.session->received.count() == 1);  // PUBREL after the state "released"

    both.commit();
    both.run();
    CHECK(both.broker.session->received.count() == 0);
    CHECK(both.client.publishes_done.empty());  // PUBCOMP after the deletion

    both.commit();
    both.run();
    CHECK(both.client.publishes_done.size() == 1);
}

TEST_CASE("connection: the store forgets a QoS 2 id that the peer gave up and uses anew for QoS 1") {
    pair both(protocol_version::v5, true);
    REQUIRE(both.connect());
    both.broker.connection->receive("\x34\x06\x00\x01t\x00\x05\x00"sv);
    both.broker.take_events();
    REQUIRE(both.broker.session->received.awaiting_pubrel() == std::vector{packet_id{5}});
    both.commit();
    both.commit_by_hand = true;

    both.broker.connection->receive("\x32\x06\x00\x01t\x00\x05\x00"sv);
    both.broker.take_events();

    CHECK(both.broker.messages.size() == 2);
    const change_batch batch = both.broker.journal.take();
    REQUIRE(batch.rows.size() == 1);
    const auto* const erased = std::get_if<erase_received>(&batch.rows[0]);
    REQUIRE(erased != nullptr);
    CHECK(erased->id == packet_id{5});
}

TEST_CASE("connection: QoS 0 and PINGREQ never wait for the store") {
    pair both(protocol_version::v5, true);
    REQUIRE(both.connect());
    both.commit_by_hand = true;
    (void)both.publish(both.client, "t", "held", qos::at_least_once, 1);
    (void)both.publish(both.client, "t", "free", qos::at_most_once);
    both.client.connection->ping();
    both.run();

    CHECK(payloads(both.broker) == std::vector<std::string>{"free"});
    CHECK(both.broker.events.back() == event_kind::ping_received);
    CHECK(both.client.events.back() == event_kind::pong_received);
}

TEST_CASE("MQTT-4.6.0-1: what is unacknowledged is sent again in order, with DUP, and never on a live connection") {
    pair both(protocol_version::v3_1_1);
    both.clean_start = false;
    REQUIRE(both.connect());
    both.broker.acknowledge_at_once = false;
    for (const char* text : {"a", "b", "c"})
        (void)both.publish(both.client, "t", text, qos::at_least_once);
    both.run();
    REQUIRE(both.broker.messages.size() == 3);
    both.advance(std::chrono::seconds(20));
    CHECK(both.broker.messages.size() == 3);

    // The broker forgets (a new session object), so that each re-sent message shows.
    both.cut();
    both.broker.messages.clear();
    both.broker.session->clear();
    REQUIRE(both.connect());

    CHECK(payloads(both.broker) == std::vector<std::string>{"a", "b", "c"});
    for (const auto& m : both.broker.messages)
        CHECK(m.dup);
}

TEST_CASE("MQTT-3.2.2-5: a server without the session gets unacknowledged messages anew") {
    pair both(protocol_version::v5);
    both.clean_start = false;
    REQUIRE(both.connect());
    both.broker.acknowledge_at_once = false;
    (void)both.publish(both.client, "t", "a", qos::exactly_once, 1);
    both.run();
    both.cut();
    both.broker.session_known = false;
    both.broker.messages.clear();
    both.broker.acknowledge_at_once = true;

    REQUIRE(both.connect());
    both.run();

    CHECK(both.client.connack->session_present == false);
    REQUIRE(payloads(both.broker) == std::vector<std::string>{"a"});
    CHECK_FALSE(both.broker.messages[0].dup);
    CHECK(both.client.publishes_done == std::vector<done>{{1, reason_code::success, {}}});
}

TEST_CASE("connection: topic aliases shorten the topic towards a peer that takes them") {
    pair both(protocol_version::v5);
    both.client.limits.topic_alias_maximum = 2;
    both.broker.limits.topic_alias_maximum_out = 10;
    REQUIRE(both.connect());
    const std::string topic(100, 'x');
    (void)both.publish(both.broker, topic, "1", qos::at_most_once);
    const std::size_t first = both.broker.connection->out().size();
    both.run();
    (void)both.publish(both.broker, topic, "2", qos::at_least_once);
    CHECK(both.broker.connection->out().size() < first - 90);
    (void)both.publish(both.broker, "b", "3", qos::at_most_once);
    (void)both.publish(both.broker, "c", "4", qos::at_most_once);  // takes the alias of the oldest
    (void)both.publish(both.broker, topic, "5", qos::at_most_once);
    both.run();

    std::vector<std::string> topics;
    for (const auto& m : both.client.messages)
        topics.push_back(m.topic);
    CHECK(topics == std::vector<std::string>{topic, topic, "b", "c", topic});
}

TEST_CASE("MQTT-3.1.2-25: a message too large for the client is dropped and later ones flow") {
    pair both(protocol_version::v5);
    both.client.limits.packet_size_max = 50;
    REQUIRE(both.connect());

    CHECK(both.publish(both.broker, "t", std::string(100, 'x'), qos::at_least_once) == send_result::dropped);
    CHECK(both.publish(both.broker, "t", "small", qos::at_least_once) == send_result::sent);
    both.run();

    CHECK(payloads(both.client) == std::vector<std::string>{"small"});
}

TEST_CASE("MQTT-3.3.2-6: the expiry that is forwarded is what remains, and expired messages stay") {
    pair both(protocol_version::v5);
    both.clean_start = false;
    REQUIRE(both.connect());
    both.cut();
    REQUIRE(both.broker.session_known);
    const auto expiring = [&](const char* payload, int seconds) {
        const auto m = outgoing_message::create("t", payload, qos::at_least_once, false, {},
                                                both.now.wall + std::chrono::seconds(seconds));
        return outgoing{m, {}, 0, qos::at_least_once, false};
    };
    REQUIRE(both.broker.session->enqueue(expiring("short", 5)));
    REQUIRE(both.broker.session->enqueue(expiring("long", 60)));
    both.now.wall += std::chrono::milliseconds(10'500);

    REQUIRE(both.connect());

    CHECK(payloads(both.client) == std::vector<std::string>{"long"});
    CHECK(both.broker.session->dropped_count() == 1);
}

TEST_CASE("MQTT-3.1.2-22: a silent client is closed after 1.5 times keep-alive, one that pings is not") {
    pair both(protocol_version::v5);
    both.keep_alive = 10;
    REQUIRE(both.connect());

    for (int i = 0; i != 30; ++i)
        both.advance(std::chrono::seconds(1));  // the client pings by itself
    CHECK(both.linked());
    CHECK(both.broker.faults.empty());

    both.now.steady += std::chrono::seconds(15);
    both.broker.connection->on_deadline();
    both.broker.take_events();
    REQUIRE(both.broker.faults.size() == 1);
    CHECK(both.broker.faults[0].reason == reason_code::keep_alive_timeout);
    CHECK(*both.broker.last_error == errc::keep_alive_timeout);
}

TEST_CASE("connection: a client notices a dead link within 1.5 times keep-alive") {
    pair both(protocol_version::v3_1_1);
    both.keep_alive = 10;
    REQUIRE(both.connect());
    const auto start = both.now.steady;

    while (both.client.faults.empty()) {
        both.now.steady = both.client.connection->next_deadline();
        both.client.connection->on_deadline();
        both.client.take_events();
    }

    CHECK(both.now.steady - start <= std::chrono::seconds(15));
    CHECK(*both.client.last_error == errc::keep_alive_timeout);
}

TEST_CASE("MQTT-3.1.0-1: anything but CONNECT first is a fault; silence is one, too") {
    instant now{steady_time(std::chrono::seconds(5)), {}};
    buffer_pool pool;
    event e;
    for (const std::string_view bytes : {"\xC0\x00"sv, "\xE0\x00"sv, "\x30\x03\x00\x01t"sv, "\x40\x02\x00\x01"sv}) {
        connection subject(role::broker, {}, pool, now);
        subject.receive(bytes);
        REQUIRE(subject.next_event(e));
        CHECK(e.kind == event_kind::failed);
        CHECK(e.why.rule == "MQTT-3.1.0-1");
        CHECK(subject.out().empty());
    }
    connection subject(role::broker, {}, pool, now);
    now.steady = subject.next_deadline();
    subject.on_deadline();
    REQUIRE(subject.next_event(e));
    CHECK(e.error == errc::connect_timeout);
    CHECK(subject.is_closing());
}

TEST_CASE("connection: what stands behind CONNECT waits for the answer") {
    instant now{};
    buffer_pool pool;
    event e;
    changes journal;
    session state(journal, session_key{1});
    connection subject(role::broker, {}, pool, now);
    subject.receive(
        "\x10\x0D\x00\x04MQTT\x04\x02\x00\x3C\x00\x01"
        "a\xC0\x00"sv);

    REQUIRE(subject.next_event(e));
    CHECK(e.kind == event_kind::connect_received);
    CHECK(std::get<packets::connect>(e.other).client_id == "a");
    CHECK_FALSE(subject.next_event(e));
    subject.accept(state, {});
    CHECK(bytes_of(subject.out()) == "\x20\x02\x00\x00"sv);
    REQUIRE(subject.next_event(e));
    CHECK(e.kind == event_kind::ping_received);
    CHECK(bytes_of(subject.out()) == "\xD0\x00"sv);
}

TEST_CASE("connection: an unsupported level is refused in the form that its sender understands") {
    instant now{};
    buffer_pool pool;
    event e;
    const auto answer = [&](std::string_view bytes) {
        connection subject(role::broker, {}, pool, now);
        subject.receive(bytes);
        REQUIRE(subject.next_event(e));
        CHECK(e.kind == event_kind::failed);
        CHECK(subject.is_closing());
        return bytes_of(subject.out());
    };
    CHECK(answer("\x10\x0D\x00\x04MQTT\x02\x02\x00\x3C\x00\x01"
                 "a"sv) == "\x20\x02\x00\x01"sv);
    CHECK(answer("\x10\x0E\x00\x04MQTT\x06\x02\x00\x3C\x00\x00\x01"
                 "a"sv) == "\x20\x03\x00\x84\x00"sv);
    CHECK(answer("\x10\x0D\x00\x04HTTP\x04\x02\x00\x3C\x00\x01"
                 "a"sv)
              .empty());
}

TEST_CASE("MQTT-3.1.0-2: a second CONNECT is a Protocol Error") {
    pair both(protocol_version::v5);
    REQUIRE(both.connect());
    both.broker.connection->receive(
        "\x10\x0E\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x01"
        "a"sv);
    both.broker.take_events();
    REQUIRE(both.broker.faults.size() == 1);
    CHECK(both.broker.faults[0].reason == reason_code::protocol_error);
    CHECK(bytes_of(both.broker.connection->out())[2] == '\x82');
}

TEST_CASE("connection: acknowledgements of unknown ids are harmless, of the wrong kind a fault") {
    for (const protocol_version version : {protocol_version::v3_1_1, protocol_version::v5}) {
        pair both(version);
        REQUIRE(both.connect());
        both.client.connection->receive("\x40\x02\x00\x09\x70\x02\x00\x09\x62\x02\x00\x09\x50\x02\x00\x09"sv);
        both.client.take_events();
        both.client.connection->keep_rest();
        CHECK(both.client.faults.empty());
        // PUBCOMP for the PUBREL, PUBREL for the PUBREC: the peer comes to its end.
        const std::string answer = bytes_of(both.client.connection->out());
        CHECK(answer == (version == protocol_version::v5 ? "\x70\x03\x00\x09\x92\x62\x03\x00\x09\x92"sv
                                                         : "\x70\x02\x00\x09\x62\x02\x00\x09"sv));

        (void)both.publish(both.client, "t", "x", qos::exactly_once);
        both.client.connection->receive("\x40\x02\x00\x01"sv);
        both.client.take_events();
        REQUIRE(both.client.faults.size() == 1);
        CHECK(both.client.faults[0].reason == reason_code::protocol_error);
    }
}

TEST_CASE("connection: SUBACK with another count than the filters is a fault") {
    pair both(protocol_version::v5);
    REQUIRE(both.connect());
    packets::subscribe packet;
    packet.subscriptions = {{"a", qos::at_least_once}, {"b", qos::exactly_once}};
    REQUIRE_FALSE(both.client.connection->subscribe(packet, 1));
    both.run();
    CHECK(both.client.subscribe_reasons == std::vector{reason_code::granted_qos_1, reason_code::granted_qos_2});

    REQUIRE_FALSE(both.client.connection->subscribe(packet, 2));
    both.client.connection->receive("\x90\x04\x00\x02\x00\x00"sv);
    both.client.take_events();
    REQUIRE(both.client.faults.size() == 1);
    CHECK(both.client.faults[0].rule == "MQTT-3.8.4-6");
}

TEST_CASE("connection: DISCONNECT ends it on both sides") {
    pair both(protocol_version::v5);
    REQUIRE(both.connect());
    both.client.connection->disconnect(reason_code::disconnect_with_will);
    both.run();
    CHECK(both.broker.disconnect_reason == reason_code::disconnect_with_will);
    CHECK_FALSE(both.linked());
}
