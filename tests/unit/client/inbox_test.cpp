#include "client/inbox.hpp"

#include "support/decoded.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

using namespace martlet;
using detail::inbox;

namespace {

packets::publish make(std::string_view topic, std::string_view payload, qos q = qos::at_most_once) {
    packets::publish p;
    p.topic = topic;
    p.payload = payload;
    p.qos = q;
    p.id = static_cast<packet_id>(q == qos::at_most_once ? 0 : 7);
    return p;
}

}  // namespace

TEST_CASE("inbox: messages come out as they went in, oldest first") {
    inbox box({});

    (void)box.push(make("a", "one"), 0, true);
    (void)box.push(make("b/c", "", qos::at_least_once), 0x10007, false);

    const auto first = box.take();
    CHECK(first.topic() == "a");
    CHECK(first.text() == "one");
    CHECK(first.qos() == qos::at_most_once);
    CHECK(first.receipt() == 0);
    const auto second = box.take();
    CHECK(second.topic() == "b/c");
    CHECK(second.payload().empty());
    CHECK(second.qos() == qos::at_least_once);
    CHECK(to_number(second.packet_id()) == 7);
    CHECK(second.receipt() == 0x10007);
    CHECK(box.empty());
    CHECK(box.bytes() == 0);
}

TEST_CASE("inbox: a message outlives the inbox, and what comes later leaves it alone") {
    message kept;
    {
        inbox box({});
        (void)box.push(make("t", "first"), 0, true);
        kept = box.take();
        for (int i = 0; i < 1000; ++i) {
            (void)box.push(make("t", "another one that is longer"), 0, true);
            (void)box.take();
        }
    }
    CHECK(kept.text() == "first");
}

TEST_CASE("inbox: copies of a message may be dropped on another thread") {
    inbox box({});
    std::vector<message> taken;
    for (int i = 0; i < 200; ++i) {
        (void)box.push(make("t", std::string(40, 'x')), 0, true);
        taken.push_back(box.take());
    }

    std::thread other([mine = taken]() mutable { mine.clear(); });
    for (int i = 0; i < 200; ++i) {
        (void)box.push(make("t", "y"), 0, true);
        (void)box.take();
    }
    other.join();

    for (const auto& m : taken)
        CHECK(m.text() == std::string(40, 'x'));
}

TEST_CASE("inbox: properties, identifiers and alias are kept as they came") {
    inbox box({});
    const std::array<user_property, 2> pairs{user_property{"k", "v"}, user_property{"k", "w"}};
    const std::array<std::uint32_t, 2> identifiers{3, 268'435'455};
    auto sent = make("topic", "x");
    sent.properties.content_type = "text/plain";
    sent.properties.message_expiry_interval = 9;
    sent.properties.correlation_data = std::string_view("\0\1", 2);
    sent.properties.user_properties = pairs;
    sent.subscription_identifiers = std::span<const std::uint32_t>(identifiers);
    sent.topic_alias = 4;
    const auto bytes = test::encode(sent, protocol_version::v5);
    const auto received = test::decode(bytes, protocol_version::v5, role::client);

    (void)box.push(std::get<packets::publish>(received.packet), 0, true);
    const auto m = box.take();

    CHECK(m.properties() == sent.properties);
    CHECK(m.subscription_identifiers() == sent.subscription_identifiers);
    CHECK(m.topic_alias() == 4);
    CHECK(m.topic() == "topic");
    CHECK(m.text() == "x");
}

TEST_CASE("inbox: is full at its count, of counted messages only") {
    inbox box({.count_max = 2, .bytes_max = 1 << 20});

    for (int i = 0; i < 5; ++i)
        (void)box.push(make("t", "x", qos::at_least_once), 1, false);
    (void)box.push(make("t", "x"), 0, true);
    CHECK_FALSE(box.is_full());
    (void)box.push(make("t", "x"), 0, true);
    CHECK(box.is_full());

    for (int i = 0; i < 6; ++i)
        (void)box.take();
    CHECK_FALSE(box.is_full());
}

TEST_CASE("inbox: is full at its bytes") {
    inbox box({.count_max = 100, .bytes_max = 5000});

    (void)box.push(make("t", std::string(4900, 'x'), qos::exactly_once), 1, false);
    CHECK_FALSE(box.is_full());
    (void)box.push(make("t", std::string(100, 'x'), qos::exactly_once), 2, false);
    CHECK(box.is_full());
}

TEST_CASE("inbox: what was taken is acknowledged once, together or one by one") {
    inbox box({});
    for (core::receipt n = 1; n <= 3; ++n)
        (void)box.push(make("t", "x", qos::at_least_once), n, false);
    std::array<message, 8> batch;
    CHECK(box.take(batch) == 3);

    CHECK(box.acknowledge_one(2));
    CHECK_FALSE(box.acknowledge_one(2));
    std::vector<core::receipt> rest;
    box.acknowledge_taken([&](core::receipt n) { rest.push_back(n); });
    CHECK(rest == std::vector<core::receipt>{1, 3});
    CHECK_FALSE(box.has_taken());
}

TEST_CASE("inbox: extract takes what matches and keeps the order of the rest") {
    inbox box({});
    for (const auto* topic : {"a", "b", "a", "c"})
        (void)box.push(make(topic, topic), 0, true);

    const auto taken = box.extract([](const message& m) { return m.topic() == "a"; });

    CHECK(taken.size() == 2);
    CHECK(box.take().topic() == "b");
    CHECK(box.take().topic() == "c");
    CHECK(box.bytes() == 0);
}
