// The tables of a store, and opening one. All names begin with martlet_: the file may be the application's, too.
#pragma once

#include "store/file_lock.hpp"
#include "store/sqlite_database.hpp"

#include <martlet/error.hpp>
#include <martlet/sqlite_store.hpp>

#include <span>
#include <string>

namespace martlet::store_impl {

/// What went wrong while opening or loading.
struct store_failure {
    error_code error;
    std::string text;

    [[nodiscard]] explicit operator bool() const noexcept { return error.failed(); }
};

inline constexpr int schema_version = 1;

/// Names of all tables.
[[nodiscard]] std::span<const char* const> table_names() noexcept;

/// Takes the lock, opens the file (or creates it, mode 0600), and checks or makes the tables.
[[nodiscard]] store_failure open_store(const std::string& path, const sqlite_store_options& options, file_lock& lock,
                                       database& db);

/// "damaged" for what SQLite says of broken pages, else "failed".
[[nodiscard]] store_failure failure_of(const std::string& path, const database& db, std::string_view doing);

/// True for errors that may pass without anybody touching the file: full disk, I/O errors, locks.
[[nodiscard]] bool may_pass(int code) noexcept;

}  // namespace martlet::store_impl
