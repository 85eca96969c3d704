// The graceful end of a connection: everything is written, the peer may still read it, and it is bounded.
#include "unit/net/driven.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <sys/socket.h>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
namespace asio = boost::asio;

TEST_CASE("driver: close_after_flush lets a peer that is still sending read our last bytes") {
    loop l;
    driven d(l);
    make_small(d.b.io->link(), SO_SNDBUF, 200'000);
    const std::string last = noise(3'000'000) + "DISCONNECT";
    const std::string chatter = noise(100'000, 2);
    bool answered = false;
    d.b.on_data = [&](std::string_view) {
        if (!std::exchange(answered, true)) {
            d.b.out.append(last);
            d.b.io->close_after_flush();
        }
        return true;
    };

    // sends more for everything it reads, and only then closes
    d.a.on_turn = [&] {
        if (d.a.received.size() == last.size()) return d.a.io->close();
        d.a.send(chatter);
    };
    d.a.send(chatter);
    l.until([&] { return d.a.closed && d.b.closed; });

    CHECK((d.a.received == last));
    CHECK(*d.a.closed == asio::error::operation_aborted);
    CHECK(d.b.reads == 1);
}

TEST_CASE("driver: both ends of a graceful close end without error, or with the peer's end") {
    loop l;
    driven d(l);
    d.a.out.append("last");
    d.a.io->close_after_flush();
    CHECK(!d.a.io->is_open());
    CHECK(d.a.io->has_owner());
    l.until([&] { return d.a.closed && d.b.closed; });
    CHECK(!d.a.closed->failed());
    CHECK(*d.b.closed == asio::error::eof);
    CHECK(d.b.received == "last");
    l.io.run();  // nothing is left waiting
}

TEST_CASE("driver: a peer that has finished sending can still read all of a graceful close") {
    loop l;
    driven d(l);
    d.a.io->pause_reading();
    CHECK(!d.a.io->link().shutdown_send().error);
    const std::string last = noise(10'000'000);
    d.b.out.append(last);
    d.b.io->close_after_flush();
    CHECK(d.b.io->is_write_blocked());
    l.settle();

    d.a.io->resume_reading();
    l.until([&] { return d.a.closed && d.b.closed; });
    CHECK((d.a.received == last));
    CHECK(!d.b.closed->failed());
}

TEST_CASE("driver: a graceful close does not await a peer that is done, once the socket has everything") {
    for (const std::size_t size : {std::size_t{4}, std::size_t{10'000'000}}) {
        loop l;
        driven d(l);
        d.a.io->pause_reading();
        const std::string last = noise(size);
        d.b.out.append(last);
        d.b.io->close_after_flush(true);
        const bool fits = size == 4;
        CHECK(d.b.io->is_write_blocked() == !fits);
        l.settle();
        CHECK(d.b.closed.has_value() == fits);

        d.a.io->resume_reading();
        l.until([&] { return d.a.closed && d.b.closed; });
        CHECK((d.a.received == last));
        CHECK(*d.a.closed == asio::error::eof);
        CHECK(!d.b.closed->failed());
    }
}

TEST_CASE("driver: close_after_flush before start, as for a connection too many") {
    loop l;
    link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    end a(l, std::move(links.dialed));
    end b(l, std::move(links.accepted));
    a.io->start();
    a.send("CONNECT");
    b.out.append("CONNACK");
    b.io->close_after_flush();
    l.until([&] { return a.closed && *a.closed == asio::error::eof; });
    CHECK(a.received == "CONNACK");
    l.until([&] { return b.closed.has_value(); });
    CHECK(!b.closed->failed());
    CHECK(b.received.empty());
}

TEST_CASE("driver: a graceful close is bounded in bytes") {
    loop l;
    driven d(l, url("mqtt://127.0.0.1:0"), {.drain_bytes_max = 100'000});
    d.a.io->pause_reading();
    d.b.io->close_after_flush();
    d.a.send(noise(1'000'000));
    l.until([&] { return d.b.closed.has_value(); });
    CHECK(*d.b.closed == asio::error::no_buffer_space);
}

TEST_CASE("driver: a graceful close is bounded in time") {
    loop l;
    driven d(l, url("mqtt://127.0.0.1:0"), {.drain_timeout = std::chrono::milliseconds(1)});
    d.a.io->pause_reading();  // never closes
    d.b.io->close_after_flush();
    l.until([&] { return d.b.closed.has_value(); });
    CHECK(*d.b.closed == asio::error::timed_out);
}

TEST_CASE("driver: a graceful close goes on without its owner") {
    loop l;
    link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    end a(l, std::move(links.dialed));
    a.io->start();
    const std::string last = noise(3'000'000);
    {
        end b(l, std::move(links.accepted));
        make_small(b.io->link(), SO_SNDBUF, 200'000);
        b.out.append("head ");
        b.out.append_payload(core::outgoing_message::create("t", last, qos::at_most_once, false));
        b.io->close_after_flush();
    }
    l.until([&] { return a.closed.has_value(); });
    CHECK(*a.closed == asio::error::eof);
    CHECK((a.received == "head " + last));
    l.io.run();
}

TEST_CASE("driver: close while a graceful close is under way") {
    loop l;
    driven d(l);
    d.a.io->pause_reading();
    d.b.io->close_after_flush();
    d.b.io->close();
    l.until([&] { return d.b.closed.has_value(); });
    CHECK(*d.b.closed == asio::error::operation_aborted);
}

}  // namespace
