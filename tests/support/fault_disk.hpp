// A disk in memory behind an SQLite VFS. What was written and not synced is lost by a crash, wholly or in part, in
// sectors of 512 bytes; calls can be made to fail. For one connection at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace martlet::test {

/// One call that changes the disk.
struct disk_call {
    enum class kind_type : std::uint8_t { write, sync, truncate, remove };
    kind_type kind{};
    std::string file;
    std::size_t offset = 0;  ///< of a write; the size of a truncate
    std::string data;
};

/// Files as they are after a crash.
using disk_image = std::map<std::string, std::string>;

/// Follows calls one by one and says what a crash would leave.
class crash_model {
public:
    void apply(const disk_call& call);
    /// A crash while `torn` (null: no call) is under way; `random` chooses what of the unsynced survives.
    [[nodiscard]] disk_image crash(const disk_call* torn, std::uint64_t random) const;

private:
    struct file {
        std::string synced;
        std::vector<disk_call> pending;
    };
    std::map<std::string, file> files_;
};

class fault_disk {
public:
    /// Registers the VFS under name().
    explicit fault_disk(disk_image files = {});
    fault_disk(const fault_disk&) = delete;
    fault_disk& operator=(const fault_disk&) = delete;
    ~fault_disk();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }

    /// Everything since the beginning, if it is recorded.
    void record(bool on) { is_recording_ = on; }
    [[nodiscard]] std::size_t call_count() const;
    [[nodiscard]] std::vector<disk_call> calls() const;

    /// The calls with numbers from `first` to before `last` (counted from 0 since the beginning) fail with this code of
    /// SQLite; a write writes half of it before.
    void fail(std::size_t first, std::size_t last, int code);
    /// All calls, until further notice; 0: none.
    void fail_all(int code);
    /// Calls that have failed.
    [[nodiscard]] std::size_t failures() const;

    // -- for the VFS
    struct open_file {
        std::string contents;
        std::vector<std::unique_ptr<char[]>> shared;  ///< pages of the wal-index
    };
    [[nodiscard]] std::shared_ptr<open_file> open(const std::string& path, bool create);
    [[nodiscard]] bool exists(const std::string& path) const;
    /// Notes the call; what it fails with, or 0.
    [[nodiscard]] int note(disk_call call);
    void remove(const std::string& path);

    mutable std::mutex mutex;

private:
    struct vfs;
    std::string name_;
    std::unique_ptr<vfs> vfs_;
    std::map<std::string, std::shared_ptr<open_file>> files_;
    std::vector<disk_call> calls_;
    std::size_t count_ = 0;
    std::size_t fail_first_ = 0;
    std::size_t fail_last_ = 0;
    int fail_code_ = 0;
    int fail_all_ = 0;
    std::size_t failures_ = 0;
    bool is_recording_ = false;
};

}  // namespace martlet::test
