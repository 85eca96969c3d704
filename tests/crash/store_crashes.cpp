// Crashes of the SQLite store at every call that changes its files, and faults of the disk at every such call.
//
//   martlet_store_crashes [--crashes N] [--faults N] [--seed S]
//
// Crashes: a run is recorded; for each of its writes, truncates and syncs the disk is put together as the loss of power
// at that moment would leave it (unsynced sectors lost or kept at random, the write torn), opened, and compared: every
// batch that was reported committed is there, and no half batch. Faults: the call, and for a while the next ones, fail
// with "disk full" or an I/O error; every commit has to succeed in the end. Runs with new seeds until N points are done.
#include "support/fault_disk.hpp"
#include "support/store_driver.hpp"

#include <martlet/sqlite_store.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace martlet;
using test::commit;
using test::load;
using test::rows_as_text;
using test::text_of;

namespace {

constexpr int batches_per_run = 40;

[[noreturn]] void fail(std::uint64_t seed, std::size_t point, const std::string& what) {
    std::fprintf(stderr, "FAILED: seed %llu, point %zu: %s\n", static_cast<unsigned long long>(seed), point,
                 what.c_str());
    std::exit(1);
}

/// Where the store's lock is; everything else is on the simulated disk.
class folder {
public:
    folder() {
        std::string name = (std::filesystem::temp_directory_path() / "martlet-crash-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::exit(2);
        path_ = name;
    }
    ~folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string file() const { return path_ + "/s.db"; }

private:
    std::string path_;
};

struct acknowledgement {
    std::size_t calls;  ///< that had been made when the batch was reported committed
    std::size_t batch;
};

/// What a run does, and what has to be stored after each of its batches.
struct script {
    explicit script(std::uint64_t seed) {
        test::change_generator changes(seed);
        const auto model = memory_store();
        after.push_back({});
        for (int i = 0; i != batches_per_run; ++i) {
            auto& batch = batches.emplace_back();
            for (int k = 0; k <= i % 4; ++k) {
                for (auto& row : changes.next())
                    batch.push_back(std::move(row));
            }
            static_cast<void>(commit(*model, batch));
            after.push_back(text_of(load(*model).state));
        }
    }
    std::vector<std::vector<core::change>> batches;
    std::vector<rows_as_text> after;  ///< by the number of batches
};

std::shared_ptr<store> open(const folder& where, const test::fault_disk& disk) {
    return sqlite_store(where.file(), {.durability = durability::sync,
                                       .retry_min = std::chrono::milliseconds(1),
                                       .retry_max = std::chrono::milliseconds(2),
                                       .vfs = disk.name()});
}

std::size_t crash(std::uint64_t seed, std::size_t points_max) {
    const folder where;
    const script what(seed);
    std::vector<acknowledgement> acknowledged = {{0, 0}};
    std::vector<test::disk_call> calls;
    {
        test::fault_disk disk;
        disk.record(true);
        const auto s = open(where, disk);
        if (load(*s).error) fail(seed, 0, s->last_error());
        for (std::size_t i = 0; i != what.batches.size(); ++i) {
            if (commit(*s, what.batches[i], i + 1)) fail(seed, 0, s->last_error());
            acknowledged.push_back({disk.call_count(), i + 1});
        }
        calls = disk.calls();
    }

    test::crash_model model;
    std::size_t done = 0;
    std::size_t last_batch = 0;
    for (std::size_t point = 0; point != calls.size() && done != points_max; ++point, ++done) {
        while (last_batch + 1 < acknowledged.size() && acknowledged[last_batch + 1].calls <= point)
            ++last_batch;
        test::fault_disk disk(model.crash(&calls[point], seed * 1'000'003 + point));
        const auto s = open(where, disk);
        const auto [error, state] = load(*s);
        if (error) fail(seed, point, s->last_error());
        const auto found = text_of(state);
        const bool is_next = last_batch + 1 < what.after.size() && found == what.after[last_batch + 1];
        if (found != what.after[last_batch] && !is_next) {
            fail(seed, point, "the rows are not those of batch " + std::to_string(last_batch));
        }
        const core::retained_row sign{"sign", core::outgoing_message::create("sign", "x", qos::at_most_once, true)};
        if (commit(*s, {sign})) fail(seed, point, "not usable: " + s->last_error());
        model.apply(calls[point]);
    }
    return done;
}

/// The calls from `point` on fail `count` times.
void fault(std::uint64_t seed, const script& what, std::size_t point, std::size_t count, int code) {
    const folder where;
    test::fault_disk disk;
    disk.fail(point, point + count, code);
    std::shared_ptr<store> s;
    for (std::size_t attempt = 0;; ++attempt) {  // a fault while opening is an error, and passes
        s = open(where, disk);
        const auto error = load(*s).error;
        if (!error) break;
        if (error != errc::store_failed || attempt > count) fail(seed, point, s->last_error());
        s.reset();
    }
    for (std::size_t i = 0; i != what.batches.size(); ++i) {
        if (commit(*s, what.batches[i], i + 1)) fail(seed, point, s->last_error());
    }
    s.reset();  // lets go of the lock
    s = open(where, disk);
    const auto [error, state] = load(*s);
    if (error) fail(seed, point, s->last_error());
    if (text_of(state) != what.after.back()) fail(seed, point, "rows are missing after a fault");
}

std::size_t faults(std::uint64_t seed, std::size_t points_max) {
    const script what(seed);
    std::size_t calls = 0;
    {
        const folder where;
        test::fault_disk disk;
        const auto s = open(where, disk);
        static_cast<void>(load(*s));
        for (const auto& batch : what.batches)
            static_cast<void>(commit(*s, batch));
        calls = disk.call_count();
    }
    constexpr int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE};
    constexpr std::size_t counts[] = {1, 2, 7};
    std::size_t done = 0;
    for (std::size_t point = 0; point < calls && done < points_max; ++point, ++done) {
        fault(seed, what, point, counts[point % 3], codes[point % 2]);
    }
    return done;
}

}  // namespace

int main(int count, char** arguments) {
    std::size_t crashes_wanted = 0;
    std::size_t faults_wanted = 0;
    std::uint64_t seed = 1;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string_view name = arguments[i];
        const auto value = std::strtoull(arguments[i + 1], nullptr, 10);
        if (name == "--crashes")
            crashes_wanted = value;
        else if (name == "--faults")
            faults_wanted = value;
        else if (name == "--seed")
            seed = value;
        else
            return 2;
    }
    std::size_t crashes = 0;
    for (std::uint64_t s = seed; crashes < crashes_wanted; ++s)
        crashes += crash(s, crashes_wanted - crashes);
    std::size_t faulty = 0;
    for (std::uint64_t s = seed; faulty < faults_wanted; ++s)
        faulty += faults(s, faults_wanted - faulty);
    std::printf("crashes=%zu faults=%zu lost=0 torn=0 refused=0\n", crashes, faulty);
    return 0;
}
