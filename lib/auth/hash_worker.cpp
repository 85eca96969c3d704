#include "auth/hash_worker.hpp"

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace martlet::auth_impl {

namespace asio = boost::asio;

struct hash_worker::shared : std::enable_shared_from_this<shared> {
    struct job {
        std::uint64_t number;
        password_hash hash;
        std::string password;
    };
    struct waiting {
        std::uint64_t who;
        handler done;
        asio::any_io_executor kept;  // the loop must not end while an answer is on its way
    };

    shared(asio::any_io_executor on, std::size_t most) : executor(std::move(on)), queue_max(most) {}

    void run() {
        for (;;) {
            std::unique_lock lock(mutex);
            ready.wait(lock, [this] { return stopping || !queue.empty(); });
            if (stopping) return;
            job next = std::move(queue.front());
            queue.pop_front();
            ++under_way;
            lock.unlock();
            const bool matches = auth_impl::verify(next.hash, next.password);
            wipe(next.password);
            lock.lock();
            --under_way;
            if (stopping) return;
            asio::post(executor,
                       [self = shared_from_this(), number = next.number, matches] { self->answer(number, matches); });
        }
    }

    void answer(std::uint64_t number, bool matches) {
        const auto found = handlers.find(number);
        if (found == handlers.end()) return;
        const waiting its = std::move(found->second);
        handlers.erase(found);
        its.done(matches);
    }

    asio::any_io_executor executor;
    const std::size_t queue_max;
    std::unordered_map<std::uint64_t, waiting> handlers;  // of the executor only
    std::uint64_t last_number = 0;

    std::mutex mutex;  // for what follows
    std::condition_variable ready;
    std::deque<job> queue;
    std::size_t under_way = 0;
    bool stopping = false;
    std::vector<std::thread> threads;
};

hash_worker::hash_worker(asio::any_io_executor executor, unsigned threads, std::size_t queue_max)
    : shared_(std::make_shared<shared>(std::move(executor), queue_max)), threads_(std::clamp(threads, 1u, 64u)) {}

hash_worker::~hash_worker() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->stopping = true;
        for (auto& job : shared_->queue)
            wipe(job.password);
        shared_->queue.clear();
    }
    shared_->ready.notify_all();
    for (std::thread& thread : shared_->threads)
        thread.join();
    shared_->handlers.clear();
}

bool hash_worker::verify(std::uint64_t who, password_hash hash, std::string password, handler done) {
    {
        const std::lock_guard lock(shared_->mutex);
        if (shared_->queue.size() >= shared_->queue_max) {
            wipe(password);
            return false;
        }
        shared_->queue.push_back({++shared_->last_number, std::move(hash), std::move(password)});
        const std::size_t busy = shared_->queue.size() + shared_->under_way;
        if (shared_->threads.size() < std::min<std::size_t>(threads_, busy)) {
            shared_->threads.emplace_back([raw = shared_.get()] { raw->run(); });  // joined before shared_ goes
        }
    }
    shared_->handlers.emplace(
        shared_->last_number,
        shared::waiting{who, std::move(done),
                        asio::prefer(shared_->executor, asio::execution::outstanding_work.tracked)});
    shared_->ready.notify_one();
    return true;
}

void hash_worker::cancel(std::uint64_t who) {
    const std::lock_guard lock(shared_->mutex);
    for (auto at = shared_->handlers.begin(); at != shared_->handlers.end();) {
        if (at->second.who != who) {
            ++at;
            continue;
        }
        const auto job = std::find_if(shared_->queue.begin(), shared_->queue.end(),
                                      [&](const auto& j) { return j.number == at->first; });
        if (job != shared_->queue.end()) {
            wipe(job->password);
            shared_->queue.erase(job);
        }
        at = shared_->handlers.erase(at);
    }
}

}  // namespace martlet::auth_impl
