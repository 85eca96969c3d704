// A pool of workers: each job goes to one of them, its result and its acknowledgement are one transaction, in the file
// that the worker's client keeps its session in. Kill any of them at any moment, start it again: each job has one result.
//   worker_pool work NAME [url [file]]    a worker; start as many as you like, each with a name and a file of its own
//   worker_pool results FILE...           the results of all of them
#include <martlet/client.hpp>
#include <martlet/sqlite_store.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <memory>
#include <sqlite3.h>
#include <stdexcept>
#include <string>
#include <string_view>

namespace asio = boost::asio;

struct closer {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using database = std::unique_ptr<sqlite3, closer>;
using statement = std::unique_ptr<sqlite3_stmt, closer>;

void check(int status, sqlite3* of) {
    if (status != SQLITE_OK && status != SQLITE_DONE && status != SQLITE_ROW) {
        throw std::runtime_error(sqlite3_errmsg(of));
    }
}

void run(const database& in, const char* sql) {
    check(sqlite3_exec(in.get(), sql, nullptr, nullptr, nullptr), in.get());
}

database open_results(const std::string& file) {
    sqlite3* opened = nullptr;
    const int status = sqlite3_open(file.c_str(), &opened);
    database results(opened);
    check(status, opened);
    sqlite3_busy_timeout(opened, 10'000);  // the client's store writes to the same file
    run(results, "CREATE TABLE IF NOT EXISTS results(job TEXT, result INTEGER)");
    return results;
}

// The work: how many different characters does the job have?
int work_off(std::string_view job) {
    bool seen[256] = {};
    int count = 0;
    for (const char c : job) {
        bool& known = seen[static_cast<unsigned char>(c)];
        count += !known;
        known = true;
    }
    return count;
}

// All or nothing: the result is there exactly if the job never comes again.
void store_result(const database& results, const martlet::message& job, int result) {
    run(results, "BEGIN IMMEDIATE");
    sqlite3_stmt* prepared = nullptr;
    check(sqlite3_prepare_v2(results.get(), "INSERT INTO results VALUES (?, ?)", -1, &prepared, nullptr),
          results.get());
    const statement insert(prepared);
    const auto text = job.text();
    sqlite3_bind_text(insert.get(), 1, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    sqlite3_bind_int(insert.get(), 2, result);
    check(sqlite3_step(insert.get()), results.get());
    if (const auto error = martlet::sqlite::acknowledge(results.get(), job)) throw boost::system::system_error(error);
    run(results, "COMMIT");
}

asio::awaitable<void> work(martlet::client& client, std::string file) {
    auto jobs = co_await client.async_subscribe("$share/workers/jobs", martlet::qos::exactly_once);
    const auto results = open_results(file);
    std::cout << "ready" << std::endl;
    for (;;) {
        const auto job = co_await jobs.async_receive();
        store_result(results, job, work_off(job.text()));
        jobs.acknowledge(job);  // now the server may forget it, too
        std::cout << "done: " << job.text() << std::endl;
    }
}

void print_results(const std::string& file) {
    const auto results = open_results(file);
    const auto print = [](void*, int, char** columns, char**) {
        std::cout << columns[0] << '\t' << columns[1] << '\n';
        return 0;
    };
    check(sqlite3_exec(results.get(), "SELECT job, result FROM results", print, nullptr, nullptr), results.get());
}

int run_worker(const std::string& name, const std::string& url, const std::string& file) {
    asio::io_context io;
    martlet::client client(io, {.urls = {url},
                                .client_id = "worker-" + name,
                                .session = martlet::session_mode::resume,  // jobs given to it wait for it
                                .receive_maximum = 10,                     // jobs at a time; others get the rest
                                .store = martlet::sqlite_store(file)});
    int exit_code = 0;
    asio::co_spawn(io, work(client, file), [&](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const std::exception& e) {
            std::cerr << "worker_pool: " << e.what() << '\n';
            exit_code = 1;
            client.stop();
        }
    });
    client.async_run([&](martlet::error_code error) {
        if (!error) return;
        std::cerr << "worker_pool: " << error.message() << '\n';
        exit_code = 1;
    });
    io.run();
    return exit_code;
}

int main(int argc, char** argv) {
    const std::string_view mode = argc > 2 ? argv[1] : "";
    if (mode == "work") {
        const std::string name = argv[2];
        return run_worker(name, argc > 3 ? argv[3] : "mqtt://localhost", argc > 4 ? argv[4] : "worker-" + name + ".db");
    }
    if (mode == "results") {
        for (int i = 2; i != argc; ++i)
            print_results(argv[i]);
        return 0;
    }
    std::cerr << "usage: worker_pool work NAME [url [file]] | results FILE...\n";
    return 2;
}
