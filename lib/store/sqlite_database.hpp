// A connection to SQLite and its prepared statements. The first error sticks: what follows does nothing, so that a
// sequence of statements is checked once, at its end.
#pragma once

#include <cstdint>
#include <optional>
#include <sqlite3.h>
#include <string>
#include <string_view>

namespace martlet::store_impl {

/// Bytes, as opposed to text.
struct blob {
    std::string_view bytes;
};

class database {
public:
    database() = default;
    database(const database&) = delete;
    database& operator=(const database&) = delete;
    ~database() { close(); }

    /// Opens or creates `path`. An error sticks.
    void open(const std::string& path, const std::string& vfs);
    /// Uses somebody else's connection, which stays open.
    void borrow(sqlite3* connection) noexcept { handle_ = connection; }
    void close() noexcept;

    /// Runs SQL without results.
    bool run(const char* sql);
    /// Changes of the last statement.
    [[nodiscard]] bool has_changed() const noexcept { return sqlite3_changes(handle_) != 0; }

    [[nodiscard]] bool ok() const noexcept { return code_ == SQLITE_OK; }
    /// Extended result code of the first error.
    [[nodiscard]] int code() const noexcept { return code_; }
    /// "disk full" and the like, for a log.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    void forget_error() noexcept { code_ = SQLITE_OK; }
    void fail(int code);

    [[nodiscard]] sqlite3* handle() const noexcept { return handle_; }

private:
    sqlite3* handle_ = nullptr;
    int code_ = SQLITE_OK;
    std::string text_;
    bool is_ours_ = false;
};

class statement {
public:
    /// Must not outlive `db`.
    statement(database& db, const char* sql);
    statement(const statement&) = delete;
    statement& operator=(const statement&) = delete;
    ~statement() { sqlite3_finalize(handle_); }

    /// Binds `values` to ?1, ?2 …, runs to the end and resets. False after an error.
    template <class... Values>
    bool run(const Values&... values) {
        if (!begin(values...)) return false;
        while (step()) {}
        return db_.ok();
    }

    /// Binds; step() then goes to the first and to each next row. Views that are bound have to live until the last step.
    template <class... Values>
    bool begin(const Values&... values) {
        if (!db_.ok()) return false;
        int at = 0;
        (bind(++at, values), ...);
        return db_.ok();
    }
    /// False at the end or after an error; the statement is reset then.
    bool step();
    void reset() noexcept { sqlite3_reset(handle_); }

    [[nodiscard]] std::int64_t number(int column) const noexcept { return sqlite3_column_int64(handle_, column); }
    [[nodiscard]] bool is_null(int column) const noexcept {
        return sqlite3_column_type(handle_, column) == SQLITE_NULL;
    }
    /// Text or blob; until the next step.
    [[nodiscard]] std::string_view bytes(int column) const noexcept;

private:
    void bind(int at, std::int64_t value) { check(sqlite3_bind_int64(handle_, at, value)); }
    void bind(int at, std::uint64_t value) { bind(at, static_cast<std::int64_t>(value)); }
    void bind(int at, std::uint32_t value) { bind(at, std::int64_t{value}); }
    void bind(int at, int value) { bind(at, std::int64_t{value}); }
    void bind(int at, std::nullopt_t) { check(sqlite3_bind_null(handle_, at)); }
    void bind(int at, const std::optional<std::int64_t>& value) { value ? bind(at, *value) : bind(at, std::nullopt); }
    void bind(int at, std::string_view text) {
        check(
            sqlite3_bind_text64(handle_, at, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8));
    }
    void bind(int at, const std::optional<blob>& bytes) {
        if (!bytes) return bind(at, std::nullopt);
        bind(at, *bytes);
    }
    void bind(int at, blob bytes) {
        check(sqlite3_bind_blob64(handle_, at, bytes.bytes.empty() ? "" : bytes.bytes.data(), bytes.bytes.size(),
                                  SQLITE_STATIC));
    }
    void check(int code) {
        if (code != SQLITE_OK) db_.fail(code);
    }

    database& db_;
    sqlite3_stmt* handle_ = nullptr;
};

}  // namespace martlet::store_impl
