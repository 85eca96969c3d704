#include "support/pair.hpp"

#include <martlet/core/session.hpp>

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

using namespace martlet;
using namespace martlet::core;
using martlet::test::pair;

namespace {

outgoing message(std::string_view payload, qos q = qos::at_least_once, token who = 0) {
    return {outgoing_message::create("t", payload, q, false), {}, who, q, false};
}

}  // namespace

TEST_CASE("session: the queue is bounded by count and bytes, with its policy") {
    changes journal;
    session refusing(journal, session_key{1}, {3, 1'000'000, queue_policy::refuse, false});
    for (int i = 0; i != 3; ++i)
        CHECK(refusing.enqueue(message("x")));
    CHECK_FALSE(refusing.enqueue(message("x")));
    CHECK(refusing.dropped_count() == 1);

    session dropping(journal, session_key{1}, {3, 1'000'000, queue_policy::drop_oldest, false});
    for (const char* text : {"a", "b", "c", "d"})
        CHECK(dropping.enqueue(message(text, qos::at_least_once, 9)));
    CHECK(dropping.queue_count() == 3);
    CHECK(dropping.front()->what.message->payload() == "b");
    completion done;
    REQUIRE(dropping.take_completion(done));
    CHECK(done.error == errc::discarded);

    const std::size_t cost = message("x").message->cost();
    session small(journal, session_key{1}, {100, cost * 2, queue_policy::refuse, false});
    CHECK(small.enqueue(message("x")));
    CHECK(small.enqueue(message("x")));
    CHECK_FALSE(small.enqueue(message("x")));
    CHECK(small.queue_bytes() == cost * 2);
}

TEST_CASE("session: QoS 0 waits only where it is asked for") {
    changes journal;
    session broker(journal, session_key{1});
    CHECK_FALSE(broker.enqueue(message("x", qos::at_most_once)));
    session client(journal, session_key{1}, {10, 10'000, queue_policy::refuse, true});
    CHECK(client.enqueue(message("x", qos::at_most_once)));
}

TEST_CASE("session: latest_per_topic keeps the place and the newest message of each topic") {
    const auto on = [](std::string_view topic, std::string_view payload, qos q, token who = 0) {
        return outgoing{outgoing_message::create(topic, payload, q, false), {}, who, q, false};
    };
    changes journal;
    session s(journal, session_key{1}, {2, 1'000'000, queue_policy::latest_per_topic, true});
    CHECK(s.enqueue(on("a", "1", qos::at_least_once, 7)));
    CHECK(s.enqueue(on("b", "1", qos::at_most_once)));
    CHECK(s.enqueue(on("a", "2 longer", qos::at_most_once)));
    CHECK(s.queue_count() == 2);
    CHECK(s.front()->what.message->payload() == "2 longer");
    completion done;
    REQUIRE(s.take_completion(done));
    CHECK(done.who == 7);
    CHECK(done.error == errc::discarded);

    CHECK(s.enqueue(on("b", "2", qos::exactly_once)));
    CHECK(s.enqueue(on("c", "1", qos::at_least_once)));  // at the bound the oldest goes
    const auto rest = s.take_queue();
    REQUIRE(rest.size() == 2);
    CHECK(rest[0].message->payload() == "2");
    CHECK(rest[1].message->topic() == "c");
    CHECK(s.queue_bytes() == 0);
    CHECK(s.dropped_count() == 3);
    CHECK(s.enqueue(on("b", "3", qos::at_least_once)));  // nothing is remembered of what was taken
    CHECK(s.queue_count() == 1);
}

TEST_CASE("session: what nobody wants any more leaves the queue") {
    const auto on = [](std::string_view topic, qos q, token who = 0) {
        return outgoing{outgoing_message::create(topic, "x", q, false), {}, who, q, false};
    };
    changes journal;
    session s(journal, session_key{1}, {10, 1'000'000, queue_policy::refuse, true});
    CHECK(s.enqueue(on("keep", qos::at_least_once)));
    CHECK(s.enqueue(on("drop", qos::at_least_once, 3)));
    CHECK(s.enqueue(on("drop", qos::at_most_once)));
    const std::size_t cost = on("keep", qos::at_least_once).message->cost();
    CHECK(s.drop_queued([](std::string_view topic) { return topic == "drop"; }) == 2);
    CHECK(s.queue_count() == 1);
    CHECK(s.queue_bytes() == cost);
    completion done;
    REQUIRE(s.take_completion(done));
    CHECK(done.who == 3);
    CHECK_FALSE(s.take_completion(done));
}

TEST_CASE("session: a snapshot restored at any point continues identically") {
    for (const protocol_version version : {protocol_version::v3_1_1, protocol_version::v5}) {
        for (std::size_t at = 0; at < 400; at += 3) {
            CAPTURE(at);
            pair both(version);
            both.clean_start = false;
            both.chunk = 5;
            both.cut_after = at;
            for (int i = 0; i != 6; ++i) {
                (void)both.publish(both.client, "t", std::to_string(i),
                                   i % 2 == 0 ? qos::at_least_once : qos::exactly_once);
            }
            (void)both.connect();
            both.run();
            both.cut();
            both.cut_after = ~std::size_t{0};

            for (auto* e : {&both.client, &both.broker}) {
                session_snapshot rows = e->session->snapshot();
                const bool had_state = e->session->has_state();
                core::queue_limits limits = e->session->limits();
                e->session.emplace(e->journal, session_key{1}, limits);
                REQUIRE(e->session->restore(std::move(rows)));
                REQUIRE(e->session->has_state() == had_state);
            }
            REQUIRE(both.connect());
            both.run();

            int exactly_once[6] = {};
            for (const auto& m : both.broker.messages)
                ++exactly_once[std::stoi(m.payload)];
            for (int i = 0; i != 6; ++i) {
                CHECK(exactly_once[i] >= 1);
                if (i % 2 == 1) CHECK(exactly_once[i] == 1);
            }
            CHECK(both.client.session->sent.count() == 0);
        }
    }
}

TEST_CASE("session: contradicting rows are refused and leave nothing") {
    changes journal;
    session subject(journal, session_key{1});
    session_snapshot rows;
    rows.outgoing.push_back({session_key{1}, 1, outgoing_state::in_flight, packet_id{7}, message("a"), 0});
    rows.outgoing.push_back({session_key{1}, 2, outgoing_state::in_flight, packet_id{7}, message("b"), 0});

    CHECK_FALSE(subject.restore(rows));
    CHECK_FALSE(subject.has_state());

    rows.outgoing.pop_back();
    rows.outgoing[0].id = packet_id::none;
    CHECK_FALSE(subject.restore(rows));
}

TEST_CASE("session: rows recorded in the journal make the same session anew") {
    pair both(protocol_version::v5, true);
    both.clean_start = false;
    std::vector<change> rows;
    REQUIRE(both.connect());
    both.commit_by_hand = true;
    both.broker.acknowledge_at_once = false;
    std::mt19937 random(3);
    for (int i = 0; i != 200; ++i) {
        (void)both.publish(both.client, "t", std::to_string(i),
                           random() % 2 == 0 ? qos::at_least_once : qos::exactly_once);
        if (random() % 3 == 0) {
            for (auto batch = both.client.journal.take(); !batch.rows.empty(); batch = both.client.journal.take()) {
                for (auto& row : batch.rows)
                    rows.push_back(row);
                both.client.journal.on_committed(batch.number);
                both.client.connection->on_committed();
            }
            both.run();
            for (auto& m : both.broker.messages) {
                if (random() % 2 == 0) both.broker.connection->acknowledge(m.number);
            }
            both.commit_by_hand = true;
            const auto batch = both.broker.journal.take();
            both.broker.journal.on_committed(batch.number);
            both.broker.connection->on_committed();
            both.run();
        }
    }
    for (auto& row : both.client.journal.take().rows)
        rows.push_back(row);

    // Applied as a store would: the last row of a key wins.
    std::map<std::uint64_t, outgoing_row> table;
    for (const change& row : rows) {
        if (const auto* put = std::get_if<outgoing_row>(&row)) table[put->order] = *put;
        if (const auto* gone = std::get_if<erase_outgoing>(&row)) table.erase(gone->order);
    }
    session_snapshot stored;
    for (const auto& [order, row] : table)
        stored.outgoing.push_back(row);
    session restored(both.client.journal, session_key{1});
    REQUIRE(restored.restore(stored));

    const session_snapshot expected = both.client.session->snapshot();
    const session_snapshot found = restored.snapshot();
    REQUIRE(found.outgoing.size() == expected.outgoing.size());
    for (std::size_t i = 0; i != found.outgoing.size(); ++i) {
        CHECK(found.outgoing[i].order == expected.outgoing[i].order);
        CHECK(found.outgoing[i].state == expected.outgoing[i].state);
        CHECK(found.outgoing[i].id == expected.outgoing[i].id);
    }
}
