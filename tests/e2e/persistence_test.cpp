// Clients and brokers that end and start again on the same file, over loopback sockets. What a kill -9 does is tested in
// tests/crash.
#include "support/temporary_folder.hpp"

#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/sqlite_store.hpp>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <optional>
#include <sqlite3.h>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace martlet;

namespace {

/// A loop with one client and one broker, each of which may be replaced.
class world {
public:
    asio::io_context io{1};
    test::temporary_folder folder;
    std::unique_ptr<martlet::broker> broker;
    std::unique_ptr<martlet::client> client;
    std::string url;
    std::optional<error_code> run_error;
    std::vector<client_event> events;
    std::string store_failure;

    void run_until(const std::function<bool()>& is_done) {
        while (!is_done()) {
            io.restart();
            io.run_one();
        }
    }

    void start_broker(bool is_durable = true) {
        broker_options options;
        if (is_durable) options.store = sqlite_store(folder.path("broker.db"), {durability::normal});
        options.on_store_failed = [this](error_code, std::string_view text) { store_failure = text; };
        broker = std::make_unique<martlet::broker>(io.get_executor(), options);
        const auto where = broker->listen(url.empty() ? "mqtt://127.0.0.1:0" : url);
        REQUIRE(where.has_value());
        url = "mqtt://127.0.0.1:" + std::to_string(where->port);
    }

    [[nodiscard]] client_options options_of(const std::string& id) {
        client_options options;
        options.urls = {url};
        options.client_id = id;
        options.session = session_mode::resume;
        options.reconnect.delay_min = std::chrono::milliseconds(1);
        options.reconnect.delay_max = std::chrono::milliseconds(5);
        options.store = sqlite_store(folder.path("client.db"), {durability::normal});
        return options;
    }

    void make_client(client_options options) {
        events.clear();
        run_error.reset();
        client = std::make_unique<martlet::client>(io, std::move(options));
        follow();
    }
    void run_client() {
        client->async_run([this](error_code error) { run_error = error; });
    }
    [[nodiscard]] const client_event* find(client_event::kind_type kind) const {
        for (const auto& e : events) {
            if (e.kind == kind) return &e;
        }
        return nullptr;
    }
    /// The client is gone, and what was its last batch is stored.
    void end_client() {
        client.reset();
        io.restart();
        io.poll();
    }

private:
    void follow() {
        client->async_next_event([this](error_code error, const client_event& e) {
            if (error || client == nullptr) return;
            events.push_back(e);
            follow();
        });
    }
};

/// Receives from a subscription into texts.
class collector : public std::enable_shared_from_this<collector> {
public:
    explicit collector(subscription&& from) : stream_(std::move(from)) {}
    std::vector<std::string> texts;

    void next() {
        stream_.async_receive([weak = weak_from_this()](error_code error, const message& m) {
            const auto self = weak.lock();
            if (error || self == nullptr) return;
            self->texts.emplace_back(m.text());
            self->next();
        });
    }

    static std::shared_ptr<collector> make(subscription&& from) {
        auto made = std::make_shared<collector>(std::move(from));
        made->next();
        return made;
    }

private:
    subscription stream_;
};

class connection {
public:
    explicit connection(const std::string& file) {
        REQUIRE(sqlite3_open(file.c_str(), &handle_) == SQLITE_OK);
        sqlite3_busy_timeout(handle_, 10'000);
    }
    ~connection() { sqlite3_close(handle_); }
    void run(const char* sql) { REQUIRE(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK); }
    operator sqlite3*() { return handle_; }

private:
    sqlite3* handle_ = nullptr;
};

std::shared_ptr<collector> subscribe(world& w, std::string_view filter) {
    std::shared_ptr<collector> into;
    w.client->async_subscribe(filter, qos::exactly_once, [&](error_code error, subscription stream) {
        REQUIRE_FALSE(error);
        into = collector::make(std::move(stream));
    });
    w.run_until([&] { return into != nullptr; });
    return into;
}

}  // namespace

TEST_CASE("persistence: what was published offline is delivered by the next process") {
    world w;
    w.start_broker();
    const auto url = w.url;
    w.url = "mqtt://127.0.0.1:1";  // nobody is there
    w.make_client(w.options_of("sensor"));
    REQUIRE_FALSE(w.client->publish("t", "one", {.qos = qos::exactly_once}));  // before it is loaded
    w.run_client();
    w.run_until([&] { return w.find(client_event::kind_type::connect_failed) != nullptr; });
    REQUIRE_FALSE(w.client->publish("t", "two", {.qos = qos::at_least_once}));
    w.end_client();
    w.url = url;

    auto watcher_options = w.options_of("watcher");
    watcher_options.store = nullptr;
    martlet::client watcher(w.io, watcher_options);
    watcher.async_run([](error_code) {});
    std::shared_ptr<collector> got;
    watcher.async_subscribe("t", qos::exactly_once, [&](error_code error, subscription stream) {
        REQUIRE_FALSE(error);
        got = collector::make(std::move(stream));
    });
    w.run_until([&] { return got != nullptr; });
    w.make_client(w.options_of("sensor"));
    REQUIRE_FALSE(w.client->publish("t", "three", {.qos = qos::at_least_once}));
    w.run_client();
    w.run_until([&] { return got->texts.size() == 3; });

    CHECK(got->texts == std::vector<std::string>{"one", "two", "three"});
    w.run_until([&] { return w.client->statistics().in_flight == 0; });
    w.end_client();

    w.make_client(w.options_of("sensor"));  // nothing is left
    w.run_client();
    w.run_until([&] { return w.find(client_event::kind_type::connected) != nullptr; });
    CHECK(w.client->statistics().in_flight + w.client->statistics().queued == 0);
}

TEST_CASE("persistence: a subscription finds its messages again under its old identifier") {
    world w;
    w.start_broker();
    w.make_client(w.options_of("desk"));
    w.run_client();
    const auto a = subscribe(w, "a/#");
    const auto b = subscribe(w, "b/#");
    w.end_client();
    w.broker->stop();  // sessions are kept
    w.run_until([&] { return w.broker->statistics().connections == 0; });
    w.broker.reset();
    w.io.restart();
    w.io.poll();
    w.start_broker();

    auto publisher_options = w.options_of("other");
    publisher_options.store = nullptr;
    martlet::client publisher(w.io, publisher_options);
    publisher.async_run([](error_code) {});
    int acknowledged = 0;
    for (const char* const topic : {"a/1", "b/1", "b/2"}) {
        publisher.async_publish(topic, topic, {.qos = qos::exactly_once},
                                [&](error_code error, publish_result) { acknowledged += !error; });
    }
    w.run_until([&] { return acknowledged == 3; });

    w.make_client(w.options_of("desk"));
    std::shared_ptr<collector> new_b;  // asked for before the store is loaded, in another order
    w.client->async_subscribe("b/#", qos::exactly_once,
                              [&](error_code, subscription stream) { new_b = collector::make(std::move(stream)); });
    w.run_client();
    w.run_until([&] { return new_b && new_b->texts.size() == 2; });
    CHECK(w.find(client_event::kind_type::connected)->info.session_present);
    const auto new_a = subscribe(w, "a/#");  // its message was unclaimed until now
    w.run_until([&] { return new_a->texts.size() == 1; });
    CHECK(new_b->texts == std::vector<std::string>{"b/1", "b/2"});
    CHECK(new_a->texts == std::vector<std::string>{"a/1"});
}

TEST_CASE("persistence: enqueue in the application's transaction publishes, now and in the next process") {
    world w;
    w.start_broker();
    w.make_client(w.options_of("desk"));
    w.run_client();
    const auto got = subscribe(w, "booked");
    connection app(w.folder.path("client.db"));

    app.run("CREATE TABLE work(n); BEGIN IMMEDIATE; INSERT INTO work VALUES(1)");
    REQUIRE_FALSE(sqlite::enqueue(app, {.topic = "booked", .payload = "1"}));
    app.run("COMMIT");
    w.client->publish_enqueued();
    w.run_until([&] { return got->texts.size() == 1; });

    app.run("BEGIN IMMEDIATE");
    for (int i = 2; i <= 2'500; ++i) {  // more than are read at once
        REQUIRE_FALSE(sqlite::enqueue(app, {.topic = "booked", .payload = std::to_string(i)}));
    }
    app.run("COMMIT");
    w.end_client();
    w.make_client(w.options_of("desk"));
    std::shared_ptr<collector> again;
    w.client->async_subscribe("booked", qos::exactly_once,
                              [&](error_code, subscription stream) { again = collector::make(std::move(stream)); });
    w.run_client();
    w.run_until([&] { return again && again->texts.size() == 2'499; });
    CHECK(again->texts.front() == "2");
    CHECK(again->texts.back() == "2500");
}

TEST_CASE("persistence: a drain delivers what the application has enqueued, asked for or not, before it ends") {
    world w;
    w.start_broker();
    auto watching = w.options_of("watch");
    watching.store = nullptr;
    martlet::client watch(w.io, watching);
    std::shared_ptr<collector> got;
    watch.async_subscribe("booked", qos::exactly_once,
                          [&](error_code, subscription stream) { got = collector::make(std::move(stream)); });
    watch.async_run([](error_code) {});
    w.run_until([&] { return got != nullptr; });

    w.make_client(w.options_of("desk"));
    w.run_client();
    w.run_until([&] { return w.find(client_event::kind_type::connecting) != nullptr; });
    connection app(w.folder.path("client.db"));
    app.run("BEGIN IMMEDIATE");
    for (int i = 1; i <= 2'500; ++i) {  // more than are read at once
        REQUIRE_FALSE(sqlite::enqueue(app, {.topic = "booked", .payload = std::to_string(i)}));
    }
    app.run("COMMIT");
    w.client->async_disconnect({.drain = true}, [](error_code error) { CHECK_FALSE(error); });
    w.run_until([&] { return w.run_error.has_value(); });
    CHECK_FALSE(*w.run_error);
    w.run_until([&] { return got->texts.size() == 2'500; });
    CHECK(got->texts.front() == "1");
    CHECK(got->texts.back() == "2500");
}

TEST_CASE("persistence: a store for a session that begins anew each time is told in the log") {
    world w;
    w.start_broker();
    for (const session_mode session : {session_mode::fresh, session_mode::resume}) {
        std::ostringstream lines;
        client_options options = w.options_of("c");
        options.session = session;
        options.log = log_to(lines);
        w.make_client(options);
        w.run_client();
        w.run_until([&] { return w.find(client_event::kind_type::connected) != nullptr; });
        w.end_client();
        const bool is_told = lines.str().find("warning: a store without session_mode::resume: ") != std::string::npos;
        CHECK(is_told == (session == session_mode::fresh));
    }
}

TEST_CASE("persistence: the file of another client is refused, and so is one that is in use") {
    world w;
    w.start_broker();
    w.make_client(w.options_of("first"));
    w.run_client();
    w.run_until([&] { return w.find(client_event::kind_type::connected) != nullptr; });

    std::ostringstream lines;
    client_options same = w.options_of("first");
    same.log = log_to(lines);
    martlet::client second(w.io, same);
    std::optional<error_code> second_error;
    second.async_run([&](error_code error) { second_error = error; });
    w.run_until([&] { return second_error.has_value(); });
    CHECK(*second_error == errc::store_in_use);
    const std::string log = lines.str();
    CHECK(log.find("error: stopped: the store is in use (store ") != std::string::npos);
    CHECK(log.find("in use by another store (process ") != std::string::npos);
    CHECK(log.find("tried again") == std::string::npos);

    w.end_client();
    lines.str("");
    client_options other = w.options_of("someone else");
    other.log = log_to(lines);
    w.make_client(other);
    w.run_client();
    w.run_until([&] { return w.run_error.has_value(); });
    CHECK(*w.run_error == errc::store_of_another_client);
    CHECK(lines.str().find("error: stopped: the store holds the session of another client identifier (of client id "
                           "'first', not of 'someone else')\n") != std::string::npos);
}

TEST_CASE("persistence: a broker keeps sessions, queues, retained messages and wills") {
    world w;
    w.start_broker();
    w.make_client(w.options_of("desk"));
    w.run_client();
    { const auto got = subscribe(w, "q/#"); }
    w.end_client();

    auto publisher_options = w.options_of("publisher");
    publisher_options.store = nullptr;
    publisher_options.will = will_options{.topic = "q/will", .payload = "gone", .qos = qos::at_least_once};
    publisher_options.session_expiry = std::chrono::seconds(0);
    auto publisher = std::make_unique<martlet::client>(w.io, publisher_options);
    publisher->async_run([](error_code) {});
    int acknowledged = 0;
    const auto count = [&](error_code error, publish_result) { acknowledged += !error; };
    publisher->async_publish("q/1", "queued", {.qos = qos::exactly_once}, count);
    publisher->async_publish("kept", "retained", {.qos = qos::at_least_once, .retain = true}, count);
    publisher->async_publish("gone", "x", {.qos = qos::at_least_once, .retain = true}, count);
    publisher->async_publish("gone", "", {.qos = qos::at_least_once, .retain = true}, count);
    w.run_until([&] { return acknowledged == 4; });

    w.broker.reset();  // at once: the publisher's will is still to be published
    publisher.reset();
    w.io.restart();
    w.io.poll();
    w.start_broker();
    bool is_loaded = false;
    w.broker->when_loaded([&] { is_loaded = true; });
    w.run_until([&] { return is_loaded; });
    CHECK(w.broker->statistics().retained == 1);

    w.make_client(w.options_of("desk"));
    w.run_client();
    const auto got = subscribe(w, "q/#");
    w.run_until([&] { return got->texts.size() == 2; });
    CHECK(got->texts == std::vector<std::string>{"queued", "gone"});
    const auto retained = subscribe(w, "kept");
    w.run_until([&] { return retained->texts.size() == 1; });
    CHECK(retained->texts.front() == "retained");
}

TEST_CASE("persistence: a broker without its store stops and says why") {
    world w;
    w.start_broker();
    bool is_loaded = false;
    w.broker->when_loaded([&] { is_loaded = true; });
    w.run_until([&] { return is_loaded; });

    broker_options options;
    options.store = sqlite_store(w.folder.path("broker.db"));
    std::optional<error_code> failure;
    std::string why;
    options.on_store_failed = [&](error_code error, std::string_view text) {
        failure = error;
        why = text;
    };
    martlet::broker second(w.io.get_executor(), options);
    w.run_until([&] { return failure.has_value(); });
    CHECK(*failure == errc::store_in_use);
    CHECK(why.find("in use by another store") != std::string::npos);
    CHECK_FALSE(second.listen("mqtt://127.0.0.1:0").has_value());
}
