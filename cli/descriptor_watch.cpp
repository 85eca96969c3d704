#include "descriptor_watch.hpp"

#include <boost/asio/post.hpp>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>

namespace martlet::cli {

descriptor_watch::descriptor_watch(boost::asio::any_io_executor executor, int descriptor, readiness what)
    : descriptor_(descriptor), poll_events_(what == readiness::readable ? POLLIN : POLLOUT), epoll_(executor) {
    const int watcher = ::epoll_create1(EPOLL_CLOEXEC);
    if (watcher < 0) return;
    epoll_event interest{};
    interest.events = what == readiness::readable ? EPOLLIN : EPOLLOUT;
    if (::epoll_ctl(watcher, EPOLL_CTL_ADD, descriptor, &interest) == 0) {
        epoll_.assign(watcher);
    } else {  // EPERM: a regular file; anything else will show when it is read or written
        ::close(watcher);
    }
}

bool descriptor_watch::is_ready() const noexcept {
    if (is_always_ready()) return true;
    pollfd one{descriptor_, poll_events_, 0};
    return ::poll(&one, 1, 0) != 0;
}

void descriptor_watch::wait(std::function<void()> handler) {
    if (is_always_ready()) {
        boost::asio::post(epoll_.get_executor(), std::move(handler));
        return;
    }
    epoll_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [handler = std::move(handler)](const boost::system::error_code& error) {
                          if (!error) handler();
                      });
}

void descriptor_watch::cancel() {
    boost::system::error_code ignored;
    if (epoll_.is_open()) epoll_.cancel(ignored);
}

}  // namespace martlet::cli
