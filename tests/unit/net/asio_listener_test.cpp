#include "unit/net/loop.hpp"

#include <doctest/doctest.h>

#include <array>
#include <fcntl.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;

const accept_handler ignore = [](std::unique_ptr<transport>) {};

int option(transport& link, int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    CHECK(::getsockopt(link.native_handle(), level, name, &value, &size) == 0);
    return value;
}

// While it lives, the process gets no more descriptors.
class no_descriptors {
public:
    no_descriptors() {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        rlimit low = before_;
        low.rlim_cur = 0;
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    }
    ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

private:
    rlimit before_{};
};

TEST_CASE("listener: an ephemeral port is told, and connections come in with both addresses") {
    for (const std::string_view host : {"127.0.0.1", "[::1]"}) {
        loop l;
        const auto made = l.net->listen(url("mqtt://user:secret@" + std::string(host) + ":0"), {}, ignore, {});
        REQUIRE_MESSAGE(made.listener, made.detail);
        CHECK(made.listener->local().port != 0);
        CHECK(!made.listener->local().password);

        const link_pair links = connect(l, url("mqtt://" + std::string(host) + ":0"));
        CHECK(links.dialed->peer_address() == links.accepted->local_address());
        CHECK(links.dialed->local_address() == links.accepted->peer_address());
        CHECK(links.dialed->peer_address().starts_with(std::string(host) + ":"));
        CHECK(option(*links.dialed, IPPROTO_TCP, TCP_NODELAY) != 0);
        CHECK(option(*links.accepted, IPPROTO_TCP, TCP_NODELAY) != 0);
        CHECK((::fcntl(links.accepted->native_handle(), F_GETFD) & FD_CLOEXEC) != 0);
    }
}

TEST_CASE("listener: \"*\" takes IPv4 and IPv6, an IPv6 address by default only IPv6") {
    loop l;
    std::vector<std::unique_ptr<transport>> accepted;
    const accept_handler keep = [&](std::unique_ptr<transport> link) { accepted.push_back(std::move(link)); };
    const auto all = l.net->listen(url("mqtt://*:0"), {}, keep, {});
    REQUIRE_MESSAGE(all.listener, all.detail);
    for (const std::string_view host : {"127.0.0.1", "::1"}) {
        endpoint to = all.listener->local();
        to.host = host;
        dial_result result;
        const auto dialing = l.net->dial(to, {}, [&](dial_result r) { result = std::move(r); });
        l.until([&] { return result.link || result.error; });
        CHECK_MESSAGE(result.link, result.detail);
    }
    l.until([&] { return accepted.size() == 2; });

    const auto only6 = l.net->listen(url("mqtt://[::]:0"), {}, keep, {});
    REQUIRE_MESSAGE(only6.listener, only6.detail);
    endpoint to = only6.listener->local();
    to.host = "127.0.0.1";
    dial_result result;
    const auto dialing = l.net->dial(to, {}, [&](dial_result r) { result = std::move(r); });
    l.until([&] { return result.link || result.error; });
    CHECK(result.error == boost::asio::error::connection_refused);

    const auto both = l.net->listen(url("mqtt://[::]:0"), {.v6_only = false}, keep, {});
    REQUIRE_MESSAGE(both.listener, both.detail);
    to.port = both.listener->local().port;
    const auto again = l.net->dial(to, {}, [&](dial_result r) { result = std::move(r); });
    l.until([&] { return result.link != nullptr; });
    CHECK(!result.error);
}

TEST_CASE("listener: a name is looked up") {
    loop l;
    const auto made = l.net->listen(url("mqtt://localhost:0"), {}, ignore, {});
    CHECK_MESSAGE(made.listener, made.detail);
}

TEST_CASE("listener: a port or path in use is an error that names it") {
    loop l;
    const auto first = l.net->listen(url("mqtt://127.0.0.1:0"), {}, ignore, {});
    REQUIRE(first.listener);
    const std::string where = "127.0.0.1:" + std::to_string(first.listener->local().port);
    const auto second = l.net->listen(first.listener->local(), {}, ignore, {});
    CHECK(!second.listener);
    CHECK(second.error == boost::asio::error::address_in_use);
    CHECK(second.detail == "listening at " + where + ": " + second.error.message());

    const socket_path file;
    const auto third = l.net->listen(file.where(), {}, ignore, {});
    REQUIRE_MESSAGE(third.listener, third.detail);
    const auto fourth = l.net->listen(file.where(), {}, ignore, {});
    CHECK(fourth.error == boost::asio::error::address_in_use);
    CHECK(fourth.detail == "listening at unix:" + file.path() + ": " + fourth.error.message());
}

TEST_CASE("listener: a socket file left by a crash is replaced, another file is not, and ours is removed") {
    loop l;
    const socket_path file;
    struct stat found;
    {
        const auto made = l.net->listen(file.where(), {.unix_mode = 0600}, ignore, {});
        REQUIRE_MESSAGE(made.listener, made.detail);
        REQUIRE(::stat(file.path().c_str(), &found) == 0);
        CHECK((found.st_mode & 0777U) == 0600U);
        REQUIRE(::link(file.path().c_str(), (file.path() + "2").c_str()) == 0);
    }
    CHECK(::stat(file.path().c_str(), &found) != 0);

    REQUIRE(::rename((file.path() + "2").c_str(), file.path().c_str()) == 0);  // nobody serves it
    CHECK(l.net->listen(file.where(), {}, ignore, {}).listener);

    const int fd = ::open(file.path().c_str(), O_CREAT | O_WRONLY, 0600);
    REQUIRE(fd >= 0);
    ::close(fd);
    CHECK(l.net->listen(file.where(), {}, ignore, {}).error == boost::asio::error::address_in_use);
    CHECK(::stat(file.path().c_str(), &found) == 0);
}

TEST_CASE("listener: without descriptors it says so once, does not spin, and accepts when there are some again") {
    loop l;
    int accepted = 0;
    std::vector<error_code> errors;
    std::vector<std::unique_ptr<transport>> kept;
    const auto made = l.net->listen(
        url("mqtt://127.0.0.1:0"), {},
        [&](std::unique_ptr<transport> link) {
            ++accepted;
            kept.push_back(std::move(link));
        },
        [&](error_code error) { errors.push_back(error); });
    REQUIRE(made.listener);

    // connected, as far as the peer can see: they wait in the backlog
    std::array<int, 3> peers{};
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(made.listener->local().port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int& fd : peers) {
        fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    }
    {
        const no_descriptors scarce;
        l.until([&] { return !errors.empty(); });
        CHECK(errors.front() == boost::system::errc::too_many_files_open);
        std::size_t turns = 0;
        l.io.restart();
        while (l.io.poll_one() != 0)
            ++turns;
        CHECK(turns < 10);
        l.io.run_one();  // a second try
        l.settle();
        CHECK(errors.size() == 1);
        CHECK(accepted == 0);
    }
    l.until([&] { return accepted == 3; });
    CHECK(errors.size() == 1);
    for (const int fd : peers)
        ::close(fd);
}

TEST_CASE("listener: may be destroyed by its own handler, and accepts no more") {
    loop l;
    int accepted = 0;
    listen_result made;
    made = l.net->listen(url("mqtt://127.0.0.1:0"), {},
                         [&](std::unique_ptr<transport>) {
                             ++accepted;
                             made.listener.reset();
                         },
                         {});
    const endpoint at = made.listener->local();
    int ended = 0;
    const auto a = l.net->dial(at, {}, [&](dial_result) { ++ended; });
    const auto b = l.net->dial(at, {}, [&](dial_result) { ++ended; });
    l.until([&] { return ended == 2; });
    l.io.run();
    CHECK(accepted == 1);
}

}  // namespace
