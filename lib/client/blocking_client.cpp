// The client with a thread of its own: each call starts the asynchronous operation and waits for its future.
#include <martlet/blocking_client.hpp>
#include <martlet/client.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>

#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace martlet {

namespace detail {

class blocking_core {
public:
    explicit blocking_core(client_options options)
        : work_(asio::make_work_guard(io_)), client_(io_, std::move(options)) {
        client_.async_run([this](error_code error) { ended(error); });
        follow_events();
        thread_ = std::thread([this] { io_.run(); });
    }

    blocking_core(const blocking_core&) = delete;
    blocking_core& operator=(const blocking_core&) = delete;

    ~blocking_core() {
        client_.stop();
        work_.reset();
        thread_.join();
    }

    [[nodiscard]] martlet::client& client() noexcept { return client_; }

    /// Runs `function` on the client's thread and waits for what it returns.
    template <class Function>
    auto call(Function function) {
        std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
        auto result = task.get_future();
        asio::post(io_, [&task] { task(); });
        return result.get();
    }

    /// Waits for an operation. One that ended because the run was over throws why it was over, if that was not asked for.
    template <class T>
    T wait(std::future<T> result) {
        try {
            return result.get();
        } catch (const boost::system::system_error& error) {
            if (error.code() != errc::not_running) throw;
            call([] {});  // the end of the run was told in the same turn, maybe behind the operation's
            const std::lock_guard lock(mutex_);
            if (!end_) throw;
            throw boost::system::system_error(end_, end_text_);
        }
    }

    bool wait_connected(std::chrono::milliseconds timeout) {
        std::unique_lock lock(mutex_);
        const auto is_decided = [this] { return is_connected_ || has_ended_; };
        if (timeout == no_timeout)
            changed_.wait(lock, is_decided);
        else if (!changed_.wait_for(lock, timeout, is_decided))
            return false;
        if (!is_connected_) {
            throw boost::system::system_error(end_ ? end_ : make_error_code(errc::not_running), end_text_);
        }
        return true;
    }

private:
    void follow_events() {
        client_.async_next_event([this](error_code error, const client_event& e) {
            if (error) return;
            {
                const std::lock_guard lock(mutex_);
                if (e.kind == client_event::kind_type::connected) is_connected_ = true;
                if (e.kind == client_event::kind_type::lost) is_connected_ = false;
                if (e.cause) end_text_ = e.text;  // if it is the last one, it explains the end
            }
            changed_.notify_all();
            follow_events();
        });
    }

    void ended(error_code error) {
        {
            const std::lock_guard lock(mutex_);
            has_ended_ = true;
            is_connected_ = false;
            end_ = error;
        }
        changed_.notify_all();
    }

    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    martlet::client client_;
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_connected_ = false;
    bool has_ended_ = false;
    error_code end_;
    std::string end_text_;
};

/// A subscription, used on the client's thread only.
class blocking_stream {
public:
    explicit blocking_stream(subscription&& s) noexcept : stream(std::move(s)) {}
    subscription stream;
};

}  // namespace detail

// -- blocking_subscription

blocking_subscription::blocking_subscription() noexcept = default;

blocking_subscription::blocking_subscription(std::shared_ptr<detail::blocking_core> core,
                                             std::unique_ptr<detail::blocking_stream> stream) noexcept
    : core_(std::move(core)), stream_(std::move(stream)) {}

blocking_subscription::blocking_subscription(blocking_subscription&&) noexcept = default;

blocking_subscription& blocking_subscription::operator=(blocking_subscription&& other) noexcept {
    blocking_subscription old(std::move(*this));
    core_ = std::move(other.core_);
    stream_ = std::move(other.stream_);
    return *this;
}

blocking_subscription::~blocking_subscription() {
    if (stream_) core_->call([this] { stream_.reset(); });
}

std::vector<reason_code> blocking_subscription::granted() const {
    if (!stream_) return {};
    return core_->call([this] { return stream_->stream.granted(); });
}

std::optional<message> blocking_subscription::receive(std::chrono::milliseconds timeout) {
    if (!stream_) throw boost::system::system_error(make_error_code(errc::subscription_ended));
    try {
        return core_->wait(stream_->stream.async_receive(timeout, asio::use_future));
    } catch (const boost::system::system_error& error) {
        if (error.code() == errc::operation_timeout) return std::nullopt;
        throw;
    }
}

void blocking_subscription::acknowledge(const message& m, reason_code reason) {
    if (stream_) core_->call([&] { stream_->stream.acknowledge(m, reason); });
}

// -- blocking_client

blocking_client::blocking_client(client_options options)
    : core_(std::make_shared<detail::blocking_core>(std::move(options))) {}

blocking_client::~blocking_client() {
    core_->client().stop();  // subscriptions may still share the core
}

bool blocking_client::wait_connected(std::chrono::milliseconds timeout) { return core_->wait_connected(timeout); }

publish_result blocking_client::publish(std::string_view topic, payload bytes, const publish_options& options) {
    return core_->wait(core_->client().async_publish(topic, std::move(bytes), options, asio::use_future));
}

blocking_subscription blocking_client::subscribe(std::string_view filter, const subscribe_options& options) {
    auto stream = core_->wait(core_->client().async_subscribe(filter, options, asio::use_future));
    return {core_, std::make_unique<detail::blocking_stream>(std::move(stream))};
}

blocking_subscription blocking_client::subscribe(std::span<const subscription_request> filters,
                                                 const subscribe_options& options) {
    auto stream = core_->wait(core_->client().async_subscribe(filters, options, asio::use_future));
    return {core_, std::make_unique<detail::blocking_stream>(std::move(stream))};
}

std::vector<reason_code> blocking_client::unsubscribe(std::span<const std::string_view> filters,
                                                      const unsubscribe_options& options) {
    return core_->wait(core_->client().async_unsubscribe(filters, options, asio::use_future));
}

void blocking_client::publish_enqueued() { core_->client().publish_enqueued(); }

void blocking_client::disconnect(const disconnect_options& options) {
    core_->client().async_disconnect(options, asio::use_future).get();
}

client_statistics blocking_client::statistics() const {
    return core_->call([this] { return core_->client().statistics(); });
}

}  // namespace martlet
