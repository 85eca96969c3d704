// Exactly once to the end: each order is booked, confirmed and acknowledged in one transaction of the application, in the
// file that the client keeps its session in. Kill it at any moment and start it again: no order is lost, none is booked
// or confirmed twice.
//   05_survive_a_crash [url [file [orders to book before it leaves]]]
#include <martlet/client.hpp>
#include <martlet/sqlite_store.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <iostream>
#include <sqlite3.h>
#include <stdexcept>
#include <string>

namespace asio = boost::asio;

void run(sqlite3* database, const char* sql) {
    if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        throw std::runtime_error(std::string(sql) + ": " + sqlite3_errmsg(database));
    }
}

void book(sqlite3* database, const martlet::message& order) {
    run(database, "BEGIN IMMEDIATE");
    run(database, "INSERT INTO orders DEFAULT VALUES");
    const std::string confirmation = "order " + std::to_string(sqlite3_last_insert_rowid(database)) + " is booked";
    auto error = martlet::sqlite::enqueue(database, {.topic = "orders/booked", .payload = confirmation});
    if (!error) error = martlet::sqlite::acknowledge(database, order);
    if (error) throw boost::system::system_error(error);
    run(database, "COMMIT");
}

asio::awaitable<void> app(martlet::client& client, const std::string& file, int count) {
    auto orders = co_await client.async_subscribe("orders/new", martlet::qos::exactly_once);

    sqlite3* database = nullptr;
    sqlite3_open(file.c_str(), &database);
    sqlite3_busy_timeout(database, 10'000);
    run(database, "CREATE TABLE IF NOT EXISTS orders(number INTEGER PRIMARY KEY)");
    for (int i = 0; i != count; ++i) {
        auto order = co_await orders.async_receive();
        book(database, order);
        orders.acknowledge(order);  // the server need not keep it any longer
        client.publish_enqueued();
        std::cout << "booked: " << order.text() << std::endl;
    }
    sqlite3_close(database);
    co_await client.async_disconnect({.drain = true});
}

int main(int argc, char** argv) {
    const std::string file = argc > 2 ? argv[2] : "orders.db";
    asio::io_context io;
    martlet::client client(io, {.urls = {argc > 1 ? argv[1] : "mqtt://localhost"},
                                .client_id = "order-desk",
                                .session = martlet::session_mode::resume,
                                .store = martlet::sqlite_store(file)});
    int exit_code = 0;
    asio::co_spawn(io, app(client, file, argc > 3 ? std::atoi(argv[3]) : 1'000'000), [&](const std::exception_ptr& e) {
        try {
            if (e) std::rethrow_exception(e);
        } catch (const std::exception& error) {
            std::cerr << "05_survive_a_crash: " << error.what() << '\n';
            exit_code = 1;
            client.stop();
        }
    });
    client.async_run([&](martlet::error_code error) {
        if (!error) return;
        std::cerr << "05_survive_a_crash: " << error.message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}
