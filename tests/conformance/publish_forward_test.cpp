// Sections 3.3.2.3, 3.3.4 and 3.3.5: what a server passes on, to whom, and how much of it.
#include "conformance/broker_world.hpp"

#include <algorithm>
#include <set>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

// A matcher that is as plain as the standard's text.
bool matches(std::string_view filter, std::string_view topic) {
    const auto split = [](std::string_view text) {
        std::vector<std::string> levels(1);
        for (const char c : text) {
            if (c == '/') {
                levels.emplace_back();
            } else {
                levels.back() += c;
            }
        }
        return levels;
    };
    const auto f = split(filter);
    const auto t = split(topic);
    if (topic[0] == '$' && (f[0] == "#" || f[0] == "+")) return false;
    for (std::size_t i = 0; i != f.size(); ++i) {
        if (f[i] == "#") return t.size() + 1 >= f.size();
        if (i == t.size() || (f[i] != "+" && f[i] != t[i])) return false;
    }
    return f.size() == t.size();
}

// A message goes through the broker on its way to subscribers that are connected, away, and late.
struct journey {
    explicit journey(const packets::publish& message) {
        broker_world world;
        auto& connected = world.connect(broker_world::hello(v5, "connected"));
        auto& narrow = world.connect(broker_world::hello(v5, "identified"));
        auto& leaving = world.connect(broker_world::resuming(v5, "away"));
        CHECK(connected.subscribe("t") == reason_code::granted_qos_2);
        CHECK(narrow.subscribe({.filter = "+", .qos = qos::at_most_once}, 7) == reason_code::success);
        CHECK(leaving.subscribe("t") == reason_code::granted_qos_2);
        leaving.cut();
        auto& publisher = world.connect(v5, "publisher");
        CHECK(publisher.publish(message) == reason_code::success);
        take(connected);
        take(narrow);
        if (message.qos != qos::at_most_once) take(world.connect(broker_world::resuming(v5, "away")));
        if (message.retain) {
            auto& late = world.connect(v5, "late");
            CHECK(late.subscribe("#") == reason_code::granted_qos_2);
            take(late);
        }
    }

    std::vector<packets::publish> arrived;

private:
    void take(broker_peer& peer) {
        const auto got = decode(packets_.emplace_back(bytes(peer.next())), v5, role::client);
        REQUIRE(verdict(got) == "ok");
        arrived.push_back(std::get<packets::publish>(got.packet));
    }
    std::deque<std::string> packets_;  // what the views in `arrived` point into
};

void check_journeys(message_properties properties, const std::function<void(const packets::publish&)>& check) {
    for (const qos q : every_qos) {
        for (const bool retain : {false, true}) {
            for (const std::string& payload : {"small"s, std::string(10'000, 'x')}) {
                const journey way(
                    {.topic = "t", .payload = payload, .qos = q, .retain = retain, .properties = properties});
                for (const auto& got : way.arrived) {
                    CHECK(got.topic == "t");
                    CHECK(got.payload == payload);
                    check(got);
                }
            }
        }
    }
}

std::string identifiers(const packets::publish& message) {
    std::vector<std::uint32_t> ids(message.subscription_identifiers.begin(), message.subscription_identifiers.end());
    std::sort(ids.begin(), ids.end());
    std::string text;
    for (const auto id : ids)
        text += (text.empty() ? "" : " ") + std::to_string(id);
    return text;
}

}  // namespace

TEST_CASE("5.0/MQTT-3.3.2-3 3.1.1/MQTT-3.3.2-3: what a subscriber gets has a topic that matches its filter") {
    const char* const topics[] = {"a",  "b",    "a/b", "a/b/c", "/a", "a/",  "/",   "//",  "a//b",
                                  "$a", "$a/b", "A",   "a b",   "aa", "a/a", "a/$", "b/a", "a/b/c/d"};
    const char* const filters[] = {"a",     "+",     "#",    "a/+",   "a/#",  "+/b",  "+/+", "+/#",
                                   "/+",    "/#",    "+/",   "a/b",   "$a/#", "$a/+", "//",  "+//",
                                   "a/+/c", "a/+/#", "a//b", "+/+/+", "A/#",  "b/#"};
    for (const protocol_version version : every_version) {
        for (const char* const filter : filters) {
            CAPTURE(std::string(filter));
            broker_world world;
            auto& peer = world.connect(version, "c");
            CHECK(peer.subscribe(filter, qos::at_most_once) == reason_code::success);
            auto& publisher = world.connect(version, "publisher");
            std::string expected;
            for (const char* const topic : topics) {
                (void)publisher.publish(topic, "x");
                if (matches(filter, topic)) expected += (expected.empty() ? "" : ", ") + std::string(topic) + "=x q0";
            }
            CHECK(peer.messages() == expected);
        }
    }
}

// ---- properties are passed on

TEST_CASE("5.0/MQTT-3.3.2-4: Payload Format Indicator is passed on unchanged") {
    for (const auto& format :
         {std::optional<payload_format>(), std::optional(payload_format::bytes), std::optional(payload_format::utf8)}) {
        check_journeys({.payload_format_indicator = format},
                       [&](const packets::publish& got) { CHECK(got.properties.payload_format_indicator == format); });
    }
}

TEST_CASE(
    "5.0/MQTT-3.3.2-15 5.0/MQTT-3.3.2-16 5.0/MQTT-3.3.2-20: Response Topic, Correlation Data and Content Type are "
    "passed on unchanged") {
    message_properties properties;
    check_journeys(properties, [&](const packets::publish& got) { CHECK(got.properties == properties); });
    properties.response_topic = "answers/\xC3\xBC/1";
    properties.correlation_data = "\0\xFF\x80 any"sv;
    properties.content_type = "application/\xC3\xBC";
    check_journeys(properties, [&](const packets::publish& got) { CHECK(got.properties == properties); });
    properties.correlation_data = "";
    properties.content_type = "";
    check_journeys(properties, [&](const packets::publish& got) { CHECK(got.properties == properties); });
}

TEST_CASE("5.0/MQTT-3.3.2-17 5.0/MQTT-3.3.2-18: User Properties are passed on, all of them and in their order") {
    const std::vector<user_property> pairs{{"b", "1"}, {"a", "1"}, {"b", "1"}, {"b", "0"}, {"", ""}, {"a", "1"}};
    check_journeys({.user_properties = pairs}, [&](const packets::publish& got) {
        const auto& list = got.properties.user_properties;
        CHECK(std::vector<user_property>(list.begin(), list.end()) == pairs);
    });
}

// ---- Message Expiry Interval

TEST_CASE("5.0/MQTT-3.3.2-5: a message that has expired before its delivery began is not delivered") {
    for (const qos q : acknowledged_qos) {
        broker_world world;
        auto& publisher = world.connect(v5, "publisher");
        const auto publish = [&](std::string_view topic, std::string_view payload, std::uint32_t seconds,
                                 bool retain = false) {
            (void)publisher.publish({.topic = topic,
                                     .payload = payload,
                                     .qos = q,
                                     .retain = retain,
                                     .properties = {.message_expiry_interval = seconds}});
        };
        // The subscriber is away, or its quota is used up.
        auto& away = world.connect(broker_world::resuming(v5, "away"));
        CHECK(away.subscribe("t") == reason_code::granted_qos_2);
        away.cut();
        auto busy_hello = broker_world::hello(v5, "busy");
        busy_hello.properties.receive_maximum = std::uint16_t{1};
        auto& busy = world.connect(busy_hello);
        CHECK(busy.subscribe("t") == reason_code::granted_qos_2);

        publish("t", "first", 100);
        publish("t", "short", 10);
        publish("t", "long", 100);
        publish("kept", "short", 10, true);
        publish("kept/long", "long", 100, true);
        const auto first = busy.message();
        world.advance(9'999ms);
        world.advance(1ms);
        busy.acknowledge(first);
        const std::string pubrel = q == qos::exactly_once ? busy.next() : "";
        if (q == qos::exactly_once) busy.send(packets::pubcomp{first.id});
        CHECK(busy.messages() == "t=long q" + name(q));
        CHECK(world.connect(broker_world::resuming(v5, "away")).messages() ==
              "t=first q" + name(q) + ", t=long q" + name(q));
        auto& late = world.connect(v5, "late");
        CHECK(late.subscribe("kept/#") == reason_code::granted_qos_2);
        CHECK(late.messages() == "kept/long=long q" + name(q) + " retain");
        CHECK(world.engine.count().retained == 1);
    }
}

TEST_CASE("5.0/MQTT-3.3.2-6: what is passed on expires in the time that is left") {
    for (const qos q : acknowledged_qos) {
        broker_world world;
        auto& publisher = world.connect(v5, "publisher");
        auto& live = world.connect(v5, "live");
        CHECK(live.subscribe("t") == reason_code::granted_qos_2);
        auto& away = world.connect(broker_world::resuming(v5, "away"));
        CHECK(away.subscribe("t") == reason_code::granted_qos_2);
        away.cut();
        (void)publisher.publish(
            {.topic = "t", .payload = "x", .qos = q, .retain = true, .properties = {.message_expiry_interval = 100}});
        CHECK(live.message().properties.message_expiry_interval == 100u);
        world.advance(30s);
        CHECK(world.connect(broker_world::resuming(v5, "away")).message().properties.message_expiry_interval == 70u);
        auto& late = world.connect(v5, "late");
        CHECK(late.subscribe("t") == reason_code::granted_qos_2);
        CHECK(late.message().properties.message_expiry_interval == 70u);

        // Without the property nothing expires and nothing is added.
        (void)publisher.publish({.topic = "t", .payload = "y", .qos = q, .retain = true});
        live.forget();
        world.advance(std::chrono::hours(24 * 365));
        auto& later = world.connect(v5, "later");
        CHECK(later.subscribe("t") == reason_code::granted_qos_2);
        const auto got = later.message();
        CHECK(got.payload == "y");
        CHECK_FALSE(got.properties.message_expiry_interval);
    }
}

// ---- overlapping subscriptions

TEST_CASE(
    "5.0/MQTT-3.3.4-2 3.1.1/MQTT-3.3.5-1: overlapping subscriptions deliver at the highest QoS of those that match") {
    for (const protocol_version version : every_version) {
        for (const qos published : every_qos) {
            for (const auto& [first, second] :
                 {std::pair(qos::at_most_once, qos::exactly_once), std::pair(qos::exactly_once, qos::at_most_once),
                  std::pair(qos::at_most_once, qos::at_least_once),
                  std::pair(qos::at_least_once, qos::at_least_once)}) {
                broker_world world;
                auto& peer = world.connect(version, "c");
                (void)peer.subscribe("a/#", first);
                (void)peer.subscribe("a/+", second);
                (void)peer.subscribe("b/#", qos::exactly_once);
                auto& publisher = world.connect(version, "publisher");
                CHECK_FALSE(is_failure(publisher.publish("a/b", "x", published)));
                const std::string got = peer.messages();
                CHECK(got == "a/b=x q" + name(min(published, std::max(first, second))));
            }
        }
    }
}

TEST_CASE(
    "5.0/MQTT-3.3.4-3 5.0/MQTT-3.3.4-4: one copy has the identifiers of all subscriptions that match and have one") {
    for (const qos published : every_qos) {
        broker_world world;
        auto& peer = world.connect(broker_world::resuming(v5, "c"));
        CHECK(peer.subscribe({.filter = "a/#", .qos = qos::at_most_once}, 1) == reason_code::success);
        CHECK(peer.subscribe({.filter = "a/+", .qos = qos::at_least_once}, 268'435'455) == reason_code::granted_qos_1);
        CHECK(peer.subscribe({.filter = "+/b", .qos = qos::exactly_once}) == reason_code::granted_qos_2);
        CHECK(peer.subscribe({.filter = "+/+", .qos = qos::exactly_once}, 300) == reason_code::granted_qos_2);
        CHECK(peer.subscribe({.filter = "b/#", .qos = qos::exactly_once}, 5) == reason_code::granted_qos_2);
        auto& publisher = world.connect(v5, "publisher");

        CHECK_FALSE(is_failure(publisher.publish("a/b", "x", published)));
        const auto got = peer.message();
        CHECK(identifiers(got) == "1 300 268435455");
        CHECK(got.qos == published);
        peer.acknowledge(got);
        peer.forget();

        CHECK_FALSE(is_failure(publisher.publish("a", "x", published)));
        CHECK(identifiers(peer.message()) == "1");
        CHECK_FALSE(is_failure(publisher.publish("c/b", "x", published)));
        CHECK(identifiers(peer.message()) == "300");
        CHECK(peer.unsubscribe("+/+") == reason_code::success);
        CHECK_FALSE(is_failure(publisher.publish("c/b", "x", published)));
        CHECK(identifiers(peer.message()) == "");

        // kept with the session, and on retained messages
        peer.cut();
        world.publish("a/z", "x", qos::at_least_once, true);
        auto& again = world.connect(broker_world::resuming(v5, "c"));
        std::set<std::string> seen;
        while (!again.is_silent()) {
            if (again.peek() != packet_type::publish) {
                (void)again.next();
                continue;
            }
            seen.insert(identifiers(again.message()));
        }
        CHECK(seen.contains("1 268435455"));
        CHECK(again.subscribe({.filter = "a/z", .qos = qos::at_least_once}, 77) == reason_code::granted_qos_1);
        CHECK(identifiers(again.message()) == "77");
    }
}

TEST_CASE("5.0/MQTT-3.3.4-5: a copy for one subscription has the identifier of that one") {
    // Our server sends one copy for all of a client's plain subscriptions, and one for each shared one.
    broker_world world;
    auto& peer = world.connect(v5, "c");
    CHECK(peer.subscribe({.filter = "a/#", .qos = qos::at_least_once}, 1) == reason_code::granted_qos_1);
    CHECK(peer.subscribe({.filter = "$share/g/a/+", .qos = qos::at_least_once}, 2) == reason_code::granted_qos_1);
    CHECK(peer.subscribe({.filter = "$share/h/a/b", .qos = qos::at_least_once}) == reason_code::granted_qos_1);
    world.publish("a/b", "x", qos::at_least_once);
    std::multiset<std::string> seen;
    while (!peer.is_silent())
        seen.insert(identifiers(peer.message()));
    CHECK(seen == std::multiset<std::string>{"", "1", "2"});
}

// ---- rights

TEST_CASE("3.1.1/MQTT-3.3.5-2: a PUBLISH without the right is acknowledged as usual and goes nowhere") {
    for (const protocol_version version : every_version) {
        broker_options options;
        const auto rights = std::make_shared<scripted_rights>();
        rights->answer = [](const authentication_request&) { return authentication_answer{}; };
        rights->publishing = [](std::string_view topic) { return topic != "secret"; };
        options.authenticator = rights;
        broker_world world(options);
        auto& watcher = world.connect(version, "watcher");
        CHECK(watcher.subscribe("#") == reason_code::granted_qos_2);
        auto& peer = world.connect(version, "c");
        for (const qos q : every_qos) {
            const reason_code reason = peer.publish("secret", "x", q, true);
            if (q != qos::at_most_once) {
                CHECK(reason == (peer.is_v5() ? reason_code::not_authorized : reason_code::success));
            }
            CHECK(watcher.is_silent());
            CHECK(peer.publish("open", "x", q) == reason_code::success);
            CHECK(watcher.messages() == "open=x q" + name(q));
        }
        CHECK(world.engine.count().retained == 0);
        CHECK_FALSE(peer.is_closed());
    }
}
