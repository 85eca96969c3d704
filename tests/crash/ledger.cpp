// An application that keeps a ledger in the same file as its client's store, to be killed at any moment:
//
//   martlet_crash_ledger publish   URL FILE CLIENT-ID TOPIC QOS [TRACE]   writes numbers into the ledger and enqueues them
//   martlet_crash_ledger subscribe URL FILE CLIENT-ID TOPIC QOS [TRACE]   writes what it receives into the ledger
//
// URL may be several, with commas between. TRACE is a file for the packets, which goes on with each process. Row and
// message are one transaction each. It prints a line after each step. The publisher goes on until its standard input ends;
// then it leaves when everything is delivered.
#include "packet_trace.hpp"

#include <martlet/client.hpp>
#include <martlet/sqlite_store.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace asio = boost::asio;
using namespace martlet;

namespace {

constexpr int messages_per_transaction = 20;
constexpr std::size_t under_way_max = 200;

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "ledger: %s\n", why.c_str());
    std::_Exit(3);
}

class ledger {
public:
    explicit ledger(const std::string& file) {
        if (sqlite3_open(file.c_str(), &db_) != SQLITE_OK) fail("cannot open " + file);
        sqlite3_busy_timeout(db_, 60'000);
        run("PRAGMA synchronous = NORMAL");
        run("CREATE TABLE IF NOT EXISTS ledger(n INTEGER PRIMARY KEY, times INTEGER NOT NULL)");
    }
    ~ledger() { sqlite3_close(db_); }
    ledger(const ledger&) = delete;
    ledger& operator=(const ledger&) = delete;

    void run(const std::string& sql) {
        if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
            fail(sql + ": " + sqlite3_errmsg(db_));
    }
    std::int64_t number(const char* sql) {
        sqlite3_stmt* s = nullptr;
        if (sqlite3_prepare_v2(db_, sql, -1, &s, nullptr) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) {
            fail(std::string(sql) + ": " + sqlite3_errmsg(db_));
        }
        const auto value = sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
        return value;
    }
    void add(std::int64_t n) {
        run("INSERT INTO ledger VALUES(" + std::to_string(n) + ", 1) ON CONFLICT(n) DO UPDATE SET times = times + 1");
    }
    [[nodiscard]] sqlite3* connection() const noexcept { return db_; }

private:
    sqlite3* db_ = nullptr;
};

void say(std::string_view line) {
    const std::string text = std::string(line) + '\n';
    if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::_Exit(0);  // the driver is gone
}

struct job {
    std::string url;
    std::string file;
    std::string client_id;
    std::string topic;
    martlet::qos qos{};
};

asio::awaitable<void> publish(client& c, const job& what, bool& is_told_to_end) {
    asio::steady_timer pause(co_await asio::this_coro::executor);
    ledger book(what.file);
    auto last = book.number("SELECT coalesce(max(n), 0) FROM ledger");
    for (;;) {
        const auto s = c.statistics();
        const auto waiting = static_cast<std::size_t>(book.number("SELECT count(*) FROM martlet_enqueued"));
        if (s.queued + s.in_flight + waiting == 0 && is_told_to_end) break;
        if (s.queued + s.in_flight + waiting >= under_way_max || is_told_to_end) {
            pause.expires_after(std::chrono::milliseconds(1));
            co_await pause.async_wait(asio::use_awaitable);
            continue;
        }
        book.run("BEGIN IMMEDIATE");
        for (int i = 0; i != messages_per_transaction; ++i) {
            const std::string payload = std::to_string(++last);
            book.add(last);
            const sqlite::publication message{.topic = what.topic, .payload = payload, .qos = what.qos};
            if (const auto error = sqlite::enqueue(book.connection(), message)) fail("enqueue: " + error.message());
        }
        book.run("COMMIT");
        c.publish_enqueued();
        say("sent " + std::to_string(last));
        co_await asio::post(asio::use_awaitable);
    }
    say("delivered " + std::to_string(last));
    std::_Exit(0);
}

asio::awaitable<void> subscribe(client& c, const job& what) {
    ledger book(what.file);
    auto stream = co_await c.async_subscribe(
        what.topic, subscribe_options{.qos = what.qos, .manual_acknowledgement = true}, asio::use_awaitable);
    say("subscribed");
    std::array<message, 64> batch;
    for (;;) {
        const auto count = co_await stream.async_receive_some(batch, asio::use_awaitable);
        book.run("BEGIN IMMEDIATE");
        for (std::size_t i = 0; i != count; ++i) {
            std::int64_t n = 0;
            const auto text = batch[i].text();
            if (std::from_chars(text.data(), text.data() + text.size(), n).ptr != text.data() + text.size()) {
                fail("not a number: " + std::string(text));
            }
            book.add(n);
            if (const auto error = sqlite::acknowledge(book.connection(), batch[i])) {
                fail("acknowledge: " + error.message());
            }
        }
        book.run("COMMIT");
        for (std::size_t i = 0; i != count; ++i)
            stream.acknowledge(batch[i]);
        say("got " + std::to_string(book.number("SELECT count(*) FROM ledger")));
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 7 && count != 8) return 2;
    const std::string_view role = arguments[1];
    const job what{arguments[2], arguments[3], arguments[4], arguments[5], static_cast<qos>(arguments[6][0] - '0')};

    asio::io_context io{1};
    client_options options;
    options.urls.clear();
    for (std::size_t at = 0; at <= what.url.size();) {
        const auto end = std::min(what.url.find(',', at), what.url.size());
        options.urls.push_back(what.url.substr(at, end - at));
        at = end + 1;
    }
    options.client_id = what.client_id;
    options.session = session_mode::resume;
    options.reconnect.delay_min = std::chrono::milliseconds(10);
    options.reconnect.delay_max = std::chrono::milliseconds(100);
    options.store = sqlite_store(what.file, {durability::normal});
    if (count == 8) options.observer = crash::make_packet_trace(arguments[7]);
    client c(io, options);
    c.async_run([&](error_code error) {
        fail("the client has ended: " + error.message() + " " + options.store->last_error());
    });

    bool is_told_to_end = false;
    asio::posix::stream_descriptor input(io, ::dup(STDIN_FILENO));
    char ignored = 0;
    input.async_read_some(asio::buffer(&ignored, 1), [&](error_code, std::size_t) { is_told_to_end = true; });

    const auto report = [](const std::exception_ptr& e) {
        try {
            if (e) std::rethrow_exception(e);
        } catch (const std::exception& error) {
            fail(error.what());
        }
    };
    // The tables are there when the store is loaded, which is before the client is connected.
    c.async_next_event([&](error_code, const client_event&) {
        say("started");
        if (role == "publish")
            asio::co_spawn(io, publish(c, what, is_told_to_end), report);
        else
            asio::co_spawn(io, subscribe(c, what), report);
    });
    io.run();
}
