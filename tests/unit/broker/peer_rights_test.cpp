// Who a client is and what it may do: the authenticator is asked, at once or later, and again when rights change.
#include "broker/peer.hpp"
#include "unit/broker/wire.hpp"

#include <martlet/authenticator.hpp>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace martlet;
using namespace martlet::broker_test;

namespace {

using list = std::vector<std::string>;

/// Knows one password, and remembers what it was asked.
class gatekeeper final : public authenticator {
public:
    void authenticate(const authentication_request& request, authentication_handler done) override {
        asked.push_back(std::string(request.client.user_name) + ":" + std::string(request.password.value_or("-")) +
                        ":" + std::string(request.data));
        handlers.push_back(done);
        if (answer) done(*answer);
    }
    void forget(std::uint64_t) override { ++forgotten; }
    bool may_publish(const client_info& client, std::string_view topic) override {
        ++publish_questions;
        return !denied.contains(std::string(client.client_id) + " " + std::string(topic));
    }
    bool may_subscribe(const client_info&, std::string_view filter) override {
        return !denied.contains(std::string(filter));
    }
    std::uint64_t rights_generation() const noexcept override { return generation; }

    std::optional<authentication_answer> answer = authentication_answer{};
    std::vector<authentication_handler> handlers;
    list asked;
    std::set<std::string> denied;
    int forgotten = 0;
    int publish_questions = 0;
    std::uint64_t generation = 0;
};

}  // namespace

TEST_CASE("peer: an authenticator decides, at once or later, and nothing is processed before") {
    for (const bool later : {false, true}) {
        const auto gate = std::make_shared<gatekeeper>();
        if (later) gate->answer.reset();
        world w({.authenticator = gate});
        int woken = 0;
        w.engine.set_wake([&] { ++woken; });
        wire_client client(w, protocol_version::v5, false);
        packets::connect c;
        c.client_id = "c";
        c.user_name = "ann";
        c.password = "secret";
        client.send(c, packets::subscribe{packet_id{1}, {{.filter = "t"}}, {}});
        CHECK(gate->asked == list{"ann:secret:"});
        if (later) {
            CHECK(!client.has_packet());
            gate->handlers[0](
                {.reason = reason_code::success, .data = {}, .user_name = "ann@house", .reason_string = {}});
            CHECK(woken == 1);
            w.pass(0s);
            w.engine.on_deadline(w.now);
            w.flush();
        }
        CHECK(client.get<packets::connack>().reason == reason_code::success);
        client.get<packets::suback>();
        CHECK(!client.has_packet());
    }
}

TEST_CASE("peer: a refusal of the authenticator is told, and its will is not stored") {
    const auto gate = std::make_shared<gatekeeper>();
    world w({.authenticator = gate});
    wire_client watcher(w, protocol_version::v5);
    watcher.connect("w");
    watcher.subscribe("#");
    gate->answer = authentication_answer{reason_code::bad_user_name_or_password, {}, {}, "no such user"};
    packets::connect c;
    c.will = will{.topic = "w", .payload = "x"};
    {
        wire_client client(w, protocol_version::v5);
        const auto ack = client.connect("c", c);
        CHECK(ack.reason == reason_code::bad_user_name_or_password);
        CHECK(ack.properties.reason_string == "no such user");
    }
    {
        wire_client client(w, protocol_version::v3_1_1);
        CHECK(client.connect("c", c).reason == reason_code::bad_user_name_or_password);
    }
    CHECK(!watcher.has_packet());
    CHECK(gate->forgotten == 2);
}

TEST_CASE("MQTT-4.12.0-2: enhanced authentication goes back and forth, and may be repeated while connected") {
    const auto gate = std::make_shared<gatekeeper>();
    gate->answer = authentication_answer{reason_code::continue_authentication, "challenge", {}, {}};
    world w({.authenticator = gate});
    wire_client client(w, protocol_version::v5);
    packets::connect c;
    c.client_id = "c";
    c.properties.authentication_method = "M";
    c.properties.authentication_data = "hello";
    client.send(c);
    auto question = client.get<packets::auth>();
    CHECK(question.reason == reason_code::continue_authentication);
    CHECK(question.properties.authentication_method == "M");
    CHECK(question.properties.authentication_data == "challenge");

    packets::auth reply{reason_code::continue_authentication, {}};
    reply.properties.authentication_method = "M";
    reply.properties.authentication_data = "response";
    gate->answer = authentication_answer{reason_code::success, "proof", {}, {}};
    client.send(reply);
    const auto ack = client.get<packets::connack>();
    CHECK(ack.reason == reason_code::success);
    CHECK(ack.properties.authentication_method == "M");
    CHECK(ack.properties.authentication_data == "proof");

    reply.reason = reason_code::reauthenticate;
    client.send(reply);
    CHECK(client.get<packets::auth>().reason == reason_code::success);
    gate->answer = authentication_answer{reason_code::not_authorized, {}, {}, {}};
    client.send(reply);
    CHECK(client.get<packets::disconnect>().reason == reason_code::not_authorized);
    CHECK(client.closed);
}

TEST_CASE("peer: an answer that comes after the connection or the broker is gone does nothing") {
    const auto gate = std::make_shared<gatekeeper>();
    gate->answer.reset();
    {
        world w({.authenticator = gate});
        { wire_client(w, protocol_version::v5).send(packets::connect{}); }
        gate->handlers[0]({});
        w.engine.on_deadline(w.now);
        CHECK(w.engine.count().sessions == 0);
        wire_client(w, protocol_version::v5).send(packets::connect{});
    }
    gate->handlers[1]({});
}

TEST_CASE("peer: rights to publish are asked once per topic, and again when they change") {
    const auto gate = std::make_shared<gatekeeper>();
    gate->denied = {"c secret"};
    world w({.authenticator = gate});
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    client.subscribe("#", qos::at_least_once);
    for (int i = 0; i < 3; ++i)
        client.publish("open", "x");
    CHECK(gate->publish_questions == 1);
    client.publish("secret", "x");
    client.publish("secret", "x");
    CHECK(client.payloads().size() == 3);
}

TEST_CASE("peer: a refused PUBLISH is acknowledged with 0x87 in MQTT 5, silently dropped before, and closes nobody") {
    const auto gate = std::make_shared<gatekeeper>();
    gate->denied = {"c secret"};
    world w({.authenticator = gate});
    for (const auto version : all_versions) {
        wire_client client(w, version);
        client.connect("c");
        client.publish("secret", "x", qos::at_least_once, true);
        CHECK(client.get<packets::puback>().reason ==
              (version == protocol_version::v5 ? reason_code::not_authorized : reason_code::success));
        client.publish("secret", "x", qos::exactly_once);
        CHECK(client.get<packets::pubrec>().reason ==
              (version == protocol_version::v5 ? reason_code::not_authorized : reason_code::success));
        CHECK(!client.closed);
    }
    CHECK(w.engine.count().retained == 0);
    ++gate->generation;
    gate->denied.clear();
    wire_client client(w, protocol_version::v5);
    client.connect("c");
    client.publish("secret", "x", qos::at_least_once);
    CHECK(client.get<packets::puback>().reason == reason_code::no_matching_subscribers);
    gate->denied = {"c secret"};
    ++gate->generation;
    client.publish("secret", "x", qos::at_least_once);
    CHECK(client.get<packets::puback>().reason == reason_code::not_authorized);
}

TEST_CASE("peer: rights are asked again for a will that fires and for subscriptions of a resumed session") {
    const auto gate = std::make_shared<gatekeeper>();
    world w({.authenticator = gate});
    wire_client watcher(w, protocol_version::v5);
    watcher.connect("w");
    watcher.subscribe("#");
    packets::connect c;
    c.clean_start = false;
    c.properties.session_expiry_interval = 100;
    c.will = will{.topic = "will", .payload = "x"};
    {
        wire_client client(w, protocol_version::v5);
        client.connect("c", c);
        client.subscribe("a", qos::at_least_once);
        client.subscribe("$share/g/b", qos::at_least_once);
        gate->denied = {"c will", "a"};
    }
    CHECK(!watcher.has_packet());
    c.will.reset();
    wire_client client(w, protocol_version::v5);
    client.connect("c", c);
    watcher.publish("a", "1");
    watcher.publish("b", "2");
    CHECK(client.payloads() == list{"2"});
}
