#include "store/sqlite_schema.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace martlet::store_impl {

namespace {

// A message stands in its row of martlet_outgoing, or, if it is large or shared by several sessions, in
// martlet_message. `flags` is the QoS as published, plus 4 for RETAIN. Times are milliseconds since the Unix epoch.
// martlet_outgoing and the like have no rowid: they are one tree, in the order of their key.
constexpr const char* schema = R"(
CREATE TABLE martlet_meta(name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE martlet_session(
    session INTEGER PRIMARY KEY, client_id TEXT NOT NULL, expiry_interval INTEGER NOT NULL, expires_at INTEGER,
    version INTEGER NOT NULL, epoch INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE TABLE martlet_subscription(
    session INTEGER NOT NULL, filter TEXT NOT NULL, options INTEGER NOT NULL, identifier INTEGER NOT NULL,
    sum INTEGER NOT NULL, PRIMARY KEY(session, filter)) STRICT, WITHOUT ROWID;
CREATE TABLE martlet_message(
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL,
    flags INTEGER NOT NULL, expires_at INTEGER, sum INTEGER NOT NULL) STRICT;
CREATE TABLE martlet_outgoing(
    session INTEGER NOT NULL, place INTEGER NOT NULL, state INTEGER NOT NULL, packet_id INTEGER NOT NULL,
    released INTEGER NOT NULL, send_flags INTEGER NOT NULL, identifiers BLOB NOT NULL, row_sum INTEGER NOT NULL,
    message INTEGER, topic TEXT, payload BLOB, properties BLOB, flags INTEGER, expires_at INTEGER, sum INTEGER,
    PRIMARY KEY(session, place)) STRICT, WITHOUT ROWID;
CREATE TABLE martlet_received(
    session INTEGER NOT NULL, packet_id INTEGER NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY(session, packet_id)) STRICT, WITHOUT ROWID;
CREATE TABLE martlet_will(
    session INTEGER PRIMARY KEY, delay_interval INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
    properties BLOB NOT NULL, flags INTEGER NOT NULL, expires_at INTEGER, sum INTEGER NOT NULL) STRICT;
CREATE TABLE martlet_retained(
    topic TEXT PRIMARY KEY NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL, flags INTEGER NOT NULL,
    expires_at INTEGER, sum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE martlet_enqueued(
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL,
    flags INTEGER NOT NULL, expires_at INTEGER, sum INTEGER NOT NULL) STRICT;
INSERT INTO martlet_meta VALUES('schema', 1);
)";

constexpr const char* names[] = {"martlet_meta",    "martlet_session",  "martlet_subscription",
                                 "martlet_message", "martlet_outgoing", "martlet_received",
                                 "martlet_will",    "martlet_retained", "martlet_enqueued"};

store_failure failed(const std::string& path, std::string why) {
    return {errc::store_failed, "store " + path + ": " + std::move(why)};
}

store_failure damaged(const std::string& path, std::string why) {
    return {errc::store_damaged, "store " + path + " is damaged: " + std::move(why)};
}

void sync_folder_of(const std::string& path) {
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    static_cast<void>(::fsync(descriptor));
    ::close(descriptor);
}

// Nobody else may read messages: also not those of a file that the application has made.
store_failure restrict_files(const std::string& path) {
    for (const char* const suffix : {"", "-wal", "-shm"}) {
        const std::string file = path + suffix;
        struct stat found {};
        if (::stat(file.c_str(), &found) != 0) continue;
        if (!S_ISREG(found.st_mode)) return failed(path, "not a regular file");
        if ((found.st_mode & (S_IRWXG | S_IRWXO)) == 0) continue;
        if (::chmod(file.c_str(), S_IRUSR | S_IWUSR) != 0) {
            return failed(path,
                          "others can read it, and its mode cannot be changed: " + std::string(std::strerror(errno)));
        }
    }
    return {};
}

store_failure create_file(const std::string& path, const file_lock& lock) {
    // Never opened when it exists: closing a descriptor would drop the locks of the application's own connection.
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    struct stat found {};
    if (descriptor < 0 && errno != EEXIST)
        return failed(path, "cannot create it: " + std::string(std::strerror(errno)));
    const bool is_new = descriptor >= 0;
    const bool is_empty = is_new || (::stat(path.c_str(), &found) == 0 && found.st_size == 0);
    if (is_new) {
        ::close(descriptor);
        sync_folder_of(path);
    }
    if (is_empty && lock.is_marked()) {
        if (is_new) ::unlink(path.c_str());
        return damaged(path, std::string(is_new ? "the file is gone" : "the file is empty") + ", but " + path +
                                 "-lock says that there was a store; remove that file, too, to begin anew");
    }
    return restrict_files(path);
}

store_failure make_or_check_tables(const std::string& path, database& db) {
    db.run("BEGIN IMMEDIATE");
    std::int64_t count = 0;
    {
        statement tables(
            db, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE 'martlet\\_%' ESCAPE '\\'");
        if (tables.begin() && tables.step()) count = tables.number(0);
    }
    if (count == 0) db.run(schema);
    if (db.ok() && count != 0) {
        if (count < static_cast<std::int64_t>(std::size(names))) return damaged(path, "tables are missing");
        statement version(db, "SELECT value FROM martlet_meta WHERE name = 'schema'");
        if (!version.begin() || !version.step()) {
            return db.ok() ? damaged(path, "it does not say its version") : failure_of(path, db, "reading its version");
        }
        const auto found = version.number(0);
        version.reset();
        if (found > schema_version) {
            return failed(path, "made by a newer version of martlet (schema " + std::to_string(found) + ")");
        }
        if (found != schema_version) return damaged(path, "unknown schema " + std::to_string(found));
    }
    db.run("COMMIT");
    if (!db.ok()) return failure_of(path, db, "preparing tables");
    return {};
}

store_failure check_pages(const std::string& path, database& db) {
    for (const char* const table : names) {
        statement check(db, ("PRAGMA quick_check('" + std::string(table) + "')").c_str());
        if (!check.begin()) break;
        if (!check.step()) break;
        std::string verdict(check.bytes(0));
        check.reset();
        for (char& c : verdict) {
            if (c == '\n') c = ' ';
        }
        if (verdict != "ok") return damaged(path, std::string(table) + ": " + verdict);
    }
    if (!db.ok()) return failure_of(path, db, "checking pages");
    return {};
}

}  // namespace

std::span<const char* const> table_names() noexcept { return names; }

bool may_pass(int code) noexcept {
    switch (code & 0xFF) {
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_NOMEM:
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PROTOCOL: return true;
        default: return false;
    }
}

store_failure failure_of(const std::string& path, const database& db, std::string_view doing) {
    const int kind = db.code() & 0xFF;
    std::string text = std::string(doing) + ": " + db.text();
    if (kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB) return damaged(path, std::move(text));
    return failed(path, std::move(text));
}

store_failure open_store(const std::string& path, const sqlite_store_options& options, file_lock& lock, database& db) {
    if (path.empty() || path.starts_with(":memory:")) return failed(path, "needs the name of a file");
    std::string why;
    if (!lock.take(path + "-lock", why)) {
        store_failure failure = failed(path, std::move(why));
        if (lock.is_taken()) failure.error = errc::store_in_use;
        return failure;
    }
    // What another VFS calls a file is no business of ours.
    const bool is_plain_file = options.vfs.empty();
    if (is_plain_file) {
        if (auto failure = create_file(path, lock)) return failure;
    }
    db.open(path, options.vfs);
    if (db.ok()) sqlite3_busy_timeout(db.handle(), static_cast<int>(options.retry_max.count()));
    {
        // Every commit of this connection is ours to sync; the mode itself stays with the file.
        statement mode(db, "PRAGMA journal_mode = WAL");
        if (mode.begin() && mode.step() && mode.bytes(0) != "wal") {
            return failed(path, "the file system cannot do SQLite's write-ahead log");
        }
    }
    db.run(options.durability == durability::sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    db.run("PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY");
    if (!db.ok()) return failure_of(path, db, "opening");
    if (auto failure = make_or_check_tables(path, db)) return failure;
    if (auto failure = check_pages(path, db)) return failure;
    if (is_plain_file) {
        if (auto failure = restrict_files(path)) return failure;
        lock.mark();
    }
    return {};
}

}  // namespace martlet::store_impl
