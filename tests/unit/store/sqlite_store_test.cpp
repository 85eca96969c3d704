#include "support/store_driver.hpp"
#include "support/temporary_folder.hpp"

#include <martlet/core/received.hpp>
#include <martlet/sqlite_store.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sqlite3.h>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace martlet;
using test::commit;
using test::load;
using test::text_of;

namespace {

constexpr core::session_key key{1};

core::session_row session(std::uint32_t epoch = 0) { return {key, "c", 60, {}, protocol_version::v5, epoch}; }

core::outgoing_row outgoing(std::uint64_t order, const core::message_ref& message, core::session_key of = key) {
    core::outgoing what;
    what.message = message;
    what.qos = qos::exactly_once;
    return {of, order, core::outgoing_state::queued, packet_id::none, what, 0};
}

core::message_ref text_message(std::string_view payload = "x") {
    return core::outgoing_message::create("t", payload, qos::exactly_once, false);
}

/// A connection of the application.
class connection {
public:
    explicit connection(const std::string& file) {
        REQUIRE(sqlite3_open(file.c_str(), &handle_) == SQLITE_OK);
        sqlite3_busy_timeout(handle_, 5'000);
    }
    ~connection() { sqlite3_close(handle_); }
    void run(const char* sql) {
        INFO(sql, ": ", sqlite3_errmsg(handle_));
        REQUIRE(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    }
    std::int64_t number(const char* sql) {
        sqlite3_stmt* s = nullptr;
        REQUIRE(sqlite3_prepare_v2(handle_, sql, -1, &s, nullptr) == SQLITE_OK);
        REQUIRE(sqlite3_step(s) == SQLITE_ROW);
        const auto value = sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
        return value;
    }
    operator sqlite3*() { return handle_; }

private:
    sqlite3* handle_ = nullptr;
};

/// What a fresh store says when it opens `file`.
std::string refusal(const std::string& file, errc expected) {
    const auto s = sqlite_store(file);
    CHECK(load(*s).error == expected);
    return s->last_error();
}

int mode_of(const std::string& file) {
    struct stat found {};
    REQUIRE(::stat(file.c_str(), &found) == 0);
    return static_cast<int>(found.st_mode & 0777);
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("sqlite_store: a new one is empty, and its files are nobody else's") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    const auto old_mask = ::umask(0);
    const auto s = sqlite_store(file);

    const auto [error, state] = load(*s);
    REQUIRE_FALSE(error);
    CHECK(text_of(state).empty());
    REQUIRE_FALSE(commit(*s, {session()}));
    ::umask(old_mask);

    for (const char* const suffix : {"", "-wal", "-shm", "-lock"})
        CHECK(mode_of(file + suffix) == 0600);
    CHECK(s->last_error().empty());
}

TEST_CASE("sqlite_store: random changes come back as from memory, after every reopening") {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        CAPTURE(seed);
        const test::temporary_folder folder;
        const auto file = folder.path("s.db");
        const auto model = memory_store();
        test::change_generator changes(seed);
        std::uint64_t number = 0;

        for (int life = 0; life != 8; ++life) {
            const auto s = sqlite_store(file, {life % 2 == 0 ? durability::normal : durability::sync});
            const auto [error, state] = load(*s);
            REQUIRE_MESSAGE(!error, s->last_error());
            REQUIRE(text_of(state) == text_of(load(*model).state));
            for (int i = 0; i != 200; ++i) {
                std::vector<core::change> rows;
                for (int k = 0; k != 1 + i % 5; ++k) {
                    for (auto& row : changes.next())
                        rows.push_back(std::move(row));
                }
                REQUIRE_FALSE(commit(*model, rows, ++number));
                if (i % 3 == 0) {
                    REQUIRE_FALSE(commit(*s, std::move(rows), number));
                } else {  // waits with others for one transaction
                    s->commit({number, std::move(rows)}, {});
                }
            }
        }
        connection app(file);
        CHECK(app.number("SELECT count(*) FROM martlet_message WHERE id NOT IN "
                         "(SELECT message FROM martlet_outgoing WHERE message IS NOT NULL)") == 0);
    }
}

TEST_CASE("sqlite_store: batches complete in order, with their numbers") {
    const test::temporary_folder folder;
    const auto s = sqlite_store(folder.path("s.db"), {durability::normal});
    REQUIRE_FALSE(load(*s).error);
    std::vector<std::uint64_t> numbers;
    std::promise<void> last;

    for (std::uint64_t n = 1; n <= 100; ++n) {
        s->commit({n, {session()}}, [&, n](error_code error, std::uint64_t number) {
            CHECK_FALSE(error);
            numbers.push_back(number);
            if (n == 100) last.set_value();
        });
    }
    last.get_future().wait();

    REQUIRE(numbers.size() == 100);
    for (std::uint64_t n = 1; n <= 100; ++n)
        CHECK(numbers[n - 1] == n);
}

TEST_CASE("sqlite_store: what was handed to commit is stored when the store is destroyed") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    {
        const auto s = sqlite_store(file);
        REQUIRE_FALSE(load(*s).error);
        s->commit({1, {session()}}, {});
        s->commit({2, {outgoing(1, text_message("last"))}}, {});
    }
    const auto s = sqlite_store(file);
    const auto state = load(*s).state;
    REQUIRE(state.sessions.size() == 1);
    REQUIRE(state.sessions[0].messages.outgoing.size() == 1);
    CHECK(state.sessions[0].messages.outgoing[0].what.message->payload() == "last");
}

TEST_CASE("sqlite_store: a message for many sessions is one row, which goes with the last of them") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    const auto s = sqlite_store(file, {durability::normal});
    REQUIRE_FALSE(load(*s).error);
    connection app(file);
    std::vector<core::change> rows;
    const auto shared = text_message("shared");
    for (std::uint64_t n = 1; n <= 3; ++n) {
        const core::session_key of{n};
        rows.emplace_back(core::session_row{of, "c" + std::to_string(n), 60, {}, protocol_version::v5, 0});
        rows.emplace_back(outgoing(1, shared, of));
    }
    REQUIRE_FALSE(commit(*s, std::move(rows)));
    CHECK(app.number("SELECT count(*) FROM martlet_message") == 1);

    REQUIRE_FALSE(commit(*s, {core::erase_outgoing{core::session_key{1}, 1}}));
    auto in_flight = outgoing(1, shared, core::session_key{2});
    in_flight.state = core::outgoing_state::in_flight;
    in_flight.id = packet_id{7};
    REQUIRE_FALSE(commit(*s, {in_flight}));
    CHECK(app.number("SELECT count(*) FROM martlet_message") == 1);
    auto released = in_flight;
    released.state = core::outgoing_state::released;
    released.what.message.reset();
    REQUIRE_FALSE(commit(*s, {released}));
    CHECK(app.number("SELECT count(*) FROM martlet_message") == 1);
    REQUIRE_FALSE(commit(*s, {core::erase_session{core::session_key{3}}}));
    CHECK(app.number("SELECT count(*) FROM martlet_message") == 0);
}

TEST_CASE("sqlite_store: a large message is not rewritten when its state changes") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    const auto s = sqlite_store(file, {durability::normal});
    REQUIRE_FALSE(load(*s).error);
    const auto large = text_message(std::string(1'000'000, 'L'));
    auto row = outgoing(1, large);
    REQUIRE_FALSE(commit(*s, {session(), row}));
    const auto size_before = std::filesystem::file_size(file + "-wal");

    row.state = core::outgoing_state::in_flight;
    row.id = packet_id{1};
    REQUIRE_FALSE(commit(*s, {row}));

    CHECK(std::filesystem::file_size(file + "-wal") - size_before < 100'000);
    connection app(file);
    CHECK(app.number("SELECT count(*) FROM martlet_message") == 1);
}

TEST_CASE("sqlite_store: a new epoch of a session forgets its received ids, those of the same batch stay") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    {
        const auto s = sqlite_store(file);
        REQUIRE_FALSE(load(*s).error);
        REQUIRE_FALSE(commit(*s, {session(4), core::received_row{key, packet_id{1}}}));
        REQUIRE_FALSE(commit(*s, {session(5), core::received_row{key, packet_id{2}}}));
        REQUIRE_FALSE(commit(*s, {session(5)}));
    }
    const auto s = sqlite_store(file);
    const auto state = load(*s).state;
    REQUIRE(state.sessions.at(0).messages.received.size() == 1);
    CHECK(state.sessions[0].messages.received[0].id == packet_id{2});
    CHECK(state.sessions[0].row.epoch == 5);
}

// ---- refusals

TEST_CASE("sqlite_store: a second store on the same file is refused, also from another process") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    const auto first = sqlite_store(file);
    REQUIRE_FALSE(load(*first).error);

    const auto text = refusal(file, errc::store_in_use);
    CHECK(contains(text, "in use by another store (process " + std::to_string(::getpid()) + ")"));
    CHECK(contains(text, file));

    const pid_t child = ::fork();
    if (child == 0) {
        const auto other = sqlite_store(file);
        const bool is_refused = load(*other).error == errc::store_in_use;
        ::_exit(is_refused ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("sqlite_store: commit without load, and a second load, are errors") {
    const test::temporary_folder folder;
    const auto s = sqlite_store(folder.path("s.db"));
    CHECK(commit(*s, {session()}) == errc::store_failed);
    const auto t = sqlite_store(folder.path("t.db"));
    CHECK_FALSE(load(*t).error);
    CHECK(load(*t).error == errc::store_failed);
}

TEST_CASE("sqlite_store: what cannot be opened is refused with a reason") {
    const test::temporary_folder folder;
    CHECK(contains(refusal("", errc::store_failed), "needs the name of a file"));
    CHECK(contains(refusal(":memory:", errc::store_failed), "needs the name of a file"));
    CHECK(contains(refusal(folder.path("no/such/folder.db"), errc::store_failed), "No such file or directory"));
    std::filesystem::create_directory(folder.path("d.db"));
    CHECK(contains(refusal(folder.path("d.db"), errc::store_failed), "not a regular file"));
}

TEST_CASE("sqlite_store: damage is refused, named and left as it is") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    {
        const auto s = sqlite_store(file);
        REQUIRE_FALSE(load(*s).error);
        REQUIRE_FALSE(
            commit(*s, {session(), outgoing(3, text_message("x")), core::received_row{key, packet_id{9}},
                        core::subscription_row{key, "f/#", qos::at_least_once},
                        core::will_row{key, text_message("will"), 1}, core::retained_row{"t", text_message("kept")}}));
    }
    const auto damage = [&](const char* sql) { connection(file).run(sql); };

    SUBCASE("not a database") {
        std::ofstream(file, std::ios::trunc) << std::string(10'000, 'x');
        CHECK(contains(refusal(file, errc::store_damaged), "file is not a database"));
        CHECK(std::filesystem::file_size(file) == 10'000);
    }
    SUBCASE("an empty file where a store was") {
        std::ofstream(file, std::ios::trunc).close();
        CHECK(contains(refusal(file, errc::store_damaged), "the file is empty"));
        CHECK(std::filesystem::file_size(file) == 0);
    }
    SUBCASE("no file where a store was") {
        std::filesystem::remove(file);
        CHECK(contains(refusal(file, errc::store_damaged), "the file is gone"));
        CHECK_FALSE(std::filesystem::exists(file));
        std::filesystem::remove(file + "-lock");
        const auto anew = sqlite_store(file);
        CHECK_FALSE(load(*anew).error);
    }
    SUBCASE("a message that was changed") {
        damage("UPDATE martlet_outgoing SET payload = x'79'");
        CHECK(contains(refusal(file, errc::store_damaged),
                       "table martlet_outgoing, session 1, place 3: the checksum is wrong"));
    }
    SUBCASE("a retained message that was changed") {
        damage("UPDATE martlet_retained SET payload = x'79'");
        CHECK(contains(refusal(file, errc::store_damaged), "table martlet_retained, topic t: the checksum is wrong"));
    }
    SUBCASE("a session that was changed") {
        damage("UPDATE martlet_session SET client_id = 'd'");
        CHECK(contains(refusal(file, errc::store_damaged), "table martlet_session, session 1: the checksum is wrong"));
    }
    SUBCASE("rows without their session") {
        damage("DELETE FROM martlet_session");
        CHECK(contains(refusal(file, errc::store_damaged), "there is no such session"));
    }
    SUBCASE("a received id that was changed") {
        damage("UPDATE martlet_received SET packet_id = 10");
        CHECK(contains(refusal(file, errc::store_damaged),
                       "table martlet_received, session 1, packet_id 10: the checksum is wrong"));
    }
    SUBCASE("a will that was changed") {
        damage("UPDATE martlet_will SET delay_interval = 2");
        CHECK(contains(refusal(file, errc::store_damaged), "table martlet_will, session 1: the checksum is wrong"));
    }
    SUBCASE("a subscription that was changed") {
        damage("UPDATE martlet_subscription SET options = 2");
        CHECK(contains(refusal(file, errc::store_damaged), "session 1, filter f/#: the checksum is wrong"));
    }
    SUBCASE("a table that is missing") {
        damage("DROP TABLE martlet_will");
        CHECK(contains(refusal(file, errc::store_damaged), "tables are missing"));
    }
    SUBCASE("a newer version") {
        damage("UPDATE martlet_meta SET value = 99");
        CHECK(contains(refusal(file, errc::store_failed), "newer version of martlet (schema 99)"));
    }
}

TEST_CASE("sqlite_store: no flipped bit of the file goes unseen") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    std::vector<core::change> rows = {session()};
    for (std::uint64_t i = 1; i <= 40; ++i)
        rows.emplace_back(outgoing(i, text_message("payload " + std::to_string(i))));
    std::string intact;
    {
        const auto s = sqlite_store(file, {durability::normal});
        REQUIRE_FALSE(load(*s).error);
        REQUIRE_FALSE(commit(*s, std::move(rows)));
    }
    connection(file).run("PRAGMA wal_checkpoint(TRUNCATE)");
    {
        std::ifstream in(file, std::ios::binary);
        intact.assign(std::istreambuf_iterator<char>(in), {});
    }
    const auto before = [&] {
        const auto s = sqlite_store(file, {durability::normal});
        return text_of(load(*s).state);
    }();

    std::size_t refused = 0;
    for (std::size_t bit = 100 * 8; bit < intact.size() * 8; bit += 2'731) {  // behind SQLite's file header
        std::string flipped = intact;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        std::filesystem::remove(file + "-wal");
        std::filesystem::remove(file + "-shm");
        std::ofstream(file, std::ios::binary | std::ios::trunc) << flipped;
        const auto s = sqlite_store(file, {durability::normal});
        const auto [error, state] = load(*s);
        if (error) {
            ++refused;
            CHECK(!s->last_error().empty());
        } else {
            CAPTURE(bit);
            CHECK(text_of(state) == before);  // unused space
        }
    }
    CHECK(refused > 10);
}

// ---- the application's transactions

TEST_CASE("sqlite: acknowledge acts inside the application's transaction") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    core::received received;
    received.set_epoch(3);
    const auto receipt = received.on_publish(packet_id{77}, qos::exactly_once).number;
    const auto receipt_of_qos_1 = received.on_publish(packet_id{78}, qos::at_least_once).number;
    {
        const auto s = sqlite_store(file);
        REQUIRE_FALSE(load(*s).error);
        REQUIRE_FALSE(commit(*s, {session(3)}));
        connection app(file);
        app.run("CREATE TABLE ledger(n)");

        app.run("BEGIN; INSERT INTO ledger VALUES(1)");
        CHECK_FALSE(sqlite::acknowledge(app, receipt));
        app.run("ROLLBACK");
        CHECK(app.number("SELECT count(*) FROM martlet_received") == 0);

        app.run("BEGIN; INSERT INTO ledger VALUES(1)");
        CHECK_FALSE(sqlite::acknowledge(app, receipt));
        CHECK_FALSE(sqlite::acknowledge(app, receipt_of_qos_1));
        CHECK_FALSE(sqlite::acknowledge(app, std::uint64_t{0}));
        app.run("COMMIT");
        REQUIRE_FALSE(commit(*s, {core::received_row{key, packet_id{77}}}));  // the client says so, too
    }
    const auto s = sqlite_store(file);
    const auto state = load(*s).state;
    REQUIRE(state.sessions.at(0).messages.received.size() == 1);
    CHECK(state.sessions[0].messages.received[0].id == packet_id{77});
}

TEST_CASE("sqlite: receipts of another process or of a lost session acknowledge nothing") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    core::received received;
    const auto s = sqlite_store(file);
    REQUIRE_FALSE(load(*s).error);
    REQUIRE_FALSE(commit(*s, {session(3)}));
    connection app(file);

    received.set_epoch(2);
    CHECK(sqlite::acknowledge(app, received.on_publish(packet_id{1}, qos::exactly_once).number) == errc::session_lost);
    received.set_epoch(4);  // the store will know in a moment
    CHECK(sqlite::acknowledge(app, received.on_publish(packet_id{2}, qos::exactly_once).number) == errc::store_failed);
    CHECK(app.number("SELECT count(*) FROM martlet_received") == 0);

    connection empty(folder.path("empty.db"));
    CHECK(sqlite::acknowledge(empty, received.on_publish(packet_id{3}, qos::exactly_once).number) ==
          errc::store_absent);
    CHECK(sqlite::enqueue(empty, {.topic = "t"}) == errc::store_absent);
    CHECK(std::string(sqlite3_errmsg(empty)) == "no such table: martlet_enqueued");
}

TEST_CASE("sqlite: enqueue acts inside the application's transaction, and messages leave once") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    const auto s = sqlite_store(file);
    REQUIRE_FALSE(load(*s).error);
    connection app(file);

    app.run("BEGIN");
    CHECK_FALSE(sqlite::enqueue(app, {.topic = "a", .payload = "undone"}));
    app.run("ROLLBACK; BEGIN");
    CHECK_FALSE(sqlite::enqueue(app, {.topic = "a", .payload = "1"}));
    CHECK_FALSE(sqlite::enqueue(app, {.topic = "b", .payload = "2", .qos = qos::at_least_once, .retain = true}));
    app.run("COMMIT");

    auto rows = test::enqueued(*s);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].what.message->payload() == "1");
    CHECK(rows[0].what.qos == qos::exactly_once);
    CHECK(rows[1].what.message->topic() == "b");
    CHECK(rows[1].what.qos == qos::at_least_once);
    CHECK(rows[1].what.retain);
    CHECK(test::enqueued(*s, rows[0].id).size() == 1);
    CHECK(test::enqueued(*s, 0, 1).size() == 1);

    REQUIRE_FALSE(commit(*s, {session(), core::erase_enqueued{rows[0].id}, outgoing(1, rows[0].what.message)}));
    CHECK(test::enqueued(*s).size() == 1);
}

TEST_CASE("sqlite: enqueue refuses what cannot be published") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    const auto s = sqlite_store(file);
    REQUIRE_FALSE(load(*s).error);
    connection app(file);
    CHECK(sqlite::enqueue(app, {.topic = "a/+"}) == errc::topic_invalid);
    CHECK(sqlite::enqueue(app, {.topic = ""}) == errc::topic_invalid);
    CHECK(sqlite::enqueue(app, {.topic = "a", .qos = qos::at_most_once}) == errc::option_invalid);
    CHECK(sqlite::enqueue(app, {.topic = "a", .expiry = std::chrono::seconds(-1)}) == errc::option_invalid);
    message_properties properties;
    properties.content_type = "\xFF";
    CHECK(sqlite::enqueue(app, {.topic = "a", .properties = properties}) == errc::property_invalid);
    CHECK(app.number("SELECT count(*) FROM martlet_enqueued") == 0);
}

TEST_CASE("sqlite_store: a connection that holds the file up delays a commit, and it says so") {
    const test::temporary_folder folder;
    const auto file = folder.path("s.db");
    const auto s = sqlite_store(file, {.durability = durability::normal,
                                       .retry_min = std::chrono::milliseconds(1),
                                       .retry_max = std::chrono::milliseconds(20)});
    std::promise<std::string> trouble;
    std::promise<void> over;
    s->watch([&](error_code error, std::string detail) {
        if (error)
            trouble.set_value(detail);
        else
            over.set_value();
    });
    REQUIRE_FALSE(load(*s).error);
    connection app(file);
    app.run("BEGIN IMMEDIATE");

    std::promise<error_code> done;
    s->commit({1, {session()}}, [&](error_code error, std::uint64_t) { done.set_value(error); });

    CHECK(contains(trouble.get_future().get(), "database is locked"));
    app.run("COMMIT");
    CHECK_FALSE(done.get_future().get());
    over.get_future().wait();
}
