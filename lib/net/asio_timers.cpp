#include "net/asio_timers.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <mutex>
#include <sys/timerfd.h>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

struct timer_heap::entry {
    std::function<void()> on_expiry;
    queue::iterator place;       // if queued
    queue::node_type spare;      // if not: so that setting it again allocates nothing
    steady_time wanted = never;  // at or after its place in the queue
    bool queued = false;
};

class timer_heap::handle final : public timer {
public:
    handle(std::shared_ptr<timer_heap> heap, std::shared_ptr<entry> which)
        : heap_(std::move(heap)), which_(std::move(which)) {}
    ~handle() override {
        which_->wanted = never;
        heap_->remove(*which_);
    }
    void set(steady_time at) override { heap_->set(which_, at); }

private:
    std::shared_ptr<timer_heap> heap_;
    std::shared_ptr<entry> which_;
};

namespace {

// The heaps of an execution context. A heap lives as long as a network that uses it.
class heaps final : public asio::execution_context::service {
public:
    static asio::execution_context::id id;

    explicit heaps(asio::execution_context& context) : service(context) {}

    [[nodiscard]] std::shared_ptr<timer_heap> of(const asio::any_io_executor& executor) {
        const std::lock_guard lock(mutex_);
        std::shared_ptr<timer_heap> found;
        std::erase_if(known_, [&](const auto& one) {
            auto alive = one.second.lock();
            if (alive && !found && one.first == executor) found = alive;
            return !alive;
        });
        if (!found) {
            found = std::make_shared<timer_heap>(executor);
            known_.emplace_back(executor, found);
        }
        return found;
    }

private:
    void shutdown() override {
        const std::lock_guard lock(mutex_);
        known_.clear();
    }

    std::mutex mutex_;
    std::vector<std::pair<asio::any_io_executor, std::weak_ptr<timer_heap>>> known_;
};

asio::execution_context::id heaps::id;

}  // namespace

std::shared_ptr<timer_heap> timer_heap::of(const asio::any_io_executor& executor) {
    return asio::use_service<heaps>(asio::query(executor, asio::execution::context)).of(executor);
}

timer_heap::timer_heap(const asio::any_io_executor& executor) : clock_(executor) {
    unique_fd fd(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    const error_code error = fd ? assign(clock_, std::move(fd)) : last_error();
    if (error) throw boost::system::system_error(error, "martlet: creating the network's timer");
}

instant timer_heap::now() noexcept {
    timespec boot{};
    ::clock_gettime(CLOCK_BOOTTIME, &boot);
    using namespace std::chrono;
    const auto since_boot = seconds(boot.tv_sec) + nanoseconds(boot.tv_nsec);
    // The system's clock is looked at once: whoever puts it later does not make anything expire, early or late.
    static const auto booted = system_clock::now() - since_boot;
    return {steady_time(duration_cast<boot_clock::duration>(since_boot)),
            time_point_cast<unix_time::duration>(booted + since_boot)};
}

std::unique_ptr<timer> timer_heap::make_timer(std::function<void()> on_expiry) {
    auto made = std::make_shared<entry>();
    made->on_expiry = std::move(on_expiry);
    return std::make_unique<handle>(shared_from_this(), std::move(made));
}

// Later than before: the entry stays where it is and moves when it comes up, so that pushing a deadline away with each
// packet costs nothing.
void timer_heap::set(const std::shared_ptr<entry>& which, steady_time at) {
    which->wanted = at;
    if (which->queued && at != never && at >= which->place->first) return;

    if (which->queued) unqueue(*which, queue_.extract(which->place));
    if (at != never) {
        if (which->spare) {
            which->spare.key() = at;
            which->spare.mapped() = which;
            which->place = queue_.insert(std::move(which->spare));
        } else {
            which->place = queue_.emplace(at, which);
        }
        which->queued = true;
    }
    arm();
}

void timer_heap::unqueue(entry& which, queue::node_type node) noexcept {
    node.mapped().reset();  // or the entry would own itself
    which.spare = std::move(node);
    which.queued = false;
}

void timer_heap::remove(entry& which) {
    if (!which.queued) return;
    which.queued = false;
    queue_.erase(which.place);
    arm();
}

// Sets the clock to the earliest entry. Without entries nothing waits, so that an io_context can run out of work.
void timer_heap::arm() {
    if (queue_.empty()) {
        if (waiting_) {
            error_code ignored;
            clock_.cancel(ignored);
            waiting_ = false;
        }
        return;
    }

    const steady_time first = queue_.begin()->first;
    if (first < armed_ || !waiting_) {
        // the past is as good as any time, but 0 would stop the clock
        const auto at = std::max(first.time_since_epoch(), boot_clock::duration(1));
        const auto whole = std::chrono::duration_cast<std::chrono::seconds>(at);
        const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(at - whole);
        itimerspec spec{};
        spec.it_value.tv_sec = static_cast<time_t>(whole.count());
        spec.it_value.tv_nsec = static_cast<long>(rest.count());
        ::timerfd_settime(clock_.native_handle(), TFD_TIMER_ABSTIME, &spec, nullptr);
        armed_ = first;
    }
    if (!waiting_) {
        waiting_ = true;
        clock_.async_wait(descriptor::wait_read, [weak = weak_from_this()](error_code error) {
            const auto self = weak.lock();
            if (self && error != asio::error::operation_aborted) self->on_clock();
        });
    }
}

void timer_heap::on_clock() {
    waiting_ = false;
    armed_ = never;
    const steady_time present = now().steady;
    while (!queue_.empty() && queue_.begin()->first <= present) {
        auto node = queue_.extract(queue_.begin());
        const std::shared_ptr<entry> which = node.mapped();
        if (which->wanted > present) {  // was moved to later meanwhile
            node.key() = which->wanted;
            which->place = queue_.insert(std::move(node));
        } else {
            unqueue(*which, std::move(node));
            due_.push_back(which);
        }
    }

    // a handler may set, cancel or destroy any timer, also its own
    const auto self = shared_from_this();
    auto due = std::exchange(due_, {});
    for (const auto& which : due) {
        if (which->wanted > present) continue;
        which->wanted = never;
        which->on_expiry();
    }
    due.clear();
    if (due_.empty()) due_.swap(due);  // its memory
    arm();
}

}  // namespace martlet::net
