// The store on SQLite: a queue of jobs, and a thread that does them. Batches that arrive while one is being committed
// wait together and become the next transaction.
#include "store/file_lock.hpp"
#include "store/sqlite_database.hpp"
#include "store/sqlite_loading.hpp"
#include "store/sqlite_rows.hpp"
#include "store/sqlite_schema.hpp"

#include <martlet/sqlite_store.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace martlet {

namespace store_impl {
namespace {

// Frames of the log that are worth a checkpoint: 16 MiB of pages.
constexpr int checkpoint_frames = 4'000;

struct load_job {
    store::load_handler done;
};
struct read_job {
    std::uint64_t after;
    std::size_t count_max;
    store::enqueued_handler done;
};
struct commit_job {
    core::change_batch batch;
    store::commit_handler done;
};
using job = std::variant<load_job, read_job, commit_job>;

/// What the store and its thread share. Everything but the queue belongs to the thread.
class worker {
public:
    worker(std::string path, sqlite_store_options options) : path_(std::move(path)), options_(std::move(options)) {}

    // -- of the owner's thread

    void push(job what) {
        {
            const std::lock_guard guard(mutex_);
            jobs_.push_back(std::move(what));
        }
        wake_.notify_one();
    }

    void watch(store::condition_handler told) { told_ = std::move(told); }

    [[nodiscard]] std::string last_error() const {
        const std::lock_guard guard(mutex_);
        return last_error_;
    }

    void collect() noexcept {
        std::vector<core::change_batch> finished;
        {
            const std::lock_guard guard(mutex_);
            finished.swap(finished_);
        }
    }

    /// What is queued is still committed, but not tried again.
    void stop() {
        {
            const std::lock_guard guard(mutex_);
            is_stopping_ = true;
        }
        wake_.notify_one();
    }

    // -- the thread

    void run() {
        for (;;) {
            std::optional<job> next;
            {
                std::unique_lock guard(mutex_);
                wake_.wait(guard, [&] { return is_stopping_ || !jobs_.empty(); });
                if (jobs_.empty()) break;
                next.emplace(std::move(jobs_.front()));
                jobs_.pop_front();
            }
            if (auto* const load = std::get_if<load_job>(&*next)) {
                do_load(*load);
            } else if (auto* const read = std::get_if<read_job>(&*next)) {
                do_read(*read);
            } else {
                do_commit(std::move(std::get<commit_job>(*next)));
            }
        }
        if (db_.handle() != nullptr && db_.ok()) checkpoint();
        writer_.reset();
        db_.close();
    }

private:
    void do_load(load_job& what) {
        stored_state state;
        store_failure failure;
        if (db_.handle() != nullptr) {
            failure = {errc::store_failed, "store " + path_ + ": loaded before"};
        } else {
            failure = open_store(path_, options_, lock_, db_);
            if (!failure) failure = load_state(path_, db_, state);
            if (!failure) {
                sqlite3_wal_hook(db_.handle(), &worker::on_log_written, this);
                writer_.emplace(db_);
                writer_->recount();
                if (!db_.ok()) failure = failure_of(path_, db_, "preparing");
            }
        }
        if (failure) {
            failure_ = failure;
            note(failure.text);
            state = {};
        }
        what.done(failure.error, std::move(state));
    }

    void do_read(read_job& what) {
        std::vector<enqueued_row> rows;
        if (!is_usable()) return what.done(failure_.error, {});
        const auto failure = load_enqueued(path_, db_, what.after, what.count_max, rows);
        if (!failure) return what.done({}, std::move(rows));
        note(failure.text);
        if (may_pass(db_.code())) {
            db_.forget_error();  // they stay where they are, and are read the next time
            return what.done({}, {});
        }
        failure_ = failure;
        what.done(failure.error, {});
    }

    void do_commit(commit_job first) {
        std::vector<core::change_batch> batches;
        std::vector<store::commit_handler> handlers;
        batches.push_back(std::move(first.batch));
        handlers.push_back(std::move(first.done));

        auto delay = options_.retry_min;
        bool is_held_up = false;
        while (is_usable()) {
            take_commits(batches, handlers);
            if (write(batches)) break;
            if (!may_pass(db_.code())) {
                failure_ = failure_of(path_, db_, "committing");
                note(failure_.text);
                break;
            }
            const auto text = "store " + path_ + ": committing: " + db_.text();
            note(text);
            recover();
            if (!std::exchange(is_held_up, true) && told_) told_(errc::store_failed, text);
            if (wait(delay)) {  // stopping
                failure_ = {errc::store_failed, text};
                break;
            }
            delay = std::min(delay * 2, options_.retry_max);
        }
        if (is_held_up && is_usable() && told_) told_({}, {});

        std::vector<std::uint64_t> numbers;
        numbers.reserve(batches.size());
        for (const auto& batch : batches)
            numbers.push_back(batch.number);
        {
            const std::lock_guard guard(mutex_);
            std::move(batches.begin(), batches.end(), std::back_inserter(finished_));
        }
        for (std::size_t i = 0; i != handlers.size(); ++i) {
            if (handlers[i]) handlers[i](failure_.error, numbers[i]);
        }
        if (is_usable()) checkpoint_if_due();
    }

    /// Batches that came meanwhile, up to the next job of another kind.
    void take_commits(std::vector<core::change_batch>& batches, std::vector<store::commit_handler>& handlers) {
        const std::lock_guard guard(mutex_);
        while (!jobs_.empty()) {
            auto* const more = std::get_if<commit_job>(&jobs_.front());
            if (more == nullptr) return;
            batches.push_back(std::move(more->batch));
            handlers.push_back(std::move(more->done));
            jobs_.pop_front();
        }
    }

    bool write(std::span<const core::change_batch> batches) {
        if (std::exchange(must_recount_, false)) writer_->recount();
        db_.run("BEGIN IMMEDIATE");
        if (!db_.ok()) {
            must_recount_ = true;
            return false;
        }
        writer_->apply(batches);
        return db_.run("COMMIT");
    }

    /// After a failed transaction.
    void recover() {
        db_.forget_error();
        if (sqlite3_get_autocommit(db_.handle()) == 0) db_.run("ROLLBACK");
        db_.forget_error();
        must_recount_ = true;
    }

    /// True if the store is stopping.
    bool wait(std::chrono::milliseconds delay) {
        std::unique_lock guard(mutex_);
        return wake_.wait_for(guard, delay, [&] { return is_stopping_; });
    }

    static int on_log_written(void* self, sqlite3*, const char*, int frames) {
        static_cast<worker*>(self)->log_frames_ = frames;
        return SQLITE_OK;
    }

    void checkpoint_if_due() {
        if (log_frames_ < frames_at_checkpoint_) frames_at_checkpoint_ = 0;  // the log began anew
        if (log_frames_ < frames_at_checkpoint_ + checkpoint_frames) return;
        frames_at_checkpoint_ = log_frames_;
        checkpoint();
    }

    /// Errors lose nothing: the log stays, and the next checkpoint begins anew.
    void checkpoint() {
        static_cast<void>(
            sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr));
    }

    [[nodiscard]] bool is_usable() {
        if (!failure_ && !writer_) failure_ = {errc::store_failed, "store " + path_ + ": not loaded"};
        return !failure_;
    }

    void note(const std::string& text) {
        const std::lock_guard guard(mutex_);
        last_error_ = text;
    }

    const std::string path_;
    const sqlite_store_options options_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<job> jobs_;
    std::vector<core::change_batch> finished_;  // to be destroyed on the owner's thread: messages count without atomics
    std::string last_error_;
    bool is_stopping_ = false;

    store::condition_handler told_;
    file_lock lock_;
    database db_;
    std::optional<row_writer> writer_;
    store_failure failure_;
    int log_frames_ = 0;
    int frames_at_checkpoint_ = 0;
    bool must_recount_ = false;
};

class sqlite_store_impl final : public store {
public:
    sqlite_store_impl(std::string path, sqlite_store_options options)
        : worker_(std::make_shared<worker>(std::move(path), std::move(options))) {}

    ~sqlite_store_impl() override {
        if (!thread_.joinable()) return;
        worker_->stop();
        // A handler may hold the last reference to the owner, and so to us: then this is the thread itself.
        if (thread_.get_id() == std::this_thread::get_id())
            thread_.detach();
        else
            thread_.join();
    }

    void load(load_handler done) override { push(load_job{std::move(done)}); }

    void commit(core::change_batch batch, commit_handler done) override {
        worker_->collect();
        push(commit_job{std::move(batch), std::move(done)});
    }

    void read_enqueued(std::uint64_t after, std::size_t count_max, enqueued_handler done) override {
        push(read_job{after, count_max, std::move(done)});
    }

    void watch(condition_handler told) override { worker_->watch(std::move(told)); }
    [[nodiscard]] std::string last_error() const override { return worker_->last_error(); }
    void collect() noexcept override { worker_->collect(); }

private:
    void push(job what) {
        if (!thread_.joinable()) thread_ = std::thread([w = worker_] { w->run(); });
        worker_->push(std::move(what));
    }

    std::shared_ptr<worker> worker_;
    std::thread thread_;
};

}  // namespace
}  // namespace store_impl

std::shared_ptr<store> sqlite_store(std::string path, sqlite_store_options options) {
    return std::make_shared<store_impl::sqlite_store_impl>(std::move(path), std::move(options));
}

}  // namespace martlet
