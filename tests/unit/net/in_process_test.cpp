#include "net/in_process.hpp"

#include "unit/net/loop.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

using namespace martlet;
using namespace martlet::net::test;

namespace {

struct both {
    explicit both(loop& on) {
        auto ends = net::make_in_process_link(on.io.get_executor(), on.io.get_executor(), "memory:x");
        one = std::make_unique<end>(on, std::move(ends.first));
        other = std::make_unique<end>(on, std::move(ends.second));
        one->io->start();
        other->io->start();
    }
    std::unique_ptr<end> one;
    std::unique_ptr<end> other;
};

}  // namespace

TEST_CASE("in process: bytes both ways, far more than the link holds, and the end in order") {
    loop on;
    both w(on);
    const std::string much = noise(3'000'000);
    w.one->send(much);
    w.other->send("answer");
    on.until([&] { return w.other->received.size() == much.size() && w.one->received == "answer"; });
    CHECK(w.other->received == much);
    CHECK(w.one->writable_again > 0);
    w.one->send("last");
    w.one->io->close_after_flush();
    on.until([&] { return w.other->closed.has_value(); });
    CHECK(*w.other->closed == boost::asio::error::eof);
    CHECK(w.other->received.ends_with("last"));
    on.until([&] { return w.one->closed.has_value(); });
    CHECK_FALSE(*w.one->closed);
}

TEST_CASE("in process: a writer waits for a reader that does not read, and goes on when it does") {
    loop on;
    both w(on);
    w.other->io->pause_reading();
    w.one->send(noise(1'000'000));
    on.settle();
    CHECK(w.one->io->is_write_blocked());
    CHECK(w.one->out.size() >= 1'000'000 - net::in_process_bytes_max);
    w.other->io->resume_reading();
    on.until([&] { return w.other->received.size() == 1'000'000; });
    CHECK(w.other->received == noise(1'000'000));
}

TEST_CASE("in process: who closes at once is gone for the other end") {
    loop on;
    both w(on);
    w.one->io->close();
    on.until([&] { return w.other->closed.has_value() && w.one->closed.has_value(); });
    CHECK(*w.other->closed == boost::asio::error::eof);
    CHECK(*w.one->closed == boost::asio::error::operation_aborted);
}

TEST_CASE("in process: a listener is found by its name, once, as long as it lives") {
    loop on;
    const auto nowhere = [&] {
        net::dial_result got;
        bool told = false;
        const auto dialing = on.net->dial(url("memory:here"), {}, [&](net::dial_result r) {
            got = std::move(r);
            told = true;
        });
        on.until([&] { return told; });
        return got;
    };
    CHECK(nowhere().error == boost::asio::error::connection_refused);
    CHECK(nowhere().detail.starts_with("connecting to memory:here: "));

    std::unique_ptr<net::transport> accepted;
    auto made = on.net->listen(url("memory:here"), {}, [&](auto link) { accepted = std::move(link); }, {});
    REQUIRE(made.listener);
    CHECK(to_string(made.listener->local()) == "memory:here");
    const auto again = on.net->listen(url("memory:here"), {}, [](auto) {}, {});
    CHECK(again.error == boost::asio::error::address_in_use);
    auto got = nowhere();
    REQUIRE(got.link);
    on.until([&] { return accepted != nullptr; });
    CHECK(accepted->peer_address() == "memory:here");
    made.listener.reset();
    CHECK(nowhere().error == boost::asio::error::connection_refused);
    CHECK(on.net->listen(url("memory:here"), {}, [](auto) {}, {}).listener);
}

TEST_CASE("in process: a dial that is let go of is not told of") {
    loop on;
    auto made = on.net->listen(url("memory:here"), {}, [](auto) {}, {});
    bool told = false;
    on.net->dial(url("memory:here"), {}, [&](net::dial_result) { told = true; }).reset();
    on.settle();
    CHECK_FALSE(told);
}

TEST_CASE("in process: both ends on threads of their own") {
    loop here;
    loop there;
    auto ends = net::make_in_process_link(here.io.get_executor(), there.io.get_executor(), "memory:x");
    const std::string much = noise(4'000'000);
    std::thread other([&, link = std::move(ends.second)]() mutable {
        end echo(there, std::move(link));
        echo.on_data = [&](std::string_view bytes) {
            echo.out.append(bytes);
            return true;
        };
        echo.on_turn = [&] { echo.io->flush(); };
        echo.io->start();
        there.until([&] { return echo.closed.has_value(); });
    });
    {
        end me(here, std::move(ends.first));
        me.io->start();
        me.send(much);
        here.until([&] { return me.received.size() == much.size(); });
        CHECK(me.received == much);
    }
    other.join();
}
