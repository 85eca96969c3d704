// A broker whose disk is full, or fails: nothing is acknowledged that is not stored, everything else goes on, and with
// the disk comes the rest.
#include "e2e/run.hpp"
#include "support/fault_disk.hpp"
#include "support/temporary_folder.hpp"

#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/sqlite_store.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <sqlite3.h>
#include <string>

using namespace martlet;
using martlet::test::run;
using namespace std::chrono_literals;

namespace {

asio::awaitable<void> exchange(client& c, test::fault_disk& disk, int code) {
    auto zero = co_await c.async_subscribe("zero", qos::at_most_once, asio::use_awaitable);
    auto kept = co_await c.async_subscribe("kept/#", qos::exactly_once, asio::use_awaitable);
    int acknowledged = 0;
    const auto publish = [&](const char* topic, qos level) {
        c.async_publish(topic, "x", publish_options{.qos = level, .retain = true},
                        [&](error_code error, const publish_result&) { acknowledged += error ? 0 : 1; });
    };
    publish("kept/1", qos::at_least_once);
    publish("kept/2", qos::exactly_once);
    for (const char* const topic : {"kept/1", "kept/2"})
        CHECK((co_await kept.async_receive(asio::use_awaitable)).topic() == topic);
    // Behind the acknowledgements, since the broker answers in order.
    co_await c.async_publish("kept/2", "again", publish_options{.qos = qos::exactly_once, .retain = true},
                             asio::use_awaitable);
    CHECK((co_await kept.async_receive(asio::use_awaitable)).text() == "again");
    REQUIRE(acknowledged == 2);

    disk.fail_all(code);
    publish("kept/3", qos::at_least_once);
    publish("kept/4", qos::exactly_once);
    for (int i = 0; i < 200 || disk.failures() < 3; ++i) {  // the store tries again all the while
        co_await c.async_publish("zero", std::to_string(i), publish_options{}, asio::use_awaitable);
        CHECK((co_await zero.async_receive(asio::use_awaitable)).text() == std::to_string(i));
    }
    CHECK(acknowledged == 2);

    disk.fail_all(0);
    co_await c.async_publish("kept/5", "x", publish_options{.qos = qos::exactly_once, .retain = true},
                             asio::use_awaitable);
    CHECK(acknowledged == 4);
    for (const char* const topic : {"kept/3", "kept/4", "kept/5"})
        CHECK((co_await kept.async_receive(asio::use_awaitable)).topic() == topic);
}

}  // namespace

TEST_CASE(
    "a full or broken disk: no acknowledgement without the store, QoS 0 goes on, and so does all when it is back") {
    for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
        CAPTURE(code);
        const test::temporary_folder folder;
        test::fault_disk disk;
        const auto options = [&] {
            broker_options made;
            made.store =
                sqlite_store(folder.path("broker.db"),
                             {.durability = durability::sync, .retry_min = 1ms, .retry_max = 2ms, .vfs = disk.name()});
            return made;
        };
        asio::io_context io;
        {
            broker b(io.get_executor(), options());
            client c(io, {.urls = {b.in_process()}, .client_id = "c", .session = session_mode::resume});
            c.async_run(asio::detached);
            run(io, exchange(c, disk, code));
        }
        io.restart();
        io.poll();

        broker again(io.get_executor(), options());
        again.when_loaded([&] { io.stop(); });
        io.restart();
        io.run();
        CHECK(again.statistics().retained == 5);
    }
}
