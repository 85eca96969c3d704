// Section 4.12: enhanced authentication.
#include "conformance/broker_world.hpp"

using namespace martlet;
using namespace martlet::test;
using namespace std::literals;

namespace {

constexpr protocol_version v5 = protocol_version::v5;

// A broker whose authenticator asks once for more, and a client that is to answer.
struct dialogue {
    dialogue() {
        options.authenticator = rights;
        rights->answer = [this](const authentication_request& request) {
            authentication_answer answer;
            if (request.method != "M") {
                answer.reason = reason_code::bad_authentication_method;
            } else if (request.step == authentication_step::connect || request.data == "more") {
                answer.reason = reason_code::continue_authentication;
                answer.data = "question";
            } else if (request.data == "right") {
                answer.data = "proof";
            } else {
                answer.reason = refusal;
            }
            return answer;
        };
    }
    broker_peer& begin(broker_world& world, std::string_view method = "M") {
        auto hello = broker_world::hello(v5, "c");
        hello.properties.authentication_method = method;
        hello.properties.authentication_data = "hello";
        auto& peer = world.dial(v5);
        peer.send(hello);
        return peer;
    }

    std::shared_ptr<scripted_rights> rights = std::make_shared<scripted_rights>();
    broker_options options;
    reason_code refusal = reason_code::not_authorized;
};

packets::auth auth_of(reason_code reason, std::string_view data, std::string_view method = "M") {
    packets::auth packet;
    packet.reason = reason;
    packet.properties.authentication_method = method;
    packet.properties.authentication_data = data;
    return packet;
}

constexpr auto more = reason_code::continue_authentication;
constexpr auto again = reason_code::reauthenticate;

packets::connect connect_with_method(const core_script& peer) {
    auto connect = peer.default_connect();
    connect.properties.authentication_method = "M";
    return connect;
}

packets::connack connack_with_method(std::string_view method = "M") {
    packets::connack connack;
    connack.properties.authentication_method = method;
    return connack;
}

}  // namespace

TEST_CASE("5.0/MQTT-3.1.2-30: with an Authentication Method a client sends only AUTH or DISCONNECT before CONNACK") {
    core_script peer(role::client, v5);
    for (const qos q : every_qos)
        (void)peer.publish("t", "early", q);
    peer.begin(connect_with_method(peer));
    (void)peer.take<packets::connect>();
    peer.send(auth_of(more, "question"));
    for (const qos q : every_qos)
        (void)peer.publish("t", "later", q);
    CHECK(peer.subject.connection->subscribe({{}, {{"t"}}, {}}, 1) == errc::not_connected);
    CHECK(peer.subject.connection->unsubscribe({{}, {"t"}, {}}, 1) == errc::not_connected);
    peer.subject.connection->ping();
    peer.run();
    CHECK(peer.is_silent());
    peer.subject.connection->send_auth(auth_of(more, "answer"));
    peer.run();
    CHECK(peer.take<packets::auth>().properties.authentication_data == "answer"sv);
    CHECK(peer.is_silent());
    peer.send(connack_with_method());
    CHECK(peer.count() == 6);

    // A server takes nothing else.
    for (const char* const other : {"C0 00", "30 04 00 01 't' 00", "82 07 00 01 00 00 01 't' 00"}) {
        dialogue d;
        broker_world world(d.options);
        auto& rude = d.begin(world);
        CHECK(rude.take<packets::auth>().reason == more);
        rude.send(other);
        CHECK(rude.is_closed());
        CHECK(rude.take<packets::connack>().reason == reason_code::protocol_error);
        CHECK(world.engine.count().sessions == 0);
    }
}

TEST_CASE("5.0/MQTT-4.12.0-1: a method that the server does not know is refused") {
    broker_world plain;
    auto hello = broker_world::hello(v5, "c");
    hello.properties.authentication_method = "M";
    auto& peer = plain.dial(v5);
    peer.send(hello);
    CHECK(peer.take<packets::connack>().reason == reason_code::bad_authentication_method);
    CHECK(peer.is_closed());

    dialogue d;
    broker_world world(d.options);
    auto& other = d.begin(world, "m");
    CHECK(other.take<packets::connack>().reason == reason_code::bad_authentication_method);
    CHECK(other.is_closed());
    CHECK(world.engine.count().sessions == 0);
}

TEST_CASE("5.0/MQTT-4.12.0-2 5.0/MQTT-4.12.0-5: a server asks with AUTH 0x18; each AUTH and CONNACK name the method") {
    dialogue d;
    broker_world world(d.options);
    auto& peer = d.begin(world);
    for (int i = 0; i != 3; ++i) {
        const auto question = peer.take<packets::auth>();
        CHECK(question.reason == more);
        CHECK(question.properties.authentication_method == "M"sv);
        CHECK(question.properties.authentication_data == "question"sv);
        CHECK(peer.is_silent());
        peer.send(auth_of(more, i == 2 ? "right" : "more"));
    }
    const auto connack = peer.take<packets::connack>();
    CHECK(connack.reason == reason_code::success);
    CHECK(connack.properties.authentication_method == "M"sv);
    CHECK(connack.properties.authentication_data == "proof"sv);
    CHECK(d.rights->asked == std::vector{"connect c :- M:hello"s, "more M:more"s, "more M:more"s, "more M:right"s});
    CHECK_FALSE(peer.is_closed());
    CHECK(peer.subscribe("t") == reason_code::granted_qos_2);
}

TEST_CASE("5.0/MQTT-4.12.0-3: a client answers AUTH with AUTH 0x18") {
    core_script peer(role::client, v5);
    peer.begin(connect_with_method(peer));
    (void)peer.take<packets::connect>();
    for (int i = 0; i != 3; ++i) {
        peer.send(auth_of(more, "question"));
        CHECK(peer.subject.events.back() == core::event_kind::auth_received);
        packets::auth answer;  // whatever reason the owner leaves in it
        answer.properties.authentication_data = "answer";
        peer.subject.connection->send_auth(answer);
        peer.run();
        const auto sent = peer.take<packets::auth>();
        CHECK(sent.reason == more);
        CHECK(sent.properties.authentication_method == "M"sv);
        CHECK(sent.properties.authentication_data == "answer"sv);
    }
    peer.send(connack_with_method());
    CHECK(peer.subject.connection->is_open());
    // An AUTH that nobody asked for is refused.
    dialogue d;
    broker_world world(d.options);
    auto& eager = d.begin(world);
    eager.send(auth_of(more, "right"));
    (void)eager.take<packets::auth>();
    CHECK(eager.take<packets::connack>().reason == reason_code::success);
    eager.send(auth_of(more, "right"));
    CHECK(eager.take<packets::disconnect>().reason == reason_code::protocol_error);
    CHECK(eager.is_closed());
}

TEST_CASE("5.0/MQTT-4.12.0-4: a server may refuse at each step") {
    for (int steps = 0; steps != 3; ++steps) {
        dialogue d;
        broker_world world(d.options);
        auto& peer = d.begin(world);
        for (int i = 0; i != steps; ++i) {
            CHECK(peer.take<packets::auth>().reason == more);
            peer.send(auth_of(more, "more"));
        }
        CHECK(peer.take<packets::auth>().reason == more);
        peer.send(auth_of(more, "wrong"));
        CHECK(peer.take<packets::connack>().reason == reason_code::not_authorized);
        CHECK(peer.is_silent());
        CHECK(peer.is_closed());
        CHECK(world.engine.count().sessions == 0);
    }
}

TEST_CASE("5.0/MQTT-4.12.0-5: another method, or none, in AUTH or CONNACK closes the connection") {
    for (const char* const bad : {"F0 06 18 04 15 00 01 'm'", "F0 06 18 04 15 00 01 'N'", "F0 02 18 00", "F0 00",
                                  "F0 01 18", "F0 07 18 05 15 00 02 'MM'"}) {
        CAPTURE(std::string(bad));
        core_script client(role::client, v5);
        client.begin(connect_with_method(client));
        client.forget();
        client.send(bad);
        CHECK(client.is_closed());
        core_script open_client(role::client, v5);
        REQUIRE(open_client.open(connect_with_method(open_client), connack_with_method()));
        open_client.send(bad);
        check_refused(open_client, std::string_view(bad) == "F0 01 18" ? reason_code::malformed_packet
                                                                       : reason_code::protocol_error);

        dialogue d;
        broker_world world(d.options);
        auto& peer = d.begin(world);
        peer.forget();
        peer.send(bad);
        CHECK(peer.is_closed());
        CHECK(is_failure(peer.take<packets::connack>().reason));
        CHECK(d.rights->asked.size() == 1);
    }
    for (const std::string_view method : {"m"sv, ""sv}) {
        core_script client(role::client, v5);
        CHECK_FALSE(client.open(connect_with_method(client), connack_with_method(method)));
        CHECK(client.is_closed());
    }
    core_script client(role::client, v5);
    CHECK_FALSE(client.open(connect_with_method(client), {}));
    CHECK(client.is_closed());
    // A CONNACK that refuses need not name it.
    core_script refused(role::client, v5);
    refused.begin(connect_with_method(refused));
    refused.forget();
    refused.send("20 03 00 87 00");
    CHECK(refused.subject.faults.empty());
    CHECK(refused.subject.connack->reason == reason_code::not_authorized);
}

TEST_CASE("5.0/MQTT-4.12.0-6: without a method in CONNECT the server sends no AUTH, and none in CONNACK") {
    dialogue d;
    // whatever the hook says
    d.rights->answer = [](const authentication_request& request) {
        authentication_answer answer;
        answer.data = "data";
        if (request.password == "ask") answer.reason = reason_code::continue_authentication;
        return answer;
    };
    for (const bool asks : {false, true}) {
        broker_world world(d.options);
        auto hello = broker_world::hello(v5, "c");
        hello.user_name = "u";
        hello.password = asks ? "ask" : "let in";
        auto& peer = world.dial(v5);
        peer.send(hello);
        const auto connack = peer.take<packets::connack>();
        CHECK(is_failure(connack.reason) == asks);
        CHECK_FALSE(connack.properties.authentication_method);
        CHECK_FALSE(connack.properties.authentication_data);
        CHECK(peer.is_silent());
        CHECK(peer.is_closed() == asks);
    }
    // A client does not take one.
    core_script client(role::client, v5);
    CHECK_FALSE(client.open(client.default_connect(), connack_with_method()));
    core_script open_client(role::client, v5);
    REQUIRE(open_client.open());
    open_client.send(auth_of(more, "question"));
    check_refused(open_client, reason_code::protocol_error);
}

TEST_CASE("5.0/MQTT-4.12.0-7: without a method in CONNECT the client sends no AUTH") {
    core_script client(role::client, v5);
    client.begin();
    client.forget();
    client.subject.connection->send_auth(auth_of(more, "data"));
    client.run();
    CHECK(client.is_silent());
    client.send(packets::connack{});
    client.subject.connection->send_auth(auth_of(again, "data"));
    client.run();
    CHECK(client.is_silent());
    CHECK_FALSE(client.is_closed());

    for (const bool with_hook : {false, true}) {
        broker_options options;
        const auto rights = std::make_shared<scripted_rights>();
        rights->answer = [](const authentication_request&) { return authentication_answer{}; };
        if (with_hook) options.authenticator = rights;
        for (const reason_code reason : {more, again}) {
            broker_world world(options);
            auto& peer = world.connect(v5, "c");
            peer.send(auth_of(reason, "data"));
            CHECK(peer.take<packets::disconnect>().reason == reason_code::protocol_error);
            CHECK(peer.is_closed());
        }
        CHECK(rights->asked.size() == (with_hook ? 2 : 0));
    }
}

TEST_CASE("5.0/MQTT-4.12.1-1: re-authentication begins with AUTH 0x19 and the method of CONNECT, after CONNACK") {
    core_script client(role::client, v5);
    REQUIRE(client.open(connect_with_method(client), connack_with_method()));
    client.subject.connection->send_auth(auth_of(again, "data", "another"));
    client.run();
    const auto sent = client.take<packets::auth>();
    CHECK(sent.reason == again);
    CHECK(sent.properties.authentication_method == "M"sv);

    dialogue d;
    broker_world world(d.options);
    auto& peer = d.begin(world);
    (void)peer.take<packets::auth>();
    peer.send(auth_of(more, "right"));
    CHECK(peer.take<packets::connack>().reason == reason_code::success);
    for (int i = 0; i != 2; ++i) {
        peer.send(auth_of(again, "more"));
        const auto question = peer.take<packets::auth>();
        CHECK(question.reason == more);
        CHECK(question.properties.authentication_method == "M"sv);
        // the flow of messages goes on
        CHECK(peer.publish("t", "x", qos::at_least_once) == reason_code::no_matching_subscribers);
        peer.send(auth_of(more, "right"));
        const auto end = peer.take<packets::auth>();
        CHECK(end.reason == reason_code::success);
        CHECK(end.properties.authentication_method == "M"sv);
        CHECK(d.rights->asked.back() == "more M:right");
    }
    peer.send(auth_of(again, "right", "N"));
    CHECK(peer.take<packets::disconnect>().reason == reason_code::protocol_error);
    CHECK(peer.is_closed());

    // not before CONNACK
    broker_world other(d.options);
    auto& early = d.begin(other);
    (void)early.take<packets::auth>();
    early.send(auth_of(again, "right"));
    CHECK(early.take<packets::connack>().reason == reason_code::protocol_error);
    CHECK(early.is_closed());
}

TEST_CASE("5.0/MQTT-4.12.1-2: who fails to authenticate anew is disconnected with a reason") {
    for (const bool at_once : {true, false}) {
        dialogue d;
        broker_world world(d.options);
        auto& peer = d.begin(world);
        (void)peer.take<packets::auth>();
        peer.send(auth_of(more, "right"));
        CHECK(peer.take<packets::connack>().reason == reason_code::success);
        if (at_once) {
            peer.send(auth_of(again, "wrong"));
        } else {
            peer.send(auth_of(again, "more"));
            CHECK(peer.take<packets::auth>().reason == more);
            peer.send(auth_of(more, "wrong"));
        }
        CHECK(peer.take<packets::disconnect>().reason == reason_code::not_authorized);
        CHECK(peer.is_silent());
        CHECK(peer.is_closed());
    }
    // A client that does not believe the server leaves, too.
    core_script client(role::client, v5);
    REQUIRE(client.open(connect_with_method(client), connack_with_method()));
    client.send(auth_of(more, "a wrong proof"));
    client.subject.connection->disconnect(reason_code::not_authorized);
    client.run();
    CHECK(is_failure(client.take<packets::disconnect>().reason));
    CHECK(client.is_closed());
}
