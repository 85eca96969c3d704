// Section 4.8.2: shared subscriptions.
#include "conformance/broker_world.hpp"

#include <map>

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

}  // namespace

TEST_CASE("5.0/MQTT-4.8.2-1 5.0/MQTT-4.8.2-2: a shared filter is $share/, a name without wildcards, / and a filter") {
    for (const std::string_view bad : {"$share"sv, "$share/"sv, "$share//t"sv, "$share/g"sv, "$share/g/"sv,
                                       "$share/+/t"sv, "$share/#/t"sv, "$share/#"sv, "$share/g+/t"sv, "$share/+g/t"sv,
                                       "$share/g#/t"sv, "$share/g/t#"sv, "$share/g/#/t"sv, "$share/g/a+"sv}) {
        CAPTURE(std::string(bad));
        if (bad != "$share") CHECK_FALSE(is_valid_topic_filter(bad));  // which is a plain filter
        CHECK_FALSE(split_shared_filter(bad));
        broker_world world;
        auto& peer = world.connect(v5, "c");
        const reason_code reason = peer.subscribe(bad);
        CHECK(is_failure(reason) == (bad != "$share"));
        CHECK(world.engine.count().shared_subscriptions == 0);
    }
    for (const auto& [filter, group, rest] :
         {std::tuple("$share/g/t"sv, "g"sv, "t"sv), std::tuple("$share/a b/#"sv, "a b"sv, "#"sv),
          std::tuple("$share/g//t"sv, "g"sv, "/t"sv), std::tuple("$share/\xC3\xBC/+/t"sv, "\xC3\xBC"sv, "+/t"sv),
          std::tuple("$share/$share/$share/x"sv, "$share"sv, "$share/x"sv)}) {
        CAPTURE(std::string(filter));
        REQUIRE(split_shared_filter(filter));
        CHECK(split_shared_filter(filter)->group == group);
        CHECK(split_shared_filter(filter)->filter == rest);
        broker_world world;
        auto& peer = world.connect(v5, "c");
        CHECK(peer.subscribe(filter) == reason_code::granted_qos_2);
        CHECK(world.engine.count().shared_subscriptions == 1);
    }
    // Groups are told apart by name and filter; each message goes to one member of each.
    broker_world world;
    auto& a = world.connect(v5, "a");
    auto& b = world.connect(v5, "b");
    CHECK(a.subscribe("$share/g/t") == reason_code::granted_qos_2);
    CHECK(b.subscribe("$share/g/t") == reason_code::granted_qos_2);
    for (int i = 0; i != 10; ++i)
        world.publish("t", std::to_string(i), qos::at_most_once);
    CHECK(a.count() + b.count() == 10);
    a.forget();
    b.forget();
    CHECK(b.subscribe("$share/h/t") == reason_code::granted_qos_2);
    for (int i = 0; i != 10; ++i)
        world.publish("t", std::to_string(i), qos::at_most_once);
    CHECK(a.count() + b.count() == 20);
    CHECK(b.count() >= 10);
}

TEST_CASE("5.0/MQTT-4.8.2-3: the chosen member gets the message at the QoS that it was granted") {
    for (const qos published : every_qos) {
        broker_world world;
        std::map<qos, broker_peer*> members;
        for (const qos q : every_qos) {
            members[q] = &world.connect(v5, "member " + name(q));
            CHECK(members[q]->subscribe("$share/g/t", q) == reason_code{to_number(q)});
        }
        std::size_t total = 0;
        for (int i = 0; i != 30; ++i) {
            world.publish("t", "x", published);
            for (const auto& [q, member] : members) {
                const std::string got = member->messages();
                if (got.empty()) continue;
                CHECK(got == "t=x q" + name(min(q, published)));
                ++total;
            }
        }
        CHECK(total == 30);
    }
}

namespace {

// A group of three; a QoS 2 message has gone to one of them.
struct group {
    explicit group(bool durable) : world({}, durable) {
        for (const char* const id : {"a", "b", "c"}) {
            ids.push_back(id);
            members.push_back(&world.connect(broker_world::resuming(v5, id)));
            CHECK(members.back()->subscribe("$share/g/t") == reason_code::granted_qos_2);
        }
        world.publish("t", "two", qos::exactly_once);
        for (std::size_t i = 0; i != members.size(); ++i) {
            if (!members[i]->is_silent()) chosen = i;
        }
        message = members[chosen]->message();
    }
    void check_others_are_silent() {
        for (std::size_t i = 0; i != members.size(); ++i) {
            if (i != chosen) CHECK(members[i]->is_silent());
        }
    }

    broker_world world;
    std::vector<const char*> ids;
    std::vector<broker_peer*> members;
    std::size_t chosen = 0;
    packets::publish message;
};

}  // namespace

TEST_CASE("5.0/MQTT-4.8.2-4: a QoS 2 message whose receiver goes away is completed to the same one when it is back") {
    for (const bool released : {false, true}) {
        for (const bool durable : {false, true}) {
            group g(durable);
            auto& member = *g.members[g.chosen];
            if (released) {
                member.send(packets::pubrec{g.message.id});
                member.expect(packets::pubrel{g.message.id});
            }
            member.cut();
            g.world.advance(10min);
            g.check_others_are_silent();
            auto& back = g.world.connect(broker_world::resuming(v5, g.ids[g.chosen]));
            if (!released) {
                const auto again = back.message();
                CHECK(again.payload == "two");
                CHECK(again.id == g.message.id);
                CHECK(again.dup);
                back.send(packets::pubrec{again.id});
            }
            back.expect(packets::pubrel{g.message.id});
            back.send(packets::pubcomp{g.message.id});
            CHECK(back.is_silent());
            g.check_others_are_silent();
        }
    }
}

TEST_CASE("5.0/MQTT-4.8.2-5: if the session of its receiver ends, a QoS 2 message goes to no other member") {
    for (const bool expires : {true, false}) {
        group g(false);
        g.members[g.chosen]->cut();
        if (expires) {
            g.world.advance(2h);
        } else {
            g.members[g.chosen] = &g.world.connect(v5, g.ids[g.chosen]);  // begins anew
            CHECK(g.members[g.chosen]->is_silent());
        }
        g.check_others_are_silent();
        for (std::size_t i = 0; i != g.members.size(); ++i) {
            if (i == g.chosen) continue;
            g.members[i]->cut();
            CHECK(g.world.connect(broker_world::resuming(v5, g.ids[i])).is_silent());
        }
    }
}

TEST_CASE("5.0/MQTT-4.8.2-6: a message that its receiver refuses goes to no other member") {
    for (const qos q : acknowledged_qos) {
        broker_world world;
        std::vector<broker_peer*> members;
        for (const char* const id : {"a", "b", "c"}) {
            members.push_back(&world.connect(broker_world::resuming(v5, id)));
            CHECK(members.back()->subscribe("$share/g/t") == reason_code::granted_qos_2);
        }
        for (int i = 0; i != 6; ++i) {
            world.publish("t", std::to_string(i), q);
            std::size_t received = 0;
            for (broker_peer* const member : members) {
                while (!member->is_silent()) {
                    const auto got = member->message();
                    ++received;
                    if (q == qos::at_least_once) {
                        member->send(packets::puback{got.id, reason_code::not_authorized, {}});
                    } else {
                        member->send(packets::pubrec{got.id, reason_code::not_authorized, {}});
                    }
                    CHECK(member->is_silent());
                }
            }
            for (broker_peer* const member : members)
                CHECK(member->is_silent());
            CHECK(received == 1);
        }
        for (std::size_t i = 0; i != members.size(); ++i) {
            members[i]->cut();
            CHECK(world.connect(broker_world::resuming(v5, std::string(1, static_cast<char>('a' + i)))).is_silent());
        }
    }
}
