// Credentials from a source, enhanced authentication and re-authentication.
#include "engine_script.hpp"

#include <martlet/enhanced_authentication.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;
using kind = client_event::kind_type;
using asked = detail::link_action::kind_type;

namespace {

// The script answers the engine's questions itself: of the authenticator only its name and its verdict are needed.
class verdict : public enhanced_authentication {
public:
    [[nodiscard]] std::string_view method() const noexcept override { return "TEST"; }
    [[nodiscard]] std::string begin() override { return {}; }
    [[nodiscard]] std::optional<std::string> respond(std::string_view) override { return {}; }
    [[nodiscard]] bool finish(std::string_view data) override {
        finished_with.emplace_back(data);
        return is_content;
    }

    std::vector<std::string> finished_with;
    bool is_content = true;
};

packets::auth auth(reason_code reason, std::string_view data) {
    packets::auth p;
    p.reason = reason;
    p.properties.authentication_method = "TEST";
    p.properties.authentication_data = data;
    return p;
}

packets::connack connack(std::string_view data) {
    packets::connack p;
    p.properties.authentication_method = "TEST";
    p.properties.authentication_data = data;
    return p;
}

client_options with(std::shared_ptr<enhanced_authentication> authentication) {
    client_options o;
    o.authentication = std::move(authentication);
    o.reconnect.delay_min = 1s;
    o.reconnect.jitter = 0;
    return o;
}

// Connected, after an exchange of one step.
void open(engine_script& s) {
    s.start();
    s.engine.on_authentication(s.questions.back().number, {}, "first");
    s.run();
    s.dial_succeeds();
    (void)s.take<packets::connect>();
    s.send(connack("welcome"));
}

}  // namespace

TEST_CASE("client_authentication: credentials are asked for at each connection, before dialling") {
    engine_script s({.credentials_source = [](const endpoint&, credentials_handler) {}});
    s.start();
    CHECK(s.dialled.empty());
    REQUIRE(s.questions.size() == 1);
    CHECK(s.questions[0].kind == asked::ask_credentials);
    CHECK(s.questions[0].to.host == "localhost");

    s.engine.on_credentials(s.questions[0].number, {}, {"me", "token-1"});
    s.run();
    s.dial_succeeds();
    const auto first = s.take<packets::connect>();
    CHECK(first.user_name == "me");
    CHECK(first.password == "token-1");
    s.send(packets::connack{});
    s.advance(10s);
    s.lose();
    REQUIRE(s.questions.size() == 2);
    s.engine.on_credentials(s.questions[0].number, {}, {"me", "old"});  // an answer to an earlier question
    s.run();
    CHECK(s.dialled.size() == 1);
    s.engine.on_credentials(s.questions[1].number, {}, {"me", "token-2"});
    s.run();
    s.dial_succeeds();
    CHECK(s.take<packets::connect>().password == "token-2");
}

TEST_CASE("client_authentication: a source that fails or is silent fails the attempt, which is made again") {
    engine_script s({.credentials_source = [](const endpoint&, credentials_handler) {},
                     .connect_timeout = 5s,
                     .reconnect = {.delay_min = 1s, .jitter = 0}});
    s.start();
    s.engine.on_credentials(s.questions[0].number, boost::system::errc::make_error_code(boost::system::errc::io_error),
                            {});
    s.run();
    REQUIRE(s.last(kind::connect_failed) != nullptr);
    CHECK(s.last(kind::connect_failed)->cause == boost::system::errc::io_error);
    s.advance(1s);
    CHECK(s.questions.size() == 2);

    s.advance(5s);
    CHECK(s.last(kind::connect_failed)->cause == errc::connect_timeout);
    s.engine.on_credentials(s.questions[1].number, {}, {"late", {}});
    s.run();
    CHECK(s.dialled.empty());
    s.advance(2s);
    s.engine.on_credentials(s.questions.back().number, {}, {"\xff", {}});
    s.run();
    CHECK(s.last(kind::connect_failed)->cause == errc::string_invalid);
}

TEST_CASE("client_authentication: stopping while a question is open ends the run, and the answer finds nothing") {
    engine_script s({.credentials_source = [](const endpoint&, credentials_handler) {}});
    s.start();
    s.engine.stop();
    s.run();
    CHECK(s.finished == error_code());
    s.engine.on_credentials(s.questions[0].number, {}, {});
    s.run();
    CHECK(s.dialled.empty());
}

TEST_CASE("client_authentication: an exchange of several steps, and the server has the last word") {
    const auto judge = std::make_shared<verdict>();
    engine_script s(with(judge));
    s.start();
    REQUIRE(s.questions.size() == 1);
    CHECK(s.questions[0].kind == asked::begin_authentication);
    s.engine.on_authentication(s.questions[0].number, {}, "client-first");
    s.run();
    s.dial_succeeds();
    const auto connect = s.take<packets::connect>();
    CHECK(connect.properties.authentication_method == "TEST");
    CHECK(connect.properties.authentication_data == "client-first");

    s.send(auth(reason_code::continue_authentication, "server-first"));
    REQUIRE(s.questions.size() == 2);
    CHECK(s.questions[1].kind == asked::go_on_authenticating);
    CHECK(s.questions[1].data == "server-first");
    s.engine.on_authentication(s.questions[1].number, {}, "client-final");
    s.run();
    const auto answer = s.take<packets::auth>();
    CHECK(answer.reason == reason_code::continue_authentication);
    CHECK(answer.properties.authentication_data == "client-final");

    s.send(connack("server-final"));
    CHECK(s.engine.is_open());
    CHECK(judge->finished_with == std::vector<std::string>{"server-final"});
}

TEST_CASE("client_authentication: a server that cannot prove who it is hears nothing more, and it is final") {
    const auto judge = std::make_shared<verdict>();
    judge->is_content = false;
    engine_script s(with(judge));
    CHECK_FALSE(s.publish("t", "secret", qos::at_least_once, 1));
    open(s);

    CHECK(s.is_silent());
    CHECK(s.finished == make_error_code(errc::authentication_failed));
}

TEST_CASE("client_authentication: re-authentication on the open connection") {
    const auto judge = std::make_shared<verdict>();
    engine_script s(with(judge));
    CHECK(s.engine.reauthenticate(1) == errc::not_connected);
    open(s);

    CHECK_FALSE(s.engine.reauthenticate(1));
    CHECK(s.engine.reauthenticate(2) == errc::already_running);
    s.run();
    s.engine.on_authentication(s.questions.back().number, {}, "anew");
    s.run();
    const auto first = s.take<packets::auth>();
    CHECK(first.reason == reason_code::reauthenticate);
    CHECK(first.properties.authentication_data == "anew");
    s.send(auth(reason_code::continue_authentication, "?"));
    s.engine.on_authentication(s.questions.back().number, {}, "!");
    s.run();
    CHECK(s.take<packets::auth>().reason == reason_code::continue_authentication);
    CHECK(s.outcome_of(1) == nullptr);
    s.send(auth(reason_code::success, "done"));

    REQUIRE(s.outcome_of(1) != nullptr);
    CHECK_FALSE(s.outcome_of(1)->error);
    CHECK(judge->finished_with.back() == "done");
}

TEST_CASE("client_authentication: re-authentication that cannot begin spares the connection; a refusal ends it") {
    engine_script s(with(std::make_shared<verdict>()));
    open(s);
    CHECK_FALSE(s.engine.reauthenticate(1));
    s.run();
    s.engine.on_authentication(s.questions.back().number, errc::option_invalid, {});
    s.run();
    CHECK(s.outcome_of(1)->error == errc::option_invalid);
    CHECK(s.engine.is_open());

    CHECK_FALSE(s.engine.reauthenticate(2));
    s.run();
    s.engine.on_authentication(s.questions.back().number, {}, "x");
    s.run();
    s.forget();
    s.send(packets::disconnect{reason_code::not_authorized, {}});
    CHECK(s.outcome_of(2)->error == reason_code::not_authorized);
    CHECK(s.finished == make_error_code(reason_code::not_authorized));
}

TEST_CASE("client_authentication: an AUTH that nobody asked for breaks a rule") {
    engine_script s(with(std::make_shared<verdict>()));
    open(s);
    s.send(auth(reason_code::continue_authentication, "x"));

    CHECK(s.take<packets::disconnect>().reason == reason_code::protocol_error);
    CHECK(s.last(kind::lost)->cause == errc::protocol_error);
}

TEST_CASE("client_authentication: with an authenticator no older version is tried") {
    engine_script s(with(std::make_shared<verdict>()));
    s.start();
    s.engine.on_authentication(s.questions.back().number, {}, "x");
    s.run();
    s.dial_succeeds();
    (void)s.take<packets::connect>();
    s.send("20 03 00 84 00");
    CHECK(s.finished == make_error_code(reason_code::unsupported_protocol_version));

    client_options o = with(std::make_shared<verdict>());
    o.version = protocol_version::v3_1_1;
    detail::client_engine old(o, 1);
    CHECK(old.start() == errc::option_invalid);
}
