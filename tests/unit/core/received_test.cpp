#include <martlet/core/received.hpp>

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace martlet;
using namespace martlet::core;

namespace {

constexpr auto qos_1 = qos::at_least_once;
constexpr auto qos_2 = qos::exactly_once;

std::vector<unsigned> all_due(received& subject) {
    std::vector<unsigned> ids;
    received::due due;
    while (subject.next_due(due))
        ids.push_back(to_number(due.id));
    return ids;
}

}  // namespace

TEST_CASE("received: acknowledgements leave in the order of arrival, whatever the order of acknowledging") {
    received subject;
    const auto a = subject.on_publish(packet_id{7}, qos_1);
    const auto b = subject.on_publish(packet_id{3}, qos_2);
    const auto c = subject.on_publish(packet_id{9}, qos_1);

    subject.acknowledge(c.number, reason_code::success);
    CHECK(all_due(subject).empty());
    subject.acknowledge(a.number, reason_code::success);
    CHECK(all_due(subject) == std::vector<unsigned>{7});
    subject.acknowledge(b.number, reason_code::success);
    CHECK(all_due(subject) == std::vector<unsigned>{3, 9});

    CHECK(subject.count() == 1);  // 3 awaits PUBREL
    CHECK(subject.unacknowledged() == 0);
}

TEST_CASE("MQTT-4.3.3-10: a repeated QoS 2 PUBLISH is not a new message until PUBREL") {
    received subject;
    const auto first = subject.on_publish(packet_id{5}, qos_2);
    REQUIRE(first.what == received::arrival::fresh);

    CHECK(subject.on_publish(packet_id{5}, qos_2).what == received::arrival::repeated);
    subject.acknowledge(first.number, reason_code::success);
    CHECK(all_due(subject) == std::vector<unsigned>{5});
    CHECK(subject.on_publish(packet_id{5}, qos_2).what == received::arrival::answered_before);

    CHECK(subject.on_pubrel(packet_id{5}));
    CHECK_FALSE(subject.on_pubrel(packet_id{5}));
    CHECK(subject.on_publish(packet_id{5}, qos_2).what == received::arrival::fresh);
}

TEST_CASE("MQTT-4.3.2-5: after its PUBACK an id is a new message") {
    received subject;
    const auto first = subject.on_publish(packet_id{5}, qos_1);
    subject.acknowledge(first.number, reason_code::success);
    REQUIRE(all_due(subject) == std::vector<unsigned>{5});

    const auto second = subject.on_publish(packet_id{5}, qos_1);

    CHECK(second.what == received::arrival::fresh);
    CHECK(second.number != first.number);
}

TEST_CASE("received: an acknowledgement given while the link was down waits for the re-arrival") {
    received subject;
    const auto a = subject.on_publish(packet_id{1}, qos_1);
    const auto b = subject.on_publish(packet_id{2}, qos_2);
    subject.on_closed();
    subject.acknowledge(a.number, reason_code::success);
    subject.acknowledge(b.number, reason_code::success);
    CHECK(all_due(subject).empty());

    CHECK(subject.on_publish(packet_id{2}, qos_2).what == received::arrival::repeated);
    CHECK(all_due(subject) == std::vector<unsigned>{2});
    CHECK(subject.on_publish(packet_id{1}, qos_1, true).what == received::arrival::repeated);
    CHECK(all_due(subject) == std::vector<unsigned>{1});
}

TEST_CASE("MQTT-3.3.1-1: on a later connection a QoS 1 PUBLISH without DUP is another message") {
    received subject;
    const auto old = subject.on_publish(packet_id{1}, qos_1);
    subject.on_closed();

    const auto other = subject.on_publish(packet_id{1}, qos_1);

    CHECK(other.what == received::arrival::fresh);
    CHECK(other.number != old.number);
    CHECK(subject.unacknowledged() == 1);
    subject.acknowledge(old.number, reason_code::success);
    CHECK(all_due(subject).empty());
    subject.acknowledge(other.number, reason_code::success);
    CHECK(all_due(subject) == std::vector<unsigned>{1});
    CHECK(subject.count() == 0);
}

TEST_CASE("received: on a later connection an id with another QoS is another message, DUP or not") {
    for (const bool dup : {false, true}) {
        for (const bool acknowledged : {false, true}) {
            CAPTURE(dup);
            CAPTURE(acknowledged);
            received subject;
            const auto of_qos_2 = subject.on_publish(packet_id{1}, qos_2);
            const auto of_qos_1 = subject.on_publish(packet_id{2}, qos_1);
            subject.on_closed();
            if (acknowledged) subject.acknowledge(of_qos_1.number, reason_code::success);

            const auto other_of_qos_1 = subject.on_publish(packet_id{1}, qos_1, dup);
            const auto other_of_qos_2 = subject.on_publish(packet_id{2}, qos_2, dup);

            CHECK(other_of_qos_1.what == received::arrival::fresh);
            CHECK(other_of_qos_2.what == received::arrival::fresh);
            CHECK(subject.unacknowledged() == 2);
            subject.acknowledge(of_qos_2.number, reason_code::success);
            subject.acknowledge(other_of_qos_1.number, reason_code::success);
            subject.acknowledge(other_of_qos_2.number, reason_code::success);
            received::due due;
            REQUIRE(subject.next_due(due));
            CHECK(due.qos == qos_1);
            REQUIRE(subject.next_due(due));
            CHECK(due.qos == qos_2);
            CHECK(subject.awaiting_pubrel() == std::vector{packet_id{2}});
        }
    }
}

TEST_CASE("received: QoS 1 with an id that awaits PUBREL gives up the QoS 2 exchange") {
    received subject;
    const auto first = subject.on_publish(packet_id{5}, qos_2);
    CHECK_FALSE(first.gave_up_qos_2);
    subject.acknowledge(first.number, reason_code::success);
    REQUIRE(all_due(subject) == std::vector<unsigned>{5});

    const auto other = subject.on_publish(packet_id{5}, qos_1);

    CHECK(other.what == received::arrival::fresh);
    CHECK(other.gave_up_qos_2);
    CHECK(subject.awaiting_pubrel().empty());
    CHECK_FALSE(subject.on_pubrel(packet_id{5}));
}

TEST_CASE("received: of a session that may be another one QoS 1 is forgotten, QoS 2 is kept") {
    received subject;
    const auto a = subject.on_publish(packet_id{1}, qos_1);
    const auto b = subject.on_publish(packet_id{2}, qos_1);
    const auto c = subject.on_publish(packet_id{3}, qos_2);
    const auto d = subject.on_publish(packet_id{4}, qos_2);
    subject.on_closed();
    subject.acknowledge(a.number, reason_code::success);

    subject.forget_qos_1();

    CHECK(subject.count() == 2);
    CHECK(subject.unacknowledged() == 2);
    CHECK(subject.on_publish(packet_id{1}, qos_1, true).what == received::arrival::fresh);
    CHECK(subject.on_publish(packet_id{2}, qos_1, true).what == received::arrival::fresh);
    CHECK(subject.on_publish(packet_id{3}, qos_2, true).what == received::arrival::repeated);
    subject.acknowledge(b.number, reason_code::success);
    CHECK(all_due(subject).empty());
    subject.acknowledge(c.number, reason_code::success);
    subject.acknowledge(d.number, reason_code::success);
    CHECK(subject.on_publish(packet_id{4}, qos_2, true).what == received::arrival::repeated);
}

TEST_CASE("received: ids of an earlier connection do not count on this one until they come again") {
    received subject;
    (void)subject.on_publish(packet_id{1}, qos_1);
    const auto b = subject.on_publish(packet_id{2}, qos_2);
    (void)subject.on_publish(packet_id{3}, qos_2);
    CHECK(subject.count_here() == 3);
    subject.on_closed();
    CHECK(subject.count() == 3);
    CHECK(subject.count_here() == 0);

    CHECK(subject.on_publish(packet_id{4}, qos_1).what == received::arrival::fresh);
    CHECK(subject.on_publish(packet_id{2}, qos_2, true).what == received::arrival::repeated);
    CHECK(subject.on_publish(packet_id{1}, qos_1, false).what == received::arrival::fresh);  // another message
    CHECK(subject.count() == 4);
    CHECK(subject.count_here() == 3);
    subject.on_closed();
    CHECK(subject.count_here() == 0);
    CHECK(subject.on_publish(packet_id{2}, qos_2, true).what == received::arrival::repeated);
    subject.acknowledge(b.number, reason_code::success);
    CHECK(all_due(subject) == std::vector<unsigned>{2});
    CHECK(subject.count_here() == 1);  // awaits PUBREL
    CHECK(subject.on_pubrel(packet_id{2}));
    CHECK(subject.count_here() == 0);
    subject.on_closed();
    subject.forget_qos_1();  // 1 and 4
    CHECK(subject.count() == 1);
    CHECK(subject.count_here() == 0);
    subject.restore(packet_id{9});
    CHECK(subject.count() == 2);
    CHECK(subject.count_here() == 0);
    CHECK(subject.on_pubrel(packet_id{9}));
    CHECK(subject.on_publish(packet_id{9}, qos_2).what == received::arrival::fresh);
    CHECK(subject.count_here() == 1);
    subject.clear();
    CHECK(subject.count_here() == 0);
}

TEST_CASE("MQTT-4.3.3-9: a PUBREC with a failure ends the exchange") {
    received subject;
    const auto a = subject.on_publish(packet_id{4}, qos_2);
    subject.acknowledge(a.number, reason_code::quota_exceeded);
    received::due due;
    REQUIRE(subject.next_due(due));
    CHECK(due.reason == reason_code::quota_exceeded);

    CHECK(subject.count() == 0);
    CHECK(subject.on_publish(packet_id{4}, qos_2).what == received::arrival::fresh);
}

TEST_CASE("received: receipts of a session that was cleared do nothing") {
    received subject;
    const auto old = subject.on_publish(packet_id{4}, qos_1);
    subject.clear();
    const auto fresh = subject.on_publish(packet_id{4}, qos_1);

    subject.acknowledge(old.number, reason_code::success);
    CHECK(all_due(subject).empty());
    subject.acknowledge(fresh.number, reason_code::success);
    CHECK(all_due(subject) == std::vector<unsigned>{4});
}

TEST_CASE("received: 65,535 open QoS 2 ids are all known, and each is forgotten by its PUBREL") {
    received subject;
    for (unsigned id = 1; id <= 65'535; ++id) {
        const auto arrived = subject.on_publish(packet_id{static_cast<std::uint16_t>(id)}, qos_2);
        REQUIRE(arrived.what == received::arrival::fresh);
        subject.acknowledge(arrived.number, reason_code::success);
        REQUIRE(all_due(subject).size() == 1);
    }
    CHECK(subject.count() == 65'535);
    for (unsigned id = 65'535; id >= 1; --id) {
        REQUIRE(subject.on_pubrel(packet_id{static_cast<std::uint16_t>(id)}));
    }
    CHECK(subject.count() == 0);
}

TEST_CASE("received: behaves like a set of ids under random operations") {
    received subject;
    std::set<unsigned> model;
    std::mt19937 random(1);
    for (int i = 0; i != 200'000; ++i) {
        const auto id = static_cast<std::uint16_t>(1 + random() % 300 * 211 % 65'535);
        if (random() % 2 == 0) {
            const auto arrived = subject.on_publish(packet_id{id}, qos_2);
            REQUIRE((arrived.what == received::arrival::fresh) == model.insert(id).second);
            subject.acknowledge(arrived.number, reason_code::success);
            (void)all_due(subject);
        } else {
            REQUIRE(subject.on_pubrel(packet_id{id}) == (model.erase(id) == 1));
        }
        REQUIRE(subject.count() == model.size());
    }
}
