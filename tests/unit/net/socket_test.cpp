#include "net/socket.hpp"

#include "unit/net/loop.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;

struct wakes final : waiter {
    std::vector<direction> what;
    std::vector<error_code> errors;
    void on_ready(direction d, error_code error) override {
        what.push_back(d);
        errors.push_back(error);
    }
};

TEST_CASE("socket transport: a read or write that moves less than asked for says that the next would block") {
    loop l;
    const link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    std::string space(100, ' ');

    const std::array<std::string_view, 3> parts{"one", "", "two"};
    const io_result put = links.dialed->write_some(parts);
    CHECK(put.bytes == 6);
    CHECK(!put.error);
    io_result got = links.accepted->read_some(space);
    CHECK(std::string_view(space).substr(0, got.bytes) == "onetwo");
    CHECK(got.blocked());
    CHECK(got.wait_for == direction::read);
    got = links.accepted->read_some(space);
    CHECK(got.bytes == 0);
    CHECK(got.blocked());
    CHECK(!got.failed());

    const std::string much = std::string(50'000'000, 'x');
    const std::array<std::string_view, 1> all{much};
    io_result full = links.dialed->write_some(all);
    CHECK(full.bytes > 0);
    CHECK(full.bytes < much.size());
    CHECK(full.blocked());
    CHECK(full.wait_for == direction::write);
}

TEST_CASE("socket transport: more buffers than one call takes are left for the next") {
    loop l;
    const link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    const std::vector<std::string_view> parts(transport::gather_max + 36, "x");
    const io_result put = links.dialed->write_some(parts);
    CHECK(put.bytes == transport::gather_max);
    CHECK(!put.error);
}

TEST_CASE("socket transport: the end of what the peer sends is eof, and the other way stays open") {
    loop l;
    const link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    const std::array<std::string_view, 1> word{"late"};
    std::string space(100, ' ');
    CHECK(!links.dialed->shutdown_send().error);
    CHECK(links.accepted->read_some(space).error == boost::asio::error::eof);
    CHECK(links.accepted->write_some(word).bytes == 4);
    CHECK(links.dialed->read_some(space).bytes == 4);
}

TEST_CASE("socket transport: waits end when they may, never inside wait(), and with an error when it is closed") {
    loop l;
    const link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    const auto who = std::make_shared<wakes>();
    links.dialed->wait(direction::write, who);
    CHECK(who->what.empty());
    l.until([&] { return who->what.size() == 1; });
    CHECK(who->what[0] == direction::write);
    CHECK(!who->errors[0]);

    links.dialed->wait(direction::read, who);
    l.settle();
    CHECK(who->what.size() == 1);
    links.dialed->close();
    links.dialed->close();
    CHECK(who->what.size() == 1);
    l.until([&] { return who->what.size() == 2; });
    CHECK(who->errors[1] == boost::asio::error::operation_aborted);
    CHECK(who.use_count() == 1);

    std::string space(10, ' ');
    CHECK(links.dialed->read_some(space).failed());
    CHECK(!links.dialed->peer_address().empty());
    CHECK(links.dialed->local_address() == "?");
}

TEST_CASE("socket transport: Unix peers are called by the path") {
    loop l;
    const socket_path file;
    const link_pair links = connect(l, file.where());
    CHECK(links.dialed->peer_address() == "unix:" + file.path());
    CHECK(links.accepted->peer_address() == "unix:" + file.path());
    CHECK(links.accepted->local_address() == "unix:" + file.path());
}

TEST_CASE("socket addresses: literals") {
    socket_address address;
    CHECK(literal_address("192.0.2.1", 7, address));
    CHECK(to_string(address) == "192.0.2.1:7");
    CHECK(port_of(address) == 7);
    CHECK(literal_address("2001:db8::1", 65'535, address));
    CHECK(to_string(address) == "[2001:db8::1]:65535");
    CHECK(!literal_address("localhost", 7, address));
    CHECK(!literal_address("", 7, address));
    CHECK(!unix_address("").has_value());
    CHECK(unix_address(std::string(107, 'x')).has_value());
    CHECK(!unix_address(std::string(108, 'x')).has_value());
}

}  // namespace
