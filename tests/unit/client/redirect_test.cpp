// Server Reference: what it names, and following it.
#include "client/redirect.hpp"

#include "engine_script.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace martlet;
using namespace std::chrono_literals;
using test::engine_script;
using kind = client_event::kind_type;

namespace {

packets::connack refused(reason_code reason, std::string_view reference) {
    packets::connack p;
    p.reason = reason;
    p.properties.server_reference = reference;
    return p;
}

client_options following() {
    client_options o;
    o.urls = {"mqtt://u:p@a", "mqtt://b"};
    o.follow_server_reference = true;
    o.reconnect.delay_min = 1s;
    o.reconnect.jitter = 0;
    return o;
}

void refuse(engine_script& s, reason_code reason, std::string_view reference) {
    s.dial_succeeds();
    (void)s.take<packets::connect>();
    s.send(refused(reason, reference));
}

}  // namespace

TEST_CASE("redirect: hosts and ports, and nothing else, of a reference") {
    const auto like = parse_endpoint("mqtts://u:p@a:1/x").value();
    const auto targets = detail::parse_server_reference("b c:99 [::1]:7 c:99", like);
    REQUIRE(targets.size() == 3);
    CHECK(targets[0].host == "b");
    CHECK(targets[0].port == 8883);
    CHECK(targets[1].port == 99);
    CHECK(targets[2].host == "::1");
    for (const auto& one : targets) {
        CHECK(one.scheme == scheme::mqtts);
        CHECK(one.user_name == "u");
    }
}

TEST_CASE("redirect: what would change more than the server is left out") {
    const auto like = parse_endpoint("mqtts://a").value();
    CHECK(detail::parse_server_reference("mqtt://b x@b b/path b:0x1 b:99999 :1", like).empty());
    CHECK(detail::parse_server_reference("", like).empty());
    CHECK(detail::parse_server_reference("  b  ", like).size() == 1);
    CHECK(detail::parse_server_reference("a b c d e f g h i j k", like).size() == detail::redirect_targets_max);
    CHECK(detail::parse_server_reference("b", parse_endpoint("unix:/x").value()).empty());
}

TEST_CASE("redirect: without the option nobody goes anywhere") {
    auto o = following();
    o.follow_server_reference = false;
    engine_script s(o);
    s.start();
    refuse(s, reason_code::use_another_server, "elsewhere");
    CHECK(s.dialled.back().host == "b");
    CHECK(s.count(kind::redirected) == 0);
    CHECK(s.last(kind::connect_failed)->info.server_reference == "elsewhere");
}

TEST_CASE("redirect: use another server sends us there once, each of them, then back to our list") {
    engine_script s(following());
    s.start();
    refuse(s, reason_code::use_another_server, "x y");
    CHECK(s.dialled.back().host == "x");
    CHECK(s.dialled.back().user_name == "u");
    CHECK(s.last(kind::redirected)->url == "mqtt://x");
    s.dial_fails();
    CHECK(s.dialled.back().host == "y");
    s.open();
    CHECK(s.last(kind::connected)->url == "mqtt://y");
    s.advance(10s);
    s.lose();
    CHECK(s.dialled.back().host == "a");
}

TEST_CASE("redirect: a server that has moved is left for the rest of the run; the known ones stay the last resort") {
    engine_script s(following());
    s.open();
    s.advance(10s);
    packets::disconnect moved;
    moved.reason = reason_code::server_moved;
    moved.properties.server_reference = "new";
    s.send(moved);
    CHECK(s.dialled.back().host == "new");
    s.open();
    s.advance(10s);
    s.lose();
    CHECK(s.dialled.back().host == "new");
    s.dial_fails();
    CHECK(s.dialled.back().host == "a");
}

TEST_CASE("redirect: servers that send us about in a circle are given up") {
    engine_script s(following());
    s.start();
    for (int i = 0; i < 8; ++i)
        refuse(s, reason_code::use_another_server, i % 2 == 0 ? "x" : "y");
    const auto hops = s.dialled.size();
    refuse(s, reason_code::use_another_server, "x");
    CHECK(s.dialled.size() == hops + 1);
    CHECK(s.dialled.back().host == "b");  // our own list
}

TEST_CASE("redirect: a reference that names nobody is an ordinary failure") {
    engine_script s(following());
    s.start();
    refuse(s, reason_code::server_moved, "mqtt://evil/ @");
    CHECK(s.dialled.back().host == "b");
    CHECK(s.count(kind::redirected) == 0);
}
