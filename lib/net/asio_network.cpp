#include "net/asio_network.hpp"

#include "net/asio_dialing.hpp"
#include "net/asio_listener.hpp"
#include "net/asio_timers.hpp"
#include "net/in_process.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

class asio_network final : public network {
public:
    explicit asio_network(asio::any_io_executor executor)
        : executor_(std::move(executor)), timers_(timer_heap::of(executor_)) {}

    [[nodiscard]] instant now() const noexcept override { return timer_heap::now(); }
    [[nodiscard]] asio::any_io_executor executor() const noexcept override { return executor_; }

    void post(std::shared_ptr<task> what) override {
        asio::post(executor_, [what = std::move(what)] { what->run(); });
    }

    [[nodiscard]] std::unique_ptr<timer> make_timer(std::function<void()> on_expiry) override {
        return timers_->make_timer(std::move(on_expiry));
    }

    [[nodiscard]] std::unique_ptr<dialing> dial(const endpoint& to, const dial_options& options,
                                                dial_handler handler) override {
        if (to.scheme == scheme::memory) return dial_in_process(executor_, to, std::move(handler));
        return dial_socket(executor_, timers_, to, options, std::move(handler));
    }

    [[nodiscard]] listen_result listen(const endpoint& at, const listen_options& options, accept_handler on_accept,
                                       accept_error_handler on_error) override {
        if (at.scheme == scheme::memory) return listen_in_process(executor_, at, options, std::move(on_accept));
        return listen_on_socket(executor_, timers_, at, options, std::move(on_accept), std::move(on_error));
    }

private:
    asio::any_io_executor executor_;
    std::shared_ptr<timer_heap> timers_;
};

}  // namespace

void post(network& on, std::function<void()> function) { asio::post(on.executor(), std::move(function)); }

std::shared_ptr<network> make_asio_network(asio::any_io_executor executor) {
    return std::make_shared<asio_network>(std::move(executor));
}

}  // namespace martlet::net
