// What a durable broker is measured against: a bare loop of SQLite transactions with the settings of `--durability sync`
// (WAL, synchronous FULL), each of K inserts of a 64-byte message and K deletes of those of the transaction before.
//
//   martlet_bench_sqlite_loop FILE SECONDS K...
//
// Prints messages (inserted and deleted again) per second for each K.
#include "bench/sockets.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sqlite3.h>
#include <string>

namespace {

using namespace martlet::test;

void run(sqlite3* db, const char* text) {
    if (sqlite3_exec(db, text, nullptr, nullptr, nullptr) == SQLITE_OK) return;
    std::fprintf(stderr, "%s: %s\n", text, sqlite3_errmsg(db));
    std::exit(1);
}

sqlite3_stmt* prepare(sqlite3* db, const char* text) {
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v2(db, text, -1, &made, nullptr) != SQLITE_OK) run(db, text);
    return made;
}

void step(sqlite3* db, sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) run(db, "a step");
    sqlite3_reset(statement);
}

}  // namespace

int main(int argc, char* argv[]) {
    if (argc < 4) {
        std::fputs("usage: martlet_bench_sqlite_loop FILE SECONDS K...\n", stderr);
        return 1;
    }
    sqlite3* db = nullptr;
    if (sqlite3_open(argv[1], &db) != SQLITE_OK) return 1;
    run(db,
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;"
        "CREATE TABLE IF NOT EXISTS message(session INTEGER NOT NULL, place INTEGER NOT NULL, topic TEXT NOT NULL,"
        " payload BLOB NOT NULL, PRIMARY KEY(session, place)) STRICT, WITHOUT ROWID; DELETE FROM message");
    sqlite3_stmt* const insert = prepare(db, "INSERT INTO message VALUES(1, ?, 'bench/t', ?)");
    sqlite3_stmt* const erase = prepare(db, "DELETE FROM message WHERE session = 1 AND place = ?");
    const std::string payload(64, 'x');
    sqlite3_bind_blob(insert, 2, payload.data(), static_cast<int>(payload.size()), SQLITE_STATIC);
    std::int64_t inserted = 0;
    std::int64_t erased = 0;
    for (int i = 3; i < argc; ++i) {
        const std::int64_t k = std::atoll(argv[i]);
        const std::int64_t begin = now_ns();
        const std::int64_t first = erased;
        const double seconds = std::atof(argv[2]);
        double elapsed = 0;
        do {
            run(db, "BEGIN IMMEDIATE");
            const std::int64_t before = inserted;
            for (std::int64_t n = 0; n < k; ++n) {
                sqlite3_bind_int64(insert, 1, ++inserted);
                step(db, insert);
            }
            while (erased < before) {
                sqlite3_bind_int64(erase, 1, ++erased);
                step(db, erase);
            }
            run(db, "COMMIT");
            elapsed = static_cast<double>(now_ns() - begin) / 1e9;
        } while (elapsed < seconds);
        std::printf("{\"k\": %lld, \"rate\": %.0f}\n", static_cast<long long>(k),
                    static_cast<double>(erased - first) / elapsed);
    }
    sqlite3_finalize(insert);
    sqlite3_finalize(erase);
    sqlite3_close(db);
    return 0;
}
