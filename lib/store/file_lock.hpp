// One store, one process: an advisory lock on a file of its own (closing a descriptor of the database itself would drop
// SQLite's locks).
#pragma once

#include <string>

namespace martlet::store_impl {

class file_lock {
public:
    file_lock() = default;
    file_lock(const file_lock&) = delete;
    file_lock& operator=(const file_lock&) = delete;
    ~file_lock();

    /// Takes the lock on `path`, which is created with mode 0600. False: `why` says who has it, or what failed.
    [[nodiscard]] bool take(const std::string& path, std::string& why);
    /// True if take() failed because another one has it.
    [[nodiscard]] bool is_taken() const noexcept { return is_taken_; }
    /// True if an earlier owner of the lock has called mark().
    [[nodiscard]] bool is_marked() const noexcept { return is_marked_; }
    /// Writes that the database exists, with our process id.
    void mark() noexcept;

private:
    int descriptor_ = -1;
    bool is_taken_ = false;
    bool is_marked_ = false;
};

}  // namespace martlet::store_impl
