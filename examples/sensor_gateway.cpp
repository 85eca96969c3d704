// A sensor gateway: lines "NAME VALUE" from a serial port, a pipe or a file become messages PREFIX/NAME. Each line is on
// disk before the next batch is read, so without a network nothing is lost, and nothing when the power fails: start it
// again and it goes on where it was.
//   stty -F /dev/ttyUSB0 115200 raw && sensor_gateway mqtt://broker.example buffer.db < /dev/ttyUSB0
//   sensor_gateway [url [file [prefix]]] < readings.txt
#include <martlet/client.hpp>
#include <martlet/sqlite_store.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <iostream>
#include <memory>
#include <sqlite3.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace asio = boost::asio;

constexpr int lines_per_transaction = 1'000;   // of those that are there already; a slow port has one
constexpr int lines_waiting_max = 10'000'000;  // beyond that, new lines are dropped: the disk is not endless

// The buffer: messages are put into the file that the client publishes from, on a connection of our own.
class buffer {
public:
    explicit buffer(const std::string& file) {
        sqlite3* opened = nullptr;
        const int status = sqlite3_open(file.c_str(), &opened);
        database_.reset(opened);
        if (status != SQLITE_OK) throw std::runtime_error(file + ": " + sqlite3_errmsg(opened));
        sqlite3_busy_timeout(opened, 10'000);  // the client writes to the same file
    }

    void begin() { run("BEGIN IMMEDIATE"); }
    void commit() { run("COMMIT"); }

    martlet::error_code add(const std::string& topic, std::string_view value) {
        return martlet::sqlite::enqueue(database_.get(),
                                        {.topic = topic, .payload = value, .qos = martlet::qos::at_least_once});
    }

    // Lines that the client has not taken over yet.
    int waiting() {
        int count = 0;
        const auto take = [](void* into, int, char** columns, char**) {
            *static_cast<int*>(into) = std::stoi(columns[0]);
            return 0;
        };
        sqlite3_exec(database_.get(), "SELECT count(*) FROM martlet_enqueued", take, &count, nullptr);
        return count;
    }

private:
    struct closer {
        void operator()(sqlite3* database) const { sqlite3_close(database); }
    };

    void run(const char* sql) {
        if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
            throw std::runtime_error(std::string(sql) + ": " + sqlite3_errmsg(database_.get()));
        }
    }

    std::unique_ptr<sqlite3, closer> database_;
};

// Reads what is there, as one transaction. False at the end of the input.
bool store_lines(buffer& readings, const std::string& prefix, std::uint64_t& stored) {
    std::string line;
    if (!std::getline(std::cin, line)) return false;

    readings.begin();
    const bool is_full = readings.waiting() >= lines_waiting_max;
    int count = 0;
    do {
        const auto space = line.find(' ');
        if (space == 0 || space == std::string::npos || is_full) {
            std::cerr << "sensor_gateway: dropped: " << line << '\n';
            continue;
        }
        const auto error = readings.add(prefix + '/' + line.substr(0, space), std::string_view(line).substr(space + 1));
        if (!error) {
            ++stored;
        } else if (error == martlet::errc::store_failed) {
            throw boost::system::system_error(error);
        } else {
            std::cerr << "sensor_gateway: " << error.message() << ": " << line << '\n';  // no topic can be called so
        }
    } while (++count != lines_per_transaction && std::cin.rdbuf()->in_avail() > 0 && std::getline(std::cin, line));
    readings.commit();
    return true;
}

// The store has its tables when the client begins to connect.
void wait_until_loaded(martlet::client& client) {
    for (;;) {
        const auto event = client.async_next_event(asio::use_future).get();
        if (event.kind == martlet::client_event::kind_type::connecting) return;
        if (event.kind == martlet::client_event::kind_type::stopped) throw std::runtime_error(to_string(event));
    }
}

void serve(martlet::client& client, const std::string& file, const std::string& prefix) {
    wait_until_loaded(client);
    buffer readings(file);
    std::uint64_t stored = 0;
    while (store_lines(readings, prefix, stored))
        client.publish_enqueued();
    std::cerr << "sensor_gateway: " << stored << " lines are stored\n";

    client.async_disconnect({.drain = true}, asio::use_future).get();  // when all of them are delivered
    std::cerr << "sensor_gateway: all are delivered\n";
}

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    const std::string file = argc > 2 ? argv[2] : "sensor_gateway.db";
    asio::io_context io;
    martlet::client client(io, {.urls = {argc > 1 ? argv[1] : "mqtt://localhost"},
                                .client_id = "sensor-gateway",
                                .session = martlet::session_mode::resume,
                                .store = martlet::sqlite_store(file)});
    client.async_run([](martlet::error_code error) {
        if (error) std::cerr << "sensor_gateway: " << error.message() << '\n';
    });
    std::thread network([&] { io.run(); });

    int exit_code = 0;
    try {
        serve(client, file, argc > 3 ? argv[3] : "sensors");
    } catch (const std::exception& e) {
        std::cerr << "sensor_gateway: " << e.what() << '\n';
        exit_code = 1;
        client.stop();
    }
    network.join();
    return exit_code;
}
