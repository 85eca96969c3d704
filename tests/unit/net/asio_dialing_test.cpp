#include "unit/net/loop.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
using namespace std::chrono_literals;

dial_result dial(loop& l, const endpoint& to, const dial_options& options = {}) {
    std::optional<dial_result> result;
    const auto dialing = l.net->dial(to, options, [&](dial_result r) {
        CHECK(!result);
        result = std::move(r);
    });
    CHECK(!result);  // not from inside dial()
    l.until([&] { return result.has_value(); });
    return std::move(*result);
}

endpoint closed_port(loop& l, std::string_view host) {
    const auto made =
        l.net->listen(url("mqtt://" + std::string(host) + ":0"), {}, [](std::unique_ptr<transport>) {}, {});
    REQUIRE_MESSAGE(made.listener, made.detail);
    return made.listener->local();
}

TEST_CASE("dial: a closed port is refused, and the detail names the address") {
    loop l;
    const endpoint to = closed_port(l, "127.0.0.1");
    const dial_result result = dial(l, to);
    CHECK(!result.link);
    CHECK(result.error == boost::asio::error::connection_refused);
    CHECK(result.detail == "connecting to 127.0.0.1:" + std::to_string(to.port) + ": " + result.error.message());
}

TEST_CASE("dial: a name that cannot be looked up") {
    loop l;
    const dial_result result = dial(l, url("mqtt://no..such.host"));
    CHECK(!result.link);
    CHECK(result.error.failed());
    CHECK(result.detail == "looking up no..such.host: " + result.error.message());
}

TEST_CASE("dial: one address of a name failing goes on to the next") {
    loop l;
    for (const std::string_view host : {"127.0.0.1", "[::1]"}) {
        int accepted = 0;
        const auto made = l.net->listen(url("mqtt://" + std::string(host) + ":0"), {},
                                        [&](std::unique_ptr<transport>) { ++accepted; }, {});
        if (!made.listener) {
            MESSAGE("SKIPPED: " << host << " is not here: " << made.detail);
            continue;
        }
        endpoint to = made.listener->local();
        to.host = "localhost";
        const dial_result result = dial(l, to);
        REQUIRE_MESSAGE(result.link, result.detail);
        l.until([&] { return accepted == 1; });
    }
}

TEST_CASE("dial: a name is looked up") {
    loop l;
    int accepted = 0;
    const auto made = l.net->listen(url("mqtt://127.0.0.1:0"), {}, [&](std::unique_ptr<transport>) { ++accepted; }, {});
    REQUIRE_MESSAGE(made.listener, made.detail);
    endpoint to = made.listener->local();
    to.host = "127.1";  // no literal for us, an address for every resolver
    const dial_result result = dial(l, to);
    REQUIRE_MESSAGE(result.link, result.detail);
    l.until([&] { return accepted == 1; });
}

TEST_CASE("dial: a name all of whose addresses fail reports each") {
    loop l;
    endpoint to = closed_port(l, "127.0.0.1");
    to.host = "localhost";
    const dial_result result = dial(l, to);
    CHECK(result.error == boost::asio::error::connection_refused);  // also where there is no IPv6
    CHECK(result.detail.find("connecting to 127.0.0.1:" + std::to_string(to.port)) != std::string::npos);
}

TEST_CASE("dial: schemes that are not built say so") {
    loop l;
    for (const std::string_view text : {"mqtts://127.0.0.1:1", "ws://127.0.0.1:1", "wss://127.0.0.1:1"}) {
        const dial_result result = dial(l, url(text));
        CHECK(result.error == boost::system::errc::protocol_not_supported);
        CHECK(result.detail == "connecting to " + std::string(text) + ": " + result.error.message());
    }
    CHECK(dial(l, endpoint{}).error == errc::url_invalid);
}

TEST_CASE("dial: from a given local address, which must be a literal of the same family") {
    loop l;
    std::unique_ptr<transport> accepted;
    auto listening = l.net->listen(url("mqtt://127.0.0.1:0"), {},
                                   [&](std::unique_ptr<transport> link) { accepted = std::move(link); }, {});
    REQUIRE(listening.listener);
    const endpoint to = listening.listener->local();
    CHECK_FALSE(dial(l, to, {.bind_address = "127.0.0.2"}).error);
    l.io.poll();
    REQUIRE(accepted);
    CHECK(accepted->peer_address().starts_with("127.0.0.2:"));

    CHECK(dial(l, to, {.bind_address = "localhost"}).error == boost::asio::error::invalid_argument);
    CHECK(dial(l, to, {.bind_address = "::1"}).error == boost::asio::error::address_family_not_supported);
    CHECK(dial(l, to, {.bind_address = "192.0.2.1"}).error == boost::system::errc::address_not_available);
}

TEST_CASE("dial: Unix sockets that are missing or have too long a path") {
    loop l;
    const socket_path file;
    const dial_result result = dial(l, file.where());
    CHECK(result.error == boost::system::errc::no_such_file_or_directory);
    CHECK(result.detail == "connecting to unix:" + file.path() + ": " + result.error.message());

    endpoint to = file.where();
    to.path.append(200, 'x');
    CHECK(dial(l, to).error == boost::system::errc::filename_too_long);
}

TEST_CASE("dial: an address that does not answer times out") {
    // a full backlog: the system drops further attempts
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(fd, 0) == 0);
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0);

    loop l;
    const endpoint to = url("mqtt://127.0.0.1:" + std::to_string(ntohs(at.sin_port)));
    std::vector<std::unique_ptr<transport>> filling;
    dial_result result;
    for (int i = 0; i != 10 && !result.error; ++i) {
        result = dial(l, to, {.timeout = 50ms});
        if (result.link) filling.push_back(std::move(result.link));
    }
    CHECK(result.error == boost::asio::error::timed_out);
    CHECK(result.detail == "connecting to " + to_string(to).substr(7) + ": " + result.error.message());
    ::close(fd);
}

TEST_CASE("dial: cancelled by destroying it, at once or in its handler") {
    loop l;
    const endpoint to = closed_port(l, "127.0.0.1");
    for (const endpoint& at : {to, url("mqtt://localhost:1"), url("ws://127.0.0.1")}) {
        auto dialing = l.net->dial(at, {}, [](dial_result) { FAIL("cancelled"); });
        dialing.reset();
        l.io.restart();
        l.io.run();
    }
    bool called = false;
    std::unique_ptr<dialing> own;
    own = l.net->dial(to, {}, [&](dial_result) {
        own.reset();
        called = true;
    });
    l.until([&] { return called; });
    l.io.run();
}

}  // namespace
