#include "net/address_race.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

std::vector<socket_address> by_turns(const std::vector<socket_address>& addresses) {
    std::vector<socket_address> first;
    std::vector<socket_address> second;
    for (const auto& one : addresses)
        (one.family() == addresses.front().family() ? first : second).push_back(one);
    std::vector<socket_address> mixed;
    mixed.reserve(addresses.size());
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) mixed.push_back(first[i]);
        if (i < second.size()) mixed.push_back(second[i]);
    }
    return mixed;
}

address_race::address_race(asio::any_io_executor executor, timer_heap& timers, std::vector<socket_address> addresses,
                           race_options options, failure_handler on_failure, done_handler on_done)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      on_failure_(std::move(on_failure)),
      on_done_(std::move(on_done)),
      timers_(timers),
      waiting_(addresses.begin(), addresses.end()) {}

void address_race::run() {
    is_decided_ = false;
    begin_next();
}

// Until one is under way, or all have failed.
void address_race::begin_next() {
    while (on_done_ && !is_decided_ && !waiting_.empty()) {
        const auto address = waiting_.front();
        waiting_.pop_front();
        const auto before = running_.size();
        begin(address);
        if (running_.size() != before) break;
    }
    if (!on_done_ || is_decided_) return;
    if (running_.empty()) {
        is_decided_ = true;
        const auto done = on_done_;
        return done({}, {});
    }
    if (waiting_.empty()) return;
    if (!step_) {
        step_ = timers_.make_timer([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->begin_next();
        });
    }
    step_->set(timer_heap::now().steady + options_.step);
}

void address_race::begin(const socket_address& address) {
    auto fd = open_socket(address);
    if (!fd) return fail(address, fd.error());
    if (const error_code error = bind_local(fd->number(), address)) return fail(address, error);
    if (::connect(fd->number(), address.data(), address.size) == 0) return win(std::move(*fd), address);
    if (errno != EINPROGRESS && errno != EINTR) return fail(address, last_error());

    auto socket = std::make_unique<descriptor>(executor_);
    if (const error_code error = assign(*socket, std::move(*fd))) return fail(address, error);
    const auto number = ++last_number_;
    socket->async_wait(descriptor::wait_write, [self = shared_from_this(), number](error_code error) {
        if (error != asio::error::operation_aborted) self->on_writable(number);
    });
    running_.push_back({number, address, std::move(socket)});
}

/// Local and remote address must be of one family; the other family's addresses of a name fail then.
error_code address_race::bind_local(int fd, const socket_address& remote) const {
    if (options_.bind_address.empty() || remote.family() == AF_UNIX) return {};
    socket_address local;
    if (!literal_address(options_.bind_address, 0, local)) return asio::error::invalid_argument;
    if (local.family() != remote.family()) return asio::error::address_family_not_supported;
    return ::bind(fd, local.data(), local.size) == 0 ? error_code() : last_error();
}

void address_race::on_writable(std::uint64_t number) {
    const auto at =
        std::find_if(running_.begin(), running_.end(), [&](const contender& one) { return one.number == number; });
    if (at == running_.end()) return;  // closed when its readiness was on its way
    const auto address = at->address;
    unique_fd fd(at->socket->release());
    running_.erase(at);
    int failure = 0;
    socklen_t size = sizeof failure;
    ::getsockopt(fd.number(), SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure == 0) return win(std::move(fd), address);
    fail(address, error_code(failure, boost::system::system_category()));
    begin_next();
}

void address_race::fail(const socket_address& address, error_code error) {
    if (const auto told = on_failure_) told(address, error);
}

// What is still under way may be needed if this connection comes to nothing, and then begins anew.
void address_race::win(unique_fd fd, const socket_address& address) {
    is_decided_ = true;
    for (auto one = running_.rbegin(); one != running_.rend(); ++one)
        waiting_.push_front(one->address);
    close_all();
    if (const auto done = on_done_) done(std::move(fd), address);
}

void address_race::give_up(error_code error) {
    std::vector<socket_address> addresses;
    for (const auto& one : running_)
        addresses.push_back(one.address);
    close_all();
    waiting_.clear();
    is_decided_ = true;
    for (const auto& address : addresses)
        fail(address, error);
}

void address_race::cancel() noexcept {
    on_failure_ = nullptr;
    on_done_ = nullptr;
    close_all();
}

void address_race::close_all() noexcept {
    step_.reset();
    for (auto& one : running_) {
        error_code ignored;
        one.socket->close(ignored);
    }
    running_.clear();
}

}  // namespace martlet::net
