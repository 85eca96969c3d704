#include "support/fault_disk.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <sqlite3.h>
#include <utility>

namespace martlet::test {

// ---- crashes

namespace {

constexpr std::size_t sector_size = 512;

std::uint64_t next(std::uint64_t& state) noexcept {  // splitmix64
    std::uint64_t z = (state += 0x9E37'79B9'7F4A'7C15);
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    return z ^ (z >> 31);
}

void write_at(std::string& contents, std::size_t offset, std::string_view data) {
    if (contents.size() < offset + data.size()) contents.resize(offset + data.size());
    std::memcpy(contents.data() + offset, data.data(), data.size());
}

}  // namespace

void crash_model::apply(const disk_call& call) {
    if (call.kind == disk_call::kind_type::remove) {
        files_.erase(call.file);
        return;
    }
    file& f = files_[call.file];
    if (call.kind != disk_call::kind_type::sync) {
        f.pending.push_back(call);
        return;
    }
    for (const auto& p : f.pending) {
        if (p.kind == disk_call::kind_type::write)
            write_at(f.synced, p.offset, p.data);
        else
            f.synced.resize(p.offset);
    }
    f.pending.clear();
}

disk_image crash_model::crash(const disk_call* torn, std::uint64_t random) const {
    // Sometimes everything has reached the disk, sometimes nothing, mostly some sectors.
    constexpr std::uint64_t always = 256;
    const std::uint64_t mood = next(random) % 4;
    const std::uint64_t chance = mood == 0 ? 0 : mood == 1 ? always : next(random) % always;
    disk_image image;
    const auto survive = [&](std::string& contents, const disk_call& call) {
        if (call.kind == disk_call::kind_type::truncate) {
            if (next(random) % always < chance) contents.resize(call.offset);
            return;
        }
        std::size_t at = 0;
        while (at < call.data.size()) {
            const std::size_t end = std::min(call.data.size(), at + sector_size - (call.offset + at) % sector_size);
            if (next(random) % always < chance) {
                write_at(contents, call.offset + at, std::string_view(call.data).substr(at, end - at));
            }
            at = end;
        }
    };
    for (const auto& [name, f] : files_) {
        std::string& contents = image[name] = f.synced;
        for (const auto& call : f.pending)
            survive(contents, call);
    }
    const bool changes =
        torn != nullptr && (torn->kind == disk_call::kind_type::write || torn->kind == disk_call::kind_type::truncate);
    if (changes) survive(image[torn->file], *torn);
    return image;
}

// ---- the disk

struct fault_disk::vfs : sqlite3_vfs {};

namespace {

struct file_handle : sqlite3_file {
    fault_disk* disk;
    std::shared_ptr<fault_disk::open_file>* file;
    std::string* path;
};

file_handle& of(sqlite3_file* f) { return *static_cast<file_handle*>(f); }

int file_close(sqlite3_file* f) {
    delete of(f).file;
    delete of(f).path;
    return SQLITE_OK;
}

int file_read(sqlite3_file* f, void* into, int size, sqlite3_int64 offset) {
    const std::lock_guard guard(of(f).disk->mutex);
    const std::string& contents = (*of(f).file)->contents;
    const auto at = static_cast<std::size_t>(offset);
    const auto wanted = static_cast<std::size_t>(size);
    const std::size_t there = at < contents.size() ? std::min(wanted, contents.size() - at) : 0;
    std::memcpy(into, contents.data() + std::min(at, contents.size()), there);
    if (there == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(into) + there, 0, wanted - there);
    return SQLITE_IOERR_SHORT_READ;
}

int file_write(sqlite3_file* f, const void* data, int size, sqlite3_int64 offset) {
    const std::lock_guard guard(of(f).disk->mutex);
    const auto at = static_cast<std::size_t>(offset);
    std::string bytes(static_cast<const char*>(data), static_cast<std::size_t>(size));
    const int code = of(f).disk->note({disk_call::kind_type::write, *of(f).path, at, bytes});
    if (code != 0) bytes.resize(bytes.size() / 2);
    write_at((*of(f).file)->contents, at, bytes);
    return code;
}

int file_truncate(sqlite3_file* f, sqlite3_int64 size) {
    const std::lock_guard guard(of(f).disk->mutex);
    const auto to = static_cast<std::size_t>(size);
    if (const int code = of(f).disk->note({disk_call::kind_type::truncate, *of(f).path, to, {}})) return code;
    if ((*of(f).file)->contents.size() > to) (*of(f).file)->contents.resize(to);
    return SQLITE_OK;
}

int file_sync(sqlite3_file* f, int) {
    const std::lock_guard guard(of(f).disk->mutex);
    const int code = of(f).disk->note({disk_call::kind_type::sync, *of(f).path, 0, {}});
    return code == SQLITE_IOERR_WRITE ? SQLITE_IOERR_FSYNC : code;
}

int file_size(sqlite3_file* f, sqlite3_int64* size) {
    const std::lock_guard guard(of(f).disk->mutex);
    *size = static_cast<sqlite3_int64>((*of(f).file)->contents.size());
    return SQLITE_OK;
}

int file_lock_nothing(sqlite3_file*, int) { return SQLITE_OK; }
int file_is_reserved(sqlite3_file*, int* is) {
    *is = 0;
    return SQLITE_OK;
}
int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int file_sector_size(sqlite3_file*) { return static_cast<int>(sector_size); }
int file_characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int shared_map(sqlite3_file* f, int page, int size, int extend, void volatile** at) {
    const std::lock_guard guard(of(f).disk->mutex);
    auto& pages = (*of(f).file)->shared;
    const auto index = static_cast<std::size_t>(page);
    *at = nullptr;
    if (index >= pages.size() && extend == 0) return SQLITE_OK;
    while (pages.size() <= index)
        pages.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
    *at = pages[index].get();
    return SQLITE_OK;
}
int shared_lock(sqlite3_file*, int, int, int) { return SQLITE_OK; }
void shared_barrier(sqlite3_file*) {}
int shared_unmap(sqlite3_file* f, int) {
    const std::lock_guard guard(of(f).disk->mutex);
    (*of(f).file)->shared.clear();
    return SQLITE_OK;
}

const sqlite3_io_methods methods = {2,
                                    file_close,
                                    file_read,
                                    file_write,
                                    file_truncate,
                                    file_sync,
                                    file_size,
                                    file_lock_nothing,
                                    file_lock_nothing,
                                    file_is_reserved,
                                    file_control,
                                    file_sector_size,
                                    file_characteristics,
                                    shared_map,
                                    shared_lock,
                                    shared_barrier,
                                    shared_unmap,
                                    nullptr,
                                    nullptr};

fault_disk& disk_of(sqlite3_vfs* v) { return *static_cast<fault_disk*>(v->pAppData); }

int vfs_open(sqlite3_vfs* v, const char* name, sqlite3_file* f, int flags, int* out_flags) {
    auto& h = of(f);
    h.pMethods = nullptr;
    const std::lock_guard guard(disk_of(v).mutex);
    const std::string path = name != nullptr ? name : "(temporary)";
    auto file = disk_of(v).open(path, (flags & SQLITE_OPEN_CREATE) != 0);
    if (!file) return SQLITE_CANTOPEN;
    h.pMethods = &methods;
    h.disk = &disk_of(v);
    h.file = new std::shared_ptr(std::move(file));
    h.path = new std::string(path);
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* v, const char* name, int) {
    const std::lock_guard guard(disk_of(v).mutex);
    if (!disk_of(v).exists(name)) return SQLITE_IOERR_DELETE_NOENT;
    if (const int code = disk_of(v).note({disk_call::kind_type::remove, name, 0, {}})) return code;
    disk_of(v).remove(name);
    return SQLITE_OK;
}

int vfs_access(sqlite3_vfs* v, const char* name, int, int* there) {
    const std::lock_guard guard(disk_of(v).mutex);
    *there = disk_of(v).exists(name) ? 1 : 0;
    return SQLITE_OK;
}

int vfs_full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
}

sqlite3_vfs* base() { return sqlite3_vfs_find(nullptr); }
int vfs_randomness(sqlite3_vfs*, int size, char* out) { return base()->xRandomness(base(), size, out); }
int vfs_sleep(sqlite3_vfs*, int) { return 0; }
int vfs_time(sqlite3_vfs*, double* now) { return base()->xCurrentTime(base(), now); }
int vfs_last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

fault_disk::fault_disk(disk_image files) : vfs_(std::make_unique<vfs>()) {
    static std::atomic<int> last{0};
    name_ = "martlet-fault-disk-" + std::to_string(++last);
    for (auto& [path, contents] : files) {
        files_[path] = std::make_shared<open_file>();
        files_[path]->contents = std::move(contents);
    }
    std::memset(static_cast<sqlite3_vfs*>(vfs_.get()), 0, sizeof(sqlite3_vfs));
    vfs_->iVersion = 1;
    vfs_->szOsFile = static_cast<int>(sizeof(file_handle));
    vfs_->mxPathname = 512;
    vfs_->zName = name_.c_str();
    vfs_->pAppData = this;
    vfs_->xOpen = vfs_open;
    vfs_->xDelete = vfs_delete;
    vfs_->xAccess = vfs_access;
    vfs_->xFullPathname = vfs_full_path;
    vfs_->xRandomness = vfs_randomness;
    vfs_->xSleep = vfs_sleep;
    vfs_->xCurrentTime = vfs_time;
    vfs_->xGetLastError = vfs_last_error;
    sqlite3_vfs_register(vfs_.get(), 0);
}

fault_disk::~fault_disk() { sqlite3_vfs_unregister(vfs_.get()); }

std::size_t fault_disk::call_count() const {
    const std::lock_guard guard(mutex);
    return count_;
}

std::vector<disk_call> fault_disk::calls() const {
    const std::lock_guard guard(mutex);
    return calls_;
}

void fault_disk::fail(std::size_t first, std::size_t last, int code) {
    const std::lock_guard guard(mutex);
    fail_first_ = first;
    fail_last_ = last;
    fail_code_ = code;
}

void fault_disk::fail_all(int code) {
    const std::lock_guard guard(mutex);
    fail_all_ = code;
}

std::size_t fault_disk::failures() const {
    const std::lock_guard guard(mutex);
    return failures_;
}

std::shared_ptr<fault_disk::open_file> fault_disk::open(const std::string& path, bool create) {
    auto& file = files_[path];
    if (!file) {
        if (!create) {
            files_.erase(path);
            return nullptr;
        }
        file = std::make_shared<open_file>();
    }
    return file;
}

bool fault_disk::exists(const std::string& path) const { return files_.contains(path); }

int fault_disk::note(disk_call call) {
    const std::size_t number = count_++;
    int code = fail_all_;
    if (number >= fail_first_ && number < fail_last_) code = fail_code_;
    failures_ += code != 0 ? 1 : 0;
    if (is_recording_ && code == 0) calls_.push_back(std::move(call));
    return code;
}

void fault_disk::remove(const std::string& path) { files_.erase(path); }

}  // namespace martlet::test
