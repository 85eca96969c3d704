#include "net/asio_dialing.hpp"

#include "net/address_race.hpp"
#include "net/socket.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <cstring>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

using resolver = asio::ip::basic_resolver<asio::ip::tcp, asio::any_io_executor>;

//   start ──► (resolving) ──► race of the addresses ──► (handshake) ──► finished
//                                    ▲                       └─ failed, or too slow: the other addresses
//                                    └───────────────────────┘
class attempt final : public waiter, public std::enable_shared_from_this<attempt> {
public:
    attempt(const asio::any_io_executor& executor, std::shared_ptr<timer_heap> timers, const endpoint& to,
            const dial_options& options, dial_handler handler)
        : executor_(executor),
          to_(to),
          is_plain_(!needs_layers(to.scheme)),
          options_(options),
          handler_(std::move(handler)),
          resolver_(executor),
          timers_(std::move(timers)) {}

    void start() {
        timer_ = timers_->make_timer([weak = weak_from_this()] {
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
        } else if (to_.host == "localhost") {
            // That is this machine, whatever a resolver says [RFC 6761 6.3]; and asking it takes longer than all the rest.
            for (const char* const address : {"127.0.0.1", "::1"}) {
                if (literal_address(address, to_.port, literal)) addresses_.push_back(literal);
            }
        } else {
            return resolve();
        }
        asio::post(executor_, [self = shared_from_this()] { self->connect(); });
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
        connect();
    }

    void connect() {
        if (!handler_) return;
        tried_.clear();
        const auto weak = weak_from_this();  // the race is ours
        race_ = std::make_shared<address_race>(
            executor_, *timers_, by_turns(addresses_),
            race_options{.bind_address = options_.bind_address, .step = options_.address_step},
            [weak](const socket_address& to, error_code error) {
                if (const auto self = weak.lock()) self->on_address_failed(to, error);
            },
            [weak](unique_fd fd, const socket_address& to) {
                if (const auto self = weak.lock()) self->on_decided(std::move(fd), to);
            });
        race_->run();
    }

    void on_decided(unique_fd fd, const socket_address& to) {
        if (!handler_) return;
        if (fd) return on_connected(std::move(fd), to);
        finish({nullptr, error_ ? error_ : asio::error::host_not_found, {}});
    }

    void on_connected(unique_fd fd, const socket_address& to) {
        // a dialed port that is free can be the one that the system picks for our own end
        if (to_.scheme != scheme::unix_socket && is_connected_to_itself(fd.number())) {
            return on_connection_failed(to, asio::error::connection_refused);
        }
        auto made = make_socket_transport(executor_, std::move(fd), to_string(to));
        if (!made) return on_connection_failed(to, made.error());
        if (!options_.layers) return finish({std::move(*made), {}, {}});
        link_ = options_.layers->wrap(std::move(*made));
        if (!link_) return on_connection_failed(to, make_error_code(boost::system::errc::not_enough_memory));
        connected_ = to;
        tried_ = "connecting to " + to_string(to);
        if (race_->has_more()) timer_->set(std::min(deadline_, timer_heap::now().steady + options_.address_timeout));
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
        if (error.category() != errc_category() || hung_up) return on_connection_failed(connected_, error);
        // somebody answered, and what it said would be the same at its other addresses
        detail_ += (detail_.empty() ? "" : "; ") + tried_ + ": " + (why.empty() ? error.message() : why);
        tried_.clear();
        finish({nullptr, error, {}});
    }

    void on_ready(direction, error_code error) override {
        if (handler_ && link_ && !error) shake_hands();
    }

    void on_address_failed(const socket_address& to, error_code error) {
        // That this machine lacks a family of addresses is not why the others failed.
        const bool lacks_family =
            error == asio::error::address_family_not_supported || error == boost::system::errc::address_not_available;
        if (!error_ || !lacks_family) error_ = error;
        detail_ += (detail_.empty() ? "" : "; ") + ("connecting to " + to_string(to)) + ": " + error.message();
    }

    void on_connection_failed(const socket_address& to, error_code error) {
        on_address_failed(to, error);
        tried_.clear();
        timer_->set(deadline_);
        race_->run();
    }

    void on_timer() {
        if (!handler_) return;
        if (timer_heap::now().steady >= deadline_) {
            if (race_) race_->give_up(asio::error::timed_out);
            if (addresses_.empty()) tried_ = "looking up " + to_.host;
            return finish({nullptr, asio::error::timed_out, {}});
        }
        close_link();  // the handshake takes too long
        on_connection_failed(connected_, asio::error::timed_out);
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
        if (race_) race_->cancel();
        close_link();
    }

    void close_link() noexcept {
        if (const auto link = std::exchange(link_, nullptr)) link->close();
    }

    asio::any_io_executor executor_;
    endpoint to_;          // by TCP or a Unix socket: the server, or what is in front of it
    const bool is_plain_;  // what was asked for needs no layers
    dial_options options_;
    dial_handler handler_;  // empty: finished or cancelled
    resolver resolver_;
    std::shared_ptr<timer_heap> timers_;
    std::shared_ptr<address_race> race_;
    std::unique_ptr<transport> link_;  // during its handshake
    std::unique_ptr<timer> timer_;
    steady_time deadline_{};
    std::vector<socket_address> addresses_;
    socket_address connected_;  // during the handshake
    error_code error_;          // of the address that failed last
    std::string detail_;        // of all that failed
    std::string tried_;         // what is being done
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
    auto made = std::make_shared<attempt>(executor, timers, to, options, std::move(handler));
    made->start();
    return std::make_unique<socket_dialing>(std::move(made));
}

}  // namespace martlet::net
