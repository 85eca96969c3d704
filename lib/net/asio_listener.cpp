#include "net/asio_listener.hpp"

#include "net/socket.hpp"

#include <boost/system/errc.hpp>

#include <cerrno>
#include <chrono>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

// How long to leave connections in the backlog when the system cannot give us a descriptor. Waiting for readiness
// instead would spin: they make the listener readable all the time.
constexpr std::chrono::milliseconds retry_delay{100};
// Then other connections get their turn.
constexpr int accepted_per_turn_max = 64;

// Errors of accept() that are the new connection's own, see accept(2): take the next one.
bool concerns_one_connection(int number) noexcept {
    switch (number) {
        case EINTR:
        case ECONNABORTED:
        case EPERM:
        case EPROTO:
        case ENOPROTOOPT:
        case ENETDOWN:
        case ENETUNREACH:
        case EHOSTDOWN:
        case EHOSTUNREACH:
        case ENONET:
        case EOPNOTSUPP: return true;
        default: return false;
    }
}

class acceptor : public std::enable_shared_from_this<acceptor> {
public:
    acceptor(const asio::any_io_executor& executor, endpoint local, std::shared_ptr<accept_layers> layers,
             accept_handler on_accept, accept_error_handler on_error)
        : descriptor_(executor),
          local_(std::move(local)),
          layers_(std::move(layers)),
          on_accept_(std::move(on_accept)),
          on_error_(std::move(on_error)) {}

    [[nodiscard]] error_code start(unique_fd fd, timer_heap& timers) {
        if (const error_code error = assign(descriptor_, std::move(fd))) return error;
        // made now: there may be nothing left to make it of when it is needed
        retry_ = timers.make_timer([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->accept();
        });
        wait();
        return {};
    }

    void close() noexcept {
        closed_ = true;
        retry_.reset();
        error_code ignored;
        descriptor_.close(ignored);
        if (local_.scheme == scheme::unix_socket) ::unlink(local_.path.c_str());
    }

    [[nodiscard]] const endpoint& local() const noexcept { return local_; }

private:
    void wait() {
        descriptor_.async_wait(descriptor::wait_read, [self = shared_from_this()](error_code) {
            if (!self->closed_) self->accept();
        });
    }

    void accept() {
        const auto self = shared_from_this();  // a handler may close us
        for (int i = 0; i != accepted_per_turn_max; ++i) {
            socket_address peer;
            unique_fd fd(::accept4(descriptor_.native_handle(), peer.data(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (!fd) {
                const int number = errno;
                if (concerns_one_connection(number)) continue;
                if (number == EAGAIN) break;
                return retry_later(error_code(number, boost::system::system_category()));
            }
            // a peer on a Unix socket has no name: call it by ours
            auto made =
                make_socket_transport(descriptor_.get_executor(), std::move(fd),
                                      local_.scheme == scheme::unix_socket ? to_string(local_) : to_string(peer));
            if (!made) return retry_later(made.error());
            stumbled_ = false;
            auto link = layers_ ? layers_->wrap(std::move(*made)) : std::move(*made);
            if (!link) continue;
            on_accept_(std::move(link));
            if (closed_) return;
        }
        wait();
    }

    void retry_later(error_code error) {
        retry_->set(timer_heap::now().steady + retry_delay);
        if (!std::exchange(stumbled_, true) && on_error_) on_error_(error);
    }

    descriptor descriptor_;
    endpoint local_;
    std::shared_ptr<accept_layers> layers_;
    accept_handler on_accept_;
    accept_error_handler on_error_;
    std::unique_ptr<timer> retry_;
    bool stumbled_ = false;
    bool closed_ = false;
};

class socket_listener final : public listener {
public:
    explicit socket_listener(std::shared_ptr<acceptor> accepting) : acceptor_(std::move(accepting)) {}
    ~socket_listener() override { acceptor_->close(); }
    [[nodiscard]] const endpoint& local() const noexcept override { return acceptor_->local(); }

private:
    std::shared_ptr<acceptor> acceptor_;
};

}  // namespace

listen_result listen_on_socket(const asio::any_io_executor& executor, const std::shared_ptr<timer_heap>& timers,
                               const endpoint& at, const listen_options& options, accept_handler on_accept,
                               accept_error_handler on_error) {
    if (needs_layers(at.scheme) && !options.layers) {
        const error_code error = make_error_code(boost::system::errc::protocol_not_supported);
        return {nullptr, error, "listening at " + to_string(at) + ": " + error.message()};
    }
    std::string detail;
    auto fd = at.scheme == scheme::unix_socket ? listen_unix(at, options, detail) : listen_tcp(at, options, detail);
    error_code error = fd ? error_code() : fd.error();
    if (!error) {
        endpoint local = at;
        local.user_name.reset();
        local.password.reset();
        if (at.scheme != scheme::unix_socket) local.port = port_of(local_address_of(fd->number()));

        auto accepting = std::make_shared<acceptor>(executor, std::move(local), options.layers, std::move(on_accept),
                                                    std::move(on_error));
        error = accepting->start(std::move(*fd), *timers);
        if (!error) return {std::make_unique<socket_listener>(std::move(accepting)), {}, {}};
    }
    return {nullptr, error, detail + ": " + error.message()};
}

}  // namespace martlet::net
