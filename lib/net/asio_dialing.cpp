#include "net/asio_dialing.hpp"

#include "net/socket.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

using resolver = asio::ip::basic_resolver<asio::ip::tcp, asio::any_io_executor>;

//   start ──► (resolving) ──► connecting to the 1st, 2nd, … address ──► (handshake) ──► finished
class attempt final : public waiter, public std::enable_shared_from_this<attempt> {
public:
    attempt(const asio::any_io_executor& executor, const endpoint& to, const dial_options& options,
            dial_handler handler)
        : executor_(executor),
          to_(to),
          is_plain_(!needs_layers(to.scheme)),
          options_(options),
          handler_(std::move(handler)),
          resolver_(executor),
          descriptor_(executor) {}

    void start(timer_heap& timers) {
        timer_ = timers.make_timer([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->on_timer();
        });
        deadline_ = timer_heap::now().steady + options_.timeout;
        timer_->set(deadline_);

        tried_ = to_string(to_);
        if (options_.layers) {
            if (const error_code error = options_.layers->prepare(detail_)) {
                tried_.clear();
                return fail_later(error);
            }
            to_ = options_.layers->first_hop();
        } else if (!is_plain_) {
            return fail_later(make_error_code(boost::system::errc::protocol_not_supported));
        }
        socket_address literal;
        if (to_.scheme == scheme::unix_socket) {
            const auto address = unix_address(to_.path);
            if (!address) return fail_later(address.error());
            addresses_.push_back(*address);
        } else if (to_.host.empty()) {
            return fail_later(errc::url_invalid);
        } else if (literal_address(to_.host, to_.port, literal)) {
            addresses_.push_back(literal);  // not by the resolver's thread, whose work cannot be cancelled
        } else {
            return resolve();
        }
        asio::post(executor_, [self = shared_from_this()] { self->connect_next(); });
    }

    void cancel() noexcept {
        handler_ = nullptr;
        stop();
    }

private:
    void resolve() {
        // flags: numbers only for the port, and IPv6 only for a host that has IPv6
        resolver_.async_resolve(to_.host, std::to_string(to_.port),
                                resolver::numeric_service | resolver::address_configured,
                                [self = shared_from_this()](error_code error, const resolver::results_type& found) {
                                    self->on_resolved(error, found);
                                });
    }

    void on_resolved(error_code error, const resolver::results_type& found) {
        if (!handler_) return;
        if (error) {
            tried_ = "looking up " + to_.host;
            return finish({nullptr, error, {}});
        }
        for (const auto& entry : found) {
            socket_address address;
            const auto& from = entry.endpoint();
            std::memcpy(&address.bytes, from.data(), from.size());
            address.size = static_cast<socklen_t>(from.size());
            addresses_.push_back(address);
        }
        connect_next();
    }

    void connect_next() {
        if (!handler_) return;
        if (next_ == addresses_.size()) return finish({nullptr, error_, {}});

        const socket_address& address = addresses_[next_++];
        tried_ = "connecting to " + to_string(address);
        auto fd = open_socket(address);
        if (!fd) return on_address_failed(fd.error());
        if (const error_code error = bind_local(fd->number(), address)) return on_address_failed(error);
        const bool done = ::connect(fd->number(), address.data(), address.size) == 0;
        if (!done && errno != EINPROGRESS && errno != EINTR) return on_address_failed(last_error());
        if (done) return on_connected(std::move(*fd));

        if (const error_code error = assign(descriptor_, std::move(*fd))) return on_address_failed(error);
        const bool last = next_ == addresses_.size();
        const steady_time patience = timer_heap::now().steady + options_.address_timeout;
        timer_->set(last ? deadline_ : std::min(deadline_, patience));
        descriptor_.async_wait(descriptor::wait_write, [self = shared_from_this(), number = next_](error_code error) {
            if (self->handler_ && self->next_ == number && error != asio::error::operation_aborted) self->on_writable();
        });
    }

    /// Local and remote address must be of one family; the other family's addresses of a name fail then.
    error_code bind_local(int fd, const socket_address& remote) {
        if (options_.bind_address.empty() || to_.scheme == scheme::unix_socket) return {};
        socket_address local;
        if (!literal_address(options_.bind_address, 0, local)) return asio::error::invalid_argument;
        if (local.data()->sa_family != remote.data()->sa_family) return asio::error::address_family_not_supported;
        return ::bind(fd, local.data(), local.size) == 0 ? error_code() : last_error();
    }

    void on_writable() {
        int number = 0;
        socklen_t size = sizeof number;
        unique_fd fd(descriptor_.release());
        ::getsockopt(fd.number(), SOL_SOCKET, SO_ERROR, &number, &size);
        if (number != 0) return on_address_failed(error_code(number, boost::system::system_category()));
        on_connected(std::move(fd));
    }

    void on_connected(unique_fd fd) {
        // a dialed port that is free can be the one that the system picks for our own end
        if (to_.scheme != scheme::unix_socket && is_connected_to_itself(fd.number())) {
            return on_address_failed(asio::error::connection_refused);
        }
        auto made = make_socket_transport(executor_, std::move(fd), to_string(addresses_[next_ - 1]));
        if (!made) return on_address_failed(made.error());
        if (!options_.layers) return finish({std::move(*made), {}, {}});
        link_ = options_.layers->wrap(std::move(*made));
        if (!link_) return on_address_failed(make_error_code(boost::system::errc::not_enough_memory));
        shake_hands();
    }

    void shake_hands() {
        const io_result done = link_->handshake();
        if (done.blocked()) return link_->wait(done.wait_for, shared_from_this());
        if (!done.error) return finish({std::move(link_), {}, {}});

        const bool hung_up = done.error == asio::error::eof;
        const error_code error = hung_up ? make_error_code(errc::connection_closed) : done.error;
        const std::string why = link_->failure();
        link_->close();
        link_.reset();
        if (error.category() != errc_category() || hung_up) return on_address_failed(error);
        // somebody answered, and what it said would be the same at its other addresses
        detail_ += (detail_.empty() ? "" : "; ") + tried_ + ": " + (why.empty() ? error.message() : why);
        tried_.clear();
        finish({nullptr, error, {}});
    }

    void on_ready(direction, error_code error) override {
        if (handler_ && link_ && !error) shake_hands();
    }

    void on_address_failed(error_code error) {
        error_ = error;
        detail_ += (detail_.empty() ? "" : "; ") + tried_ + ": " + error.message();
        tried_.clear();
        connect_next();
    }

    void on_timer() {
        if (!handler_) return;
        if (timer_heap::now().steady >= deadline_) {
            if (tried_.empty() || addresses_.empty()) tried_ = "looking up " + to_.host;
            return finish({nullptr, asio::error::timed_out, {}});
        }
        close();  // a handshake that was under way ends with it
        on_address_failed(asio::error::timed_out);
    }

    void fail_later(error_code error) {
        if (!tried_.empty()) tried_ = "connecting to " + tried_;
        asio::post(executor_, [self = shared_from_this(), error] { self->finish({nullptr, error, {}}); });
    }

    void finish(dial_result result) {
        const dial_handler handler = std::exchange(handler_, nullptr);
        stop();
        if (!handler) return;
        if (result.error) {
            result.detail = std::move(detail_);
            if (!tried_.empty()) {
                result.detail += (result.detail.empty() ? "" : "; ") + tried_ + ": " + result.error.message();
            }
        }
        handler(std::move(result));
    }

    void stop() noexcept {
        timer_.reset();
        resolver_.cancel();
        close();
    }

    void close() noexcept {
        error_code ignored;
        descriptor_.close(ignored);
        if (const auto link = std::exchange(link_, nullptr)) link->close();
    }

    asio::any_io_executor executor_;
    endpoint to_;          // by TCP or a Unix socket: the server, or what is in front of it
    const bool is_plain_;  // what was asked for needs no layers
    dial_options options_;
    dial_handler handler_;  // empty: finished or cancelled
    resolver resolver_;
    descriptor descriptor_;
    std::unique_ptr<transport> link_;  // during its handshake
    std::unique_ptr<timer> timer_;
    steady_time deadline_{};
    std::vector<socket_address> addresses_;
    std::size_t next_ = 0;
    error_code error_;    // of the last address
    std::string detail_;  // of all that failed
    std::string tried_;   // what is being done
};

class socket_dialing final : public dialing {
public:
    explicit socket_dialing(std::shared_ptr<attempt> what) : attempt_(std::move(what)) {}
    ~socket_dialing() override { attempt_->cancel(); }

private:
    std::shared_ptr<attempt> attempt_;
};

}  // namespace

std::unique_ptr<dialing> dial_socket(const asio::any_io_executor& executor, const std::shared_ptr<timer_heap>& timers,
                                     const endpoint& to, const dial_options& options, dial_handler handler) {
    auto made = std::make_shared<attempt>(executor, to, options, std::move(handler));
    made->start(*timers);
    return std::make_unique<socket_dialing>(std::move(made));
}

}  // namespace martlet::net
