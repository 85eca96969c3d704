// Section 4.7: topic names and topic filters, at both ends.
#include "conformance/broker_world.hpp"
#include "conformance/client_script.hpp"

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

// A server's answer to a topic name that it must not accept.
void check_name_is_refused(protocol_version version, std::string_view topic) {
    for (const role receiver : both_roles) {
        core_script peer(receiver, version);
        REQUIRE(peer.open());
        peer.send(packets::publish{.topic = topic});
        CHECK(peer.is_closed());
        CHECK(peer.subject.messages.empty());
    }
    CHECK_FALSE(is_valid_topic_name(topic));
}

// A filter that is none: refused by the server (3.1 closes, as it has no code for it), and not sent by a client.
void check_filter_is_refused(protocol_version version, std::string_view filter) {
    CAPTURE(std::string(filter));
    CHECK_FALSE(is_valid_topic_filter(filter));
    broker_world world;
    auto& peer = world.connect(version, "c");
    peer.send(packets::subscribe{packet_id{1}, {{filter}}, {}});
    if (!peer.is_closed()) {
        const auto suback = peer.take<packets::suback>();
        CHECK(suback.reasons ==
              std::vector{version == v5 ? reason_code::topic_filter_invalid : reason_code::unspecified_error});
    }
    CHECK(world.engine.count().subscriptions == 0);

    client_options options;
    options.client_id = "c";
    client_script client(options, version);
    client.open();
    CHECK(client.refusal({{.filter = filter}}) == errc::topic_filter_invalid);
    CHECK(client.engine.unsubscribe({std::string(filter)}, {}, 1) == errc::topic_filter_invalid);
    client.run();
    CHECK(client.is_silent());
}

void check_filter_is_accepted(protocol_version version, std::string_view filter) {
    CAPTURE(std::string(filter));
    CHECK(is_valid_topic_filter(filter));
    broker_world world;
    auto& peer = world.connect(version, "c");
    CHECK(peer.subscribe(filter) == reason_code::granted_qos_2);
    CHECK(peer.unsubscribe(filter) == reason_code::success);
}

// What a subscription brings of these topics.
std::string brought(protocol_version version, std::string_view filter, std::initializer_list<std::string_view> topics) {
    broker_world world;
    auto& peer = world.connect(version, "c");
    CHECK_FALSE(is_failure(peer.subscribe(filter)));
    std::string got;
    for (const std::string_view topic : topics) {
        world.publish(topic, "", qos::at_most_once);
        CHECK(peer.count() == (topic_matches(filter, topic) ? 1 : 0));
        while (!peer.is_silent())
            got.append(got.empty() ? "" : " ").append(peer.message().topic);
    }
    return got;
}

}  // namespace

TEST_CASE("5.0/MQTT-4.7.0-1 3.1.1/MQTT-4.7.1-1: wildcards are for filters, not for topic names") {
    for (const protocol_version version : every_version) {
        for (const std::string_view topic : {"#"sv, "+"sv, "a/+/b"sv, "a/#"sv, "+a"sv, "a#"sv, "a/b+"sv}) {
            CAPTURE(std::string(topic));
            check_name_is_refused(version, topic);
            client_options options;
            options.client_id = "c";
            client_script client(options, version);
            client.open();
            CHECK(client.engine.publish_qos_0(topic, "x", false, {}) == errc::topic_invalid);
            client.run();
            CHECK(client.is_silent());
            // nor as the topic of a will
            options.will.emplace().topic = topic;
            client_script with_will(options, version);
            CHECK(with_will.start() == errc::topic_invalid);
            CHECK(with_will.is_silent());
            broker_world world;
            auto hello = broker_world::hello(version, "c");
            hello.will.emplace().topic = topic;
            auto& peer = world.dial(version);
            peer.send(hello);
            CHECK(peer.is_closed());
        }
        for (const std::string_view filter : {"#"sv, "+"sv, "a/+/b"sv, "a/#"sv})
            check_filter_is_accepted(version, filter);
    }
}

TEST_CASE("5.0/MQTT-4.7.1-1 3.1.1/MQTT-4.7.1-2: # stands alone in the last level") {
    for (const protocol_version version : every_version) {
        for (const std::string_view bad : {"a#"sv, "a/#/b"sv, "#/a"sv, "##"sv, "a/##"sv, "#a"sv, "a/b#"sv, "/#/"sv}) {
            check_filter_is_refused(version, bad);
        }
        for (const std::string_view good : {"#"sv, "a/#"sv, "/#"sv, "a//#"sv, "+/#"sv}) {
            check_filter_is_accepted(version, good);
        }
        CHECK(brought(version, "sport/tennis/#",
                      {"sport/tennis", "sport/tennis/1", "sport/tennis/1/2", "sport/tennis/", "sport", "sport/tennis1",
                       "sport/Tennis/1", "/sport/tennis"}) ==
              "sport/tennis sport/tennis/1 sport/tennis/1/2 sport/tennis/");
        CHECK(brought(version, "#", {"a", "/", "a/b/c"}) == "a / a/b/c");
    }
}

TEST_CASE("5.0/MQTT-4.7.1-2 3.1.1/MQTT-4.7.1-3: + fills a whole level") {
    for (const protocol_version version : every_version) {
        for (const std::string_view bad : {"a+"sv, "+a"sv, "a/b+"sv, "++"sv, "a/+b/c"sv, "+#"sv, "sport+"sv}) {
            check_filter_is_refused(version, bad);
        }
        for (const std::string_view good : {"+"sv, "+/+"sv, "a/+"sv, "+/b/#"sv, "a/+/b"sv, "/+"sv, "+/"sv}) {
            check_filter_is_accepted(version, good);
        }
        CHECK(brought(version, "sport/tennis/+",
                      {"sport/tennis/1", "sport/tennis/2", "sport/tennis/1/2", "sport/tennis", "sport/tennis/"}) ==
              "sport/tennis/1 sport/tennis/2 sport/tennis/");
        CHECK(brought(version, "sport/+", {"sport", "sport/"}) == "sport/");
        CHECK(brought(version, "+/+", {"/finance", "finance", "a/b/c"}) == "/finance");
        CHECK(brought(version, "/+", {"/finance"}) == "/finance");
        CHECK(brought(version, "+", {"/finance", "finance"}) == "finance");
    }
}

TEST_CASE(
    "5.0/MQTT-4.7.2-1 3.1.1/MQTT-4.7.2-1: a filter that begins with a wildcard brings nothing that begins with $") {
    for (const protocol_version version : every_version) {
        CHECK(brought(version, "#", {"$SYS", "$SYS/x", "$a/b", "$", "a/$b"}) == "a/$b");
        CHECK(brought(version, "+/x", {"$SYS/x", "a/x"}) == "a/x");
        CHECK(brought(version, "+", {"$SYS", "$"}) == "");
        CHECK(brought(version, "+/+/#", {"$a/b/c", "a/$b/c"}) == "a/$b/c");
        CHECK(brought(version, "$SYS/#", {"$SYS/x", "$SYS", "SYS/x", "$SYS/x/y"}) == "$SYS/x $SYS $SYS/x/y");
        CHECK(brought(version, "$SYS/monitor/+", {"$SYS/monitor/Clients"}) == "$SYS/monitor/Clients");

        // nor what was retained
        broker_world world;
        world.publish("$a/b", "x", qos::at_most_once, true);
        auto& peer = world.connect(version, "c");
        for (const std::string_view filter : {"#"sv, "+/b"sv, "+/#"sv})
            CHECK_FALSE(is_failure(peer.subscribe(filter)));
        CHECK(peer.is_silent());
        CHECK_FALSE(is_failure(peer.subscribe("$a/+")));
        CHECK(peer.messages() == "$a/b=x q0 retain");
    }
}

TEST_CASE("5.0/MQTT-4.7.3-1 3.1.1/MQTT-4.7.3-1: topic names and filters have at least one character") {
    for (const protocol_version version : every_version) {
        check_name_is_refused(version, "");
        CHECK_FALSE(is_valid_topic_filter(""));
        for (const packet& p : {packet(packets::subscribe{packet_id{1}, {{""}}, {}}),
                                packet(packets::unsubscribe{packet_id{1}, {""}, {}})}) {
            broker_world world;
            auto& peer = world.connect(version, "c");
            peer.send(p);
            CHECK(peer.is_closed());
            CHECK(world.engine.count().subscriptions == 0);
        }
        client_options options;
        options.client_id = "c";
        client_script client(options, version);
        client.open();
        CHECK(client.engine.publish_qos_0("", "x", false, {}) == errc::topic_invalid);
        CHECK(client.refusal({{.filter = ""}}) == errc::topic_filter_invalid);
        CHECK(client.engine.unsubscribe({""}, {}, 1) == errc::topic_filter_invalid);
        client.run();
        CHECK(client.is_silent());
        check_filter_is_accepted(version, "/");
        CHECK(brought(version, "/", {"/", "//"}) == "/");
    }
    // of a will, too
    for (const protocol_version version : every_version) {
        broker_world world;
        auto hello = broker_world::hello(version, "c");
        hello.will.emplace().topic = "";
        auto& peer = world.dial(version);
        peer.send(hello);
        CHECK(peer.is_closed());
    }
}

TEST_CASE("5.0/MQTT-4.7.3-2 3.1.1/MQTT-4.7.3-2: topic names and filters have no U+0000") {
    for (const protocol_version version : every_version) {
        for (const std::string_view bad : {"\0"sv, "a\0b"sv, "a/\0"sv, "abcdefghij/klmnop\0"sv}) {
            check_name_is_refused(version, bad);
            CHECK_FALSE(is_valid_topic_filter(bad));
            for (const packet& p : {packet(packets::subscribe{packet_id{1}, {{bad}}, {}}),
                                    packet(packets::unsubscribe{packet_id{1}, {bad}, {}})}) {
                broker_world world;
                auto& peer = world.connect(version, "c");
                peer.send(p);
                CHECK(peer.is_closed());
                CHECK(world.engine.count().subscriptions == 0);
            }
            client_options options;
            options.client_id = "c";
            client_script client(options, version);
            client.open();
            CHECK(client.engine.publish_qos_0(bad, "x", false, {}) == errc::topic_invalid);
            CHECK(client.refusal({{.filter = bad}}) == errc::topic_filter_invalid);
        }
    }
}

TEST_CASE("5.0/MQTT-4.7.3-3 3.1.1/MQTT-4.7.3-3: topic names and filters have at most 65,535 bytes") {
    const std::string longest(65'535, 'x');
    const std::string longer(65'536, 'x');
    CHECK(is_valid_topic_name(longest));
    CHECK(is_valid_topic_filter(longest));
    CHECK_FALSE(is_valid_topic_name(longer));
    CHECK_FALSE(is_valid_topic_filter(longer));
    for (const protocol_version version : every_version) {
        CHECK(encode(packets::publish{.topic = longer}, version).empty());
        CHECK(encode(packets::subscribe{packet_id{1}, {{longer}}, {}}, version).empty());
        CHECK(encode(packets::unsubscribe{packet_id{1}, {longer}, {}}, version).empty());
        broker_world world;
        auto& peer = world.connect(version, "c");
        CHECK(peer.subscribe(longest) == reason_code::granted_qos_2);
        CHECK(peer.publish(longest, "x", qos::at_most_once) == reason_code::success);
        CHECK(peer.message().topic == longest);
        client_options options;
        options.client_id = "c";
        client_script client(options, version);
        client.open();
        CHECK(client.engine.publish_qos_0(longer, "x", false, {}) == errc::topic_invalid);
        CHECK(client.refusal({{.filter = longer}}) == errc::topic_filter_invalid);
        CHECK_FALSE(client.engine.publish_qos_0(longest, "x", false, {}));
        client.run();
        CHECK(client.message().topic == longest);
    }
}

TEST_CASE("5.0/MQTT-4.7.3-4 3.1.1/MQTT-4.7.3-4: matching works on the characters as they are") {
    for (const protocol_version version : every_version) {
        // é composed and decomposed, case, full width, ligature, spaces, an unassigned character
        const auto one = {"\xC3\xA9"sv, "e\xCC\x81"sv, "A"sv,  "a"sv,        "\xEF\xBC\xA1"sv, "\xEF\xAC\x81"sv,
                          "fi"sv,       " a"sv,        "a "sv, "\xCD\xB8"sv, "\xEF\xBF\xBD"sv};
        for (const std::string_view filter : one) {
            CHECK(brought(version, filter, one) == filter);
            CHECK(brought(version, std::string("t/").append(filter).append("/+"),
                          {std::string("t/").append(filter).append("/x"), "t/x/x",
                           std::string("T/").append(filter).append("/x")}) ==
                  std::string("t/").append(filter).append("/x"));
        }
    }
}
