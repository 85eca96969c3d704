// Tells when standard input or output is ready, without changing it. stream_descriptor would not do: it refuses regular
// files, and it makes the descriptor non-blocking for everybody who shares it, such as the shell.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <functional>

namespace martlet::cli {

enum class readiness : std::uint8_t { readable, writable };

class descriptor_watch {
public:
    /// `descriptor` stays the caller's.
    descriptor_watch(boost::asio::any_io_executor executor, int descriptor, readiness what);

    /// True for what always is ready, like regular files and /dev/null.
    [[nodiscard]] bool is_always_ready() const noexcept { return !epoll_.is_open(); }
    /// True if a read or write would not block now.
    [[nodiscard]] bool is_ready() const noexcept;
    /// Calls `handler` on the executor once it is ready; not at all after cancel() or destruction. One at a time.
    void wait(std::function<void()> handler);
    void cancel();

private:
    int descriptor_;
    short poll_events_;
    boost::asio::posix::stream_descriptor epoll_;  // an epoll of its own, which watches the one descriptor
};

}  // namespace martlet::cli
