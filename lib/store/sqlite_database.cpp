#include "store/sqlite_database.hpp"

namespace martlet::store_impl {

void database::open(const std::string& path, const std::string& vfs) {
    is_ours_ = true;
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, vfs.empty() ? nullptr : vfs.c_str())) {
        fail(code);
    }
}

void database::close() noexcept {
    if (is_ours_) sqlite3_close_v2(handle_);
    handle_ = nullptr;
    is_ours_ = false;
}

bool database::run(const char* sql) {
    if (!ok()) return false;
    if (const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr)) fail(code);
    return ok();
}

void database::fail(int code) {
    if (!ok()) return;
    code_ = code;
    text_ = handle_ != nullptr ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
    const int system = handle_ != nullptr ? sqlite3_system_errno(handle_) : 0;
    const int kind = code & 0xFF;
    if (system != 0 && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL)) {
        text_.append(" (system error ").append(std::to_string(system)).append(")");
    }
}

statement::statement(database& db, const char* sql) : db_(db) {
    if (!db.ok()) return;
    check(sqlite3_prepare_v3(db.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle_, nullptr));
}

bool statement::step() {
    if (!db_.ok()) return false;
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) db_.fail(code);
    sqlite3_reset(handle_);
    return false;
}

std::string_view statement::bytes(int column) const noexcept {
    const auto* const at = static_cast<const char*>(sqlite3_column_blob(handle_, column));
    return {at, at != nullptr ? static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)) : 0};
}

}  // namespace martlet::store_impl
