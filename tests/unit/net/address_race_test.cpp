// Happy eyeballs: which address is tried when, and which one wins. RFC 8305.
#include "net/address_race.hpp"

#include "unit/net/loop.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <fcntl.h>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
using namespace std::chrono_literals;

socket_address local(std::uint16_t port) {
    socket_address address;
    REQUIRE(literal_address("127.0.0.1", port, address));
    return address;
}

unique_fd connecting_to(const socket_address& to) {
    auto fd = open_socket(to);
    REQUIRE(fd.has_value());
    (void)::connect(fd->number(), to.data(), to.size);
    return std::move(*fd);
}

/// Somebody who listens, and whom nobody asks to accept.
class server {
public:
    explicit server(int backlog = 16) {
        auto fd = open_socket(local(0));
        REQUIRE(fd.has_value());
        const auto at = local(0);
        REQUIRE(::bind(fd->number(), at.data(), at.size) == 0);
        REQUIRE(::listen(fd->number(), backlog) == 0);
        fd_ = std::move(*fd);
    }
    [[nodiscard]] socket_address address() const { return local_address_of(fd_.number()); }

private:
    unique_fd fd_;
};

/// An address that does not answer: a listener whose backlog is full, so that the system drops further attempts.
class black_hole {
public:
    black_hole() {
        for (int i = 0; i != 4; ++i)
            filling_.push_back(connecting_to(full_.address()));
    }
    [[nodiscard]] socket_address address() const { return full_.address(); }

private:
    server full_{0};
    std::vector<unique_fd> filling_;
};

socket_address closed_port() {
    const server gone;
    return gone.address();
}

struct race {
    race(std::vector<socket_address> addresses, std::chrono::milliseconds step)
        : what(std::make_shared<address_race>(
              l.io.get_executor(), *timers, std::move(addresses), race_options{.bind_address = {}, .step = step},
              [this](const socket_address& to, error_code error) { failed.emplace_back(to_string(to), error); },
              [this](unique_fd fd, const socket_address& to) {
                  ++decided;
                  winner = fd ? to_string(to) : "nobody";
              })) {}

    void run() {
        winner.reset();
        what->run();
        l.until([&] { return winner.has_value(); });
    }

    loop l;
    std::shared_ptr<timer_heap> timers = timer_heap::of(l.io.get_executor());
    std::vector<std::pair<std::string, error_code>> failed;
    std::optional<std::string> winner;
    int decided = 0;
    std::shared_ptr<address_race> what;
};

TEST_CASE("address_race: families by turns, beginning with the first") {
    const auto address = [](const char* text) {
        socket_address made;
        REQUIRE(literal_address(text, 1, made));
        return made;
    };
    std::vector<std::string> order;
    for (const auto& one : by_turns({address("::1"), address("::2"), address("::3"), address("127.0.0.1")}))
        order.push_back(to_string(one));
    CHECK(order == std::vector<std::string>{"[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"});
    CHECK(by_turns({}).empty());
}

TEST_CASE("address_race: an address that does not answer costs one step") {
    const black_hole hole;
    const server good;
    race r({hole.address(), good.address()}, 1ms);
    r.run();
    CHECK(r.winner == to_string(good.address()));
    CHECK(r.failed.empty());
    CHECK(r.what->has_more());  // the one that has not answered yet
}

TEST_CASE("address_race: an address that refuses costs nothing") {
    const server good;
    const auto refusing = closed_port();
    race r({refusing, good.address()}, 24h);
    r.run();
    CHECK(r.winner == to_string(good.address()));
    REQUIRE(r.failed.size() == 1);
    CHECK(r.failed[0].first == to_string(refusing));
    CHECK(r.failed[0].second == boost::asio::error::connection_refused);
}

TEST_CASE("address_race: the second is not tried while the first may still answer within its step") {
    const server first;
    const server second;
    race r({first.address(), second.address()}, 24h);
    r.run();
    CHECK(r.winner == to_string(first.address()));
    CHECK(r.decided == 1);
}

TEST_CASE("address_race: it goes on with the others when a connection came to nothing, and gives up when told") {
    const black_hole hole;
    const server good;
    race r({hole.address(), good.address()}, 1ms);
    r.run();
    REQUIRE(r.winner == to_string(good.address()));

    r.what->run();
    r.l.settle();
    CHECK(r.decided == 1);
    r.what->give_up(boost::asio::error::timed_out);
    CHECK(r.decided == 1);
    REQUIRE(r.failed.size() == 1);
    CHECK(r.failed[0].first == to_string(hole.address()));
    CHECK(r.failed[0].second == boost::asio::error::timed_out);
}

TEST_CASE("address_race: nobody wins when all have failed") {
    race r({closed_port(), closed_port()}, 24h);
    r.run();
    CHECK(r.winner == "nobody");
    CHECK(r.failed.size() == 2);
    CHECK(r.decided == 1);
}

TEST_CASE("address_race: cancelled, it tells nothing more") {
    const black_hole hole;
    const server good;
    race r({hole.address(), good.address()}, 1ms);
    r.what->run();
    r.what->cancel();
    r.l.io.restart();
    r.l.io.run();
    CHECK(r.decided == 0);
    CHECK(r.failed.empty());
}

}  // namespace
