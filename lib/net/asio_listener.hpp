// Accepting on one listening socket. Private to lib/net.
#pragma once

#include "net/asio_timers.hpp"
#include "net/network.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace martlet::net {

[[nodiscard]] listen_result listen_on_socket(const boost::asio::any_io_executor& executor,
                                             const std::shared_ptr<timer_heap>& timers, const endpoint& at,
                                             const listen_options& options, accept_handler on_accept,
                                             accept_error_handler on_error);

}  // namespace martlet::net
